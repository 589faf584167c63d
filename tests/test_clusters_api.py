"""Clusters as users meet them: designs, text, files, simulation, tables, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import medpsy as mp
from cluster_cases import TRUE, as_survey, sample
from medpsy.api.fits import Fit
from medpsy.posterior.clusters import overlap
from medpsy.posterior.left_clusters import Proposal, _integrated
from medpsy.simulate import simulate
from medpsy.spec.write_toml import to_toml
from source_tree import ROOT

LEVELS = "m ~ a*x\ny ~ b*m + c*x\nlevel: 2\nm ~ a_between*x\ny ~ b_between*m + c_between*x"


def within_between(**about: object) -> mp.Mediation:
    return mp.Mediation("x", "m", "y", design="1-1-1", clusters="school", **about)  # type: ignore[arg-type]


@cache
def fitted() -> Fit:
    """Eight clusters, slopes that differ, few draws: enough for tables, not for conclusions."""
    answers = as_survey(sample(5, 8, slopes=True, size=8))
    return within_between(slopes=["a", "b"]).fit(
        answers, seed=1, draws=60, tune=60, chains=1, cores=1, progress=False
    )


def test_design_and_text_with_levels_are_one_model() -> None:
    design, text = within_between(slopes=[]), mp.Model(LEVELS, clusters="school")
    assert design.spec.paths == text.spec.paths
    assert design.spec.clusters is not None and text.spec.clusters is not None
    assert design.spec.clusters.between == text.spec.clusters.between
    assert [o.name for o in text.spec.observed] == ["x", "m", "y"] == [o.name for o in design.spec.observed]
    assert text.composed.covariates == ()


@pytest.mark.parametrize(
    "model",
    [
        within_between(), within_between(slopes=["b"]), mp.Model(LEVELS, clusters="school"),
        mp.Mediation("z", ["m", "n"], "y", design="2-1-1", clusters="school"),
        mp.Mediation("x", "m", "y", groups="major", covariates=["age"]),
        mp.Mediation("x", ["m", "n"], "y", serial=True, clusters="school", slopes=["a1", "d21"]),
    ],
)  # fmt: skip
def test_models_with_clusters_come_back_from_files(model: mp.Model, tmp_path: Path) -> None:
    path = tmp_path / "model.toml"
    path.write_text(to_toml(model.spec))
    assert mp.load_model(path) == model


def test_effects_of_the_designs_are_named() -> None:
    effects = {d.name: d.expression for d in within_between().spec.definitions}
    assert effects["indirect_within"] == "a*b + cov_a_b"
    assert effects["indirect_between"] == "a_between*b_between"
    assert effects["contextual_b"] == "b_between - b"
    effects = {d.name: d.expression for d in within_between(slopes=["a"]).spec.definitions}
    assert effects["indirect_within"] == "a*b"
    cluster = mp.Mediation("z", "m", "y", design="2-1-1", clusters="school").spec
    assert {d.name: d.expression for d in cluster.definitions} == {
        "indirect_between": "a*b_between", "direct_between": "c",
        "total_between": "indirect_between + c", "contextual_b": "b_between - b",
    }  # fmt: skip


def test_averages_of_products_of_random_slopes_hold_in_simulation() -> None:
    """E[a d b] and E[a b] of correlated normal slopes against a million of them."""
    model = mp.Mediation("x", ["m", "n"], "y", serial=True, groups="major")
    text = next(d.expression for d in model.spec.definitions if d.name == "indirect_m_n")
    rng = np.random.default_rng(1)
    root = np.array([[0.5, 0, 0], [0.3, 0.4, 0], [-0.2, 0.3, 0.4]])
    drawn = np.array([0.4, 0.3, 0.5]) + rng.standard_normal((1_000_000, 3)) @ root.T
    cov = root @ root.T
    names = dict(zip(("a1", "d21", "b2"), (0.4, 0.3, 0.5), strict=True))
    names |= {"cov_a1_d21": cov[0, 1], "cov_a1_b2": cov[0, 2], "cov_d21_b2": cov[1, 2]}
    assert eval(text, {}, names) == pytest.approx(drawn.prod(1).mean(), abs=0.005)


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: mp.Model(LEVELS), "nothing says what makes the clusters"),
        (lambda: mp.Mediation("x", "m", "y", design="1-1-1"), "none are named"),
        (lambda: mp.Mediation("x", "m", "y", clusters="x"), "has another role"),
        (lambda: mp.Mediation("x", "m", "y", clusters="school", slopes=["d"]), "is no path"),
        (lambda: mp.Mediation("x", "m", "y", slopes=["a"]), "there are none"),
        (lambda: within_between(moderator="x", moderates="second"), "varies within clusters"),
        (lambda: mp.Model(LEVELS.replace("level: 2", "level: 3"), clusters="s"), "no level '3'"),
        (lambda: mp.Model("y ~ x", clusters="school", groups="sex"), "groups or clusters"),
        (lambda: mp.Mediation("x", "m", "y", groups="g", clusters="school"), "are named as well"),
    ],
)  # fmt: skip
def test_impossible_clusters_are_refused(build: object, word: str) -> None:
    with pytest.raises(mp.SpecError, match=word):
        build()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("model", "change", "word"),
    [
        (within_between(), {"x": "z"}, "2-1-1"),
        (mp.Mediation("x", "m", "y", design="2-1-1", clusters="school"), {}, "1-1-1"),
        (within_between(), {"m": "z"}, "is the same for all persons"),
        (within_between(), {"school": 1.0}, "same cluster"),
        (within_between(), {"school": None}, "every person is a cluster"),
    ],
)  # fmt: skip
def test_answers_on_another_level_are_refused(
    model: mp.Model, change: dict[str, str | float | None], word: str
) -> None:
    columns = sample(2, 6)
    size = len(columns["x"])
    for name, by in change.items():
        made = columns[by] if isinstance(by, str) else np.arange(size) if by is None else np.full(size, by)
        columns[name] = made.astype(float)
    with pytest.raises(mp.DataError) as error:
        model.fit(as_survey(columns))
    assert word in str(error.value)


def test_missing_clusters_leave_counted_and_a_cluster_of_one_is_fine() -> None:
    from medpsy.bind import bind
    from medpsy.engines.base import choose
    from medpsy.fit import complete

    columns = sample(2, 6)
    columns["school"][:3] = np.nan
    columns["school"][5] = 77
    model = within_between().composed
    answers = complete(model, as_survey(columns))
    assert answers.n_person == len(columns["x"]) - 3
    assert any(event.before - event.after == 3 for event in answers.ledger)
    _, verdicts = choose(bind(model, answers))
    assert "1 of them of one person" in verdicts[0][1]


@pytest.mark.parametrize("name", ["mediation-1-1-1", "mediation-2-1-1"])
def test_model_files_simulate_their_truth(name: str) -> None:
    """Between and within covariances of many simulated clusters are those of the truth."""
    model = mp.load_model(ROOT / "models" / f"{name}.toml")
    known = model.known_truth()
    assert known.clusters is not None and model.instrument is not None
    many = replace(known, clusters=replace(known.clusters, n=4000))
    survey = simulate(model.composed, model.instrument, many, n=80_000, seed=1)
    by = model.spec.clusters.by if model.spec.clusters else ""
    index = survey.variables[by].astype(int)
    nodes = model.composed.sketch.nodes
    values = np.column_stack([survey.variables[node] for node in nodes])
    size = np.bincount(index)[:, None]
    means = np.column_stack([np.bincount(index, weights=v) for v in values.T]) / size
    off = values - means[index]
    paths, between = known.labels, known.clusters.between
    x, m, y = (off[:, 0], off[:, -2], off[:, -1])
    if name == "mediation-1-1-1":
        a = (off[:, 0] * m).sum() / (x @ x)
        assert a == pytest.approx(paths["a"], abs=0.03)
        slopes = np.array([np.bincount(index, weights=u) for u in (x * m, x * x)])
        assert np.std(slopes[0] / slopes[1]) > 0.25
        up = np.linalg.lstsq(np.column_stack([np.ones(len(means)), means[:, 0]]), means[:, 1], rcond=None)[0]
        assert up[1] == pytest.approx(between["exhaustion~stress"].coefficient, abs=0.1)
    else:
        assert (m @ y) / (m @ m) == pytest.approx(paths["b"], abs=0.02)
        treated = np.bincount(index, weights=survey.variables["training"]) / size[:, 0]
        assert set(np.unique(treated)) == {0.0, 1.0}
        gap = means[treated == 1, 0].mean() - means[treated == 0, 0].mean()
        assert gap == pytest.approx(paths["a"], abs=0.05)


def test_tables_of_a_fit_with_clusters(tmp_path: Path) -> None:
    fit = fitted()
    table = fit.clusters()
    assert list(table["effect"]) == ["a", "b", "x", "m", "y"]
    assert table["prior_overlap"].between(0, 1).all()
    assert (table.loc[2:, "icc"].between(0, 1)).all() and table.loc[:1, "icc"].isna().all()
    assert "prior has a say" in " ".join(table["remark"]) or "moved the prior" in " ".join(table["remark"])
    each = fit.by_cluster()
    assert len(each) == 8 and each["p_largest"].sum() == pytest.approx(1.0)
    assert each["rank"].mean() == pytest.approx(4.5)
    contrasts = fit.cluster_contrasts()
    assert len(contrasts) == 28
    first = each.set_index("cluster")["mean"]
    row = contrasts.iloc[0]
    assert row["mean"] == pytest.approx(first[row["cluster"]] - first[row["minus"]])
    assert list(fit.cluster_tipping()["level"]) == ["within", "between"]
    fit.plot_ladder()
    fit.plot_path()
    fit.report(tmp_path / "report.md")
    assert "## Clusters" in (tmp_path / "report.md").read_text()
    fit.save(tmp_path / "fit.nc")
    again = mp.load_fit(tmp_path / "fit.nc")
    assert again.effects()["mean"].to_numpy() == pytest.approx(fit.effects()["mean"].to_numpy())


def test_average_indirect_effect_has_the_covariance_of_the_slopes() -> None:
    fit = fitted()
    effects = fit.effects().set_index("effect")["mean"]
    posterior = fit.tree["posterior"]
    draws = {name: posterior[name].to_numpy() for name in ("cov_a_b", "indirect_within")}
    layout = fit.result.data.layout
    a, b = (posterior["coefficient"].to_numpy()[..., i] for i in (0, 1))
    assert [c.label for c in layout.coefficients[:2]] == ["a", "b"]
    np.testing.assert_allclose(draws["indirect_within"], a * b + draws["cov_a_b"])
    assert effects["indirect_within"] == pytest.approx(draws["indirect_within"].mean())


def test_left_out_clusters_are_integrated_exactly() -> None:
    """Importance sampling over intercepts given, against the closed form at the same draws."""
    answers = as_survey(sample(5, 8, size=8))
    model = mp.Mediation("x", "m", "y", clusters="school")
    options = {"seed": 1, "draws": 40, "tune": 60, "chains": 1, "cores": 1, "progress": False}
    exact = model.fit(answers, **options)
    terms = exact.tree["log_likelihood"]["answers"].to_numpy()
    assert terms.shape == (1, 40, 8) and exact.tree["log_likelihood"].attrs["level"] == "cluster"
    given = {**exact.provenance, "engine": {"name": "gaussian", "why": []}}
    found = _integrated(replace(exact.result, provenance=given), exact.result.values())
    np.testing.assert_allclose(found.mean(1), terms.mean(1), atol=0.1)


def test_points_for_leaving_out_have_the_density_they_say() -> None:
    rng = np.random.default_rng(1)
    drawn = 0.4 * rng.standard_normal((500, 1, 2)) + 0.3
    z, log_ratio = Proposal.of(drawn).points(20_000, rng)
    inside = (np.abs(z[:, 0]) < 0.5).all(1)
    prior = 0.3829249225480262**2  # both normals within half a unit of zero
    assert (np.exp(log_ratio[:, 0]) * inside).mean() == pytest.approx(prior, rel=0.05)


def test_overlap_of_densities() -> None:
    rng = np.random.default_rng(1)
    one, two = rng.normal(size=20_000), rng.normal(2, 1, 20_000)
    assert overlap(one, rng.normal(size=20_000)) > 0.95
    assert overlap(one, two) == pytest.approx(2 * 0.158655, abs=0.03)


@pytest.mark.slow
def test_slopes_that_correlate_are_recovered() -> None:
    answers = as_survey(sample(8, 100, slopes=True, size=15))
    fit = within_between(slopes=["a", "b"]).fit(answers, seed=2, draws=500, progress=False)
    table = fit.effects().set_index("effect")
    truth = {
        "a": TRUE["a"], "b": TRUE["b"], "a_between": TRUE["a_between"], "b_between": TRUE["b_between"],
        "cov_a_b": TRUE["corr"] * TRUE["sd_a"] * TRUE["sd_b"],
        "indirect_within": TRUE["a"] * TRUE["b"] + TRUE["corr"] * TRUE["sd_a"] * TRUE["sd_b"],
    }  # fmt: skip
    for name, value in truth.items():
        assert abs(table.loc[name, "mean"] - value) < 3 * table.loc[name, "sd"]
    assert (
        abs(table.loc["indirect_within", "mean"] - TRUE["a"] * TRUE["b"]) > table.loc["indirect_within", "sd"]
    )
