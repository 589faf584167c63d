"""Groups as users ask for them: models, model files, comparisons, the report; longer fits behind slow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hand_made
import medpsy as mp
from group_cases import drawn, grouped, simulated, simulated_numbers
from medpsy.bind import bind
from medpsy.errors import DataError, SpecError
from medpsy.posterior.group_fits import with_levels, without_groups
from medpsy.report.context import Context
from medpsy.report.sections import groups as section
from medpsy.spec.groups import COMPARABLE
from medpsy.spec.model_file import read_model_file, to_toml

QUICK = {"draws": 120, "tune": 120, "chains": 2, "cores": 1, "seed": 1, "progress": False}


def test_a_model_with_groups_by_words() -> None:
    module = mp.GradedResponse("x", "x1..x3")
    model = mp.Model([module], groups="sex", equal=["loadings", "thresholds"], release=["x2"])
    assert model.spec.groups == mp.Groups("sex", ("loadings", "thresholds"), ("x2",))
    names = set(model.parameters["name"])
    assert {"group_mean.x", "group_log_sd.x", "difference.slope.x.x2"} <= names
    assert "difference.slope.x.x1" not in names
    wide = mp.Model([module], groups="sex", priors={"group_mean": "Normal(0, 2)"})
    assert wide.composed.table.prior("group_mean.x")["sd"] == 2
    with pytest.raises(SpecError, match="there are none"):
        mp.Model([module], equal=["loadings"])
    with pytest.raises(SpecError, match="say themselves"):
        mp.Model([module], groups=mp.Groups("sex"), equal=["loadings"])
    with pytest.raises(SpecError, match="no reference"):
        mp.Groups("sex", pooled=True, reference="f")
    assert mp.Groups("sex", ("slopes", "lv.covariances")).equal == ("loadings", "correlations")


def test_a_model_file_says_groups_and_comparisons(tmp_path: Path) -> None:
    path = tmp_path / "sex.toml"
    text = """schema = 1
