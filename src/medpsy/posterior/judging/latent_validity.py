"""Convergent and discriminant validity of the constructs of a fitted model."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from medpsy.bind import local
from medpsy.classical.coefficients import ave_of, composite_of
from medpsy.classical.correlation import covariance_draws, to_correlation
from medpsy.errors import FitError
from medpsy.posterior.draws import thinned
from medpsy.posterior.intervals import check_interval, direction
from medpsy.posterior.judging.findings import Findings, Sheet, check_draws, posterior, share
from medpsy.posterior.scores import scores
from medpsy.result import Result

#: Residual sd of a logistic item on the scale on which it is closest to a normal ogive, by family.
RESIDUAL = {"graded": 1.702, "bernoulli": 1.702, "graded_probit": 1.0}
AVE_CUT, PHI_CUTS = 0.50, (0.85, 0.90)


def latent_validity(result: Result, *, interval: float = 0.95, draws: int = 400, seed: int = 0) -> Findings:
    """Correlations of the constructs, free of measurement error, and what they mean for distinctness.

    Parameters
    ----------
    result : Result
        A fit with constructs.
    interval : float
    draws, seed : int
        Posterior draws; each brings one set of person scores.

    Returns
    -------
    Findings
        ``latent``: left, right, n, mean, sd, lower, upper, p_direction, p_above_085, p_above_090
        (probability that the absolute correlation is larger), p_left, p_right (Fornell-Larcker: probability
        that the average variance extracted exceeds the squared correlation). ``convergent``: construct,
        coefficient (average variance extracted, composite reliability), mean, lower, upper, cut, p_above.

    Raises
    ------
    FitError
        No constructs.

    Notes
    -----
    Correlations are those of the population: given each draw of the persons' scores (plausible values,
    Mislevy, 1991, doi:10.1007/BF02294457), covariates and groups included, their covariance is drawn from its
    inverse Wishart posterior. Standardised loadings of logistic
    items are a s / sqrt(a^2 s^2 + 1.702^2) with slope a and the construct's sd s. The main statement is the
    correlation itself (Rönkkö & Cho, 2022, doi:10.1177/1094428120968614); Fornell-Larcker after Fornell &
    Larcker (1981, doi:10.1177/002224378101800104).
    """
    check_interval(interval)
    check_draws(draws)
    if not result.data.blocks:
        raise FitError("this model has no constructs", hint="Correlate observed variables instead.")
    drawn = scores(result, draws=draws, seed=seed)
    values = drawn["draw"].to_numpy()
    names = [str(name) for name in drawn["factor"].to_numpy()]
    rng = np.random.default_rng(seed + 1)  # not the stream that drew the scores
    people = np.stack([covariance_draws(one, 1, rng)[0][0] for one in values])
    correlation, sd = to_correlation(people), values.std(axis=1)
    loading, notes = _loadings(result, dict(zip(names, sd.T, strict=True)), draws)
    extracted = {name: ave_of(own) for name, own in loading.items()}
    rows = []
    for i, j in combinations(range(len(names)), 2):
        phi = correlation[:, i, j]
        row = {"left": names[i], "right": names[j], "n": values.shape[1]} | posterior(phi, interval)
        row["p_direction"] = float(direction(phi))
        for cut in PHI_CUTS:
            row[f"p_above_{round(100 * cut):03d}"] = share(np.abs(phi) > cut, phi)
        for side, name in (("p_left", names[i]), ("p_right", names[j])):
            own = extracted.get(name)
            row[side] = np.nan if own is None else share(own > phi**2, phi)
        rows.append(row)
    sheets = [_convergent(loading, interval)] if loading else []
    if rows:
        sheets.insert(0, _latent(pd.DataFrame(rows), interval))
    return Findings("validity", "Validity of the constructs", tuple(sheets), tuple(notes))


def _loadings(
    result: Result, sd: dict[str, np.ndarray], draws: int
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Standardised loadings (draw, item) by construct, and what has none."""
    found, notes = {}, []
    p = thinned(result, draws)
    for block in result.data.blocks:
        family = block.construct.family
        values = local(result.data, block, p) if result.data.groups is None else {}
        spread = sd[block.name][:, None]
        if "loading" in values and "residual_sd" in values and values["loading"].ndim == 2:
            top = values["loading"] * spread
            found[block.name] = top / np.sqrt(top**2 + values["residual_sd"] ** 2)
        elif family in RESIDUAL and "slope" in values and values["slope"].ndim == 2:
            top = values["slope"] * spread
            found[block.name] = top / np.sqrt(top**2 + RESIDUAL[family] ** 2)
        else:
            notes.append(
                f"{block.name}: its items have no single standardised loading (family {family}"
                f"{', several groups' if result.data.groups is not None else ''}), so no variance extracted."
            )
    return found, notes


def _convergent(loading: dict[str, np.ndarray], interval: float) -> Sheet:
    rows = []
    for name, own in loading.items():
        for what, draws, cut in (
            ("average variance extracted", ave_of(own), AVE_CUT),
            ("composite reliability", composite_of(own), 0.7),
        ):
            found = posterior(draws, interval)
            bounds = (found["mean"], found["lower"], found["upper"])
            rows.append((name, what, *bounds, cut, share(draws > cut, draws)))
    frame = pd.DataFrame(
        rows, columns=["construct", "coefficient", "mean", "lower", "upper", "cut", "p_above"]
    )
    caption = (
        "How well the items represent their construct, on the scale of the variables behind the answers."
    )
    printed = {
        "construct": ("Construct", "text"), "coefficient": ("Coefficient", "text"), "mean": ("Mean", "two"),
        "lower": ("Lower", "two"), "upper": ("Upper", "two"), "cut": ("Cut", "two"),
        "p_above": ("P(above cut)", "probability"),
    }  # fmt: skip
    return Sheet("convergent", caption, frame, printed)


def _latent(frame: pd.DataFrame, interval: float) -> Sheet:
    printed = {
        "left": ("", "text"), "right": ("with", "text"), "n": ("n", "count"), "mean": ("r", "two"),
        "lower": ("Lower", "two"), "upper": ("Upper", "two"), "p_direction": ("P(direction)", "probability"),
        "p_above_085": ("P(r > .85)", "probability"), "p_above_090": ("P(r > .90)", "probability"),
        "p_left": ("P(left AVE > r²)", "probability"), "p_right": ("P(right AVE > r²)", "probability"),
    }  # fmt: skip
    return Sheet("latent", f"Correlations of the constructs, {100 * interval:g} % intervals.", frame, printed)
