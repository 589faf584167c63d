"""A fit and its mark: every table, figure and file says whether to trust it."""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import medpsy as mp
from made_posterior import Made, bound, made, survey
from medpsy.report.render import MARK

NOTE = "simulated for a test"
ABOUT = {
    "sampler": {"name": "nutpie (NUTS)", "seed": 1},
    "route": {"name": "compiled"},
    "versions": {"medpsy": mp.__version__},
}


def stuck(pieces: Made) -> None:
    """One chain elsewhere, and divergences."""
    for name, values in pieces.values.items():
        if name.startswith("slope"):
            values[0] += 2.0
    pieces.stats["diverging"][0, :30] = True


@cache
def fitted(healthy: bool = True, simulated: bool = False) -> mp.Fit:
    answers = survey(60)
    if simulated:
        object.__setattr__(answers, "simulated", NOTE)
    result = made(
        None if healthy else stuck, answers=answers, data=bound(answers=answers, name="made"), draws=400
    )
    result.provenance.update(ABOUT, report={"title": "Made up", "interval": 0.9})
    return mp.Fit(result)


def test_a_healthy_fit_is_trusted_and_unmarked() -> None:
    fit = fitted()
    assert fit.trusted, fit.gate.reasons
    for table in (fit.effects(), fit.summary(), fit.reliability()):
        assert "trusted" not in table
        assert "note" not in table
        assert table.attrs["trusted"] == 1
    assert MARK not in str(fit)
    assert repr(fit) == "<Fit of 'made': 60 persons, 4 x 400 draws, trusted>"
    assert not any(MARK in text.get_text() for text in fit.plot_effects().texts)


def test_a_failed_gate_marks_every_table_in_print_and_in_files() -> None:
    fit = fitted(healthy=False)
    assert not fit.trusted
    for table in (fit.effects(), fit.summary(), fit.reliability()):
        assert table.columns[0] == "trusted"
        assert not table["trusted"].any()
        assert "False" in table.head(1).to_string().splitlines()[1]
        assert "chains" in table.attrs["reasons"]
    assert fit.curves("x").attrs["trusted"] == 0
    assert str(fit).count(MARK) == 1
    assert "chains" in str(fit).split(MARK)[1].splitlines()[0]
    assert fit.sentences()[0].startswith(f"{MARK}: ")
    assert repr(fit).endswith("NOT TO BE TRUSTED>")
    file = fit.mark.for_file(pd.DataFrame({"effect": ["a"]}))
    assert file.to_csv(index=False).splitlines() == ["trusted,effect", "false,a"]
    fine = fitted().mark.for_file(pd.DataFrame({"effect": ["a"]}))
    assert fine.to_csv(index=False).splitlines() == ["trusted,effect", "true,a"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda fit: fit.plot_path(),
        lambda fit: fit.plot_effects(),
        lambda fit: fit.plot_categories("y"),
        lambda fit: fit.plot_counts(),
        lambda fit: fit.plot_counts("x"),
        lambda fit: fit.plot_ranks(),
        lambda fit: fit.plot_prior(),
    ],
)
def test_a_failed_gate_and_a_note_mark_every_figure(draw: Any) -> None:
    texts = [text.get_text() for text in draw(fitted(healthy=False, simulated=True)).texts]
    assert MARK in texts
    assert NOTE in texts


def test_simulated_answers_are_said_in_every_table() -> None:
    fit = fitted(simulated=True)
    for table in (fit.effects(), fit.summary()):
        assert set(table["note"]) == {NOTE}
        assert table.attrs["note"] == NOTE
    assert f"Note: {NOTE}" in str(fit)


def test_page_holds_effects_parameters_and_thresholds() -> None:
    fit = fitted()
    lines = str(fit).splitlines()
    assert lines[:2] == ["Made up", "60 persons; 2 constructs, 6 items, 19 parameters, 1 defined quantity"]
    assert "Effects (90 % intervals)" in lines
    assert any(line.startswith("  y ~ x (a)") for line in lines)
    assert any(line.startswith("  double := 2*a") for line in lines)
    summary = fit.summary()
    slope = summary[(summary["section"] == "Slopes") & (summary["rhs"] == "x1")].iloc[0]
    row = next(line for line in lines if line.startswith("  x =~ x1"))
    assert float(row.split()[3]) == pytest.approx(slope["mean"], abs=0.006)
    assert len(next(line for line in lines if line.startswith("  x2 ")).split()) == 3  # item, two thresholds
    assert max(map(len, lines)) <= 132


def test_intervals_and_rope_come_from_the_file_unless_given() -> None:
    fit = fitted()
    assert (fit.interval, fit.rope) == (0.9, 0.05)
    wide, narrow = fit.effects(interval=0.99), fit.effects(interval=0.5, rope=0.2)
    assert (wide["upper"] > narrow["upper"]).all()
    double = narrow.set_index("effect")
    assert double.loc["a", "rope_high"] == pytest.approx(0.4)


def test_checks_are_a_table_with_cures() -> None:
    table = fitted(healthy=False).checks()
    failed = table[[value is False for value in table["passed"]]]
    assert {"divergences", "R-hat"} <= set(failed["check"])
    assert failed["cure"].str.len().min() > 10


