"""Moderators of the clusters in the designs 1-1-1 and 2-1-1 as users meet them: effects, text, refusals."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import medpsy as mp
from medpsy.api.fits import Fit
from medpsy.bind import bind
from medpsy.posterior.confounding import tipping_curve
from medpsy.posterior.moderator_curves import slope_lines
from medpsy.report.sections.conditional_effects import gather
from medpsy.spec.write_toml import to_toml
from moderated_clusters import CASES, TRUE, made, model, survey


def test_effects_of_moderated_designs_are_named() -> None:
    found = {d.name: d.expression for d in model(moderates="first", slopes=["a", "b"]).spec.definitions}
    assert found == {
        "direct_within": "c", "direct_between": "c_between", "index_within": "a_w*b",
        "index_between": "a_between_w*b_between", "contextual_a_w": "a_between_w - a_w",
        "contextual_b": "b_between - b", "contextual_c": "c_between - c",
    }  # fmt: skip
    found = {d.name: d.expression for d in model("2-1-1", "second").spec.definitions}
    assert found == {
        "direct_between": "c", "index_between": "a*b_between_w", "contextual_b_w": "b_between_w - b_w",
    }  # fmt: skip
    found = {d.name: d.expression for d in model(moderates="direct", slopes=["a", "b"]).spec.definitions}
    assert found["indirect_within"] == "a*b + cov_a_b" and "total_within" not in found
    assert "index_within" not in {d.name for d in model().spec.definitions}


def test_design_and_text_with_levels_are_one_model() -> None:
    text = """
    x ~ w
    m ~ a*x + w + a_w*x:w
    y ~ b*m + c*x
    level: between
    m ~ a_between*x + w + a_between_w*w:x
    y ~ b_between*m + c_between*x
    """
    design = model(moderates="first")
    written = mp.Model(text, clusters="school")
    assert set(design.spec.paths) == set(written.spec.paths)
    assert design.spec.clusters is not None and written.spec.clusters is not None
    assert set(design.spec.clusters.between) == set(written.spec.clusters.between)
    again = mp.Model(written.syntax, clusters="school")
    assert again.spec == written.spec


@pytest.mark.parametrize("name", CASES)
def test_models_come_back_from_files(name: str, tmp_path: Path) -> None:
    one, _ = CASES[name]
    path = tmp_path / "model.toml"
    path.write_text(to_toml(one.spec))
    assert mp.load_model(path) == one


def without(*keys: str) -> mp.Model:
    """The model with some paths within clusters taken out by hand."""
    spec = model(moderates="first").composed.spec
    return mp.Model(replace(spec, design=None, paths=tuple(p for p in spec.paths if p.key not in keys)))


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: model(moderator="x", moderates="second"), "varies within clusters"),
        (lambda: mp.Mediation("x", mp.GradedResponse("m", "m1..m3"), "y", design="1-1-1", clusters="s",
                              moderator=mp.GradedResponse("f", "f1..f3")), "varies within clusters"),
        (lambda: model(moderates="between"), "has no 'between' paths"),
        (lambda: mp.Model("m ~ x + w + x:w\nlevel: 2\nm ~ x:w", clusters="s"), "but not by 'x'"),
        (lambda: mp.Model("m ~ x\nlevel: 2\nm ~ x + x:w", clusters="s"), "but not by 'w'"),
        (lambda: mp.Model("m ~ x\ny ~ m + x + x:m\nlevel: 2\nm ~ x\ny ~ m", clusters="s"), "both split"),
        (lambda: without("m~w", "m~x:w").composed, "stands without 'm~w'"),
    ],
)  # fmt: skip
def test_impossible_moderators_are_refused(build: object, word: str) -> None:
    with pytest.raises(mp.SpecError) as error:
        build()  # type: ignore[operator]
    assert word in str(error.value)


def test_a_moderator_of_persons_is_refused_with_the_cluster_it_differs_in() -> None:
    columns = made(2, 6)
    columns["w"] = columns["w"].copy()
    columns["w"][17] += 1.0
    with pytest.raises(mp.DataError, match="'w' differs between persons of the same 'school': in 2 it is"):
        bind(model().composed, survey(columns))


@cache
def fitted(random: bool = True) -> Fit:
    """Ten clusters and few draws: enough for tables, not for conclusions."""
    one = model(moderates=["first", "second"], slopes=["a", "b"] if random else [])
    return one.fit(
        survey(made(5, 10, random=0.3)), seed=1, draws=60, tune=60, chains=1, cores=1, progress=False
    )


def test_conditional_effects_on_both_levels() -> None:
    fit = fitted()
    table = fit.conditional(at={"w": [0.0, 1.5]}).set_index(["effect", "w"])["mean"]
    draws = {
        name: value.to_numpy().ravel() for name, value in fit.tree["posterior"].items() if value.ndim == 2
    }
    names = [c.label for c in fit.result.data.layout.coefficients]
    raw = fit.tree["posterior"]["coefficient"].to_numpy()
    within = {n: raw[..., i].ravel() for i, n in enumerate(names) if n}
    for w in (0.0, 1.5):
        product = (within["a"] + within["a_w"] * w) * (within["b"] + within["b_w"] * w) + draws["cov_a_b"]
        assert table["indirect within", w] == pytest.approx(product.mean())
        assert table["total within", w] == pytest.approx((product + within["c"]).mean())
        product = draws["a_between"] + draws["a_between_w"] * w
        product = product * (draws["b_between"] + draws["b_between_w"] * w)
        assert table["indirect between", w] == pytest.approx(product.mean())
    slopes = fit.simple_slopes("m", "x", at={"w": 1.5}).set_index("level")["mean"]
    assert slopes["within"] == pytest.approx((within["a"] + 1.5 * within["a_w"]).mean())
    assert slopes["between"] == pytest.approx((draws["a_between"] + 1.5 * draws["a_between_w"]).mean())
    assert set(fit.conditional_contrasts()["effect"]) == {
        "indirect within", "total within", "indirect between", "total between"
    }  # fmt: skip
    curve = fit.conditional_curve("w", effect="indirect between")
    assert curve.attrs["effect"] == "indirect between" and curve.attrs["of"] == "clusters of school"
    assert fit.conditional_curve("w").attrs["effect"] == "indirect within"


def test_conditional_effects_beside_random_slopes_are_averages_over_clusters() -> None:
    """Also without levels: random intercepts, slopes that differ, and a moderator."""
    one = mp.Mediation("x", ["m"], "y", clusters="school", slopes=["a", "b"], moderator="w")
    fit = one.fit(
        survey(made(5, 10, random=0.3)), seed=1, draws=40, tune=60, chains=1, cores=1, progress=False
    )
    posterior = fit.tree["posterior"]
    raw = posterior["coefficient"].to_numpy()
    at = {c.label: raw[..., i] for i, c in enumerate(fit.result.data.layout.coefficients) if c.label}
    found = fit.conditional(at={"w": 2.0}).set_index("effect")["mean"]
    product = (at["a"] + 2.0 * at["a_w"]) * at["b"] + posterior["cov_a_b"].to_numpy()
    assert found["indirect"] == pytest.approx(product.mean())


def test_effects_of_single_clusters_hold_at_their_moderator() -> None:
    fit = fitted()
    each = fit.by_cluster()
    posterior, layout = fit.tree["posterior"], fit.result.data.layout
    raw = posterior["coefficient"].to_numpy()
    at = {c.label: raw[..., i] for i, c in enumerate(layout.coefficients) if c.label}
    own = posterior["effect_of_cluster"].to_numpy()
    for g in (0, 7):
        w = fit.result.survey.variables["w"][layout.levels.index == g][0]
        a = at["a"] + at["a_w"] * w + own[:, :, g, 0]
        b = at["b"] + at["b_w"] * w + own[:, :, g, 1]
        assert each["mean"][g] == pytest.approx((a * b).mean())


def test_lines_run_through_the_means_that_the_model_implies() -> None:
    """Both levels: a line's slope is the simple slope, and at the mean of its source both levels meet."""
    fit = fitted()
    ends = {}
    for level in ("within", "between"):
        lines = slope_lines(fit.result, "m", "x", at={"w": 1.0}, level=level)
        x, y = lines["value"].to_numpy(), lines["mean"].to_numpy()
        slope = (y[-1] - y[0]) / (x[-1] - x[0])
        wanted = fit.simple_slopes("m", "x", at={"w": 1.0}).set_index("level").loc[level, "mean"]
        assert slope == pytest.approx(wanted)
        ends[level] = y[0] + slope * (fit.result.survey.variables["x"].mean() - x[0])
    assert ends["within"] == pytest.approx(ends["between"])


