"""Results made by hand: any model, any draws, no sampler. One module has a turned item and codes from 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from medpsy.bind import bind
from medpsy.engines.base import engines
from medpsy.fit import _tree
from medpsy.inference.compiled_route import Posterior
from medpsy.model import compose
from medpsy.result import Result
from medpsy.simulate import draw_prior
from medpsy.spec.syntax import parse_model
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.survey import Survey

LABELS = ("never", "rarely", "often", "always")
MEDIATION = """
x =~ x1..x3
m =~ m1..m3
y =~ y1..y3
m ~ a*x
y ~ b*m + c*x
indirect := a*b
direct := c
total := a*b + c
"""
WITH_SEX = MEDIATION.replace("m ~ a*x", "x ~ sex\nm ~ a*x + sex").replace("c*x", "c*x + sex")
MEASURED = "x =~ x1..x3\nm =~ m1..m3\ny =~ y1..y3\n"


def survey(n: int = 40, seed: int = 5) -> Survey:
    """Three items each of x, m and y (1 to 4, x2 turned), numbers n1 to n3, dose, grade, age, passed, sex."""
    rng = np.random.default_rng(seed)
    modules = tuple(
        Module(
            name, tuple(f"{name}{j}" for j in (1, 2, 3)), (1, 2, 3, 4), LABELS,
            ("x2",) if name == "x" else (), wording=((f"{name}1", f"How {name} are you?"),),
        )
        for name in "xmy"
    )  # fmt: skip
    codes = rng.integers(0, 4, (n, 9)).astype(np.int8)
    codes[:4] = np.arange(4)[:, None]
    codes[5, :4] = -1
    codes[6, 0] = -1
    numbers = ("n1", "n2", "n3", "dose", "grade", "age")
    values = {name: rng.normal(3 + at, 1 + at, n) for at, name in enumerate(numbers)}
    values["n2"][7] = values["grade"][8] = np.nan
    values |= {"passed": (values["age"] > 8).astype(float), "sex": rng.integers(0, 2, n)}
    variables = [Variable(name, title=name.title()) for name in (*numbers, "passed")]
    variables.append(Variable("sex", "category", ("f", "m"), "Sex"))
    return Survey(Instrument(modules, tuple(variables)), np.array([f"p{i}" for i in range(n)]), codes, values)


def result(
    text: str = MEDIATION,
    values: Mapping[str, np.ndarray] | None = None,
    *,
    family: str = "graded",
    families: Mapping[str, str] | None = None,
    priors: Mapping[str, str] | None = None,
    answers: Survey | None = None,
    chains: int = 2,
    draws: int = 100,
    seed: int = 1,
) -> Result:
    """A Result whose draws come from the priors, but for those in ``values`` (chain, draw, ...)."""
    answers = answers if answers is not None else survey()
    spec = parse_model(text, family=family, families=families)
    data = bind(compose(replace(spec, priors=tuple(sorted((priors or {}).items())))), answers)
    drawn = draw_prior(data.parameters, np.random.default_rng(seed), chains * draws)
    held = {name: value.reshape(chains, draws, *value.shape[1:]) for name, value in drawn.items()}
    for name, value in (values or {}).items():
        held[name] = np.broadcast_to(value, held[name].shape).astype(float)
    posterior = Posterior(
        values=held, stats={}, log_likelihood=np.zeros((chains, draws, data.n_person)), log_prior=None
    )
    return Result(_tree(data, posterior, engines()["quadrature"]), data, answers, {})


def cholesky(r_xm: float, r_xy: float, r_my: float, noise: np.ndarray | None = None) -> np.ndarray:
    """Cholesky factors of 3 x 3 correlation matrices; ``noise`` (...) moves the first correlation."""
    r_xm = np.asarray(r_xm) + (0.0 if noise is None else noise)
    matrix = np.ones((*np.shape(r_xm), 3, 3))
    for (i, j), r in {(0, 1): r_xm, (0, 2): r_xy, (1, 2): r_my}.items():
        matrix[..., i, j] = matrix[..., j, i] = r
    return np.linalg.cholesky(matrix)
