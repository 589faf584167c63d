"""The two routes state one density: compiled code and PyMC agree for every family, structure and engine.

Where an engine has no compiled route, its NumPy definition with finite differences takes that place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest

from medpsy.bind import ModelData, local
from medpsy.engines.base import engines
from medpsy.families.base import families
from medpsy.inference.density import Density
from medpsy.inference.transforms import Slot, Unconstrained
from medpsy.latent.base import structures
from medpsy.ops import Numpy
from medpsy.spec.priors import KINDS
from numeric_cases import (
    EVERY_PRIOR,
    bound,
    derivative,
    even_grid,
    measured,
    points,
    survey,
    with_fewer,
)
from pymc_density import density_function

POINTS = 50


@dataclass(frozen=True)
class Case:
    """One model with the engine that takes it."""

    engine: str
    text: str
    family: str = "graded"
    families: dict[str, str] = field(default_factory=dict)
    priors: dict[str, str] = field(default_factory=dict)
    categories: int = 4
    items: int = 3
    fewer: tuple[tuple[str, int], ...] = ()


OWN = {"path": "Normal(0, 0.5)"}
MIXED_PATHS = {
    "path.y~x": "StudentT(4, 0, 0.5)", "path.y~age": "LogNormal(-1, 0.5)",
    "slope": "Gamma(2, 1)", "slope.y": "HalfStudentT(4, 1)",
}  # fmt: skip
SPREADS = {
    "residual_sd.x": "HalfStudentT(4, 1)", "residual_sd.x.cx2": "Exponential(1)",
    "residual_sd.x.cx3": "Gamma(2, 3)", "residual_sd.y": "LogNormal(-0.5, 0.5)",
    "intercept.x": "StudentT(5, 0, 1)", "loading.x": "HalfNormal(1)",
    "loading.y.cy2": "StudentT(4, 0.6, 0.5)",
}  # fmt: skip
TWO = measured("x", "y")
NUMBERS = measured("x", "y", family="gaussian")

CASES = {
    "graded, correlated": Case("quadrature", measured("x", "y", items=4), priors=EVERY_PRIOR, items=4),
    "graded, mediation": Case(
        "quadrature",
        measured("x", "m", "y") + "\nm ~ a*x + school\ny ~ b*m + c*x + school\nx ~ school\nab := a*b",
    ),
    "graded, path": Case("quadrature", TWO + "\ny ~ b*x + age + gender", priors=MIXED_PATHS),
    "graded, seven categories": Case("quadrature", measured("x"), categories=7),
    "bernoulli, correlated": Case("quadrature", TWO + "\ny ~ b*x", family="bernoulli", categories=2),
    "bernoulli, path, correlated exposures": Case(
        "quadrature", measured("x", "m", "y") + "\ny ~ x + m", family="bernoulli", categories=2
    ),
    "gaussian, correlated": Case("gaussian", NUMBERS, family="gaussian", priors=SPREADS),
    "gaussian, path, observed": Case(
        "gaussian", NUMBERS + "\ndose ~ x + age\ny ~ dose + x\ngrade ~ y + school", family="gaussian",
        priors={"residual_sd.dose": "Gamma(2, 1)", "intercept.grade": "StudentT(4, 0, 1)"},
    ),
    "graded, path, observed": Case("quadrature", measured("x") + "\ndose ~ x + age\ngrade ~ dose + x"),
    "mixed, correlated": Case("quadrature", "x =~ x1..x3\ny =~ cy1..cy3", families={"y": "gaussian"}),
    "gaussian, path on the grid": Case("quadrature", NUMBERS + "\ny ~ x", family="gaussian", priors=OWN),
    "four constructs": Case(
        "conditional", measured("x", "m", "v", "y") + "\nv ~ x\ny ~ m\nv ~~ y",
        priors={"correlation": "LKJ(4)"},
    ),
    "graded, correlated, sampled": Case(
        "conditional", TWO + "\nx ~ age\ny ~ age", priors={"slope": "HalfNormal(2)"}
    ),
    "binary outcome": Case(
        "conditional", measured("x") + "\npassed ~ x + age", family="bernoulli",
        families={"passed": "bernoulli"}, categories=2,
    ),
    "bernoulli, correlated, sampled": Case("conditional", measured("x"), family="bernoulli", categories=2),
    "gaussian, correlated, sampled": Case("conditional", measured("x", family="gaussian"), family="gaussian"),
    "gaussian, path, sampled": Case(
        "conditional", measured("x", family="gaussian") + "\ngrade ~ x", family="gaussian"
    ),
}  # fmt: skip


#: Families of a kind that share a case, three at a time.
TRIOS = {
    "two answers": ("rasch", "three_parameter_logistic", "four_parameter_logistic"),
    "partial credit": ("generalised_partial_credit", "partial_credit", "rating_scale"),
    "cumulative": ("graded_probit", "graded_rating_scale", "sequential"),
    "nominal": ("nominal", "graded", "graded_probit"),
}
#: Items with fewer categories than others, where the family allows it.
FEWER = {"nominal": (("x2", 3), ("m3", 2), ("y1", 3)), "partial credit": (("x3", 2), ("m1", 3))}
THREE = measured("x", "m", "y")
for _kind, _trio in TRIOS.items():
    _about: dict[str, Any] = {
        "families": dict(zip("xmy", _trio, strict=True)),
        "categories": 2 if _kind == "two answers" else 4,
        "fewer": FEWER.get(_kind, ()),
    }
    CASES |= {
        f"{_kind}, correlated": Case("quadrature", THREE, **_about),
        f"{_kind}, path": Case("quadrature", THREE + "\ny ~ x + age", priors=OWN, **_about),
        f"{_kind}, correlated, sampled": Case("conditional", THREE, **_about),
        f"{_kind}, path, sampled": Case("conditional", THREE + "\ny ~ x", priors=OWN, **_about),
    }


@cache
def case_data(name: str) -> ModelData:
    case = CASES[name]
    answers = survey(categories=case.categories, items=case.items)
    for item, categories in case.fewer:
        answers = with_fewer(answers, item, categories)
    return bound(case.text, answers, family=case.family, families=case.families, priors=case.priors)


def test_every_family_structure_and_engine_that_go_together_have_a_case() -> None:
    covered = set()
    for name, case in CASES.items():
        data = case_data(name)
        assert engines()[case.engine].accepts(data).accepted
        structure = data.model.structure.name
        covered |= {(part.name, structure, case.engine) for part in data.model.families.values()}
    possible = set()
    for family, part in families().items():
        categories = 2 if getattr(part, "max_categories", 9) == 2 else 4
        for structure, priors in {"correlated": {}, "path": OWN}.items():
            text = measured("x", "y", family=family) + "\ny ~ x"
            data = bound(text, survey(categories=categories), family=family, priors=priors)
            assert data.model.structure.name == structure
            possible |= {(family, structure, e.name) for e in engines().values() if e.accepts(data).accepted}
    # Second orders and linear models are held to it in test_second_order.py and test_linear.py.
    assert {s for _, s, _ in possible} | {"second_order", "linear"} == set(structures())
    # On the grid numbers are never chosen alone; they are there beside ordinal constructs.
    assert possible - covered == set()


def test_every_kind_of_prior_has_a_case() -> None:
    used = {prior.kind for name in CASES for q in case_data(name).parameters for prior in q.priors}
    assert used == set(KINDS)


def settings_of(data: ModelData, engine: str) -> Any:
    return (
        even_grid(data.n_factor, {1: 25, 2: 11, 3: 7}[data.n_factor], 5.0) if engine == "quadrature" else None
    )


def definition(data: ModelData, engine: Any, settings: Any) -> Callable[[np.ndarray], float]:
    """Log-posterior from the NumPy definition of an engine, sampled persons at the end of the vector."""
    space = Unconstrained(data.parameters)
    shape = (data.n_person, engine.person_normals(data))

    def value(u: np.ndarray) -> float:
        p = space.constrain(u[: space.size])
        total = space.log_prior(u[: space.size])[0]
        if shape[1]:
            p["z"] = u[space.size :].reshape(shape)
            total -= 0.5 * float((p["z"] ** 2).sum())
        with np.errstate(all="ignore"):
            return total + float(engine.log_likelihood(data, p, Numpy, settings).sum())

    return value


def pymc_route(
    data: ModelData, engine: Any, settings: Any
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    from medpsy.inference.pymc_model import build

    space = Unconstrained(data.parameters)
    slots = list(space.slots)
    if engine.person_normals(data):
        size = data.n_person * data.n_factor
        slots.append(Slot("z", space.size, space.size + size, (data.n_person, data.n_factor)))
    return density_function(build(data, engine, settings), slots)


def assert_constant(offsets: list[float], values: list[float]) -> None:
    """Differences of the two routes are one number, to 1e-8 of the size of the density."""
    size = np.maximum(np.abs(values), 1.0)
    assert (np.abs(np.array(offsets) - offsets[0]) <= 1e-8 * np.maximum(size, size[0])).all()


def quick_ones() -> list[Any]:
    """All cases; of the trios only one is quick."""
    trio = [name for name in CASES if name.partition(",")[0] in TRIOS]
    slow = [name for name in trio if not name.endswith(", correlated")]
    return [pytest.param(name, marks=pytest.mark.slow) if name in slow else name for name in CASES]


@pytest.mark.parametrize("name", quick_ones())
def test_both_routes_state_one_density(name: str) -> None:
    data, engine = case_data(name), engines()[CASES[name].engine]
    settings = settings_of(data, engine.name)
    pymc = pymc_route(data, engine, settings)
    defined = definition(data, engine, settings)
    compiled = Density(data, engine.compiled(data, settings)) if engine.compiles(data).accepted else None
    rng = np.random.default_rng(1)
    offsets, values = [], []
    for u in points(data.parameters, POINTS if compiled else POINTS // 2, 2):
        full = np.concatenate([u, rng.normal(size=data.n_person * engine.person_normals(data))])
        value, gradient = pymc(full)
        assert np.isfinite(value)
        if compiled is not None:
            own, own_gradient = compiled.value_and_gradient(u)
            assert own == pytest.approx(defined(u), rel=1e-9)
            tolerance = 1e-9 * np.abs(gradient).max()
            np.testing.assert_allclose(own_gradient, gradient, rtol=1e-6, atol=tolerance)
        else:
            own = defined(full)
            direction = rng.normal(size=full.size) / np.sqrt(full.size)
            slope = derivative(lambda t, u=full, d=direction: defined(u + t * d))
            tolerance = 1e-6 * np.abs(gradient).max()
            assert slope == pytest.approx(float(gradient @ direction), rel=1e-6, abs=tolerance)
        offsets.append(value - own)
        values.append(value)
    assert_constant(offsets, values)


def test_the_cases_hold_what_makes_life_hard() -> None:
    data = case_data("graded, mediation")
    assert all((block.values[0] == -1).all() for block in data.blocks)
    assert 1 not in data.blocks[0].values[:, 1]
    numbers = case_data("gaussian, path, observed")
    assert all(np.isnan(block.values[1]).all() for block in numbers.blocks)
    assert np.isnan(numbers.observed[:, ~numbers.layout.latent]).sum() == 5
    at = points(data.parameters, POINTS, 2)
    values = Unconstrained(data.parameters).constrain(at)
    assert np.abs(values["slope_x"]).min() < 0.02
    assert np.abs(values["slope_x"]).max() > 6
    assert values["category_prob_x"].min() < 1e-9
    assert np.abs(values["correlation_chol"][:, 1, 0]).max() > 0.95


def test_pymc_names_every_derived_quantity_and_has_one_term_per_person() -> None:
    import pytensor
    from pytensor.compile.mode import Mode

    from medpsy.dims import ANSWERS
    from medpsy.inference.pymc_model import build

    data = case_data("graded, mediation")
    engine, settings = engines()["quadrature"], settings_of(data, "quadrature")
    model = build(data, engine, settings)
    (terms,) = model.logp(vars=[model[ANSWERS]], sum=False)
    names = ["ab", "coefficient", "correlation", "threshold_m"]
    derived = model.replace_rvs_by_values([model[name] for name in names])
    space = Unconstrained(data.parameters)
    variables = {variable.name: variable for variable in model.value_vars}
    order = [variables[slot.name] for slot in space.slots]
    function = pytensor.function(order, [terms, *derived], mode=Mode("vm", "fast_compile"))
    for u in points(data.parameters, 6, 3):
        p = space.constrain(u)
        each, ab, coefficient, correlation, threshold = function(
            *(u[s.start : s.stop].reshape(s.shape) for s in space.slots)
        )
        np.testing.assert_allclose(
            each, engine.log_likelihood(data, p, Numpy, settings), rtol=1e-9, atol=1e-9
        )
        r = p["correlation_chol"] @ p["correlation_chol"].T
        np.testing.assert_allclose(correlation, r, rtol=1e-12)
        b = np.linalg.solve(r[:2, :2], r[:2, 2])[1]
        assert ab == pytest.approx(r[0, 1] * b, rel=1e-7)
        want = data.model.structure.coefficients(p, data.layout, Numpy)
        np.testing.assert_allclose(coefficient, want, rtol=1e-8, atol=1e-9)
        block = data.blocks[1]
        cut = data.model.families[block.name].derived(local(data, block, p), Numpy)["threshold"]
        np.testing.assert_allclose(threshold, cut, rtol=1e-10, atol=1e-12)
    assert model.coords["regression"] == tuple(c.name for c in data.layout.coefficients)
    assert model.named_vars_to_dims["threshold_m"] == ("item_m", "step_m")
