"""Tipping points, stability over time, sum scores, what the graph implies: formulas against simulation."""

from __future__ import annotations

from itertools import combinations, permutations, product

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov
from scipy.stats import kstest, pearsonr

import medpsy as mp
from hand_made import MEDIATION, cholesky, result
from mediation_cases import FLAT, around_mode, least_squares, survey
from medpsy.errors import SpecError
from medpsy.posterior.confounding import confounded_slope, robustness, tipping, tipping_curve
from medpsy.posterior.independences import adjustments, correlation_draws, independence_table
from medpsy.posterior.naive import naive_vs_latent
from medpsy.posterior.stability import lagged_paths, stability_grid
from medpsy.spec.separation import adjustment, independences
from medpsy.spec.syntax import parse_model

RNG = np.random.default_rng(5)


def confounded(n: int = 200_000, b: float = 0.4, load_m: float = 0.6, load_y: float = 0.5):  # type: ignore[no-untyped-def]
    """x, m, y and the hidden cause u of m and y."""
    x, u = RNG.normal(size=n), RNG.normal(size=n)
    m = 0.5 * x + load_m * u + RNG.normal(size=n)
    y = b * m + 0.2 * x + load_y * u + RNG.normal(size=n)
    return x, m, y, u


def test_the_slope_at_the_true_confounding_is_the_true_slope() -> None:
    x, m, y, _ = confounded()
    naive = least_squares(y, m=m, x=x)["m"]
    assert naive > 0.55  # the hidden cause biases it by a third and more
    off = [v - np.polyval(np.polyfit(x, v, 1), x) for v in (m, y)]
    r = pearsonr(*off)[0]
    # What u adds to both residuals: its own covariance with them.
    rho = 0.6 * 0.5 / np.sqrt((1 + 0.36) * (1 + 0.25))
    got = confounded_slope(np.array(rho), np.array(r), off[1].std(), off[0].std())
    assert got == pytest.approx(0.4, abs=0.01)
    assert confounded_slope(np.array(0.0), np.array(r), off[1].std(), off[0].std()) == pytest.approx(naive)
    assert confounded_slope(np.array(r), np.array(r), off[1].std(), off[0].std()) == pytest.approx(0)


def test_a_cause_of_robust_strength_undoes_the_path() -> None:
    r = np.array(0.35)
    share = float(robustness(r))
    # u explains `share` of m given x, and `share` of y given m and x: its bias of the path is
    # sqrt(share^2 / (1 - share)) times the ratio of the residual sds.
    assert share / np.sqrt(1 - share) == pytest.approx(0.35 / np.sqrt(1 - 0.35**2))
    assert robustness(np.array(0.0)) == 0 and robustness(np.array(-0.5)) == robustness(np.array(0.5))


def test_tipping_point_of_an_observed_mediation() -> None:
    x, m, y, _ = confounded(500)
    c = RNG.normal(size=500) + x
    fit = around_mode(
        mp.Mediation("x", "m", "y", covariates=["c"], priors=FLAT),
        survey({"x": x, "m": m, "y": y, "c": c}),
        1,
    )
    base = np.column_stack([np.ones(500), x, c])
    off = [v - base @ np.linalg.lstsq(base, v, rcond=None)[0] for v in (m, y)]
    row = tipping(fit.result).iloc[0]
    assert row["rho"] == pytest.approx(pearsonr(*off)[0], abs=1e-5)
    line = tipping_curve(fit.result)
    at_zero = line.loc[line["rho"] == 0, "mean"].item()
    assert at_zero == pytest.approx(fit.effects().set_index("effect")["mean"]["indirect"], rel=1e-6)
    assert np.interp(line.attrs["tipping"], line["rho"], line["mean"]) == pytest.approx(0, abs=1e-3)


