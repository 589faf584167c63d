"""Coordinates of shrunk differences: between deviations and their products with a sd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from group_cases import grouped, simulated, simulated_numbers
from medpsy.bind import ModelData
from medpsy.engines.base import choose
from medpsy.inference.density import Density, start_point
from medpsy.inference.mode import Mode, climb, find_mode, hessian
from medpsy.inference.native import Native, plain
from medpsy.inference.prepare import opened
from medpsy.inference.products import _with_errors, in_products, measured, unmeasured
from medpsy.inference.transforms import Unconstrained
from medpsy.parameter import Parameter, Scale
from medpsy.spec.groups import Groups
from medpsy.spec.priors import parse_prior

ORDINAL = Groups("arm", shrink=("loadings", "thresholds"))
NUMBERS = Groups("arm", equal=("residuals",), shrink=("loadings", "intercepts"))
#: Another kind of prior for one difference, so that the entries of its parameter have two places.
MIXED = (("difference.location.x.x2", "StudentT(3, 0, 1)"),)


def ordinal(sizes: tuple[int, ...] = (60, 50, 40), priors: tuple[tuple[str, str], ...] = MIXED) -> ModelData:
    survey, _ = simulated(sizes, items=4, means=(0.0, 0.5, -0.3), sds=(1.0, 1.3, 1.0), shift={1: 0.8})
    return grouped("x =~ x1 + x2 + x3 + x4", survey, ORDINAL, priors=priors)


def numbers(spread: float, seed: int, items: int = 12) -> ModelData:
    """Two groups whose intercepts of continuous items differ with a known sd."""
    away = np.random.default_rng(seed).normal(0.0, 1.0, items)
    shift = dict(enumerate(spread * (away - away.mean()) / away.std()))
    survey, _ = simulated_numbers((300, 300), items=items, shift=shift, seed=seed)
    text = "n =~ " + " + ".join(f"n{j + 1}" for j in range(items))
    return grouped(text, survey, NUMBERS, family="gaussian")


def density_of(data: ModelData, products: bool = False) -> Density:
    engine, _ = choose(data)
    return Density(data, opened(data, engine, 15), products)


def with_errors(data: ModelData, error: float) -> ModelData:
    """The data with errors that grow from entry to entry."""

    def given(p: Parameter) -> Parameter:
        if p.scale is None:
            return p
        errors = tuple(error * (1 + i / 7) for i in range(len(p.scale.index)))
        return replace(p, scale=replace(p.scale, error=errors))

    return replace(data, parameters=tuple(map(given, data.parameters)))


def test_shrunk_differences_have_a_scale_that_is_measured() -> None:
    data = ordinal()
    scaled = {p.name: p for p in data.parameters if p.scale is not None}
    assert set(scaled) == {"shrunk_slope_x", "shrunk_location_x", "shrunk_gap_x"}
    scale = scaled["shrunk_location_x"].scale
    assert scale == Scale("difference_sd_location_x", (0,) * 8)
    assert unmeasured(data) and not unmeasured(with_errors(data, 0.2))
    # Without errors there is nothing between which to walk.
    assert not density_of(data, products=True).space._scaled[0].size
    one_signed = ordinal(priors=(("difference.slope.x.x3", "HalfNormal(1)"),))
    assert {p.name for p in one_signed.parameters if p.scale} == set(scaled) - {"shrunk_slope_x"}


def test_the_density_changes_by_the_jacobian_alone() -> None:
    data = with_errors(ordinal(), 0.15)
    walked, usual = density_of(data, products=True), density_of(data)
    space = walked.space
    assert space._scaled[0].size == 2 * (4 + 4 + 12)
    rng = np.random.default_rng(3)
    u = start_point(data) + 0.4 * rng.standard_normal(walked.size)
    step = 1e-6 * np.eye(walked.size)
    jacobian = np.stack([(space.to_plain(u + e) - space.to_plain(u - e)) / 2e-6 for e in step], axis=1)
    sign, log_volume = np.linalg.slogdet(jacobian)
    assert sign == 1 and log_volume < -5.0
    value, gradient = walked.value_and_gradient(u)
    assert value == pytest.approx(usual.value_and_gradient(space.to_plain(u))[0] + log_volume, abs=1e-5)
    np.testing.assert_allclose(space.from_plain(space.to_plain(u), jacobian)[0], u, atol=1e-12)
    np.testing.assert_allclose(
        space.from_plain(space.to_plain(u), jacobian)[1], np.eye(walked.size), atol=1e-6
    )
    names = space.constrain(u)
    for name, want in usual.space.constrain(space.to_plain(u)).items():
        np.testing.assert_allclose(names[name], want, rtol=1e-12)
    for _ in range(5):
        along = rng.standard_normal(walked.size)
        ahead, behind = (walked.value_and_gradient(u + s * along)[0] for s in (1e-5, -1e-5))
        assert gradient @ along == pytest.approx((ahead - behind) / 2e-5, rel=1e-5)
    made = plain(walked, u)
    assert isinstance(made, Native), made
    for shift in 0.5 * rng.standard_normal((3, walked.size)):
        got, want = made.value_and_gradient(u + shift), walked.value_and_gradient(u + shift)
        assert got[0] == pytest.approx(want[0], rel=1e-8)
        np.testing.assert_allclose(got[1], want[1], rtol=1e-6, atol=1e-6 * np.abs(want[1]).max())


def curved(density: Density, u: np.ndarray) -> Mode:
    """The curvature at a point as a search would have left it."""
    precision = -hessian(lambda x: density.value_and_gradient(x)[1], u)
    covariance = np.linalg.inv(precision)
    return Mode(u, 0.0, np.linalg.cholesky(0.5 * (covariance + covariance.T)), 0, True, 0)


def test_errors_are_what_the_answers_say_of_the_products() -> None:
    data = numbers(0.3, 5, items=5)
    usual = density_of(data)
    u = find_mode(usual, climb(usual, start_point(data))[0]).u
    names = [p.name for p in data.parameters if p.scale is not None]
    found = {
        p.name: p.scale.error for p in _with_errors(usual, curved(usual, u), names).parameters if p.scale
    }
    assert set(found) == {"shrunk_loading_n", "shrunk_intercept_n"}

    # Slow twin: the sds held, the prior's own curvature taken away, and a difference's variance in its units.
    space = usual.space
    sds = [space._slot(f"difference_sd_{part}_n_log__").start for part in ("loading", "intercept")]
    rest = np.delete(np.arange(usual.size), sds)
    held = -hessian(lambda x: usual.value_and_gradient(x)[1], u)[np.ix_(rest, rest)]
    for name, at in (("shrunk_loading_n", sds[0]), ("shrunk_intercept_n", sds[1])):
        for k, place in enumerate(range(space._slot(name).start, space._slot(name).stop)):
            i = int(np.flatnonzero(rest == place)[0])
            others = np.delete(np.arange(rest.size), i)
            schur = held[i, i] - held[i, others] @ np.linalg.solve(
                held[np.ix_(others, others)], held[others, i]
            )
            error = np.exp(u[at]) / np.sqrt(schur - 1.0)
            assert found[name][k] == pytest.approx(error, rel=1e-6)

    # Measured in other coordinates at the same point they are the same.
    walked = Density(with_errors(data, 0.1), usual.likelihood, products=True)
    again, _ = walked.space.from_plain(u, np.zeros((u.size, 0)))
    other = _with_errors(walked, curved(walked, again), names)
    for p in other.parameters:
        if p.scale is not None:
            np.testing.assert_allclose(p.scale.error, found[p.name], rtol=1e-4)


@pytest.mark.parametrize("spread", [0.0, 0.4])
def test_the_mode_is_at_the_sd_that_the_differences_have(spread: float) -> None:
    data = numbers(spread, 7)
    usual = density_of(data)
    start, _, _ = climb(usual, start_point(data))
    far = float(usual.space.constrain(start)["difference_sd_intercept_n"][0])
    walked, near, used = measured(usual, start)
    assert used > 0 and walked.space.products and not unmeasured(walked.data)
    mode = find_mode(walked, near)
    assert mode.converged
    found = float(walked.space.constrain(mode.u)["difference_sd_intercept_n"][0])
    if spread:
        assert 0.25 < found < 0.55
    else:
        assert found < 0.1 < 0.2 < far
    # Coordinates that are walked in already stay.
    assert in_products(walked, mode) == (walked, mode)


def test_places_of_entries_and_their_sds() -> None:
    normal, heavy = parse_prior("Normal(0, 1)"), parse_prior("StudentT(2, 0, 1)")
    scale = Scale("s", (1, 0, 1), (0.3, 0.2, 0.1))
    parameters = (
        Parameter("d", ("k",), (("1", "2", "3"),), (normal, heavy, normal), scale=scale),
        Parameter("s", ("l",), (("a", "b"),), (parse_prior("HalfNormal(1)"), parse_prior("Exponential(2)"))),
    )
    space = Unconstrained(parameters, products=True)
    # d: 1 and 3 are normal and come first, then 2; then the half-normal sd, then the exponential one.
    entries, sds = space.places_of(parameters[0])
    assert entries.tolist() == [0, 2, 1] and sds.tolist() == [4, 3, 4]
    u = np.array([1.0, 2.0, 3.0, np.log(0.2), np.log(0.3)])
    half = 1 / np.sqrt(2)
    np.testing.assert_allclose(space.stretch(u), [half, 1 / np.sqrt(10), half, 1.0, 1.0])
    np.testing.assert_allclose(space.constrain(u)["d"], [half, 3 * half, 2 / np.sqrt(10)])
