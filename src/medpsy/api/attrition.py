"""Who dropped out, by what was known of them at the first wave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from medpsy.errors import DataError, SpecError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from medpsy.survey.survey import Survey

COLUMNS = (
    "wave", "baseline", "n_stayed", "n_left", "mean_stayed", "mean_left", "difference", "lower", "upper",
    "p_direction",
)  # fmt: skip


def dropout(
    survey: Survey,
    waves: Iterable[str | Iterable[str]],
    baseline: str | Iterable[str] | None = None,
    *,
    interval: float = 0.95,
) -> pd.DataFrame:
    """Compare at baseline who stayed and who left.

    Missing answers are left out of the likelihood of a model over waves, which is right where dropout
    depends on nothing but what is in the model. This table shows whether it depends on the baseline.

    Parameters
    ----------
    survey : Survey
    waves : iterable
        The column, or the columns, of every wave: who has no value in any of them has left.
    baseline : str or iterable of str, optional
        Variables to compare by; the columns of the first wave unless given. A category has one row per level.
    interval : float
        Posterior mass between ``lower`` and ``upper``.

    Returns
    -------
    DataFrame
        wave (from 1), baseline, n_stayed, n_left (with a baseline value), mean_stayed, mean_left, difference
        (left - stayed, in sds of all persons at baseline), lower, upper, p_direction (posterior probability
        of its sign). Numbers are NaN where fewer than two stayed or left.

    Raises
    ------
    DataError, SpecError
        A column that is not in the survey, fewer than two waves.

    Notes
    -----
    Two means with separate variances under the reference prior (Behrens-Fisher), by 20,000 draws.

    Examples
    --------
    >>> import medpsy as mp
    >>> import pandas as pd
    >>> from medpsy.survey.instrument import Variable
    >>> rows = {"age": [20, 31, 25, 40, 22, 35], "s1": [3, 4, 2, 5, 1, 4], "s2": [2, None, 3, None, 2, 5]}
    >>> asked = mp.Instrument((), tuple(map(Variable, rows)))
    >>> mp.dropout(mp.from_frame(pd.DataFrame(rows), asked), ["s1", "s2"], "age").shape
    (1, 10)
    """
    import pandas as pd

    columns, measures = _asked(survey, waves, baseline, interval)
    rng = np.random.default_rng(1)
    rows = []
    for wave, own in enumerate(columns[1:], 2):
        here = np.any([~np.isnan(_values(survey, name)) for name in own], axis=0)
        for name, value in measures.items():
            given = ~np.isnan(value)
            stay, left = value[here & given], value[~here & given]
            rows.append((wave, name, stay.size, left.size, *_compared(stay, left, interval, rng)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _asked(
    survey: Survey,
    waves: Iterable[str | Iterable[str]],
    baseline: str | Iterable[str] | None,
    interval: float,
) -> tuple[list[list[str]], dict[str, np.ndarray]]:
    """Columns of every wave, and what persons are compared by."""
    from medpsy.survey.survey import Survey

    if not isinstance(survey, Survey):
        raise DataError(
            f"the answers come as {type(survey).__name__}, not as a Survey",
            hint="Pass mp.read_survey(...) or mp.from_frame(frame, instrument).",
        )
    names = [waves] if isinstance(waves, str) else waves
    columns = [[wave] if isinstance(wave, str) else list(wave) for wave in names]
    if len(columns) < 2:
        raise SpecError("dropout needs two waves or more", hint='waves=["y1", "y2", "y3"], for example.')
    if not 0 < interval < 1:
        raise SpecError(f"interval = {interval!r} is no probability", hint="For example 0.95.")
    known = columns[0] if baseline is None else ([baseline] if isinstance(baseline, str) else list(baseline))
    measures = {name: value for column in known for name, value in _baseline(survey, column).items()}
    return columns, measures


def _compared(
    stay: np.ndarray, left: np.ndarray, interval: float, rng: np.random.Generator
) -> tuple[float, ...]:
    """Means, standardised difference, interval and probability of direction."""
    means = tuple(float(x.mean()) if x.size else np.nan for x in (stay, left))
    if min(stay.size, left.size) < 2:
        return (*means, np.nan, np.nan, np.nan, np.nan)
    unit = float(np.concatenate([stay, left]).std(ddof=1))
    if unit == 0:
        return (*means, 0.0, np.nan, np.nan, np.nan)
    own, other = (
        x.mean() + x.std(ddof=1) / np.sqrt(x.size) * rng.standard_t(x.size - 1, 20_000) for x in (left, stay)
    )
    draws = (own - other) / unit
    lower, upper = np.quantile(draws, [(1 - interval) / 2, (1 + interval) / 2])
    share = float((draws > 0).mean())
    return (*means, (means[1] - means[0]) / unit, float(lower), float(upper), max(share, 1 - share))


def _baseline(survey: Survey, name: str) -> Mapping[str, np.ndarray]:
    """A number, or an indicator for every level of a category."""
    values = _values(survey, name)
    if name in survey.variables and survey.variable(name).kind == "category":
        levels = survey.variable(name).levels
        used = [k for k in range(len(levels)) if (values == k).any()]
        return {f"{name}[{levels[k]}]": np.where(np.isnan(values), np.nan, values == k) for k in used}
    return {name: values}


def _values(survey: Survey, name: str) -> np.ndarray:
    """Values of a variable or codes of an item, NaN where there is none."""
    if name in survey.instrument.items:
        codes = survey.item_codes([name])[:, 0].astype(float)
        return np.where(codes < 0, np.nan, codes)
    if name not in survey.variables:
        raise DataError(
            f"'{name}' is neither an item nor a variable",
            hint=nearest(name, [*survey.variables, *survey.instrument.items]),
        )
    values = survey.variables[name].astype(float)
    category = survey.variable(name).kind == "category"
    return np.where(values < 0, np.nan, values) if category else values
