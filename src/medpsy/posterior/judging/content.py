"""Content validity with intervals and posteriors."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.classical.content import (
    Ratings,
    agreement,
    aiken_draws,
    aiken_interval,
    aiken_v,
    chance,
    modified_kappa,
)
from medpsy.posterior.intervals import check_interval
from medpsy.posterior.judging.findings import Findings, Sheet, check_cut, check_draws, posterior, share

#: Conventional values to exceed: of I-CVI (Lynn, 1986), S-CVI/Ave (Polit & Beck, 2006) and Aiken's V.
ITEM_CUT, SCALE_CUT, V_CUT = 0.78, 0.90, 0.70


def content_validity(
    ratings: Ratings,
    *,
    interval: float = 0.95,
    item_cut: float = ITEM_CUT,
    scale_cut: float = SCALE_CUT,
    v_cut: float = V_CUT,
    draws: int = 4000,
    seed: int = 0,
) -> Findings:
    """Content validity of items and scale from expert ratings.

    Parameters
    ----------
    ratings : Ratings
    interval : float
        Mass of posterior and score intervals.
    item_cut, scale_cut, v_cut : float
        Values that I-CVI, S-CVI and Aiken's V should exceed.
    draws, seed : int

    Returns
    -------
    Findings
        ``items``: item, n, relevant, i_cvi, mean, lower, upper, p_i_cvi (posterior probability of
        reaching ``item_cut``), p_prior (the same before any rating), kappa, kappa_lower, kappa_upper,
        aiken_v, v_score_lower, v_score_upper, v_mean, v_lower, v_upper, p_v, p_v_prior. ``scale``:
        coefficient (S-CVI/Ave, S-CVI/UA, mean Aiken V), estimate, mean, lower, upper, p_above, cut.

    Notes
    -----
    I-CVI ~ Beta(1 + A, 1 + n - A); the modified kappa moves with it, its chance agreement fixed. S-CVI/Ave is
    the mean of the items' I-CVI; S-CVI/UA the share of items that all experts call relevant, Beta(1 + U,
    1 + J - U) (Polit & Beck, 2006, doi:10.1002/nur.20147). With few experts the prior shows: compare the
    columns with and without the ratings.
    """
    check_interval(interval)
    check_draws(draws)
    for cut, name in ((item_cut, "item_cut"), (scale_cut, "scale_cut"), (v_cut, "v_cut")):
        check_cut(cut, name)
    rng = np.random.default_rng(seed)
    n, agreed = agreement(ratings)
    cvi = rng.beta(1 + agreed, 1 + n - agreed, (draws, len(n))).T
    v = aiken_draws(ratings, draws, rng)
    rows = _items(ratings, cvi, v, interval, item_cut, v_cut)
    before = _before(ratings, v_cut, draws, rng)
    for row in rows:
        row |= {"p_prior": 1 - item_cut, "p_v_prior": before}
    sheets = (
        Sheet("items", _caption(ratings, interval), pd.DataFrame(rows), _columns(item_cut, v_cut)),
        _scale(n, agreed, cvi, v, aiken_v(ratings), interval, (scale_cut, v_cut), rng),
    )
    return Findings("content_validity", "Content validity", sheets, _notes(ratings, n))


def _before(ratings: Ratings, v_cut: float, draws: int, rng: np.random.Generator) -> float:
    """Probability that Aiken's V reaches the cut before any rating."""
    nothing = Ratings(("prior",), np.full((1, 1), np.nan), ratings.lowest, ratings.highest, ratings.relevant)
    return float((aiken_draws(nothing, draws, rng)[0] >= v_cut).mean())


