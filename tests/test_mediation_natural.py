"""Natural and controlled effects against closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest

import medpsy as mp
from mediation_cases import FLAT, around_mode, result_of, survey
from medpsy.bind import bind
from medpsy.errors import SpecError
from medpsy.posterior.natural import natural

RNG = np.random.default_rng(3)
N = 400
C = RNG.normal(1, 1, N)
X = RNG.integers(0, 2, N)
M = 1 + 0.8 * X + 0.3 * C + RNG.normal(0, 1, N)
Y = 2 + 0.4 * X + 0.5 * M + 0.6 * X * M + 0.2 * C + RNG.normal(0, 1, N)


def coefficients(fit: mp.Fit) -> dict[str, float]:
    return {f"{r.lhs}~{r.rhs}": r.mean for r in fit.summary().itertuples() if r.op == "~"}


def test_interaction_of_exposure_and_mediator_has_its_closed_form() -> None:
    model = mp.Mediation("x", "m", "y", interaction=True, covariates=["c"], priors=FLAT)
    fit = around_mode(model, survey({"x": X, "m": M, "y": Y, "c": C}), draws=1, copies=300)
    b = coefficients(fit)
    # Averaged over weights of the persons and noise: compare at the mean over many weights.
    made = natural(fit.result)["mean"].to_numpy()
    mean_m0 = b["m~1"] + b["m~c"] * C.mean()
    direct = b["y~x"] + b["y~m:x"] * mean_m0
    indirect = (b["y~m"] + b["y~m:x"]) * b["m~x"]
    table = natural(fit.result, draws=1, mediators_at={"m": 2.0})
    assert list(table["effect"]) == ["natural direct", "natural indirect", "total", "controlled direct"]
    assert made[0] == pytest.approx(direct, abs=0.02)
    assert made[1] == pytest.approx(indirect, abs=1e-6)  # the same noise in both worlds
    assert made[2] == pytest.approx(direct + indirect, abs=0.02)
    assert table["mean"].iloc[3] == pytest.approx(b["y~x"] + 2 * b["y~m:x"], abs=1e-6)
    assert table.attrs["low"] == 0 and table.attrs["high"] == 1


def test_without_interaction_natural_effects_are_products_of_paths() -> None:
    answers = survey({"x": X * 1.0 + C, "m": M, "n": 0.3 * M + RNG.normal(size=N), "y": Y, "c": C})
    fit = around_mode(
        mp.Mediation("x", ["m", "n"], "y", serial=True, covariates=["c"], priors=FLAT), answers, 6
    )
    table = natural(fit.result, draws=6)
    own = fit.effects().set_index("effect")["mean"]
    assert table["mean"].tolist()[:3] == pytest.approx(
        [own["direct"], own["indirect"], own["total"]], rel=1e-9
    )
    twice = natural(fit.result, draws=6, low=1.0, high=3.0)
    assert twice["mean"].tolist() == pytest.approx((2 * table["mean"]).tolist(), rel=1e-9)


def test_levels_of_a_category_and_a_moderator_among_the_covariates() -> None:
    group = RNG.integers(0, 3, N)
    m = 0.5 * (group == 2) * C + 0.2 * C + RNG.normal(size=N)
    answers = survey({"x": group, "m": m, "y": 0.7 * m + RNG.normal(size=N), "c": C}, {"x": ("a", "b", "c")})
    fit = around_mode(mp.Mediation("x", "m", "y", moderator="c", priors=FLAT), answers, draws=1, copies=300)
    b = coefficients(fit)
    made = natural(fit.result, low="a", high="c")["mean"].iloc[1]
    assert made == pytest.approx((b["m~x[c]"] + b["m~x[c]:c"] * C.mean()) * b["y~m"], abs=0.01)


def test_a_logistic_outcome_against_brute_force() -> None:
    answers = survey({"x": X, "m": M, "y": (Y > 4).astype(int)})
    spec = mp.Mediation("x", "m", mp.Observed("y", "bernoulli"), interaction=True)
    data = bind(spec.composed, answers)
    names = [c.name for c in data.layout.coefficients]
    values = {"m~x": 0.5, "y~m": 0.8, "y~x": -0.4, "y~m:x": 0.6}
    p = {"path": np.array([values[n] for n in names]), "intercept": np.array([0.1, -0.3]),
         "residual_sd": np.array([0.7])}  # fmt: skip
    held = {q.name: p[q.name] for q in data.parameters}
    table = natural(result_of(data, answers, [held] * 300))["mean"].to_numpy()
    # By hand, in the model's own scale: x in sds around its mean, m z-scored, their product centred.
    rng = np.random.default_rng(11)
    x0, x1 = (np.array([0.0, 1.0]) - X.mean()) / X.std()
    product = ((X - X.mean()) / X.std() * (M - M.mean()) / M.std()).mean()
    e = rng.normal(0, 0.7, 400_000)
    m0, m1 = 0.1 + 0.5 * x0 + e, 0.1 + 0.5 * x1 + e

    def probability(x: float, m: np.ndarray) -> float:
        return float((1 / (1 + np.exp(-(-0.3 + 0.8 * m - 0.4 * x + 0.6 * (m * x - product))))).mean())

    assert table[0] == pytest.approx(probability(x1, m0) - probability(x0, m0), abs=0.003)
    assert table[1] == pytest.approx(probability(x1, m1) - probability(x1, m0), abs=0.003)
    at_mean = probability(x1, np.zeros(1)) - probability(x0, np.zeros(1))
    assert table[3] == pytest.approx(at_mean, abs=1e-9)


def test_constructs_have_natural_effects_too() -> None:
    from hand_made import MEDIATION, cholesky, result

    fitted = result(MEDIATION, {"correlation_chol": cholesky(0.4, 0.4, 0.5)}, chains=1, draws=3)
    b, c = (0.5 - 0.16) / 0.84, (0.4 - 0.2) / 0.84
    assert natural(fitted)["mean"].tolist() == pytest.approx([c, 0.4 * b, 0.4, c])


def test_impossible_worlds_are_refused() -> None:
    fit = around_mode(mp.Mediation("x", "m", "y", priors=FLAT), survey({"x": X, "m": M, "y": Y}), draws=2)
    with pytest.raises(SpecError, match="'c' is no mediator"):
        natural(fit.result, mediators_at={"c": 1.0})
    with pytest.raises(SpecError, match="no value of the number 'x'"):
        natural(fit.result, high="treated")
    with pytest.raises(SpecError, match="no mediator stands between"):
        natural(fit.result, exposure="m", outcome="y")
