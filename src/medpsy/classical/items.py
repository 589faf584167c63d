"""Item analysis: distribution, floor and ceiling, how an item hangs together with its module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.classical.coefficients import alpha_of
from medpsy.classical.describe import item_rest, pairwise_covariance
from medpsy.classical.inputs import Answers

if TYPE_CHECKING:
    import pandas as pd

#: Share of the persons in each extreme group of the legacy discrimination index (Kelley, 1939).
EXTREME = 0.27


def item_statistics(answers: Answers) -> pd.DataFrame:
    """Describe every item.

    Returns
    -------
    DataFrame
        module, item, n, missing, mean, sd, median, skew, kurtosis, floor, ceiling (as asked, in codes of
        the file; sd with n - 1; floor and ceiling are the shares at the lowest and highest possible code),
        item_rest, alpha_if_dropped (turned answers, pairwise covariances).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for scale in answers.scales:
        block = answers.block(scale.items)
        rest, covariance = item_rest(block), pairwise_covariance(block)
        for j, item in enumerate(scale.items):
            asked = answers.as_asked(item)
            given = asked[~np.isnan(asked)]
            others = np.delete(np.delete(covariance, j, 0), j, 1)
            row = {"module": scale.name, "item": item, "n": len(given), "missing": len(asked) - len(given)}
            row |= moments(given) | ends(given, answers.codes.get(item))
            row["item_rest"] = rest[j]
            row["alpha_if_dropped"] = alpha_of(others).item() if len(others) > 1 else np.nan
            rows.append(row)
    return pd.DataFrame(rows)


def module_statistics(answers: Answers) -> pd.DataFrame:
    """Describe the score of every module: the mean of its answered items, turned, if half were answered.

    Returns
    -------
    DataFrame
        module, items, n, unscored, mean, sd, median, skew, kurtosis, floor, ceiling (shares of persons with
        the lowest and highest possible score), alpha.
    """
    import pandas as pd

    scores, unscored = answers.scale_scores()
    rows: list[dict[str, Any]] = []
    for s, scale in enumerate(answers.scales):
        given = scores[~np.isnan(scores[:, s]), s]
        known = [answers.codes[item] for item in scale.items if item in answers.codes]
        possible = known[0] if known and len(set(known)) == 1 else None
        row: dict[str, Any] = {
            "module": scale.name, "items": len(scale.items), "n": len(given), "unscored": unscored[s],
        }  # fmt: skip
        row |= moments(given) | ends(given, possible)
        covariance = pairwise_covariance(answers.block(scale.items))
        row["alpha"] = alpha_of(covariance).item() if len(covariance) > 1 else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def moments(given: np.ndarray) -> dict[str, float]:
    """Mean, sd, median, skewness and excess kurtosis; what is not defined is NaN.

    Skewness and kurtosis are corrected for bias under normality, as in SPSS and SAS (Joanes & Gill, 1998,
    doi:10.1111/1467-9884.00122, G1 and G2).
    """
    n = len(given)
    out = dict.fromkeys(("mean", "sd", "median", "skew", "kurtosis"), float("nan"))
    if n:
        out |= {"mean": float(given.mean()), "median": float(np.median(given))}
    if n > 1:
        out["sd"] = float(given.std(ddof=1))
    away = given - given.mean() if n else given
    second = float((away**2).mean()) if n else 0.0
    if n > 2 and second > 0:
        first = float((away**3).mean()) / second**1.5
        out["skew"] = first * np.sqrt(n * (n - 1)) / (n - 2)
    if n > 3 and second > 0:
        excess = float((away**4).mean()) / second**2 - 3
        out["kurtosis"] = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * excess + 6)
    return out


def ends(given: np.ndarray, codes: tuple[float, ...] | None) -> dict[str, float]:
    """Shares at the lowest and highest possible value (the observed ones where the scale is unknown)."""
    if not len(given):
        return {"floor": float("nan"), "ceiling": float("nan")}
    low, high = (codes[0], codes[-1]) if codes else (given.min(), given.max())
    return {"floor": float((given == low).mean()), "ceiling": float((given == high).mean())}


def discrimination(answers: Answers) -> pd.DataFrame:
    """Compare the highest and the lowest 27 % on the module, item by item: a legacy index.

    Returns
    -------
    DataFrame
        module, item, n_low, n_high, low, high (means of turned answers), difference, t (Welch's). Persons
        at the limits are all included, so that groups may exceed 27 %.

    Notes
    -----
    Kelley (1939), doi:10.1037/h0057123. Cutting a continuum into extreme groups throws answers away and
    overstates t, for the groups are formed on a score that contains the item; item-rest correlations do
    neither.
    """
    import pandas as pd

    scores, _ = answers.scale_scores()
    rows = []
    for s, scale in enumerate(answers.scales):
        score = scores[:, s]
        known = score[~np.isnan(score)]
        limits = np.quantile(known, (EXTREME, 1 - EXTREME)) if len(known) else (np.nan, np.nan)
        block = answers.block(scale.items)
        for j, item in enumerate(scale.items):
            low, high = (
                group[~np.isnan(group)]
                for group in (block[score <= limits[0], j], block[score >= limits[1], j])
            )
            row = {"module": scale.name, "item": item, "n_low": len(low), "n_high": len(high)}
            if len(low) > 1 and len(high) > 1:
                error = np.sqrt(low.var(ddof=1) / len(low) + high.var(ddof=1) / len(high))
                difference = high.mean() - low.mean()
                row |= {"low": low.mean(), "high": high.mean(), "difference": difference}
                row["t"] = difference / error if error > 0 else np.nan
            rows.append(row)
    columns = ["module", "item", "n_low", "n_high", "low", "high", "difference", "t"]
    return pd.DataFrame(rows, columns=columns)


def category_counts(answers: Answers, item: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes of an item as asked (category,) and how often each was chosen; codes seen if none are known."""
    asked = answers.as_asked(item)
    given = asked[~np.isnan(asked)]
    codes = np.array(answers.codes[item]) if item in answers.codes else np.unique(given)
    return codes, (given[:, None] == codes).sum(axis=0)


def mean_draws(codes: np.ndarray, counts: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of the mean of an ordinal answer: category probabilities ~ Dirichlet(1 / K + counts)."""
    if len(codes) == 0:
        return np.full(draws, np.nan)
    gamma = rng.standard_gamma(counts + 1 / len(codes), (draws, len(codes)))
    return np.asarray(gamma @ codes / gamma.sum(axis=1))
