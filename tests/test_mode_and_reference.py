"""The posterior mode under flat priors is the maximum-likelihood fit of established software."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpsy.bind import ModelData, bind
from medpsy.engines.gaussian import ENGINE as GAUSSIAN
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.errors import FitError
from medpsy.inference.density import Density, start_point
from medpsy.inference.mode import Mode, climb, find_mode, hessian
from medpsy.model import compose
from medpsy.ops import Numpy
from medpsy.spec.model_spec import Construct, ModelSpec
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.survey import Survey
from numeric_cases import bound, even_grid, measured, survey, values_at

#: So flat that the posterior is the likelihood, in the coordinates of the search too.
FLAT = (
    ("category_prob", "Dirichlet(0.000001)"),
    ("slope", "LogNormal(0, 1000)"),
)


@dataclass(frozen=True)
class Peer:
    """A graded fit of mirt 1.47 by marginal maximum likelihood."""

    name: str
    entry: str
    file: str
    items: tuple[str, ...]
    codes: tuple[int, ...]
    tolerance: float
    log_likelihood: float


PEERS = [
    Peer(
        "lsat", "irt.lsat6.2pl", "lsat/lsat6.csv", tuple(f"item{j}" for j in range(1, 6)), (0, 1), 0.01, 0.01,
    ),
    Peer(
        "science_attitudes", "irt.grm", "science_attitudes/science.csv",
        ("Comfort", "Work", "Future", "Benefit"), (1, 2, 3, 4), 0.02, 0.01,
    ),
    Peer(
        "mexmed_students", "irt.grm_phq", "mexmed_students/mexmed_students_clean.csv",
        tuple(f"phq{j}" for j in range(1, 10)), (0, 1, 2, 3), 0.02, 0.05,
    ),
    Peer(
        "mexmed_students", "irt.grm_gad", "mexmed_students/mexmed_students_clean.csv",
        tuple(f"gad{j}" for j in range(1, 8)), (0, 1, 2, 3), 0.02, 0.05,
    ),
]  # fmt: skip


def reference(shared: Path, name: str, entry: str) -> dict[str, Any]:
    text = (shared / "reference" / f"{name}.json").read_text(encoding="utf-8")
    return next(e["results"] for e in json.loads(text)["entries"] if e["id"] == entry)


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ordinal(path: Path, items: tuple[str, ...], codes: tuple[int, ...]) -> Survey:
    place = {str(code): i for i, code in enumerate(codes)}
    rows = read_rows(path)
    values = np.array([[place[row[i]] if row[i] else -1 for i in items] for row in rows], dtype=np.int8)
    instrument = Instrument((Module("f", items, codes),))
    return Survey(instrument, np.array([str(i) for i in range(len(rows))]), values)


def likelihood_mode(data: ModelData, likelihood: Any) -> tuple[Density, Mode]:
    density = Density(data, likelihood)
    return density, find_mode(density, start_point(data))


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.entry)
def test_flat_priors_reproduce_the_maximum_likelihood_fit(peer: Peer, shared: Path) -> None:
    want = reference(shared, peer.name, peer.entry)
    answers = ordinal(shared / "data" / peer.file, peer.items, peer.codes)
    family = "bernoulli" if len(peer.codes) == 2 else "graded"
    data = bind(compose(ModelSpec((Construct("f", peer.items, family),), priors=FLAT)), answers)
    density, mode = likelihood_mode(data, CompiledQuadrature(data, even_grid(1, 121, 7.0)))
    assert mode.converged
    assert mode.damped == 0
    values = density.space.constrain(mode.u)
    log_likelihood, gradient = density.likelihood.value_and_gradient(values)
    assert log_likelihood == pytest.approx(want["logLik"], abs=peer.log_likelihood)
    assert np.abs(gradient["slope_f"]).max() < 0.5
    p = {"slope": values["slope_f"], "category_prob": values["category_prob_f"]}
    threshold = data.model.families["f"].derived(p, Numpy)["threshold"]
    spread = mode.spread @ mode.spread.T
    for j, item in enumerate(peer.items):
        rows = want["slope_intercept"][item]
        k = len(peer.codes)
        assert p["slope"][j] == pytest.approx(rows["est"][0], abs=peer.tolerance)
        np.testing.assert_allclose(-threshold[j], rows["est"][1:k], atol=peer.tolerance)
        # The curvature is in log slopes; to first order sd(a) = a sd(log a).
        error = p["slope"][j] * np.sqrt(spread[j, j])
        assert error == pytest.approx(rows["se"][0], rel=0.05)
    eap = want["eap"]
    given = np.flatnonzero((answers.codes >= 0).any(axis=1))[: len(eap["theta"])]
    mean, covariance = density.likelihood.person_moments(values)
    np.testing.assert_allclose(mean[given, 0], eap["theta"], atol=0.01)
    np.testing.assert_allclose(np.sqrt(covariance[given, 0, 0]), eap["se"], atol=0.01)


def holzinger(shared: Path) -> ModelData:
    rows = read_rows(shared / "data" / "holzinger_swineford" / "holzinger_swineford.csv")
    names = tuple(f"x{j}" for j in range(1, 10))
    values = {name: np.array([float(row[name]) for row in rows]) for name in names}
    answers = Survey(
        Instrument((), tuple(map(Variable, names))), np.array([row["id"] for row in rows]),
        np.zeros((len(rows), 0), dtype=np.int8), values,
    )  # fmt: skip
    constructs = tuple(
        Construct(name, names[at : at + 3], "gaussian", positive=True)
        for name, at in (("visual", 0), ("textual", 3), ("speed", 6))
    )
    return bind(compose(ModelSpec(constructs)), answers)


def test_the_three_factor_model_of_holzinger_and_swineford(shared: Path) -> None:
    want = reference(shared, "holzinger_swineford", "sem.cfa3_stdlv")
    data = holzinger(shared)
    density = Density(data, GAUSSIAN.compiled(data))
    # Even a flat prior on the correlations has the Jacobian of their coordinates: leave all priors out.
    u = maximum_likelihood(density)
    values = density.space.constrain(u)
    log_likelihood = density.likelihood.value_and_gradient(values)[0]
    jacobian = 301 * sum(float(np.log(block.unit).sum()) for block in data.blocks)
    assert log_likelihood - jacobian == pytest.approx(-3737.745, abs=0.001)
    assert log_likelihood - jacobian == pytest.approx(want["fit"]["logl"], abs=1e-3)
    estimate = {(row["lhs"], row["op"], row["rhs"]): row["est"] for row in want["estimates"]}
    r = values["correlation_chol"] @ values["correlation_chol"].T
    for block in data.blocks:
        for j, item in enumerate(block.construct.items):
            loading = values[f"loading_{block.name}"][j] * block.unit[j]
            variance = (values[f"residual_sd_{block.name}"][j] * block.unit[j]) ** 2
            assert loading == pytest.approx(estimate[block.name, "=~", item], abs=1e-3)
            assert variance == pytest.approx(estimate[item, "~~", item], abs=2e-3)
            assert values[f"intercept_{block.name}"][j] == pytest.approx(0, abs=1e-4)
    names = [block.name for block in data.blocks]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert r[a, b] == pytest.approx(estimate[names[a], "~~", names[b]], abs=1e-3)


def maximum_likelihood(density: Density) -> np.ndarray:
    """Maximise the likelihood alone over the unconstrained coordinates."""
    from scipy.optimize import minimize

    def negative(u: np.ndarray) -> tuple[float, np.ndarray]:
        values = density.space.constrain(u)
        value, d_values = density.likelihood.value_and_gradient(values)
        gradient = np.zeros(density.size)
        density.space.pull_back(values, d_values, gradient)
        return -value, -gradient

    options = {"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-6}
    return minimize(negative, start_point(density.data), jac=True, method="L-BFGS-B", options=options).x


def test_the_published_slopes_of_the_law_school_test(shared: Path) -> None:
    """Section 7, two-parameter model: a, d as printed in the tests of mirt (Chalmers, 2012)."""
    items = tuple(f"item{j}" for j in range(1, 6))
    answers = ordinal(shared / "data" / "lsat" / "lsat7.csv", items, (0, 1))
    data = bind(compose(ModelSpec((Construct("f", items, "bernoulli"),), priors=FLAT)), answers)
    density, mode = likelihood_mode(data, CompiledQuadrature(data, even_grid(1, 61, 6.0)))
    values = density.space.constrain(mode.u)
    p = {"slope": values["slope_f"], "category_prob": values["category_prob_f"]}
    intercept = -data.model.families["f"].derived(p, Numpy)["threshold"][:, 0]
    np.testing.assert_allclose(p["slope"], [0.988, 1.081, 1.706, 0.765, 0.736], atol=0.01)
    np.testing.assert_allclose(intercept, [1.856, 0.808, 1.804, 0.486, 1.855], atol=0.01)


@pytest.fixture(scope="module")
def small() -> Density:
    data = bound(measured("x", "y") + "\ny ~ x + age", survey(120, missing=0.05))
    return Density(data, CompiledQuadrature(data, even_grid(2, 25, 6.5)))


def test_the_mode_is_stationary_and_its_curvature_whitens(small: Density) -> None:
    mode = find_mode(small, start_point(small.data))
    value, gradient = small.value_and_gradient(mode.u)
    assert mode.converged
    assert mode.damped == 0
    assert mode.value == pytest.approx(value, rel=1e-12)
    assert mode.evaluations > 5
    assert np.abs(gradient).max() < 0.01
    np.testing.assert_array_equal(mode.spread, np.tril(mode.spread))
    curvature = -hessian(lambda u: small.value_and_gradient(u)[1], mode.u, 1e-3)
    np.testing.assert_allclose(mode.spread.T @ curvature @ mode.spread, np.eye(small.size), atol=1e-3)
    rng = np.random.default_rng(1)
    for _ in range(20):
        assert small.value_and_gradient(mode.u + 0.5 * mode.spread @ rng.normal(size=small.size))[0] < value


def test_the_mode_does_not_depend_on_the_start(small: Density) -> None:
    one = find_mode(small, start_point(small.data))
    shift = np.random.default_rng(2).normal(0, 0.3, small.size)
    point, evaluations, converged = climb(small, start_point(small.data) + shift)
    assert converged
    assert evaluations < 500
    np.testing.assert_allclose(point, one.u, atol=0.01)


def test_the_hessian_of_a_quadratic_is_exact() -> None:
    a = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 4.0]])
    np.testing.assert_allclose(hessian(lambda u: a @ u, np.array([1.0, -2.0, 0.5])), a, atol=1e-9)


def test_directions_without_curvature_are_damped_and_reported() -> None:
    answers = survey(30)
    data = bound(measured("x") + "\nx ~ age", answers, priors={"path.x~age": "Normal(0, 100000)"})
    idle = Density(data, Silent())
    mode = find_mode(idle, np.zeros(idle.size))
    assert mode.damped == 1
    assert not mode.converged


class Silent:
    """A likelihood that says nothing: the posterior is the prior."""

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        return 0.0, {name: np.zeros_like(value) for name, value in p.items()}

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        return np.zeros(len(next(iter(p.values()))))


class Broken(Silent):
    """A likelihood without a number."""

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        _, gradient = super().value_and_gradient(p)
        return np.nan, gradient | {"slope_x": np.full_like(p["slope_x"], np.nan)}


def test_a_density_that_is_no_number_is_minus_infinity_and_named_at_the_start(small: Density) -> None:
    far = np.full(small.size, 900.0)
    value, gradient = small.value_and_gradient(far)
    assert value == -np.inf
    np.testing.assert_array_equal(gradient, 0.0)
    data = bound(measured("x"), survey())
    broken = Density(data, Broken())
    assert broken.value_and_gradient(np.zeros(broken.size))[0] == -np.inf
    with pytest.raises(FitError, match="nan at the starting point; not a number: slope_x") as caught:
        climb(broken, np.zeros(broken.size))
    assert "priors" in caught.value.hint


def test_a_prior_alone_has_its_own_mode() -> None:
    data = bound(measured("x"), survey(), priors={"slope.x.x2": "Normal(0.7, 0.2)"})
    density = Density(data, Silent())
    mode = find_mode(density, np.full(density.size, 0.3))
    values = density.space.constrain(mode.u)
    # In the coordinates of the search: the log of the first slope is normal, the others are as they are.
    np.testing.assert_allclose(np.log(values["slope_x"][0]), 0.25, atol=1e-4)
    np.testing.assert_allclose(values["slope_x"][1:], [0.7, 1.0], atol=1e-4)
    np.testing.assert_allclose(values["category_prob_x"], 0.25, atol=1e-4)
    assert set(values) == set(values_at(data, 1))
