"""Numbers of psych, lme4, multilevel, semTools and lavaan, met through the public face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import medpsy as mp
from medpsy.survey.instrument import Instrument, Module


def entries(shared: Path, name: str) -> dict[str, Any]:
    content = json.loads((shared / "reference" / f"{name}.json").read_text(encoding="utf-8"))
    return {entry["id"]: entry["results"] for entry in content["entries"]}


def bfi(shared: Path, scale: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Items of one scale, turned as psych was told, and what psych found."""
    found = entries(shared, "bfi")
    about = found[f"classical.scale_{scale}.alpha"]
    frame = pd.read_csv(shared / "data" / "bfi" / "bfi.csv")[about["items"]].astype(float)
    for item, key in zip(about["items"], about["keys"], strict=True):
        if key < 0:
            frame[item] = 7 - frame[item]
    return frame, found


@pytest.mark.parametrize("scale", ["A", "N"])
def test_bfi_scales_agree_with_psych(scale: str, shared: Path) -> None:
    frame, found = bfi(shared, scale)
    about = found[f"classical.scale_{scale}.alpha"]
    table = mp.reliability(frame, draws=100, group_factors=0).table.set_index("coefficient")
    assert table.loc["alpha", "estimate"] == pytest.approx(about["raw_alpha"], rel=1e-6)
    kmo = found[f"classical.scale_{scale}.kmo_bartlett"]
    factorable = mp.factorability(frame, draws=100)
    overall = factorable.table.set_index("item")["estimate"]
    assert overall["all items"] == pytest.approx(kmo["kmo"], rel=1e-6)
    bartlett = factorable["tests"].iloc[0]
    assert bartlett["value"] == pytest.approx(kmo["bartlett_chisq"], rel=1e-6)
    assert bartlett["df"] == kmo["bartlett_df"]
    psych = found[f"classical.scale_{scale}.polychoric"]["rho"]
    own = mp.polychoric(frame)["correlations"].set_index("item").to_numpy(dtype=float)
    # psych adds half an answer to empty cells, which moves correlations by some thousandths.
    assert own == pytest.approx(np.array(psych["values"]), abs=0.02)


@pytest.mark.parametrize("module", ["phq", "gad"])
def test_students_agree_with_psych(module: str, shared: Path) -> None:
    found = entries(shared, "mexmed_students")
    about = found[f"classical.{module}.alpha"]
    frame = pd.read_csv(shared / "data" / "mexmed_students" / "mexmed_students_clean.csv")[about["items"]]
    table = mp.reliability(frame, draws=400, group_factors=0).table.set_index("coefficient")
    assert table.loc["alpha", "estimate"] == pytest.approx(about["raw_alpha"], rel=1e-6)
    assert table.loc["alpha", "sd"] == pytest.approx(about["ase"], rel=0.15)
    omega = found[f"classical.{module}.omega1"]["omega_total"]
    assert table.loc["composite reliability (standardised items)", "mean"] == pytest.approx(omega, abs=0.006)
    kmo = found[f"classical.{module}.kmo_bartlett"]
    overall = mp.factorability(frame, draws=100).table.set_index("item")["estimate"]
    assert overall["all items"] == pytest.approx(kmo["kmo"], rel=1e-6)
    assert [overall[item] for item in about["items"]] == pytest.approx(list(_values(kmo["msa"])), rel=1e-6)


def _values(found: Any) -> Any:
    return found.values() if isinstance(found, dict) else found


@pytest.mark.parametrize("scale", ["lead", "tsig", "hostil"])
def test_companies_agree_with_multilevel_and_lme4(scale: str, shared: Path) -> None:
    frame = pd.read_csv(shared / "data" / "lq2002" / "lq2002.csv")
    name = {"hostil": "hostile"}.get(scale, scale)
    expected = entries(shared, "lq2002")[f"groups.icc_{name}"]
    items = [column for column in frame.columns if column.startswith(scale) and column[-2:].isdigit()]
    found = mp.reliability(
        frame[["compid", *items]], {scale: items}, cluster="compid", draws=400, group_factors=0
    )
    row = found["icc"].iloc[0]
    assert row["clusters"] == expected["n_groups"]
    assert row["icc1"] == pytest.approx(expected["ICC1"], rel=1e-6)
    assert row["icc2"] == pytest.approx(expected["ICC2"], rel=1e-6)
    assert row["lower"] < expected["icc_lmer"] < row["upper"]
    assert row["mean"] == pytest.approx(expected["icc_lmer"], abs=0.03)


@pytest.mark.slow
def test_holzinger_swineford_agrees_with_semtools(shared: Path) -> None:
    expected = entries(shared, "holzinger_swineford")["sem.cfa3_reliability"]
    text = "visual =~ x1..x3\ntextual =~ x4..x6\nspeed =~ x7..x9"
    fit = mp.Model(text, family="gaussian").fit(
        mp.load_example("holzinger_swineford"), seed=1, progress=False
    )
    omega = fit.reliability().query("coefficient == 'omega'").set_index("construct")["mean"]
    convergent = mp.validity(fit)["convergent"].query("coefficient == 'average variance extracted'")
    for name in ("visual", "textual", "speed"):
        assert omega[name] == pytest.approx(expected["omega"][name], abs=0.025)
        extracted = convergent.set_index("construct")["mean"][name]
        assert extracted == pytest.approx(expected["AVE"][name], abs=0.04)


@pytest.mark.slow
def test_the_ordinal_factor_agrees_with_wlsmv(shared: Path) -> None:
    expected = entries(shared, "mexmed_students")["sem.phq9_cfa1_wlsmv"]["estimates"]
    loading = np.array([e["std.all"] for e in expected if e["op"] == "=~"])
    frame = pd.read_csv(shared / "data" / "mexmed_students" / "mexmed_students_clean.csv")
    items = tuple(f"phq{j}" for j in range(1, 10))
    instrument = Instrument((Module("phq", items, (0, 1, 2, 3)),))
    kept = frame[list(items)].dropna()
    fit = mp.Model([mp.GradedProbit("phq", items=items)]).fit(
        mp.from_frame(kept, instrument), seed=1, draws=500, progress=False
    )
    slope = fit.result.values()["slope_phq"].mean(axis=(0, 1))
    assert slope / np.sqrt(1 + slope**2) == pytest.approx(loading, abs=0.06)
    extracted = mp.validity(fit)["convergent"]["mean"].iloc[0]
    assert extracted == pytest.approx((loading**2).mean(), abs=0.03)