def test_tipping_points_of_parallel_mediators_are_partial_correlations() -> None:
    x, m, y, u = confounded(400)
    data = {"x": x, "m1": m, "m2": 0.4 * x + u + RNG.normal(size=400), "y": y}
    fit = around_mode(mp.Mediation("x", ["m1", "m2"], "y", priors=FLAT), survey(data), draws=1)
    base = np.column_stack([np.ones(400), x, data["m2"]])
    off = [v - base @ np.linalg.lstsq(base, v, rcond=None)[0] for v in (m, y)]
    b = least_squares(y, m1=m, m2=data["m2"], x=x)["m1"]
    # The model has uncorrelated mediators given x: its partial correlation is b times sds of its own.
    row = tipping(fit.result).iloc[0]
    assert np.sign(row["rho"]) == np.sign(b) and abs(row["rho"] - pearsonr(*off)[0]) < 0.1


def test_tipping_point_of_constructs_follows_from_their_correlations() -> None:
    fitted = result(MEDIATION, {"correlation_chol": cholesky(0.4, 0.4, 0.5)}, chains=1, draws=4)
    partial = (0.5 - 0.16) / np.sqrt((1 - 0.16) * (1 - 0.16))
    row = tipping(fitted).iloc[0]
    assert row["rho"] == pytest.approx(partial) and row["share"] == pytest.approx(partial)
    assert row["p_sign"] == 1


def test_lagged_paths_bring_back_the_process_they_come_from() -> None:
    for s_x, s_m, s_y in product((0.3, 0.6), repeat=3):
        a = np.array([[s_x, 0, 0], [0.3, s_m, 0], [0.1, 0.25, s_y]])
        q = np.diag([1.0, 0.7, 1.3])
        sigma = solve_discrete_lyapunov(a, q)
        sd = np.sqrt(np.diag(sigma))
        r = sigma / np.outer(sd, sd)
        scaled = a * sd[None, :] / sd[:, None]
        got = lagged_paths(r[0, 1], r[0, 2], r[1, 2], s_x, s_m, s_y)
        assert got[:3] == pytest.approx((scaled[1, 0], scaled[2, 1], scaled[2, 0]))
        assert got[3]
    assert not lagged_paths(0.9, 0.9, 0.1, 0.9, 0.9, 0.9)[3]


def test_stability_grid_of_a_fit() -> None:
    fitted = result(MEDIATION, {"correlation_chol": cholesky(0.4, 0.4, 0.5)}, chains=1, draws=4)
    table = stability_grid(fitted, (0.4, 0.6))
    assert len(table) == 8
    for row in table.to_dict("records"):
        a, b, _, possible = lagged_paths(0.4, 0.4, 0.5, *(row[f"stability_{v}"] for v in "xmy"))
        assert row["possible"] == possible
        assert row["indirect"] == pytest.approx(a * b) if possible else np.isnan(row["indirect"])
    assert 0 < table["possible"].sum() < 8
    assert table.attrs["cross_sectional"] == pytest.approx(0.4 * (0.5 - 0.16) / 0.84)
    x, m, y, _ = confounded(300)
    c = RNG.normal(size=300) + x
    answers = survey({"x": x, "m": m, "y": y, "c": c})
    observed = around_mode(mp.Mediation("x", "m", "y", covariates=["c"], priors=FLAT), answers, 1)
    off = [v - np.polyval(np.polyfit(c, v, 1), c) for v in (x, m, y)]
    r = np.corrcoef(off)
    got = stability_grid(observed.result, (0.3, 0.6, 0.9)).dropna(subset=["indirect"])
    assert len(got) > 0
    for row in got.to_dict("records"):
        expected = lagged_paths(r[0, 1], r[0, 2], r[1, 2], *(row[f"stability_{v}"] for v in "xmy"))
        assert [row["a"], row["b"], row["c"]] == pytest.approx(list(expected[:3]), abs=0.005)


def test_what_has_no_tipping_point_or_stability_is_refused() -> None:
    x, m, y, _ = confounded(60)
    answers = survey({"x": x, "m": m, "y": y})
    moderated = around_mode(mp.Mediation("x", "m", "y", interaction=True, priors=FLAT), answers, 2)
    assert tipping(moderated.result)["x"].nunique() == 3  # at three values of the exposure
    with pytest.raises(SpecError, match="changes with 'x' itself"):
        stability_grid(moderated.result)
    several = around_mode(
        mp.Mediation("x", ["m"], ["y", "z"], priors=FLAT), survey({"x": x, "m": m, "y": y, "z": -y + m}), 2
    )
    with pytest.raises(SpecError, match="one exposure, one mediator, one outcome"):
        stability_grid(several.result)
    plain = around_mode(mp.Mediation("x", "m", "y", priors=FLAT), answers, 2)
    with pytest.raises(SpecError, match="not all between 0 and 1"):
        stability_grid(plain.result, (0.5, 1.0))
    with pytest.raises(SpecError, match="'x' is no mediator"):
        tipping_curve(plain.result, "x")
    with pytest.raises(SpecError, match="no construct takes part"):
        naive_vs_latent(plain.result)


