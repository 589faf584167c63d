"""Observed Gaussian designs at flat priors against least squares, PROCESS and published numbers."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import medpsy as mp
from mediation_cases import FLAT, around_mode, least_squares, survey
from medpsy.errors import DataError, SpecError
from medpsy.posterior.conditional import conditional, contrasts, relative, simple_slopes
from medpsy.posterior.moderator_curves import curve, excluded

RNG = np.random.default_rng(8)
N = 160
X, W, Z, G = RNG.normal(2, 1, N), RNG.normal(30, 5, N), RNG.normal(-1, 2, N), RNG.integers(0, 3, N)
M = 0.5 * X + 0.1 * W + 0.08 * X * W + 0.3 * (G == 2) + RNG.normal(0, 2, N)
M2 = 0.4 * M - 0.3 * X + RNG.normal(0, 1, N)
Y = 0.4 * M + 0.02 * M * W + 0.3 * M2 + 0.2 * X - 0.1 * Z + RNG.normal(0, 3, N)
DATA = {"x": X, "w": W, "z": Z, "g": G, "m": M, "m2": M2, "y": Y}
ANSWERS = survey(DATA, {"g": ("a", "b", "c")})


def effects_at_mode(model: mp.Model) -> dict[str, float]:
    return dict(around_mode(model, ANSWERS, draws=1).effects()[["effect", "mean"]].itertuples(index=False))


def test_serial_mediation_is_least_squares() -> None:
    got = effects_at_mode(mp.Mediation("x", ["m", "m2"], "y", serial=True, covariates=["z"], priors=FLAT))
    one = least_squares(M, x=X, z=Z)
    two = least_squares(M2, m=M, x=X, z=Z)
    out = least_squares(Y, m=M, m2=M2, x=X, z=Z)
    total = least_squares(Y, x=X, z=Z)
    assert got["indirect_m_m2"] == pytest.approx(one["x"] * two["m"] * out["m2"], rel=1e-6)
    assert got["indirect_m2"] == pytest.approx(two["x"] * out["m2"], rel=1e-6)
    assert got["direct"] == pytest.approx(out["x"], rel=1e-6)
    assert got["total"] == pytest.approx(total["x"], rel=1e-6)


def test_products_and_categories_are_least_squares_in_raw_units() -> None:
    text = "m ~ a*x + w + g + a_w*x:w + x:g\ny ~ b*m + c*x + w + z + b_w*m:w + b_z*m:z + w:z + b_w_z*m:w:z"
    table = around_mode(mp.Model(text, priors=FLAT), ANSWERS, draws=1).summary()
    got = {f"{r.lhs}~{r.rhs}": r.mean for r in table.itertuples() if r.op == "~"}
    b, c = (G == 1) * 1.0, (G == 2) * 1.0
    first = least_squares(M, x=X, w=W, gb=b, gc=c, xw=X * W, xgb=X * b, xgc=X * c)
    second = least_squares(Y, m=M, x=X, w=W, z=Z, mw=M * W, mz=M * Z, wz=W * Z, mwz=M * W * Z)
    names = {"m~x": "x", "m~w": "w", "m~g[b]": "gb", "m~g[c]": "gc", "m~x:w": "xw", "m~x:g[b]": "xgb",
             "m~x:g[c]": "xgc", "m~1": "1"}  # fmt: skip
    for own, other in names.items():
        assert got[own] == pytest.approx(first[other], rel=1e-5), own
    names = {"y~m": "m", "y~x": "x", "y~w": "w", "y~z": "z", "y~m:w": "mw", "y~m:z": "mz", "y~w:z": "wz",
             "y~m:w:z": "mwz", "y~1": "1"}  # fmt: skip
    for own, other in names.items():
        assert got[own] == pytest.approx(second[other], rel=1e-4), own


def test_conditional_effects_are_slopes_at_the_moderator() -> None:
    fit = around_mode(mp.Mediation("x", "m", "y", moderator="w", moderates="all", priors=FLAT), ANSWERS, 1)
    table = conditional(fit.result, at={"w": [25.0, 35.0]}).set_index(["effect", "w"])["mean"]
    first = least_squares(M, x=X, w=W, xw=X * W)
    second = least_squares(Y, m=M, x=X, w=W, mw=M * W, xw=X * W)
    for w in (25.0, 35.0):
        ab = (first["x"] + first["xw"] * w) * (second["m"] + second["mw"] * w)
        c = second["x"] + second["xw"] * w
        assert table["indirect", w] == pytest.approx(ab, rel=1e-5)
        assert table["direct", w] == pytest.approx(c, rel=1e-4)
        assert table["total", w] == pytest.approx(ab + c, rel=1e-4)
    difference = contrasts(fit.result, at={"w": [25.0, 35.0]}).set_index("effect")["mean"]
    assert difference["indirect"] == pytest.approx(table["indirect", 35.0] - table["indirect", 25.0])
    probed = conditional(fit.result)["w"].unique()
    np.testing.assert_allclose(probed, np.percentile(W, [16, 50, 84]))
    slope = simple_slopes(fit.result, "m", "x", at={"w": 31.0})["mean"].item()
    assert slope == pytest.approx(first["x"] + 31 * first["xw"], rel=1e-5)


def test_categories_moderate_level_by_level() -> None:
    fit = around_mode(mp.Mediation("x", "m", "y", moderator="g", priors=FLAT), ANSWERS, draws=1)
    table = conditional(fit.result).query("effect == 'indirect'").set_index("g")["mean"]
    b, c = (G == 1) * 1.0, (G == 2) * 1.0
    first = least_squares(M, x=X, b=b, c=c, xb=X * b, xc=X * c)
    second = least_squares(Y, m=M, x=X)["m"]
    assert table["a"] == pytest.approx(first["x"] * second, rel=1e-5)
    assert table["c"] == pytest.approx((first["x"] + first["xc"]) * second, rel=1e-5)
    index = dict(fit.effects()[["effect", "mean"]].itertuples(index=False))
    assert index["index[b]"] == pytest.approx(table["b"] - table["a"])
    assert index["index[c]"] == pytest.approx(table["c"] - table["a"])


def test_curve_and_region_are_those_of_the_table() -> None:
    fit = around_mode(mp.Mediation("x", "m", "y", moderator="w", priors=FLAT), ANSWERS)
    line = curve(fit.result, "w")
    at = conditional(fit.result, at={"w": line["value"][[0, 30, 60]].tolist()}).query("effect == 'indirect'")
    np.testing.assert_allclose(
        line[["mean", "lower", "upper"]].iloc[[0, 30, 60]], at[["mean", "lower", "upper"]]
    )
    (low, high), *_ = line.attrs["regions"]
    edge = conditional(fit.result, at={"w": [low, high]}).query("effect == 'indirect'")
    assert edge["lower"].iloc[0] == pytest.approx(0, abs=0.02) or low == pytest.approx(W.min())
    assert line.attrs["share"] == ((low <= W) & (high >= W)).mean()


def test_stretches_where_an_interval_excludes_zero() -> None:
    grid = np.arange(5.0)
    assert excluded(grid, np.array([-1.0, 1, 1, -1, -1]), np.full(5, 2.0)) == [(0.5, 2.5)]
    assert excluded(grid, np.full(5, -1.0), np.array([-1.0, 1, 1, 1, -1])) == [(0.0, 0.5), (3.5, 4.0)]
    assert excluded(grid, np.full(5, -1.0), np.full(5, 1.0)) == []
    assert excluded(grid, np.full(5, 0.5), np.full(5, 1.0)) == [(0.0, 4.0)]


PROCESS = {
    4: {}, 6: {}, 1: {"m": "w"}, 5: {"w": "w"}, 7: {"w": "w"}, 8: {"w": "w"}, 14: {"v": "w"}, 15: {"v": "w"},
    58: {"w": "w"}, 59: {"w": "w"}, 9: {"w": "w", "z": "z"}, 11: {"w": "w", "z": "z"},
    12: {"w": "w", "z": "z"},
    21: {"w": "w", "v": "z"}, 22: {"w": "w", "v": "z"}, 28: {"w": "w", "v": "z"}, 29: {"w": "w", "v": "z"},
    16: {"v": "w", "q": "z"}, 18: {"v": "w", "q": "z"},
}  # fmt: skip


@pytest.mark.parametrize("number", PROCESS)
def test_agrees_with_pyprocessmacro(number: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macro = pytest.importorskip("pyprocessmacro", reason="pyprocessmacro is not installed")
    frame = pd.DataFrame({k: v for k, v in DATA.items() if k != "g"})
    at = {name: [25.0, 33.0] if name == "w" else [-2.0, 1.0] for name in PROCESS[number].values()}
    mediators = [] if number == 1 else ["m", "m2"] if number == 6 else ["m"]
    names = {"m": mediators} | PROCESS[number] if mediators else PROCESS[number]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = macro.Process(
            data=frame, model=number, x="x", y="y", suppr_init=True, boot=20, seed=1,
            **({"modval": at} if at else {}), **names,
        )  # fmt: skip
    roles = {"w": "w" if "w" in at else None, "z": "z" if "z" in at else None}
    model = mp.Mediation.from_process(number, x="x", m=mediators, y="y", priors=FLAT, **roles)
    table = conditional(around_mode(model, ANSWERS, draws=1).result, at=at)
    direct = table[table["effect"] == "direct"]
    theirs = peer.direct_model.coeff_summary()
    assert len(theirs) > 0
    for row in theirs.to_dict("records"):
        assert _match(direct, row, at) == pytest.approx(row["Effect"], rel=1e-4, abs=1e-6)
    if not mediators:
        return
    indirect = table[table["effect"] == "indirect"]
    for row in peer.indirect_model.coeff_summary().to_dict("records"):
        own = indirect if number != 6 else _chain(indirect, row)
        if len(own):
            assert _match(own, row, at) == pytest.approx(row["Effect"], rel=1e-4, abs=1e-6)


def _match(table: pd.DataFrame, row: dict[str, float], at: dict[str, list[float]]) -> float:
    """Ours at the setting of one row of theirs; where ours has more moderators they do not matter."""
    for name in at:
        if name in row:
            table = table[np.isclose(table[name], row[name])]
    assert len(table) and np.allclose(table["mean"], table["mean"].iloc[0])
    return float(table["mean"].iloc[0])


def _chain(table: pd.DataFrame, row: dict[str, str]) -> pd.DataFrame:
    text = next(str(v) for v in row.values() if isinstance(v, str))
    return table[[t.replace(" ", "") in text.replace(" ", "") for t in table["text"]]]


def test_multicategorical_exposure_of_the_protest_study(shared: Path) -> None:
    frame = pd.read_csv(shared / "data" / "garcia_protest" / "garcia_protest.csv")
    kept = {name: frame[name] for name in ("protest", "respappr", "liking")}
    answers = survey(kept, {"protest": ("none", "individual", "collective")})
    fit = around_mode(mp.Mediation("protest", "respappr", "liking", priors=FLAT), answers, draws=1)
    got = dict(fit.effects()[["effect", "mean"]].itertuples(index=False))
    entries = json.loads((shared / "reference" / "garcia_protest.json").read_text())["entries"]
    known = next(e for e in entries if e["id"] == "published.hayes_multicategorical")["results"]
    for own, other in {
        "a[individual]": "a1", "a[collective]": "a2", "b": "b", "indirect[individual]": "rel_indirect1",
        "indirect[collective]": "rel_indirect2", "direct[individual]": "c1prime", "total[collective]": "c2",
    }.items():  # fmt: skip
        assert got[own] == pytest.approx(known[other], abs=6e-5), own
    table = relative(fit.result).set_index(["comparison", "effect"])["mean"]
    assert table["collective - individual", "indirect"] == pytest.approx(0.6633 - 0.5195, abs=1e-4)
    helmert = {"any": {"none": -1, "individual": 0.5, "collective": 0.5}}
    assert relative(fit.result, helmert)["mean"].iloc[0] == pytest.approx((0.6633 + 0.5195) / 2, abs=1e-4)
    with pytest.raises(SpecError, match="sum to 1, not to zero"):
        relative(fit.result, {"wrong": {"individual": 1}})
    with pytest.raises(SpecError, match="no level 'nobody'"):
        relative(fit.result, {"wrong": {"nobody": 1, "none": -1}})


def test_covariates_of_the_jobs_study(shared: Path) -> None:
    frame = pd.read_csv(shared / "data" / "jobs" / "jobs.csv")
    names = ["treat", "job_seek", "depress2", "econ_hard", "sex", "age"]
    model = mp.Mediation("treat", "job_seek", "depress2", covariates=names[3:], priors=FLAT)
    got = dict(
        around_mode(model, survey({n: frame[n] for n in names}), 1).effects()[["effect", "mean"]]
        .itertuples(index=False)
    )  # fmt: skip
    assert got["indirect"] == pytest.approx(-0.015744645029, rel=1e-5)
    assert got["direct"] == pytest.approx(-0.040264700002, rel=1e-5)
    assert got["total"] == pytest.approx(-0.056009345031, rel=1e-5)


def test_impossible_products_are_refused() -> None:
    with pytest.raises(SpecError, match="product of two categories"):
        two = survey({**DATA, "h": np.arange(N) % 3}, {"g": ("a", "b", "c"), "h": ("a", "b", "c")})
        around_mode(mp.Model("y ~ g + h + c*g:h"), two, 1)
    # Nobody has g = b together with k = 1.
    apart = survey({**DATA, "k": (G == 2).astype(int)}, {"g": ("a", "b", "c"), "k": ("no", "yes")})
    with pytest.raises(DataError, match=r"product 'g\[b\]:k\[yes\]'"):
        around_mode(mp.Model("y ~ g + k + g:k"), apart, 1)
    missing = survey({**DATA, "m": np.where(np.arange(N) < 5, np.nan, M)})
    fit = around_mode(mp.Mediation("x", "m", "y", moderator="z", moderates="second", priors=FLAT), missing, 1)
    assert fit.survey.n_person == N - 5
    event = fit.survey.ledger[-1]
    assert event.before - event.after == 5


def test_questions_about_what_is_not_there_are_refused() -> None:
    fit = around_mode(mp.Mediation("x", "m", "y", moderator="w", priors=FLAT), ANSWERS, draws=2)
    with pytest.raises(SpecError, match="changes with 'z'"):
        conditional(fit.result, at={"z": 1.0})
    with pytest.raises(SpecError, match="no value of the number 'w'"):
        conditional(fit.result, at={"w": "high"})
    with pytest.raises(SpecError, match="no variable 'xx'"):
        conditional(fit.result, exposure="xx", outcome="y")
    with pytest.raises(SpecError, match="no path 'y ~ w'"):
        simple_slopes(fit.result, "y", "w")
    plain = around_mode(mp.Mediation("x", "m", "y", priors=FLAT), ANSWERS, draws=2)
    with pytest.raises(SpecError, match="no two settings"):
        contrasts(plain.result)
    with pytest.raises(SpecError, match="is no category"):
        relative(plain.result)


@pytest.mark.slow
def test_flat_priors_give_the_published_posterior(shared: Path) -> None:
    """Mplus, two chains of 135,000 draws, against our density by importance sampling from its mode."""
    from medpsy.bind import bind
    from medpsy.engines.base import choose
    from medpsy.inference.density import Density, start_point
    from medpsy.inference.mode import find_mode
    from medpsy.posterior.intervals import eti, hdi

    frame = pd.read_csv(shared / "data" / "talor_pmi" / "talor_pmi.csv")
    answers = survey({name: frame[name] for name in ("cond", "pmi", "reaction")})
    data = bind(mp.Mediation("cond", "pmi", "reaction", priors=FLAT).composed, answers)
    engine, _ = choose(data)
    density = Density(data, engine.compiled(data, engine.settings(data)))
    mode = find_mode(density, start_point(data))
    rng = np.random.default_rng(1)
    size, freedom = 12_000, 8
    z = rng.standard_normal((size, density.size))
    t = z / np.sqrt(rng.chisquare(freedom, (size, 1)) / freedom)
    logs = np.array([density.value_and_gradient(mode.u + mode.spread @ row)[0] for row in t])
    logs += 0.5 * (freedom + density.size) * np.log1p((t**2).sum(1) / freedom)
    weight = np.exp(logs - logs.max())
    kept = rng.choice(size, 30_000, p=weight / weight.sum())
    values = [density.space.constrain(mode.u + mode.spread @ t[i]) for i in range(size)]
    names = [c.name for c in data.layout.coefficients]
    path = np.array([v["path"] for v in values])
    unit = dict(zip(data.layout.nodes, data.layout.unit, strict=True)) | {"cond": data.layout.columns[0].unit}
    a = path[:, names.index("pmi~cond")] * unit["pmi"] / unit["cond"]
    b = path[:, names.index("reaction~pmi")] * unit["reaction"] / unit["pmi"]
    indirect = (a * b)[kept]
    entries = json.loads((shared / "reference" / "talor_pmi.json").read_text())["entries"]
    known = next(e for e in entries if e["id"] == "published.mplus_bayes_simple")["results"]
    assert np.median(indirect) == pytest.approx(known["indirect"]["median"], abs=0.006)
    low, high = eti(indirect, 0.95)
    assert (low, high) == pytest.approx((known["indirect"]["q025"], known["indirect"]["q975"]), abs=0.015)
    shortest = hdi(indirect, 0.95)
    assert shortest == pytest.approx(tuple(known["indirect_hpd95"]), abs=0.02)
    assert shortest[0] < low  # the two kinds of interval are not the same
    assert np.average(a, weights=weight) == pytest.approx(0.4765, abs=0.01)
