"""Hand-made posteriors: independent draws around sensible values, to be spoilt one way at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from medpsy.bind import ModelData, bind
from medpsy.engines.base import engines
from medpsy.fit import _tree
from medpsy.inference.compiled_route import Posterior
from medpsy.model import compose
from medpsy.result import Result
from medpsy.spec.syntax import parse_model
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.survey import Survey

TEXT = "x =~ x1..x3\ny =~ y1..y3\ny ~ a*x\ndouble := 2*a"


@dataclass
class Made:
    """The arrays a sampler hands over; tests write into them."""

    values: dict[str, np.ndarray]
    stats: dict[str, np.ndarray]
    log_likelihood: np.ndarray
    provenance: dict[str, Any] = field(default_factory=dict)


def survey(persons: int = 30, seed: int = 3) -> Survey:
    """Answers 0 to 2 to three items each of x and y, numbers n1 to n3 and an outcome ``grade``."""
    rng = np.random.default_rng(seed)
    modules = tuple(
        Module(name, tuple(f"{name}{j}" for j in (1, 2, 3)), (0, 1, 2), ("no", "some", "much"))
        for name in "xy"
    )
    names = ("n1", "n2", "n3", "grade")
    codes = rng.integers(0, 3, (persons, 6)).astype(np.int8)
    codes[:3] = np.arange(3)[:, None]  # every category is used
    values = {name: rng.normal(size=persons) for name in names}
    instrument = Instrument(modules, tuple(Variable(name) for name in names))
    return Survey(instrument, np.array([f"p{i}" for i in range(persons)]), codes, values)


def bound(text: str = TEXT, answers: Survey | None = None, **about: Any) -> ModelData:
    """Compose a text and bind it."""
    spec = parse_model(text, family=about.pop("family", "graded"))
    return bind(compose(replace(spec, **about)), answers if answers is not None else survey())


def draw(data: ModelData, seed: int, chains: int, draws: int) -> Made:
    """Independent draws of every parameter, of sampler statistics, and of log-likelihood terms."""
    rng = np.random.default_rng(seed)
    lead = (chains, draws)
    values: dict[str, np.ndarray] = {}
    for parameter in data.parameters:
        if parameter.event == "simplex":
            n_item, n_category = parameter.shape
            values[parameter.name] = rng.dirichlet(np.full(n_category, 12.0), (*lead, n_item))
        elif parameter.event == "correlation":
            r = np.tanh(rng.normal(0.5, 0.1, lead))
            chol = np.zeros((*lead, 2, 2))
            chol[..., 0, 0], chol[..., 1, 0], chol[..., 1, 1] = 1, r, np.sqrt(1 - r**2)
            values[parameter.name] = chol
        elif parameter.priors[0].support == "positive" or parameter.name.startswith(("slope", "loading")):
            values[parameter.name] = np.exp(rng.normal(0.3, 0.15, (*lead, *parameter.shape)))
        else:
            values[parameter.name] = rng.normal(0.2, 0.1, (*lead, *parameter.shape))
    stats = {
        "diverging": np.zeros(lead, dtype=bool),
        "energy": rng.normal(500, 4, lead),
        "lp": rng.normal(-500, 3, lead),
        "reached_max_treedepth": np.zeros(lead, dtype=bool),
    }
    terms = rng.normal(-5, 0.3, (*lead, data.n_person))
    numerics = {"largest error": 0.001, "tolerance": 0.05, "grid": "31 x 31 nodes"}
    return Made(values, stats, terms, {"numerics": numerics, "engine": {"name": "quadrature"}})


def made(
    spoil: Callable[[Made], Any] | None = None,
    *,
    seed: int = 0,
    chains: int = 4,
    draws: int = 1000,
    data: ModelData | None = None,
    engine: str = "quadrature",
    answers: Survey | None = None,
) -> Result:
    """A Result of healthy draws that ``spoil`` may have written into."""
    answers = answers if answers is not None else survey()
    data = data or bound(answers=answers)
    pieces = draw(data, seed, chains, draws)
    if spoil is not None:
        spoil(pieces)
    posterior = Posterior(
        values=pieces.values, stats=pieces.stats, log_likelihood=pieces.log_likelihood, log_prior=None
    )
    return Result(_tree(data, posterior, engines()[engine]), data, answers, pieces.provenance)