def test_a_saved_fit_comes_back(tmp_path: Path) -> None:
    fit = fitted(simulated=True)
    fit.save(tmp_path / "fit.nc")
    back = mp.load_fit(tmp_path / "fit.nc")
    assert (back.spec, back.title, back.interval) == (fit.spec, "Made up", 0.9)
    pd.testing.assert_frame_equal(back.effects(), fit.effects())
    with pytest.raises(mp.DataError, match="cannot be written"):
        fit.save(tmp_path / "absent" / "fit.nc")
    with pytest.raises(mp.DataError, match="no file"):
        mp.load_fit(tmp_path / "absent.nc")


def test_a_fit_that_does_not_fit_on_the_disk_leaves_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = fitted()
    fit.save(tmp_path / "fit.nc")
    before = (tmp_path / "fit.nc").read_bytes()
    full = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr("medpsy.result.shutil.disk_usage", lambda _: full)
    with pytest.raises(mp.DataError, match="has 0 MB left"):
        fit.save(tmp_path / "fit.nc")
    assert [path.name for path in tmp_path.iterdir()] == ["fit.nc"]
    assert (tmp_path / "fit.nc").read_bytes() == before


def test_report_says_what_it_is_worth(tmp_path: Path) -> None:
    fit = fitted(healthy=False, simulated=True)
    fit.report(tmp_path / "r.html", interval=0.8)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<title>Made up" in page
    assert page.count(MARK) > 10
    assert page.count(NOTE) > 10
    assert "80 % interval" in page
    assert "Samejima" in page
    assert not re.search(r"\b(nan|None|inf)\b", re.sub(r"<svg.*?</svg>|<[^>]+>", "", page, flags=re.DOTALL))
    fit.report(tmp_path / "r.md")
    assert (tmp_path / "r.md").read_text(encoding="utf-8").startswith("# Made up")
    with pytest.raises(mp.DataError, match="cannot be written"):
        fit.report(tmp_path / "absent" / "r.html")


def test_posterior_predictive_surveys_keep_persons_and_holes() -> None:
    answers = survey(60)
    answers.codes[5, 2] = -1
    fit = mp.Fit(made(answers=answers, data=bound(answers=answers), draws=50))
    drawn = fit.simulate(seed=1)
    assert list(drawn.person) == list(answers.person)
    assert ((drawn.codes == -1) == (answers.codes == -1)).all()
    assert "posterior" in drawn.simulated
    assert drawn.ledger[-1].rule == "simulated"
    assert drawn.fingerprint == fit.simulate(seed=1).fingerprint != fit.simulate(seed=2).fingerprint
    with pytest.raises(mp.SpecError, match="no whole number"):
        fit.simulate(seed=-1)


def test_posterior_predictive_numbers_are_in_raw_units() -> None:
    answers = survey(200)
    answers.variables["grade"][:] = 50 + 7 * answers.variables["grade"]
    answers.variables["grade"][3] = np.nan
    answers.variables["n1"][:] = 1000 + answers.variables["n1"]
    data = bound("f =~ n1 + n2 + n3\ngrade ~ b*f", answers, family="gaussian")
    drawn = mp.Fit(made(answers=answers, data=data, draws=50, engine="gaussian")).simulate(seed=4)
    assert np.nanmean(drawn.variables["n1"]) == pytest.approx(1000, abs=2)
    assert np.nanmean(drawn.variables["grade"]) == pytest.approx(50, abs=10)
    assert np.isnan(drawn.variables["grade"]).tolist() == np.isnan(answers.variables["grade"]).tolist()
    assert (drawn.codes == -1).all()  # items that are not in the model


def test_unknown_constructs_and_comparisons_are_refused() -> None:
    fit = fitted()
    with pytest.raises(mp.SpecError, match="no construct 'z'"):
        fit.curves("z")
    with pytest.raises(mp.SpecError, match="no construct 'xx'"):
        fit.plot_counts("xx")
    with pytest.raises(mp.SpecError, match="nothing to compare"):
        fit.compare()
    with pytest.raises(mp.SpecError, match="2 different names"):
        fit.compare(fitted(healthy=False), names=["one", "one"])


def test_comparison_says_which_model_to_trust() -> None:
    table = fitted().compare(fitted(healthy=False))
    labels = [str(label) for label in table.get("model", table.index)]
    assert dict(zip(labels, table["trusted"], strict=True)) == {"made 1": True, "made 2": False}


def test_diagram_of_constructs_that_only_correlate() -> None:
    from medpsy.api.diagram import edges, nodes

    answers = survey(60)
    result = made(answers=answers, data=bound("x =~ x1..x3\ny =~ y1..y3", answers), draws=50)
    [edge] = edges(result, 0.9).to_dict("records")
    assert (edge["source"], edge["target"], edge["op"]) == ("x", "y", "~~")
    draws = result.tree["posterior"]["correlation"].to_numpy()[..., 1, 0]
    assert edge["mean"] == pytest.approx(draws.mean())
    assert list(nodes(result)["title"]) == ["X", "Y"]
