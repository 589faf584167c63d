"""What a fit offers about its mediation: tables, figures and sections of the report."""

from __future__ import annotations

import numpy as np
import pytest

import medpsy as mp
from hand_made import MEDIATION, result
from mediation_cases import FLAT, around_mode, least_squares, survey
from medpsy.errors import DataError, SpecError
from medpsy.mediation.without import without_indirect
from medpsy.plots.slope_lines import slope_lines
from medpsy.posterior.moderator_curves import slope_lines as lines
from medpsy.report.context import Context
from medpsy.report.sections import build_sections, gather
from medpsy.report.sections import conditional_effects as conditional_section
from medpsy.report.sections import mediation_limits as limits_section

RNG = np.random.default_rng(2)
N = 120
X, W = RNG.normal(1, 2, N), RNG.normal(10, 3, N)
M = 0.5 * X + 0.1 * W + 0.05 * X * W + RNG.normal(0, 1, N)
Y = 0.4 * M + 0.2 * X + RNG.normal(0, 1, N)
ANSWERS = survey({"x": X, "w": W, "m": M, "y": Y})


@pytest.fixture(scope="module")
def moderated() -> mp.Fit:
    return around_mode(mp.Mediation("x", "m", "y", moderator="w", priors=FLAT), ANSWERS, 200)


@pytest.fixture(scope="module")
def simple() -> mp.Fit:
    return around_mode(mp.Mediation("x", "m", "y", priors=FLAT), ANSWERS, 200)


def test_lines_go_through_what_least_squares_expects() -> None:
    fit = around_mode(mp.Mediation("x", "m", "y", moderator="w", priors=FLAT), ANSWERS, draws=1)
    table = lines(fit.result, "m", "x", at={"w": [8.0, 12.0]})
    b = least_squares(M, x=X, w=W, xw=X * W)
    for w in (8.0, 12.0):
        own = table[table["setting"] == f"w = {w:.4g}"]
        x = own["value"].to_numpy()
        expected = b["1"] + b["x"] * x + b["w"] * w + b["xw"] * x * w
        np.testing.assert_allclose(own["mean"], expected, rtol=1e-5)


def test_figures_say_what_they_show(moderated: mp.Fit, simple: mp.Fit) -> None:
    title = moderated.plot_conditional("w").axes[0].get_title()
    low, _ = moderated.conditional_curve("w").attrs["regions"][0]
    assert f"{low:.2f}".rstrip("0") in title and "excludes zero" in title
    slopes = moderated.plot_simple_slopes("m", "x", at={"w": [8.0, 12.0]}).axes[0]
    assert [t.get_text() for t in slopes.get_legend().get_texts()] == ["w = 8", "w = 12"]
    tipping = simple.plot_tipping().axes[0]
    assert f"{simple.tipping_points()['rho'].item():.2f}" in tipping.get_title()
    effect = simple.plot_effect("indirect").axes[0]
    assert "indirect, standardised" in effect.get_xlabel()
    assert {t.get_text() for t in effect.get_legend().get_texts()} >= {"prior", "posterior"}
    with pytest.raises(SpecError, match="no effect 'indirekt'"):
        simple.plot_effect("indirekt")
    with pytest.raises(DataError, match="too many for one figure"):
        slope_lines(lines(moderated.result, "m", "x", at={"w": list(map(float, range(7)))}))


def test_tables_of_a_fit_are_marked_and_whole(moderated: mp.Fit, simple: mp.Fit) -> None:
    for table in (
        moderated.conditional(), moderated.conditional_contrasts(), moderated.simple_slopes("m", "x"),
        simple.natural_effects(draws=20), simple.tipping_points(), simple.stability_grid((0.4,)),
        simple.adjustment_sets(), simple.independences(),
    ):  # fmt: skip
        assert {"trusted", "reasons"} <= set(table.attrs)
    made = simple.natural_effects(draws=200).set_index("effect")["mean"]
    assert made["natural indirect"] == pytest.approx(
        simple.effects().set_index("effect")["mean"]["indirect"], rel=1e-6
    )


def context(fit: mp.Fit) -> Context:
    return Context(title="t", parts=gather(fit.result, interval=0.9), interval=0.9)


def test_section_of_a_moderated_mediation(moderated: mp.Fit, simple: mp.Fit) -> None:
    section = conditional_section.build(context(moderated))
    assert section is not None
    kinds = [type(block).__name__ for block in section.blocks]
    assert kinds == ["Text", "Table", "Figure", "Figure", "Table"]
    table = section.blocks[1]
    own = moderated.conditional(interval=0.9)
    assert len(own) == 9  # three values of w, three effects
    assert len(table.frame) == 7  # the direct effect, which is the same at all of them, stands there once
    assert "90 % intervals" in table.caption
    assert conditional_section.build(context(simple)) is None


def test_interactions_of_the_exposure_get_natural_effects() -> None:
    fit = around_mode(mp.Mediation("x", "m", "y", interaction=True, priors=FLAT), ANSWERS, 60)
    section = conditional_section.build(context(fit))
    assert section is not None
    assert "Natural and controlled effects" in section.blocks[-1].caption


def test_section_on_what_the_mediation_rests_on(simple: mp.Fit, moderated: mp.Fit) -> None:
    section = limits_section.build(context(simple))
    assert section is not None
    text = " ".join(
        " ".join(getattr(b, "paragraphs", getattr(b, "items", [getattr(b, "caption", "")])))
        for b in section.blocks
    )
    rho = simple.tipping_points(interval=0.9)["rho"].item()
    assert f"correlate by {rho:.2f}" in text and "Tipping points" in text
    assert "over one lag of time" in text and "among persons alike in x" in text
    assert "implies nothing" in text
    assert "What mean scores would have said" not in text  # there are no constructs
    assert "Comparison with mean scores: no construct takes part in a path." in text
    other = limits_section.build(context(moderated))
    assert other is not None and any("Tipping" in getattr(b, "caption", "") for b in other.blocks)


def test_constructs_are_compared_with_mean_scores() -> None:
    fitted = result(MEDIATION, chains=1, draws=50)
    part = limits_section.gather(fitted, 0.95)
    assert part is not None and {"naive", "tipping", "stability", "adjustment"} <= set(part)
    built = build_sections(Context(title="t", parts={"mediation_limits": part}))
    assert [s.title for s in built] == ["How much the mediation rests on"]


def test_the_model_without_the_indirect_path() -> None:
    spec = mp.Mediation("x", "m", "y", covariates=["w"], priors={"path.b": "Normal(0, 2)"}).spec
    left = without_indirect(spec)
    assert mp.Model(left).syntax == "m ~ a*x + w\ny ~ c*x + w\n"
    assert left.priors == ()
    interaction = mp.Mediation("x", "m", "y", interaction=True).spec
    assert mp.Model(without_indirect(interaction)).syntax == "m ~ a*x\ny ~ c*x\n"
    with pytest.raises(SpecError, match="no recognised mediation"):
        without_indirect(mp.Model("y ~ x").spec)
