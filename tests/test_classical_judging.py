"""Judging a questionnaire as a user does: one call, figures, reports, a model file that asks for it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import hand_made
import medpsy as mp
from medpsy.api.judging import Judgement
from medpsy.plots.correlation_heatmap import correlation_heatmap
from medpsy.plots.module_distributions import module_distributions
from medpsy.plots.scree import scree
from medpsy.posterior.judging.latent_validity import latent_validity
from medpsy.posterior.scores import scores
from medpsy.report.context import Context
from medpsy.report.judged import blocks
from medpsy.report.sections import build_sections, judging
from medpsy.spec.model_file import read_model_file


def ordinal(n: int = 220, seed: int = 0) -> pd.DataFrame:
    """Six ordinal items, three on each of two correlated factors."""
    rng = np.random.default_rng(seed)
    factors = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], n)
    z = 0.8 * np.repeat(factors, 3, axis=1) + 0.6 * rng.normal(size=(n, 6))
    return pd.DataFrame(np.digitize(z, (-0.7, 0.5)), columns=["a1", "a2", "a3", "b1", "b2", "b3"])


MODELS = Path(__file__).resolve().parent.parent / "models"
MODULES = {"a": "a1..a3", "b": "b1..b3"}


@pytest.fixture(scope="module")
def judgement() -> Judgement:
    return mp.judge(ordinal(), MODULES, repetitions=20, loo=False)


def test_one_call_answers_every_question(judgement: Judgement) -> None:
    assert list(judgement) == [
        "describe", "reliability", "clusters", "correlations", "discriminant", "factorability",
        "number_of_factors", "efa",
    ]  # fmt: skip
    assert all(part.sheets for part in judgement.parts)
    assert (
        len(judgement["efa"]["factors"])
        == judgement["number_of_factors"]["agreement"]["factors"].iloc[0]
        == 2
    )
    for title in ("Items and modules", "Reliability", "Number of factors"):
        assert title in str(judgement)
    with pytest.raises(mp.SpecError, match="Did you mean 'reliability'"):
        judgement["reliabilty"]


def test_the_judgement_is_reported(judgement: Judgement, tmp_path: Path) -> None:
    judgement.report(tmp_path / "judged.html")
    page = (tmp_path / "judged.html").read_text(encoding="utf-8")
    for text in (
        "omega total",
        "Items of the same kind",
        "parallel analysis, eigenvalues",
        "cannot rule out",
    ):
        assert text in page
    assert page.count("<svg") == 5  # items, modules, two heat maps, scree
    judgement.report(tmp_path / "judged.md")
    assert "| omega total |" in (tmp_path / "judged.md").read_text(encoding="utf-8")


def test_what_cannot_be_asked_is_said() -> None:
    found = mp.judge(ordinal(60)[["a1", "a2"]], repetitions=20, loo=False)
    for part in ("factorability", "number_of_factors"):
        assert found[part].sheets == () and "cannot be analysed together" in found[part].notes[0]
    assert "efa" not in list(found) and found["describe"].sheets


def test_findings_draw_themselves(judgement: Judgement) -> None:
    assert isinstance(judgement["describe"].plot("modules"), Figure)
    assert isinstance(mp.polychoric(ordinal()).plot(), Figure)
    with pytest.raises(mp.SpecError, match="nothing to draw"):
        judgement["reliability"].plot()
    with pytest.raises(mp.SpecError, match="no figure 'scre'"):
        judgement["number_of_factors"].plot("scre")


def test_heat_map_writes_its_numbers() -> None:
    matrix = pd.DataFrame([[1, -0.32, np.nan], [-0.32, 1, 0.5], [np.nan, 0.5, 1]], list("abc"), list("abc"))
    axes = correlation_heatmap(matrix).axes[0]
    assert [text.get_text() for text in axes.texts] == ["−.32", ".50"]
    assert len(axes.patches) == 5
    with pytest.raises(mp.DataError, match="2 x 3"):
        correlation_heatmap(matrix.iloc[:2])


def test_scree_and_distributions_draw_their_tables() -> None:
    table = pd.DataFrame(
        {"number": [1, 2], "observed": [1.4, 0.6], "threshold": [1.2, 0.9], "mean": [1.1, 0.9]}
    )
    lines = scree(table).axes[0].lines
    np.testing.assert_array_equal(lines[0].get_ydata(), [1.4, 0.6])
    np.testing.assert_array_equal(lines[1].get_ydata(), [1.2, 0.9])
    rows = pd.DataFrame({"module": ["x", "x"], "low": [0.5, 1.5], "high": [1.5, 2.5], "count": [3, 4]})
    assert [bar.get_height() for bar in module_distributions(rows).axes[0].patches] == [3, 4]
    with pytest.raises(mp.DataError, match="no column 'observed'"):
        scree(table.drop(columns="observed"))


def test_clusters_are_variables_of_the_survey_or_labels() -> None:
    survey = hand_made.survey(60)
    found = mp.reliability(survey, ["x"], cluster="sex", draws=200)
    assert found["icc"].iloc[0]["clusters"] == 2
    label = np.where(survey.variables["sex"] == 0, "f", "m")
    again = mp.reliability(survey, ["x"], cluster=label, draws=200)
    pd.testing.assert_frame_equal(found["icc"], again["icc"])
    with pytest.raises(mp.DataError, match="no column 'sex'"):
        mp.reliability(ordinal(), cluster="sex")
    with pytest.raises(mp.DataError, match="names a variable"):
        mp.reliability(ordinal().to_numpy(), cluster="sex")
    frame = ordinal().assign(school=np.arange(220) % 20)
    by_name = mp.reliability(frame, {"a": "a1..a3"}, cluster="school", draws=200)
    by_label = mp.reliability(ordinal(), {"a": "a1..a3"}, cluster=frame["school"], draws=200)
    pd.testing.assert_frame_equal(by_name["icc"], by_label["icc"])


def test_simulated_answers_say_so() -> None:
    survey = mp.load_model(MODELS / "students.toml").simulate(n=40)
    assert survey.simulated in mp.describe(survey).notes


def test_validity_of_constructs_is_that_of_their_draws() -> None:
    result = hand_made.result(hand_made.MEASURED, draws=150, chains=2)
    found = latent_validity(result, draws=200, seed=3)
    drawn = scores(result, draws=200, seed=3)["draw"].to_numpy()
    phi = np.array([np.corrcoef(one.T) for one in drawn])
    row = found["latent"].iloc[1]
    assert (row["left"], row["right"], row["n"]) == ("x", "y", 40)
    own = phi[:, 0, 2]
    # The correlation of 40 persons scatters about that of the population by (1 - r^2) / sqrt(40).
    spread = np.sqrt(own.var() + ((1 - own**2) ** 2).mean() / 40)
    assert row["mean"] == pytest.approx(own.mean(), abs=4 * spread / np.sqrt(200))
    assert row["sd"] == pytest.approx(spread, rel=0.2)
    assert row["p_above_085"] <= 0.2
    slope = result.values()["slope_x"].reshape(300, 3)
    slope = slope[np.unique(np.linspace(0, 299, 200).round().astype(int))]
    top = slope * drawn[:, :, 0].std(axis=1)[:, None]
    standard = top / np.sqrt(top**2 + 1.702**2)
    convergent = found["convergent"].set_index(["construct", "coefficient"])
    ave = (standard**2).mean(axis=1)
    assert convergent.loc[("x", "average variance extracted"), "mean"] == pytest.approx(ave.mean())
    assert row["p_left"] == pytest.approx((ave > own**2).mean(), abs=0.12)


def test_a_model_file_asks_for_the_judgement_in_its_report(tmp_path: Path) -> None:
    text = (MODELS / "students.toml").read_text(encoding="utf-8")
    file = tmp_path / "model.toml"
    file.write_text(f"{text}\n[report]\nquestionnaire = true\n", encoding="utf-8")
    assert read_model_file(file).report == {"questionnaire": True}
    file.write_text(f"{text}\n[report]\nquestionnaire = 1\n", encoding="utf-8")
    with pytest.raises(mp.SpecError, match="not true or false"):
        read_model_file(file)
    result = hand_made.result(hand_made.MEASURED)
    assert judging.gather(result, 0.95) is None


def test_the_report_has_a_section_of_what_was_found(judgement: Judgement) -> None:
    context = Context(title="t", parts={"judging": judgement.parts})
    (section,) = build_sections(context)
    assert section.title == "How good the questionnaire is"
    assert len(blocks(judgement["describe"])) > len(blocks(judgement["describe"], leave_out=("items",)))


PAGE = (MODELS.parent / "docs" / "judging.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^```python\n((?:(?!```).*\n)*)```\n\n```text\n((?:(?!```).*\n)*)```$", PAGE, flags=re.M)
#: Steps that sample a posterior, and that read one: minutes each, and draws differ between machines.
SAMPLED = (".fit(", "fit.", "wave_invariance(")


def check_steps(steps: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    assert steps
    for code, shown in steps:
        exec(compile(code, "judging.md", "exec"), names)
        assert capsys.readouterr().out.rstrip("\n") == shown.rstrip("\n")


def test_the_quick_steps_of_the_page_print_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    quick = ("mp.describe", "mp.audit", "mp.content_validity", "mp.efa")
    check_steps([step for step in STEPS if any(name in step[0] for name in quick)], capsys)


@pytest.mark.slow
def test_every_step_of_the_page_prints_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    check_steps([step for step in STEPS if not any(word in step[0] for word in SAMPLED)], capsys)
