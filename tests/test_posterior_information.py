"""Information and reliability of scores, against closed forms, an identity, and simulated persons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit

from hand_made import WITH_SEX, result, survey
from medpsy.errors import SpecError
from medpsy.families.base import families
from medpsy.posterior.draws import at, population, thinned
from medpsy.posterior.information import information, precision
from medpsy.posterior.items_at import SECOND, STEP, ItemsAt
from medpsy.simulate import simulate_from
from medpsy.survey.survey import Survey


def one_draw(text: str, values: Mapping[str, np.ndarray] | None = None, **about: object):
    return result(text, values, chains=1, draws=1, **about)  # type: ignore[arg-type]


def graded_information(slope: float, threshold: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """a^2 sum_k (Q_k (1 - Q_k) - Q_k+1 (1 - Q_k+1))^2 / P_k, written out from Samejima (1969)."""
    total = np.zeros(len(theta))
    edges = [np.ones(len(theta)), *(expit(slope * theta - t) for t in threshold), np.zeros(len(theta))]
    for above, beyond in pairwise(edges):
        slant = slope * (above * (1 - above) - beyond * (1 - beyond))
        total += slant**2 / (above - beyond)
    return total


@pytest.mark.parametrize("slopes", [[0.01, 0.8, 1.4], [2.5, -1.2, 8.0]])
def test_information_of_graded_items_is_the_closed_form(slopes: list[float]) -> None:
    fitted = one_draw("x =~ x1..x3", {"slope_x": np.array(slopes), "category_prob_x": np.full((3, 4), 0.25)})
    found = information(fitted, "x", points=33)
    # Steep items: where every answer is all but certain, the twin's 1 - Q has no digits left.
    found = found.sel(theta=slice(-2, 2)) if max(slopes) > 4 else found
    theta = found["theta"].to_numpy()
    threshold = fitted.tree["posterior"]["threshold_x"].to_numpy()[0, 0]
    expected = np.stack([graded_information(a, t, theta) for a, t in zip(slopes, threshold, strict=True)])
    for bound in ("lower", "mean", "upper"):
        np.testing.assert_allclose(found["item"].sel(bound=bound), expected, rtol=1e-8, atol=1e-11)
    test = expected.sum(axis=0)
    one = found.sel(bound="mean")
    np.testing.assert_allclose(one["test"], test, rtol=1e-8)
    np.testing.assert_allclose(one["error"], test**-0.5, rtol=1e-8)
    np.testing.assert_allclose(one["posterior_sd"], (test + 1) ** -0.5, rtol=1e-8)


def binary() -> Survey:
    """The hand-made survey with answers no and yes."""
    answers = survey()
    modules = tuple(
        replace(module, codes=(0, 1), labels=("no", "yes")) for module in answers.instrument.modules
    )
    return replace(
        answers,
        instrument=replace(answers.instrument, modules=modules),
        codes=np.minimum(answers.codes, 1).astype(np.int8),
    )


def test_information_of_two_categories_is_a_squared_p_q() -> None:
    fitted = one_draw("x =~ x1..x3", family="bernoulli", answers=binary())
    found = information(fitted, "x", points=17)["item"].sel(bound="mean").to_numpy()
    posterior = fitted.tree["posterior"]
    slope = posterior["slope_x"].to_numpy()[0, 0]
    p = expit(slope[:, None] * np.linspace(-4, 4, 17) - posterior["threshold_x"].to_numpy()[0, 0])
    np.testing.assert_allclose(found, slope[:, None] ** 2 * p * (1 - p), rtol=1e-8)


def test_information_of_continuous_items_is_loading_over_residual_sd_squared() -> None:
    fitted = one_draw("f =~ n1..n3", family="gaussian")
    posterior = fitted.tree["posterior"]
    expected = (posterior["loading_f"].to_numpy()[0, 0] / posterior["residual_sd_f"].to_numpy()[0, 0]) ** 2
    found = information(fitted, "f", points=5)["item"].sel(bound="mean").to_numpy()
    np.testing.assert_allclose(found, np.tile(expected[:, None], 5), rtol=1e-8)


@pytest.mark.parametrize("name", [n for n, family in families().items() if family.categorical])
def test_information_is_the_expected_curvature_in_every_family(name: str) -> None:
    """sum P'^2 / P = - sum P (log P)'', for the probabilities sum to one."""
    two = getattr(families()[name], "max_categories", None) == 2
    fitted = one_draw("x =~ x1..x3", family=name, answers=binary() if two else survey())
    items = ItemsAt(fitted, "x", 1)
    theta = np.linspace(-2, 2, 9)
    tables = [items.log_prob(0, theta + offset * STEP) for offset in range(-4, 5)]
    for j, found in enumerate(items.information(0, theta)):
        curvature = sum(w * table[j] for w, table in zip(SECOND, tables, strict=True)) / STEP**2
        expected = -(np.exp(tables[4][j]) * curvature).sum(axis=0)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_information_is_per_squared_sd_of_the_construct_over_the_persons() -> None:
    effect = {"covariate_effect": np.array([2.0]), "slope_x": np.array([1.0, 1.5, 2.0])}
    fitted = one_draw("x =~ x1..x3\nx ~ age", effect)
    found = information(fitted, "x", points=5)
    sd = np.sqrt(1 + 2.0**2)
    threshold = fitted.tree["posterior"]["threshold_x"].to_numpy()[0, 0]
    theta = np.linspace(-4, 4, 5) * sd
    pairs = zip(effect["slope_x"], threshold, strict=True)
    expected = sum(graded_information(a, t, theta) for a, t in pairs) * sd**2
    np.testing.assert_allclose(found["test"].sel(bound="mean"), expected, rtol=1e-7)
    # Given the covariate, persons spread by 1 / sd.
    np.testing.assert_allclose(found["posterior_sd"].sel(bound="mean"), (expected + sd**2) ** -0.5, rtol=1e-7)