def test_tipping_points_follow_the_moderator() -> None:
    table = fitted().cluster_tipping(at={"w": [0.0, 2.0]})
    assert list(table["level"]) == ["within", "within", "between", "between"]
    assert table["rho"].nunique() == 4
    other = fitted().tipping_points(at={"w": [0.0, 2.0]})
    assert list(other["level"]) == list(table["level"])
    np.testing.assert_allclose(other["rho_lower"], table["lower"])
    np.testing.assert_allclose(other["robustness_upper"], table["robustness_upper"])


@pytest.mark.parametrize("level", ["within", "between"])
def test_confounded_effects_start_at_the_effect_and_are_zero_where_they_say(level: str) -> None:
    """The covariance of the slopes stays, whatever a hidden cause does to the path."""
    fit = fitted()
    curve = tipping_curve(fit.result, at={"w": 0.5}, level=level)
    whole = fit.conditional(at={"w": 0.5}).set_index("effect").loc[f"indirect {level}"]
    start = curve.set_index("rho").loc[0.0]
    assert start["mean"] == pytest.approx(whole["mean"]) and start["lower"] == pytest.approx(whole["lower"])
    one = replace(fit.result, tree=fit.result.tree.isel(chain=[0], draw=[7]))
    single = tipping_curve(one, at={"w": 0.5}, level=level)
    at = single.attrs["tipping"]
    assert abs(at) < 0.9
    assert np.interp(at, single["rho"], single["mean"]) == pytest.approx(0.0, abs=5e-3)