def moderated_fit(n: int = 400):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(8)
    sex, x = np.arange(n) % 2, rng.normal(2, 3, n)
    m = (0.5 - 0.3 * sex) * x + sex + rng.normal(size=n)
    y = (0.3 + 0.4 * sex) * m + 0.2 * x + 2 * rng.normal(size=n)
    answers = survey({"x": x, "m": m, "y": y, "sex": sex}, {"sex": ["f", "m"]})
    model = mp.Mediation("x", "m", "y", moderation={"first": ["sex"], "second": ["sex"]}, priors=FLAT)
    return around_mode(model, answers, 1), x, m, y, sex


def test_tipping_points_of_a_moderated_path_are_told_setting_by_setting() -> None:
    fit, *_ = moderated_fit()
    table = fit.tipping_points().set_index("sex")
    b = fit.simple_slopes("y", "m").set_index("sex")["mean"]
    layout, sd = fit.result.data.layout, fit.tree["posterior"]["residual_sd"].to_numpy().ravel()
    sd = sd * layout.unit
    for level in ("f", "m"):
        expected = b[level] * sd[0] / np.hypot(b[level] * sd[0], sd[1])
        assert table.loc[level, "rho"] == pytest.approx(expected, rel=1e-9)
        line = tipping_curve(fit.result, at={"sex": level})
        effect = fit.conditional(at={"sex": level}).set_index("effect")["mean"]["indirect"]
        assert line.loc[line["rho"] == 0, "mean"].item() == pytest.approx(effect, rel=1e-9)
        assert line.attrs["setting"] == {"sex": level}
    assert list(fit.tipping_points({"sex": "m"})["sex"]) == ["m"]


def test_orders_and_stability_of_a_moderated_mediation_follow_from_correlations_at_each_level() -> None:
    fit, x, _, _, sex = moderated_fit()
    slopes = {pair: fit.simple_slopes(*pair).set_index("sex")["mean"] for pair in (("m", "x"), ("y", "m"))}
    c = fit.effects().set_index("effect")["mean"]["direct"]
    layout, sd = fit.result.data.layout, fit.tree["posterior"]["residual_sd"].to_numpy().ravel()
    sd = sd * layout.unit
    table = fit.orders_within()
    assert len(table) == 12 and table["hypothesised"].sum() == 2
    v = np.var(x - np.polyval(np.polyfit(sex, x, 1), sex))
    for level in ("f", "m"):
        a, b = slopes["m", "x"][level], slopes["y", "m"][level]
        mixing = np.array([[1, 0, 0], [a, 1, 0], [a * b + c, b, 1]])
        s = mixing @ np.diag([v, *sd**2]) @ mixing.T
        r = s / np.sqrt(np.outer(np.diag(s), np.diag(s)))
        own = table[(table["sex"] == level)].set_index("order")["indirect_mean"]
        for i, j, k in permutations(range(3)):
            name = " -> ".join("xmy"[q] for q in (i, j, k))
            expected = r[i, j] * (r[j, k] - r[i, j] * r[i, k]) / (1 - r[i, j] ** 2)
            assert own[name] == pytest.approx(expected, rel=1e-6)
        grid = fit.stability_grid((0.5,), at={"sex": level}).iloc[0]
        assert grid["here"] == pytest.approx(own["x -> m -> y"])
        if grid["possible"]:
            assert grid["a"] == pytest.approx(lagged_paths(r[0, 1], r[0, 2], r[1, 2], 0.5, 0.5, 0.5)[0])