def test_bands_come_from_the_draws() -> None:
    found = information(result("x =~ x1..x3"), "x", interval=0.5)
    assert (found["test"].sel(bound="lower") < found["test"].sel(bound="upper")).all()
    wide = information(result("x =~ x1..x3"), "x", interval=0.99)
    assert (wide["test"].sel(bound="upper") > found["test"].sel(bound="upper")).all()


def test_information_that_cannot_be_drawn_is_refused() -> None:
    fitted = result("x =~ x1..x3", draws=2)
    with pytest.raises(SpecError, match=r"no construct 'X'\n.*Did you mean 'x'|no construct 'X'"):
        information(fitted, "X")
    with pytest.raises(SpecError, match="points = 1"):
        information(fitted, "x", points=1)
    with pytest.raises(SpecError, match="posterior mass"):
        information(fitted, "x", interval=0)


# --- Reliability of scores ----------------------------------------------------------------------------------


def simulated(n: int, text: str, values: Mapping[str, np.ndarray], seed: int = 3):
    """A result at known parameters whose answers come from the same parameters, and the true scores."""
    base = survey(n)
    fitted = one_draw(text, values, answers=base)
    rng = np.random.default_rng(seed)
    theta, answers = simulate_from(fitted.data, at(thinned(fitted, 1), 0), rng)[:2]
    codes = base.codes.copy()
    codes[:, :3] = answers[0]
    new = Survey(base.instrument, base.person, codes, base.variables)
    return result(text, values, answers=new, chains=1, draws=20), theta[:, 0]


KNOWN = {"slope_x": np.array([1.5, 2.5, 2.0]), "category_prob_x": np.full((3, 4), 0.25)}


def test_all_three_coefficients_are_the_squared_correlation_of_score_and_truth() -> None:
    fitted, truth = simulated(4000, "x =~ x1..x3", KNOWN)
    table = precision(fitted, draws=20).set_index("coefficient")
    from medpsy.posterior.scores import scores

    eap = scores(fitted, draws=5)["mean"].to_numpy()[:, 0]
    squared = np.corrcoef(eap, truth)[0, 1] ** 2
    assert table.loc["plausible values", "mean"] == pytest.approx(squared, abs=0.02)
    assert table.loc["empirical", "mean"] == pytest.approx(squared, abs=0.02)
    # Information is what the items tell about one value; over three items it is an approximation.
    assert table.loc["marginal", "mean"] == pytest.approx(squared, abs=0.06)
    assert table.loc["plausible values", "lower"] <= table.loc["plausible values", "mean"]
    assert np.isnan(table.loc["empirical", "lower"])


def test_marginal_reliability_is_the_average_over_the_persons() -> None:
    fitted = one_draw(
        "x =~ x1..x3\nx ~ sex", {**KNOWN, "covariate_effect": np.array([1.5])}, answers=survey(60)
    )
    table = precision(fitted, draws=1).set_index("coefficient")
    weight, location, _ = population(fitted.data, thinned(fitted, 1))
    place = location[0, :, 0]
    variance = 1 + weight @ (place - weight @ place) ** 2
    threshold = fitted.tree["posterior"]["threshold_x"].to_numpy()[0, 0]
    error = 0.0
    for share, centre in zip(weight, place, strict=True):
        theta = centre + np.linspace(-8, 8, 4001)
        density = np.exp(-0.5 * (theta - centre) ** 2)
        test = sum(graded_information(a, t, theta) for a, t in zip(KNOWN["slope_x"], threshold, strict=True))
        error += share * (density / density.sum()) @ (1 / (test + 1))
    assert table.loc["marginal", "mean"] == pytest.approx(1 - error / variance, abs=1e-4)


def test_precision_has_three_rows_a_construct() -> None:
    table = precision(result(WITH_SEX, draws=10), draws=10)
    assert list(table["construct"]) == ["x"] * 3 + ["m"] * 3 + ["y"] * 3
    assert list(table["coefficient"][:3]) == ["marginal", "plausible values", "empirical"]
    assert table["mean"].between(0, 1).all()