[constructs.x]
items = "x1..x3"
[groups]
by = "sex"
equal = ["loadings"]
release = ["loadings.x2"]
reference = "m"
[report]
dif = "sex"
differences = ["sex", "age"]
"""
    path.write_text(text)
    file = read_model_file(path)
    assert file.spec.groups == mp.Groups("sex", ("loadings",), ("loadings.x2",), reference="m")
    assert file.report == {"dif": ["sex"], "differences": ["sex", "age"]}
    path.write_text(text.replace("reference = ", "refrence = "))
    with pytest.raises(SpecError, match="refrence") as caught:
        read_model_file(path)
    assert caught.value.line == 8
    for groups in (
        mp.Groups("sex"),
        mp.Groups("sex", (), ("x2",), ("slope",), reference="f"),
        mp.Groups("year of study", pooled=True),
    ):
        spec = replace(mp.Model([mp.GradedResponse("x", "x1..x3")]).spec, groups=groups)
        path.write_text(to_toml(spec))
        assert read_model_file(path).spec.groups == groups


def test_comparisons_start_from_the_model_without_groups() -> None:
    model = mp.Model(
        [mp.GradedResponse("x", "x1..x3")],
        groups="sex",
        priors={"group_mean": "Normal(0, 2)", "slope": "LogNormal(0, 1)"},
    )
    plain = without_groups(model.spec)
    assert plain.groups is None and plain.priors == (("slope", "LogNormal(0, 1)"),)
    survey = hand_made.survey(40)
    assert with_levels(survey, "sex") == (survey, "sex")
    assert with_levels(survey, "age", 2)[1] == "age (bands)"
    with pytest.raises(SpecError, match="'sexx' is no variable of the survey"):
        mp.dif(survey, model, "sexx")
    with pytest.raises(SpecError, match="no level of invariance 'scalar'"):
        mp.invariance(survey, model, "sex", levels=["scalar"])
    with pytest.raises(DataError, match="not as a Survey"):
        mp.dif(np.zeros((3, 3)), model, "sex")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="no option 'drows'"):
        mp.dif(survey, model, "sex", drows=10)
    with pytest.raises(SpecError, match="no probability"):
        mp.dif(survey, model, "sex", flag=1.5)


def test_a_mediation_has_its_own_paths_in_every_group() -> None:
    modules = [mp.GradedResponse(name, f"{name}1..{name}3") for name in "xmy"]
    mediation = mp.Mediation(modules[0], modules[1], modules[2])
    model = mp.Model(mediation.spec, groups="sex")
    assert model.composed.structure.name == "path"
    data = bind(model.composed, hand_made.survey(60))
    names = {parameter.name for parameter in data.parameters}
    assert {"path", "path[m]", "group_mean", "group_log_sd"} <= names
    table = mp.Fit(drawn(data, hand_made.survey(60))).effects()
    assert {"f", "m"} == set(table["group"]) and {"indirect", "direct", "total"} <= set(table["effect"])


def test_verbs_of_a_fit_with_groups() -> None:
    survey, _ = simulated((60, 40), items=4, seed=3)
    groups = mp.Groups("arm", shrink=("location",))
    fit = mp.Fit(drawn(grouped("x =~ x1..x4", survey, groups), survey))
    assert fit.groups == ("a", "b") and fit.group("b").survey.n_person == 40
    assert set(fit.item_differences()["coordinate"]) == {"location"}
    assert fit.group_means().loc[0, "n"] == 40
    assert {"", "x1"} <= set(fit.score_impact()["item"])
    assert len(fit.simulate(seed=2).person) == 100
    alone = mp.Fit(hand_made.result())
    assert alone.groups == ()
    with pytest.raises(SpecError, match="no groups"):
        alone.group_means()
    with pytest.raises(SpecError, match="no groups"):
        alone.group("f")


def test_the_section_of_the_report_holds_every_difference() -> None:
    survey, _ = simulated((60, 40), items=4, seed=3)
    groups = mp.Groups("arm", shrink=("location",))
    result = drawn(grouped("x =~ x1..x4", survey, groups), survey)
    (part,) = section.gather(result, 0.95) or []
    assert part.notes == ["Persons: a 60, b 40."]

    built = section.build(Context(title="made", parts={"groups": [part]}))
    assert built is not None
    tables = [block.frame for block in built.blocks if hasattr(block, "frame")]
    assert tables[0]["Item"].tolist() == ["x1", "x2", "x3", "x4"]
    assert tables[1]["Group"].tolist() == ["b"] and tables[2]["n"].tolist() == [40]
    assert section.gather(hand_made.result(), 0.95) is None


def test_a_comparison_that_is_impossible_is_said_in_the_report() -> None:
    made = hand_made.result()
    result = replace(made, provenance={"report": {"dif": ["moon"]}, "sampler": {"draws": 10}})
    (part,) = section.gather(result, 0.95) or []
    assert "'moon' is no variable of the survey" in part.notes[0]


@pytest.mark.slow
def test_dif_flags_the_item_and_frees_it() -> None:
    survey, _ = simulated((300, 300), items=5, shift={2: 1.2}, seed=3)
    found = mp.dif(survey, mp.GradedResponse("x", "x1..x5"), "arm", **QUICK)
    assert found.flagged == ("x3",)
    rows = found.table().set_index(["item", "coordinate"])
    assert rows.loc[("x3", "location"), "class"] in ("B", "C")
    means = found.means().set_index("level")["difference"]
    # Ignored, the harder item makes the group look worse than it is (0.5).
    assert means["all items equal"] < means["flagged items free"]
    assert means["flagged items free"] == pytest.approx(0.5, abs=0.25)
    assert found.fits["flagged items free"].item_differences()["mean"].iloc[0] == pytest.approx(1.2, abs=0.45)


@pytest.mark.slow
def test_invariance_fails_at_the_level_where_it_does() -> None:
    survey, truth = simulated_numbers((200, 200), items=4, shift={1: 1.0})
    module = mp.LinearFactor("x", "n1..n4")
    levels = ["configural", "loadings", "intercepts"]
    found = mp.invariance(survey, module, "arm", levels=levels, **QUICK)
    table = found.table().set_index("level")
    assert table.loc["loadings", "verdict"].endswith("holds")
    assert table.loc["intercepts", "verdict"].endswith("fails")
    assert found.holds is False
    partial = mp.invariance(survey, module, "arm", levels=levels, release=["intercepts.n2"], **QUICK)
    assert partial.holds is True
    means = partial.means().set_index("level")
    # What the items that are alike say in this sample: their mean differences in units of the construct.
    values = np.column_stack([survey.variables[f"n{j}"] for j in (1, 3, 4)])
    arm = survey.variables["arm"]
    gap = values[arm == 1].mean(0) - values[arm == 0].mean(0)
    want = (gap / truth["loading"][[0, 2, 3]]).mean()
    assert means.loc["intercepts", "difference"] == pytest.approx(want, abs=0.1)
    assert means.loc["aligned", "difference"] == pytest.approx(want, abs=0.2)


@pytest.mark.slow
def test_means_of_groups_are_recovered_and_small_ones_pulled_in() -> None:
    survey, _ = simulated((250, 250, 12), items=6, means=(0.0, 0.6, 1.5), sds=(1.0, 1.0, 1.0), seed=5)
    module = mp.GradedResponse("x", "x1..x6")
    pooled = mp.group_differences(survey, module, "arm", **QUICK)
    row = pooled.table().set_index(["group", "against"])
    assert row.loc[("b", "a"), "d"] == pytest.approx(0.6, abs=0.25)
    assert "not tested" in row["invariance"].iloc[0]
    apart = mp.group_differences(survey, module, "arm", pooled=False, **QUICK)
    free = apart.table().set_index(["group", "against"])
    assert 0 < row.loc[("c", "a"), "difference"] < free.loc[("c", "a"), "difference"] + 0.2
    observed = pooled.observed().set_index(["group", "against"])
    assert observed.loc[("b", "a"), "p"] < 0.01
    clusters = pooled.clusters(draws=500)
    assert clusters["icc"].between(0, 1).all() and set(clusters["scale"]) == {"latent", "observed"}
    assert pooled.fit.spec.groups.equal == COMPARABLE