def _items(
    ratings: Ratings, cvi: np.ndarray, v: np.ndarray, interval: float, item_cut: float, v_cut: float
) -> list[dict[str, object]]:
    n, agreed = agreement(ratings)
    by_chance, score = chance(n, agreed), aiken_v(ratings)
    low, high = aiken_interval(score, n, ratings.steps, interval)
    rows: list[dict[str, object]] = []
    for j, item in enumerate(ratings.items):
        found, of_v = posterior(cvi[j], interval), posterior(v[j], interval)
        three = np.array([agreed[j] / n[j], found["lower"], found["upper"]])
        kappa = modified_kappa(three, by_chance[[j] * 3])
        rows.append(
            {
                "item": item, "n": n[j], "relevant": agreed[j], "i_cvi": agreed[j] / n[j],
                "mean": (1 + agreed[j]) / (2 + n[j]), "lower": found["lower"], "upper": found["upper"],
                "p_i_cvi": share(cvi[j] >= item_cut, cvi[j]),
                "kappa": kappa[0], "kappa_lower": kappa[1], "kappa_upper": kappa[2],
                "aiken_v": score[j], "v_score_lower": low[j], "v_score_upper": high[j],
                "v_mean": of_v["mean"], "v_lower": of_v["lower"], "v_upper": of_v["upper"],
                "p_v": share(v[j] >= v_cut, v[j]),
            }
        )  # fmt: skip
    return rows


def _scale(
    n: np.ndarray,
    agreed: np.ndarray,
    cvi: np.ndarray,
    v: np.ndarray,
    score: np.ndarray,
    interval: float,
    cuts: tuple[float, float],
    rng: np.random.Generator,
) -> Sheet:
    everybody = int((agreed == n).sum())
    universal = np.asarray(rng.beta(1 + everybody, 1 + len(n) - everybody, cvi.shape[1]))
    rows = []
    coefficients: list[tuple[str, float, np.ndarray, float]] = [
        ("S-CVI/Ave", (agreed / n).mean(), cvi.mean(axis=0), cuts[0]),
        ("S-CVI/UA", everybody / len(n), universal, cuts[0]),
        ("mean Aiken V", score.mean(), v.mean(axis=0), cuts[1]),
    ]
    for name, estimate, draws, cut in coefficients:
        found = posterior(draws, interval)
        rows.append(
            (name, estimate, found["mean"], found["lower"], found["upper"], (draws >= cut).mean(), cut)
        )
    frame = pd.DataFrame(
        rows, columns=["coefficient", "estimate", "mean", "lower", "upper", "p_above", "cut"]
    )
    printed = {
        "coefficient": ("Coefficient", "text"), "estimate": ("Estimate", "two"),
        "mean": ("Posterior mean", "two"), "lower": ("Lower", "two"), "upper": ("Upper", "two"),
        "p_above": ("P(reaches cut)", "probability"), "cut": ("Cut", "two"),
    }  # fmt: skip
    return Sheet("scale", f"The scale as a whole, {100 * interval:g} % intervals.", frame, printed)


def _caption(ratings: Ratings, interval: float) -> str:
    return (
        f"Items: ratings of {ratings.relevant} to {ratings.highest} on the scale from {ratings.lowest} to "
        f"{ratings.highest} count as relevant; {100 * interval:g} % intervals."
    )


def _columns(item_cut: float, v_cut: float) -> dict[str, tuple[str, str | None]]:
    return {
        "item": ("Item", "text"), "n": ("Experts", "count"), "relevant": ("Relevant", "count"),
        "i_cvi": ("I-CVI", "two"), "lower": ("Lower", "two"), "upper": ("Upper", "two"),
        "p_i_cvi": (f"P(I-CVI reaches {item_cut:g})", "probability"), "p_prior": ("Before", "probability"),
        "kappa": ("Modified kappa", "two"), "kappa_lower": ("Kappa lower", "two"),
        "kappa_upper": ("Kappa upper", "two"), "aiken_v": ("Aiken V", "two"),
        "v_score_lower": ("Score lower", "two"), "v_score_upper": ("Score upper", "two"),
        "v_mean": ("V posterior", "two"), "v_lower": ("V lower", "two"), "v_upper": ("V upper", "two"),
        "p_v": (f"P(V reaches {v_cut:g})", "probability"), "p_v_prior": ("V before", "probability"),
    }  # fmt: skip


def _notes(ratings: Ratings, n: np.ndarray) -> tuple[str, ...]:
    notes = []
    missing = int(np.isnan(ratings.values).sum())
    if missing:
        notes.append(f"{missing} ratings are missing; each item counts the experts who rated it.")
    if n.min() < 6:
        notes.append(
            f"With {n.min()} experts the prior weighs as much as some of them: read the intervals, not the "
            "point estimates."
        )
    return tuple(notes)
