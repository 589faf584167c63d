"""``medpsy run`` for real: a model of one construct that simulates itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import medpsy as mp
from medpsy.cli.main import main
from medpsy.cli.run import plain

TINY = """schema = 1
name = "tiny"
title = "A tiny survey"
[instrument.module.mood]
items = "m1..m4"
codes = [1, 2, 3]
[constructs.mood]
items = "m1..m4"
[screening]
max_missing = 0.10
[sampling]
seed = 5
chains = 2
[report]
interval = 0.9
[truth]
n_person = 80
seed = 3
note = "simulated to try the command line"
[truth.items.mood]
slope = 1.5
mean = 2.1
"""
NOTE = "simulated to try the command line"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    folder = tmp_path_factory.mktemp("run")
    file = folder / "tiny.toml"
    file.write_text(TINY, encoding="utf-8")
    out = folder / "new" / "out"
    status = main(["run", str(file), "--out", str(out), "--draws", "100", "--tune", "100", "--strict"])
    return status, out


def test_two_short_chains_are_not_trusted(ran: tuple[int, Path]) -> None:
    status, out = ran
    assert status == 3  # --strict: two chains of 100 draws are too few to judge
    verdict = json.loads((out / "checks.json").read_text(encoding="utf-8"))
    assert verdict["trusted"] is False
    assert any("chains" in reason for reason in verdict["reasons"])
    assert {"check", "code", "passed", "value", "threshold", "text", "cure"} == set(verdict["checks"][0])


def test_every_file_is_there_and_says_what_it_is_worth(ran: tuple[int, Path]) -> None:
    _, out = ran
    assert sorted(path.name for path in out.iterdir()) == [
        "checks.json", "effects.csv", "fit.nc", "flow.csv", "provenance.json", "report.html", "summary.csv",
    ]  # fmt: skip
    for name in ("summary", "flow"):
        table = pd.read_csv(out / f"{name}.csv")
        assert not table["trusted"].any()
        assert set(table["note"]) == {NOTE}
    assert len(pd.read_csv(out / "effects.csv")) == 0  # one construct: nothing to relate
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("NOT TO BE TRUSTED") > 5
    assert page.count(NOTE) > 5
    assert "A tiny survey" in page


def test_provenance_repeats_the_run(ran: tuple[int, Path]) -> None:
    where = json.loads((ran[1] / "provenance.json").read_text(encoding="utf-8"))
    assert (where["sampler"]["seed"], where["sampler"]["chains"], where["sampler"]["draws"]) == (5, 2, 100)
    assert where["data"]["note"] == NOTE
    assert where["report"] == {"title": "A tiny survey", "interval": 0.9}


def test_the_saved_fit_holds_the_numbers_of_the_tables(ran: tuple[int, Path]) -> None:
    fit = mp.load_fit(ran[1] / "fit.nc")
    table = pd.read_csv(ran[1] / "summary.csv")
    np.testing.assert_allclose(table["mean"], fit.summary()["mean"], rtol=1e-9)
    assert fit.interval == 0.9
    slopes = fit.tree["posterior"]["slope_mood"]
    assert slopes.sizes == {"chain": 2, "draw": 100, "item_mood": 4}
    assert 0.5 < float(slopes.mean()) < 3


def test_report_of_the_saved_fit(
    ran: tuple[int, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(ran[1] / "fit.nc"), "--out", str(tmp_path / "r.html")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"Report: {tmp_path / 'r.html'}"
    assert printed[1] == f"Note: {NOTE}"
    assert printed[-1].startswith("NOT TO BE TRUSTED: ")
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == (ran[1] / "report.html").read_text("utf-8")


def test_json_holds_no_numbers_that_are_none() -> None:
    value = {"a": [np.float64("nan"), np.int64(3), True, None], "b": (float("inf"), Path("x"))}
    assert plain(value) == {"a": [None, 3, True, None], "b": [None, "x"]}
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == plain(value)


def test_a_full_disk_is_found_before_the_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr("medpsy.result.shutil.disk_usage", lambda _: full)
    monkeypatch.setattr("medpsy.api.models.Model.fit", lambda *_, **__: pytest.fail("it was fitted"))
    (tmp_path / "tiny.toml").write_text(TINY, encoding="utf-8")
    assert main(["run", str(tmp_path / "tiny.toml"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "has 1 MB left" in said
    assert "Free some space" in said