def test_mean_scores_of_a_moderated_mediation_are_compared_effect_by_effect() -> None:
    text = "x =~ x1..x3\nm =~ m1..m3\nx ~ sex\nm ~ a*x + sex + a_sex*x:sex\npassed ~ b*m + c*x\n"
    text += "direct := c\nindex := a_sex*b"
    fitted = result(text, chains=1, draws=4)
    table = naive_vs_latent(fitted)
    assert set(table["sex"]) == {"f", "m"} and {"indirect", "direct", "total"} <= set(table["effect"])
    data = fitted.data
    score = {b.name: b.values.astype(float) for b in data.blocks}
    with np.errstate(invalid="ignore"):
        mean = {k: np.where(v < 0, 0, v).sum(1) / (v >= 0).sum(1) for k, v in score.items()}
    y = data.observed[:, data.layout.nodes.index("passed")]
    keep = ~(np.isnan(mean["x"]) | np.isnan(mean["m"]) | np.isnan(y))
    z = {k: (v[keep] - v[keep].mean()) / v[keep].std() for k, v in mean.items()}
    sex = data.design[keep, 1] > 0
    y = (y[keep] - y[keep].mean()) / y[keep].std()
    b = least_squares(y, m=z["m"], x=z["x"])["m"]
    for level, flag in (("f", False), ("m", True)):
        columns = {"x": z["x"], "w": 1.0 * (sex != flag), "xw": z["x"] * (sex != flag)}
        a = least_squares(z["m"], **columns)["x"]
        row = table[(table["sex"] == level) & (table["effect"] == "indirect")].iloc[0]
        assert row["naive"] == pytest.approx(a * b, rel=1e-6)


def test_sum_scores_attenuate_as_reliability_says() -> None:
    """Three parallel items of reliability .8 a scale: correlations shrink by .8 (Spearman, 1904)."""
    from medpsy.survey.survey import Survey

    base = result(MEDIATION, chains=1, draws=2)
    n = 20_000
    r = np.array([[1, 0.4, 0.4], [0.4, 1, 0.5], [0.4, 0.5, 1]])
    theta = RNG.multivariate_normal(np.zeros(3), r, n)
    # Eight-fold rounding into four categories keeps the ranks; reliability is measured, not assumed.
    noisy = theta[:, np.repeat([0, 1, 2], 3)] + RNG.normal(0, 0.8, (n, 9))
    codes = np.clip(np.floor(noisy + 2), 0, 3).astype(np.int8)
    old = base.survey
    variables = {k: np.resize(v, n) for k, v in old.variables.items()}
    answers = Survey(old.instrument, np.array([str(i) for i in range(n)]), codes, variables)
    fitted = result(
        MEDIATION, {"correlation_chol": cholesky(0.4, 0.4, 0.5)}, answers=answers, chains=1, draws=2
    )
    table = naive_vs_latent(fitted).set_index("effect")
    means = codes.reshape(n, 3, 3).mean(axis=2)
    s = np.corrcoef(means.T)
    assert table.loc["a", "naive"] == pytest.approx(s[0, 1])
    b = (s[1, 2] - s[0, 1] * s[0, 2]) / (1 - s[0, 1] ** 2)
    assert table.loc["indirect", "naive"] == pytest.approx(s[0, 1] * b)
    assert table.loc["indirect", "mean"] == pytest.approx(0.4 * (0.5 - 0.16) / 0.84)
    assert table.loc["indirect", "ratio"] < 0.85
    assert table.attrs["persons"] == n


def brute_force_independent(spec, left: str, right: str, given: tuple[str, ...]) -> bool:  # type: ignore[no-untyped-def]
    """Zero partial correlation under random coefficients, exogenous variables correlated."""
    from medpsy.spec.graph import exogenous, nodes

    rng = np.random.default_rng(0)
    names = nodes(spec)
    place = {name: i for i, name in enumerate(names)}
    for _ in range(3):
        b = np.zeros((len(names),) * 2)
        for path in spec.paths:
            for source in path.variables:
                b[place[path.target], place[source]] = rng.uniform(0.3, 1)
        psi = np.eye(len(names))
        pairs = [(c.left, c.right) for c in spec.covariances] + list(combinations(exogenous(spec), 2))
        for one, other in pairs:
            psi[place[one], place[other]] = psi[place[other], place[one]] = rng.uniform(0.1, 0.2)
        inverse = np.linalg.inv(np.eye(len(names)) - b)
        kept = [place[name] for name in (left, right, *given)]
        sub = (inverse @ psi @ inverse.T)[np.ix_(kept, kept)]
        precision = np.linalg.inv(sub)
        if abs(precision[0, 1]) > 1e-9:
            return False
    return True


