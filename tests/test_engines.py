"""Every likelihood engine against brute-force integration, SciPy and itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from medpsy.bind import ModelData, local
from medpsy.engines.base import choose, engines
from medpsy.engines.conditional import ENGINE as CONDITIONAL
from medpsy.engines.gaussian import ENGINE as GAUSSIAN
from medpsy.engines.grid import Grid, default_grid, fitted_grid
from medpsy.engines.quadrature import ENGINE as QUADRATURE
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.engines.quadrature_kernel import fill_weight
from medpsy.errors import FitError, SpecError
from medpsy.ops import Numpy
from medpsy.spec.model_file import ENGINES
from numeric_cases import (
    bound,
    brute_force,
    check_gradient,
    even_grid,
    measured,
    structural_part,
    survey,
    values_at,
)

MIXED = "x =~ x1..x3\ny =~ cy1..cy3\ny ~ x + age\n"


def grid_for(data: ModelData) -> Grid:
    """Fine and wide enough for 1e-8 with moderate slopes."""
    return even_grid(data.n_factor, {1: 201, 2: 121, 3: 65}[data.n_factor], 9.0)


#: Text, families, nodes of the brute force, persons; persons 0 and 1 have no ordinal or no number answers.
MARGINAL = {
    "one construct": (measured("x"), {}, 4001, range(15)),
    "one, four categories unused in part": (measured("x", "m") + "\nm ~ x + age", {}, 401, range(5)),
    "covariates": (measured("x", "y") + "\nx ~ age + school\ny ~ x + age + school", {}, 401, range(5)),
    "no cause among the constructs": (measured("x", "y") + "\ny ~ school", {}, 401, range(4)),
    "three": (measured("x", "m", "y") + "\nm ~ a*x\ny ~ b*m + c*x", {}, 121, (0, 4)),
    "three on a path": (measured("x", "m", "y") + "\nm ~ x + age\ny ~ m + gender", {}, 71, (0, 3, 7)),
    "numbers": (measured("x", family="gaussian"), {"x": "gaussian"}, 4001, range(15)),
    "numbers and categories": (MIXED, {"y": "gaussian"}, 401, range(5)),
    "observed outcome": (measured("x") + "\ngrade ~ x + age", {}, 4001, range(15)),
    "observed mediator": (
        measured("x") + "\ndose ~ x + age\ngrade ~ dose + x + gender", {}, 401, (0, 1, 2, 3, 5, 6)
    ),
    "mediator between constructs": (
        measured("x", "y") + "\ndose ~ x\ny ~ dose + x\ngrade ~ y + dose", {}, 71, (0, 2, 3, 5)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MARGINAL)
def test_quadrature_equals_the_sum_over_a_fine_grid(name: str) -> None:
    text, families, size, persons = MARGINAL[name]
    data = bound(text, survey(), families=families)
    assert QUADRATURE.accepts(data).accepted
    p = values_at(data, 2)
    got = QUADRATURE.log_likelihood(data, p, Numpy, grid_for(data))
    want = brute_force(data, p, list(persons), size)
    np.testing.assert_allclose(got[list(persons)], want, atol=1e-8, rtol=1e-8)
    assert np.isfinite(got).all()


@pytest.mark.parametrize("name", [n for n, case in MARGINAL.items() if not case[1] and "observed" not in n])
def test_a_person_without_answers_has_a_likelihood_of_one(name: str) -> None:
    text, families, _, _ = MARGINAL[name]
    if "dose" in text:
        text = text.split("\ndose")[0]
    data = bound(text, survey(), families=families)
    for seed in range(5):
        p = values_at(data, seed)
        assert abs(QUADRATURE.log_likelihood(data, p, Numpy, grid_for(data))[0]) < 1e-8
        compiled = (
            CompiledQuadrature(data, grid_for(data)).per_person(p) if data.n_factor < 3 else np.zeros(1)
        )
        assert abs(compiled[0]) < 1e-8


def test_the_default_grid_loses_nothing_of_a_standard_normal() -> None:
    for text in (measured("x"), measured("x", "m"), measured("x", "m", "y")):
        data = bound(text, survey())
        p = values_at(data, 1, scale=0.2)
        ell = QUADRATURE.log_likelihood(data, p, Numpy, default_grid(data.n_factor))
        assert abs(ell[0]) < 1e-8


COMPILED = [
    measured("x"),
    measured("x", "y") + "\ny ~ x + school",
    measured("x", "m", "y") + "\nm ~ a*x + gender\ny ~ b*m + c*x + gender\nx ~ gender",
    measured("x", "m", "y") + "\nm ~ x\ny ~ m + age",
]


@pytest.mark.parametrize("text", COMPILED)
def test_the_compiled_route_is_the_definition(text: str) -> None:
    data = bound(text, survey())
    grid = even_grid(data.n_factor, 15, 6.0)
    compiled = CompiledQuadrature(data, grid)
    for seed in range(5):
        p = values_at(data, seed, scale=0.8)
        want = QUADRATURE.log_likelihood(data, p, Numpy, grid)
        np.testing.assert_allclose(compiled.per_person(p), want, rtol=1e-11, atol=1e-11)
        value, gradient = compiled.value_and_gradient(p)
        assert value == pytest.approx(want.sum(), rel=1e-12)
        assert set(gradient) == set(p)
        assert {k: g.shape for k, g in gradient.items()} == {k: v.shape for k, v in p.items()}


@pytest.mark.parametrize("text", COMPILED[1:])
def test_the_compiled_gradient_equals_finite_differences(text: str) -> None:
    data = bound(text, survey())
    compiled = CompiledQuadrature(data, even_grid(data.n_factor, 11, 5.0))
    for seed in range(2):
        check_gradient(compiled, values_at(data, seed))


@pytest.mark.parametrize("r", [0.0, 0.6, 0.99, -0.9999])
@pytest.mark.parametrize("sizes", [(1, 1, 401), (1, 61, 61), (15, 17, 19)])
def test_the_weights_of_the_grid_are_the_exponentials(sizes: tuple[int, int, int], r: float) -> None:
    covariance = np.eye(3)
    covariance[1, 2] = covariance[2, 1] = r
    precision = np.linalg.inv(covariance + 0.2 * (sizes[0] > 1) * np.outer([1, 1, 0], [1, 1, 0]))
    nodes = np.zeros((3, max(sizes)))
    for d, size in enumerate(sizes):
        nodes[d, :size] = np.linspace(-6, 5, size) if size > 1 else 0.0
    weight = np.empty(sizes)
    fill_weight(precision, nodes, weight)
    t = np.meshgrid(*(nodes[d, :size] for d, size in enumerate(sizes)), indexing="ij")
    want = np.exp(-0.5 * np.einsum("a...,ab,b...->...", np.array(t), precision, np.array(t)))
    np.testing.assert_allclose(weight, want, rtol=1e-9, atol=1e-250)


def test_person_moments_are_those_of_the_posterior() -> None:
    data = bound(measured("x", "y") + "\ny ~ x + age", survey())
    p = values_at(data, 3)
    mean, covariance = CompiledQuadrature(data, even_grid(2, 101, 10.0)).person_moments(p)
    assert mean.shape == (15, 2)
    assert covariance.shape == (15, 2, 2)
    part = structural_part(data, p)
    t = np.linspace(-10, 10, 201)
    x, y = np.meshgrid(t, t, indexing="ij")
    for i in (0, 1, 5, 9):
        log_post = stats.norm.logpdf(x)
        shift = sum(e * data.design[i, c] for (_, c), e in part["covariates"].items())
        log_post = log_post + stats.norm.logpdf(y, part["paths"]["y", "x"] * x + shift)
        for block, theta in zip(data.blocks, (t[:, None], t[None, :]), strict=True):
            table = data.model.families[block.name].log_prob(theta.ravel(), local(data, block, p), Numpy)
            for j, code in enumerate(block.values[i]):
                if code >= 0:
                    log_post = log_post + table[j, code].reshape(theta.shape)
        weight = np.exp(log_post - log_post.max())
        weight /= weight.sum()
        want = np.array([(weight * x).sum(), (weight * y).sum()])
        np.testing.assert_allclose(mean[i], want, atol=1e-8)
        off = np.stack([x - want[0], y - want[1]])
        np.testing.assert_allclose(covariance[i], np.einsum("axy,bxy,xy->ab", off, off, weight), atol=1e-8)


def test_windows_that_hold_the_posterior_change_nothing() -> None:
    data = bound(COMPILED[2], survey(30))
    p = values_at(data, 4)
    grid = even_grid(3, 31, 7.5)
    full = CompiledQuadrature(data, grid)
    everything = (np.zeros((30, 3), dtype=int), np.full((30, 3), 31))
    same = CompiledQuadrature(data, grid, everything)
    np.testing.assert_array_equal(same.per_person(p), full.per_person(p))
    mean, covariance = (moments[full.patterns.first] for moments in full.person_moments(p))
    sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    t = grid.nodes[0]
    lo = np.clip(np.searchsorted(t, mean - 6.5 * sd) - 1, 0, None)
    hi = np.clip(np.searchsorted(t, mean + 6.5 * sd) + 1, None, 31)
    assert (hi - lo).mean() < 30
    narrow = CompiledQuadrature(data, grid, (lo, hi))
    np.testing.assert_allclose(narrow.per_person(p), full.per_person(p), atol=1e-7)
    want, got = full.value_and_gradient(p), narrow.value_and_gradient(p)
    assert got[0] == pytest.approx(want[0], abs=1e-6)
    for key in want[1]:
        np.testing.assert_allclose(got[1][key], want[1][key], atol=1e-5)
    blind = CompiledQuadrature(data, grid, (lo, np.minimum(lo + 2, 31)))
    assert (blind.per_person(p) < full.per_person(p)).all()


def test_the_error_is_that_of_the_whole_grid_refined() -> None:
    data = bound(COMPILED[2], survey(30))
    p = values_at(data, 4)
    fitted = CompiledQuadrature(data, even_grid(3, 31, 7.5)).adapted(p, 0.8)
    rough = CompiledQuadrature(data, fitted.grid, (fitted.lo + 1, np.maximum(fitted.hi - 1, fitted.lo + 2)))
    for one in (fitted, rough):
        exact = CompiledQuadrature(data, one.grid.refined()).per_person(p).sum()
        assert one.numerical_error(p) == pytest.approx(one.per_person(p).sum() - exact, abs=1e-6)
    assert abs(rough.numerical_error(p)) > 10 * abs(fitted.numerical_error(p)) > 0


def test_refining_the_grid_converges() -> None:
    data = bound(measured("x", "y") + "\ny ~ x", survey(60, items=6))
    p = values_at(data, 5)
    p |= {f"slope_{name}": 2.5 * np.abs(p[f"slope_{name}"]) for name in "xy"}
    grids = [even_grid(2, 9, 8.0)]
    for _ in range(4):
        grids.append(grids[-1].refined())
    assert [len(g.nodes[0]) for g in grids] == [9, 17, 33, 65, 129]
    values = [CompiledQuadrature(data, g).value_and_gradient(p)[0] for g in grids]
    errors = np.abs(np.array(values[:-1]) - values[-1])
    assert errors[0] > 1.0
    assert (errors[1:] < np.maximum(errors[:-1] / 10, 1e-9)).all()


def test_grids() -> None:
    assert [len(default_grid(d).nodes[0]) for d in (1, 2, 3)] == [61, 41, 25]
    assert default_grid(1).nodes[0][[0, -1]].tolist() == [-6.0, 6.0]
    assert default_grid(2).spacing == pytest.approx([0.3, 0.3])
    grid = fitted_grid(np.array([-2.0, -1.0]), np.array([3.0, 1.0]), np.array([0.2, 5.0]), 1.0)
    assert [len(t) for t in grid.nodes] == [26, 13]
    assert [(t[0], t[-1]) for t in grid.nodes] == [(-2.0, 3.0), (-1.0, 1.0)]
    assert grid.describe() == "26 x 13 equally spaced nodes, spacing 0.20, 0.17"
    with pytest.raises(FitError, match="a grid of 3 nodes is too coarse"):
        default_grid(1, 3)


# --- Conditional ------------------------------------------------------------------------------------------

CONDITIONAL_MODELS = {
    "one construct": (measured("x") + "\nx ~ age", {}),
    "correlated": (measured("x", "y") + "\ny ~ a*x", {}),
    "numbers": (measured("x", family="gaussian"), {"x": "gaussian"}),
    "path": (measured("x", "y") + "\ny ~ x + school", {}),
    "outcome": (measured("x") + "\ngrade ~ x", {}),
    "mediator": (measured("x", "y") + "\ndose ~ x + age\ny ~ dose + x", {}),
}


@pytest.mark.parametrize("name", CONDITIONAL_MODELS)
def test_integrating_the_sampled_persons_gives_the_marginal_likelihood(name: str) -> None:
    text, families = CONDITIONAL_MODELS[name]
    answers = survey()
    complete = {"dose": np.nan_to_num(answers.variables["dose"], nan=5.0)}
    data = bound(text, replace(answers, variables=answers.variables | complete), families=families)
    p = values_at(data, 7)
    assert CONDITIONAL.person_normals(data) == data.n_factor
    nodes = np.linspace(-8, 8, 401 if data.n_factor == 1 else 61)
    log_weight = stats.norm.logpdf(nodes) + np.log(nodes[1] - nodes[0])
    terms = []
    for at in np.ndindex(*[nodes.size] * data.n_factor):
        z = np.tile(nodes[list(at)], (15, 1))
        terms.append(CONDITIONAL.log_likelihood(data, {**p, "z": z}, Numpy) + log_weight[list(at)].sum())
    got = logsumexp(np.array(terms), axis=0)
    np.testing.assert_allclose(got, QUADRATURE.log_likelihood(data, p, Numpy, grid_for(data)), atol=1e-8)


def test_a_binary_outcome_is_integrated_right() -> None:
    data = bound(measured("x") + "\npassed ~ x + age", survey(), families={"passed": "bernoulli"})
    engine, verdicts = choose(data)
    assert engine.name == "outcomes"
    assert [name for name, _ in verdicts] == list(engines())[:5]
    p = values_at(data, 8)
    nodes = np.linspace(-8, 8, 401)
    log_weight = stats.norm.logpdf(nodes) + np.log(nodes[1] - nodes[0])
    terms = [CONDITIONAL.log_likelihood(data, {**p, "z": np.full((15, 1), t)}, Numpy) for t in nodes]
    got = logsumexp(np.array(terms) + log_weight[:, None], axis=0)
    np.testing.assert_allclose(got, brute_force(data, p, list(range(15)), 2001), atol=1e-8)


# --- Choice -----------------------------------------------------------------------------------------------


def test_engines_are_asked_in_order_and_say_why() -> None:
    assert list(engines()) == [
        "two_level", "gaussian", "equations", "layered", "outcomes", "products", "quadrature", "conditional",
        "bifactor", "crossed",
    ]  # fmt: skip
    many = bound(measured("x", "m", "y", "v"), survey())
    assert choose(many)[0].name == "layered"
    engine, verdicts = choose(many, pymc=True)
    assert engine is CONDITIONAL
    assert dict(verdicts)["quadrature"] == "4 constructs; the grid takes 1 to 3"
    assert dict(verdicts)["layered"] == "compiled route only"
    engine, verdicts = choose(bound(measured("x"), survey()))
    assert engine is QUADRATURE
    assert dict(verdicts)["gaussian"] == "'x' has ordinal or binary items"
    engine, verdicts = choose(bound(measured("x"), survey()), "conditional")
    assert engine is CONDITIONAL
    assert verdicts == [("conditional", "asked for; persons sampled")]


def test_engines_decline_what_they_cannot_do() -> None:
    four = bound(measured("x", "m", "y", "v"), survey())
    with pytest.raises(SpecError, match="engine 'quadrature' cannot take this model: 4 constructs"):
        choose(four, "quadrature")
    with pytest.raises(SpecError, match="there is no engine 'quadratur'") as caught:
        choose(four, "quadratur")
    assert "Did you mean 'quadrature'?" in caught.value.hint
    missing = bound(measured("x") + "\ndose ~ x\ngrade ~ dose", survey())
    verdict = CONDITIONAL.accepts(missing)
    assert not verdict.accepted
    assert verdict.reason == "'dose' explains another variable and is missing for 3 persons"
    assert QUADRATURE.compiles(missing).accepted
    assert not CONDITIONAL.compiles(four).accepted
    numbers = bound(measured("x", family="gaussian"), survey(), family="gaussian")
    assert QUADRATURE.compiles(numbers).reason == "no item is ordinal"
    assert GAUSSIAN.compiles(numbers).accepted


def test_a_binary_outcome_keeps_the_other_engines_away() -> None:
    answers = survey()
    data = bound(
        measured("x", family="gaussian") + "\npassed ~ x", answers, family="gaussian",
        families={"passed": "bernoulli"},
    )  # fmt: skip
    assert not GAUSSIAN.accepts(data).accepted
    assert not QUADRATURE.accepts(data).accepted
    assert GAUSSIAN.accepts(data).reason == "'passed' is binary"
    complete = replace(answers, variables=answers.variables | {"dose": np.arange(15.0)})
    assert CONDITIONAL.accepts(bound(measured("x") + "\ndose ~ x\ngrade ~ dose", complete)).accepted


def test_every_engine_can_be_asked_for_by_name() -> None:
    assert set(ENGINES) == {"auto", *engines()}