def test_an_exposure_of_the_clusters_can_moderate_and_has_no_effect_within() -> None:
    one = mp.Mediation("z", ["m"], "y", design="2-1-1", clusters="school", slopes=["b"], interaction=True)
    fit = one.fit(survey(made(5, 8)), seed=1, draws=40, tune=60, chains=1, cores=1, progress=False)
    table = fit.conditional()
    assert set(table["effect"]) == {"indirect between", "direct between", "total between"}
    parts = gather(fit.result, 0.95)
    assert parts is not None and parts["natural"] is None and len(parts["lines"]) == 2
    with pytest.raises(mp.SpecError, match="no effect within them"):
        fit.by_cluster()
    with pytest.raises(mp.SpecError, match="stand on two levels"):
        fit.against_no_indirect()


def test_everything_that_a_fit_says(tmp_path: Path) -> None:
    fit = fitted(False)
    assert {"a_between_w", "index_within"} & set(fit.effects()["effect"]) == {"a_between_w"}
    assert "m ~ a_between_w*x:w" not in fit.summary().to_string()
    fit.plot_path()
    fit.plot_simple_slopes("m", "x", level="between")
    fit.plot_conditional("w")
    fit.report(tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text()
    assert "indirect within" in text and "of the clusters of school lie" in text
    assert "At w = " in text and "effect within clusters of x on y through m" in text
    with pytest.raises(mp.SpecError, match="no path of a level 'above'"):
        fit.plot_simple_slopes("m", "x", level="above")


@pytest.mark.slow
def test_moderated_paths_and_their_indices_are_recovered() -> None:
    answers = survey(made(8, 150, 15, random=0.25))
    fit = model(slopes=["a", "b"]).fit(answers, seed=2, draws=500, cores=1, progress=False)
    table = fit.effects().set_index("effect")
    for name in TRUE:
        assert abs(table.loc[name, "mean"] - TRUE[name]) < 3 * table.loc[name, "sd"], name
    # What a moderator leaves aside moves the average within, by the covariance of the slopes.
    covariance = 0.5 * 0.25**2
    assert abs(table.loc["cov_a_b", "mean"] - covariance) < 3 * table.loc["cov_a_b", "sd"]
    for w in (0.5, 2.0, 3.5):
        row = fit.conditional(at={"w": w}).set_index("effect")
        for level, tail, more in (("within", "", covariance), ("between", "_between", 0.0)):
            a, b = (TRUE[f"{p}{tail}"] + TRUE[f"{p}{tail}_w"] * w for p in "ab")
            found = row.loc[f"indirect {level}"]
            assert abs(found["mean"] - a * b - more) < 3 * found["sd"]


@pytest.mark.slow
def test_effects_with_a_hidden_cause_on_each_level_are_those_without_it_at_its_correlation() -> None:
    """A hidden cause of mediator and outcome among persons, and another among clusters."""
    rng, clusters, size = np.random.default_rng(12), 150, 12
    school = np.repeat(np.arange(clusters), size)
    w, hidden = rng.normal(1.0, 1.0, clusters), rng.normal(size=clusters)
    mean_x = rng.normal(0, 0.7, clusters)
    mean_m = 0.6 * mean_x + 0.4 * hidden + rng.normal(0, 0.4, clusters)
    mean_y = (0.2 + 0.3 * w) * mean_m + 0.4 * hidden + rng.normal(0, 0.4, clusters)
    x, cause, e, f = rng.normal(size=(4, school.size))
    m = 0.5 * x + 0.5 * cause + 0.7 * e
    y = (0.3 - 0.2 * w[school]) * m + 0.5 * cause + 0.7 * f
    columns = {"school": school.astype(float), "w": w[school], "x": mean_x[school] + x}
    columns |= {"m": mean_m[school] + m, "y": mean_y[school] + y}
    fit = model(moderates="second").fit(survey(columns), seed=3, draws=400, cores=1, progress=False)
    within, between = 0.5**2 / (0.5**2 + 0.7**2), 0.5
    for level, rho, a, b, b_w in (("within", within, 0.5, 0.3, -0.2), ("between", between, 0.6, 0.2, 0.3)):
        for value in (0.0, 2.0):
            curve = tipping_curve(fit.result, at={"w": value}, level=level)
            found = [np.interp(rho, curve["rho"], curve[name]) for name in ("mean", "lower", "upper")]
            assert abs(found[0] - a * (b + b_w * value)) < 0.8 * (found[2] - found[1]), (level, value)
            whole = fit.conditional(at={"w": value}).set_index("effect").loc[f"indirect {level}"]
            assert whole["lower"] > a * (b + b_w * value)  # what the hidden cause adds is told apart
