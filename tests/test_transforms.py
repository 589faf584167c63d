"""Unconstrained coordinates: round trips, densities with their Jacobians, gradients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import twins
from medpsy.bind import ModelData
from medpsy.inference.density import start_point
from medpsy.inference.transforms import Unconstrained, correlation_factor, triangle, unconstrain_start
from medpsy.parameter import Parameter
from medpsy.spec.priors import KINDS, Prior, parse_prior
from numeric_cases import EVERY_PRIOR, bound, even_grid, measured, points, survey, values_at
from pymc_density import density_function

UNIVARIATE = [
    "Normal(0.3, 0.7)", "StudentT(4, 1, 0.5)", "LogNormal(0.25, 0.6)", "HalfNormal(1.5)",
    "HalfStudentT(3, 2)", "Exponential(0.7)", "Gamma(2.5, 1.3)", "Gamma(0.6, 2)",
    "Beta(5, 17)", "Beta(0.7, 1)",
]  # fmt: skip


def vector(*priors: str, name: str = "slope_x") -> Parameter:
    return Parameter(
        name, ("item",), (tuple(f"i{j}" for j in range(len(priors))),), tuple(map(parse_prior, priors))
    )


def simplexes(categories: int, *concentrations: float, name: str = "category_prob_x") -> Parameter:
    coords = (tuple(f"i{j}" for j in range(len(concentrations))), tuple(map(str, range(categories))))
    priors = tuple(Prior("Dirichlet", (c,)) for c in concentrations)
    return Parameter(name, ("item", "category"), coords, priors)


def correlations(n: int, eta: float) -> Parameter:
    names = tuple(f"f{j}" for j in range(n))
    return Parameter("correlation_chol", ("factor", "factor_2"), (names, names), (Prior("LKJ", (eta,)),))


PARAMETERS = (
    vector(*UNIVARIATE), simplexes(5, 1.0, 0.5, 3.0), correlations(4, 2.0),
    vector("Normal(0, 1)", name="path"), simplexes(2, 1.0, name="category_prob_y"),
)  # fmt: skip


@pytest.fixture(scope="module")
def every_prior() -> ModelData:
    return bound(measured("x", "y", items=4), survey(items=4), priors=EVERY_PRIOR)


def test_every_prior_of_the_closed_list_is_tested(every_prior: ModelData) -> None:
    used = {prior.kind for parameter in every_prior.parameters for prior in parameter.priors}
    # No parameter of the graded model lies between 0 and 1; the vector of all kinds has two that do.
    assert used == set(KINDS) - {"Beta"}
    assert {parse_prior(text).kind for text in UNIVARIATE} == set(KINDS) - {"Dirichlet", "LKJ"}


def test_values_and_coordinates_go_back_and_forth() -> None:
    space = Unconstrained(PARAMETERS)
    assert space.size == 10 + 1 + 3 * 4 + 1 + 6
    for u in points(PARAMETERS, 50, 1):
        values = space.constrain(u)
        assert {name: value.shape for name, value in values.items()} == {q.name: q.shape for q in PARAMETERS}
        np.testing.assert_allclose(unconstrain_start(PARAMETERS, values), u, rtol=1e-9, atol=1e-9)


def test_constrained_values_are_in_their_support() -> None:
    space = Unconstrained(PARAMETERS)
    for u in points(PARAMETERS, 50, 2):
        values = space.constrain(u)
        assert (values["slope_x"][2:] > 0).all()
        assert (values["slope_x"][8:] < 1).all()
        np.testing.assert_allclose(values["category_prob_x"].sum(-1), 1.0, rtol=1e-14)
        assert (values["category_prob_x"] > 0).all()
        chol = values["correlation_chol"]
        np.testing.assert_allclose(np.diag(chol @ chol.T), 1.0, rtol=1e-13)
        assert (np.diag(chol) > 0).all()
        np.testing.assert_array_equal(chol, np.tril(chol))


def test_leading_axes_are_carried_along() -> None:
    space = Unconstrained(PARAMETERS)
    u = np.random.default_rng(3).normal(size=(2, 3, space.size))
    many = space.constrain(u)
    for i in np.ndindex(2, 3):
        for name, value in space.constrain(u[i]).items():
            np.testing.assert_array_equal(many[name][i], value)


def test_the_compiled_point_is_the_constrained_one(every_prior: ModelData) -> None:
    for parameters in (PARAMETERS, every_prior.parameters, PARAMETERS[1:2], PARAMETERS[2:3], PARAMETERS[3:4]):
        space = Unconstrained(parameters)
        for u in points(parameters, 20, 9):
            values, total, gradient = space.point(u)
            want = space.constrain(u)
            assert set(values) == set(want)
            for name, value in want.items():
                np.testing.assert_allclose(values[name], value, rtol=1e-13, atol=1e-300)
            own, own_gradient = space.log_prior(u)
            assert own == total
            np.testing.assert_array_equal(own_gradient, gradient)


def test_slots_and_labels_cover_the_vector_once(every_prior: ModelData) -> None:
    space = Unconstrained(every_prior.parameters)
    slots = sorted(space.slots, key=lambda slot: slot.start)
    assert [slot.start for slot in slots] == [0, *(slot.stop for slot in slots[:-1])]
    assert slots[-1].stop == space.size
    assert all(int(np.prod(slot.shape)) == slot.stop - slot.start for slot in slots)
    assert len(set(space.labels())) == space.size
    assert space.labels()[0] == "slope_x_lognormal_log__[0]"


def test_groups_keep_the_order_of_first_appearance() -> None:
    parameter = vector("LogNormal(0, 1)", "Normal(1, 2)", "LogNormal(3, 4)", "StudentT(4, 0, 1)")
    groups = parameter.groups()
    assert [g.name for g in groups] == ["slope_x_lognormal", "slope_x_normal", "slope_x_studentt"]
    assert [g.index.tolist() for g in groups] == [[0, 2], [1], [3]]
    assert groups[0].args.tolist() == [[0, 1], [3, 4]]
    assert [g.support for g in groups] == ["positive", "real", "real"]
    assert [g.name for g in vector("Normal(0, 1)", "Normal(2, 1)").groups()] == ["slope_x"]
    assert [q.event for q in PARAMETERS] == ["scalar", "simplex", "correlation", "scalar", "simplex"]


def differences(parameter: Parameter, log_density: object, n: int = 12) -> np.ndarray:
    """log_prior minus the twin at several points: a constant where they agree."""
    space = Unconstrained((parameter,))
    assert callable(log_density)
    at = np.random.default_rng(4).normal(size=(n, space.size))
    return np.array([space.log_prior(u)[0] - log_density(u) for u in at])


@pytest.mark.parametrize("text", UNIVARIATE)
def test_univariate_priors_with_their_jacobian(text: str) -> None:
    prior = parse_prior(text)

    def twin(u: np.ndarray) -> float:
        x, jacobian = u, 0.0
        if prior.support == "positive":
            x, jacobian = np.exp(u), u.sum()
        elif prior.support == "unit":
            x = 1 / (1 + np.exp(-u))
            jacobian = np.log(x * (1 - x)).sum()
        return float(twins.univariate_log_density(prior.kind, prior.args, x).sum() + jacobian)

    assert np.ptp(differences(vector(text, text), twin)) < 1e-12


@pytest.mark.parametrize("categories", [2, 3, 5, 7])
@pytest.mark.parametrize("concentration", [0.4, 1.0, 3.0])
def test_the_dirichlet_prior_with_its_jacobian(categories: int, concentration: float) -> None:
    parameter = simplexes(categories, concentration)
    space = Unconstrained((parameter,))

    def free(u: np.ndarray) -> np.ndarray:
        return space.constrain(u)["category_prob_x"][0, :-1]

    def twin(u: np.ndarray) -> float:
        prob = space.constrain(u)["category_prob_x"][0]
        return twins.dirichlet_log_density(concentration, prob / prob.sum()) + twins.log_volume(free, u)

    assert np.ptp(differences(parameter, twin)) < 1e-8


@pytest.mark.parametrize("n", [2, 3, 4, 5])
@pytest.mark.parametrize("eta", [1.0, 2.0, 5.5])
def test_the_lkj_prior_with_its_jacobian(n: int, eta: float) -> None:
    parameter = correlations(n, eta)
    below = np.tril_indices(n, -1)

    def free(u: np.ndarray) -> np.ndarray:
        chol = correlation_factor(u, n)
        return (chol @ chol.T)[below]

    def twin(u: np.ndarray) -> float:
        chol = correlation_factor(u, n)
        return twins.lkj_log_density(eta, chol @ chol.T) + twins.log_volume(free, u)

    assert np.ptp(differences(parameter, twin)) < 1e-7


def test_the_marginal_of_an_lkj_correlation_is_a_beta() -> None:
    """With two constructs (r + 1) / 2 ~ Beta(eta, eta)."""
    eta, u = 2.0, np.linspace(-40, 40, 8001)
    space = Unconstrained((correlations(2, eta),))
    weight = np.exp([space.log_prior(u[[i]])[0] for i in range(u.size)])
    cumulated = (np.cumsum(weight) - weight / 2) / weight.sum()
    r = correlation_factor(u[:, None], 2)[:, 1, 0]
    assert np.abs(cumulated - stats.beta.cdf((r + 1) / 2, eta, eta)).max() < 1e-5


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_the_triangle_holds_every_coordinate_once(n: int) -> None:
    assert sorted(triangle(n).tolist()) == list(range(n * (n - 1) // 2))


def test_the_gradient_of_the_prior_equals_finite_differences(every_prior: ModelData) -> None:
    for parameters in (PARAMETERS, every_prior.parameters):
        space = Unconstrained(parameters)

        def value(u: np.ndarray, space: Unconstrained = space) -> np.ndarray:
            return np.array([space.log_prior(u)[0]])

        for u in np.random.default_rng(5).normal(size=(6, space.size)):
            got = space.log_prior(u)[1]
            np.testing.assert_allclose(got, twins.jacobian(value, u)[0], rtol=1e-8, atol=1e-8)


def test_the_pull_back_equals_finite_differences() -> None:
    space = Unconstrained(PARAMETERS)
    rng = np.random.default_rng(6)
    for u in rng.normal(size=(6, space.size)):
        values = space.constrain(u)
        weight = {name: rng.normal(size=value.shape) for name, value in values.items()}

        def total(u: np.ndarray, weight: dict[str, np.ndarray] = weight) -> np.ndarray:
            now = space.constrain(u)
            return np.array([sum((weight[name] * now[name]).sum() for name in now)])

        got = np.full(space.size, 0.5)
        space.pull_back(values, weight, got)
        np.testing.assert_allclose(got, 0.5 + twins.jacobian(total, u)[0], rtol=1e-8, atol=1e-9)


def test_log_prior_is_that_of_the_random_variables_of_pymc(every_prior: ModelData) -> None:
    from medpsy.engines.quadrature import ENGINE
    from medpsy.inference.pymc_model import build

    model = build(every_prior, ENGINE, even_grid(2, 5, 4.0))
    space = Unconstrained(every_prior.parameters)
    function = density_function(model, space.slots, prior_only=True)
    offsets = []
    for u in points(every_prior.parameters, 50, 7):
        value, gradient = function(u)
        own, own_gradient = space.log_prior(u)
        offsets.append(value - own)
        np.testing.assert_allclose(own_gradient, gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())
    assert np.ptp(offsets) < 1e-9 * np.abs(offsets[0]) + 1e-9


@pytest.mark.parametrize("n", [3, 5])
def test_correlation_coordinates_are_those_of_pymc(n: int) -> None:
    import pymc as pm

    with pm.Model() as model:
        pm.LKJCorr("correlation_chol", n=n, eta=2.5)
    parameter = correlations(n, 2.5)
    space = Unconstrained((parameter,))
    transform = model.rvs_to_transforms[model.free_RVs[0]]
    function = density_function(model, space.slots)
    offsets = []
    for u in points((parameter,), 10, 8):
        value, gradient = function(u)
        own, own_gradient = space.log_prior(u)
        offsets.append(value - own)
        np.testing.assert_allclose(own_gradient, gradient, rtol=1e-9, atol=1e-9)
        backward = transform.backward(u, *model.free_RVs[0].owner.inputs).eval(mode="FAST_COMPILE")
        np.testing.assert_allclose(space.constrain(u)["correlation_chol"], backward, rtol=1e-12, atol=1e-14)
    assert np.ptp(offsets) < 1e-9


def test_the_start_is_what_the_families_suggest() -> None:
    data = bound(measured("x", "y") + "\ny ~ x + age", survey())
    space = Unconstrained(data.parameters)
    values = space.constrain(start_point(data))
    for block in data.blocks:
        for role, want in data.model.families[block.name].start(block).items():
            np.testing.assert_allclose(values[f"{role}_{block.name}"], want, rtol=1e-12)
    np.testing.assert_array_equal(values["path"], 0.0)
    assert set(values) == set(values_at(data, 1))