GRAPHS = [
    "m ~ x\ny ~ m",
    "m1 ~ x\nm2 ~ x\ny ~ m1 + m2 + x",
    "m ~ x + c\ny ~ m + d",
    "m1 ~ x\nm2 ~ m1\nm3 ~ m2\ny ~ m3 + x",
    "x =~ a1..a3\nm =~ b1..b3\nn =~ c1..c3\ny =~ d1..d3\nm ~ x\nn ~ x\nm ~~ n\ny ~ m",
]


@pytest.mark.parametrize("text", GRAPHS)
def test_separation_is_what_every_set_of_coefficients_implies(text: str) -> None:
    from medpsy.spec.graph import nodes
    from medpsy.spec.separation import _Graph

    spec = parse_model(text)
    graph = _Graph(spec)
    names = nodes(spec)
    for left, right in combinations(names, 2):
        others = [name for name in names if name not in (left, right)]
        for size in range(len(others) + 1):
            for given in combinations(others, size):
                wanted = brute_force_independent(spec, left, right, given)
                assert graph.separated(left, right, given) == wanted, (left, right, given)
    for claim in independences(spec):
        assert brute_force_independent(spec, claim.left, claim.right, claim.given)


def test_adjustment_sets() -> None:
    spec = parse_model("m ~ x + c\ny ~ m + x + c + d")
    assert adjustment(spec, "x", "y") == ("c", "d")
    assert adjustment(spec, "m", "y") == ("x", "c")
    assert adjustment(parse_model("m ~ x\ny ~ m"), "m", "y") == ()
    hidden = parse_model("m =~ a1..a3\ny =~ b1..b3\nm ~ x\ny ~ x\nm ~~ y\n")
    assert adjustment(hidden, "x", "y") == ()
    assert adjustment(hidden, "m", "y") is None
    fit = around_mode(mp.Mediation("x", "m", "y", covariates=["c"], priors=FLAT),
                      survey(dict(zip("xmyc", RNG.normal(size=(4, 50)), strict=True))), 2)  # fmt: skip
    table = adjustments(fit.result).set_index("effect")["hold_constant"]
    assert table.to_dict() == {"x on m": "c", "x on y": "c", "m on y": "x, c"}


def test_posterior_of_a_correlation_is_calibrated() -> None:
    """Ranks of the true correlation in its posterior, over draws from the reference prior's posterior."""
    rng = np.random.default_rng(2)
    ranks = []
    for _ in range(300):
        pair = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 40)
        off = pair - pair.mean(axis=0)
        ranks.append((correlation_draws(off[:, 0], off[:, 1], 39, 400, rng) < 0.5).mean())
    assert kstest(ranks, "uniform").pvalue > 0.01


def test_implied_independences_meet_the_answers() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=500)
    m = 0.6 * x + rng.normal(size=500)
    y = 0.5 * m + rng.normal(size=500)
    wrong = y + 0.5 * x
    model = mp.Model("m ~ a*x\ny ~ b*m", priors=FLAT)
    good = independence_table(around_mode(model, survey({"x": x, "m": m, "y": y}), 2).result)
    bad = independence_table(around_mode(model, survey({"x": x, "m": m, "y": wrong}), 2).result)
    assert [(r.left, r.right, r.given, r.source) for r in good.itertuples()] == [("y", "x", "m", "answers")]
    assert good["lower"].item() < 0 < good["upper"].item()
    assert bad["lower"].item() > 0.2 and bad["p_direction"].item() == 1
    saturated = mp.Mediation("x", "m", "y", priors=FLAT)
    assert len(independence_table(around_mode(saturated, survey({"x": x, "m": m, "y": y}), 2).result)) == 0
