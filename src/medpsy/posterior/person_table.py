"""Scores of the persons as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.scores import scores
from medpsy.result import Result


def person_table(result: Result, *, interval: float = 0.95, draws: int = 200, seed: int = 0) -> pd.DataFrame:
    """One row per construct and person.

    Parameters
    ----------
    result : Result
    interval : float
        Posterior mass between ``lower`` and ``upper``, from ``draws`` plausible values.
    draws, seed : int
        As in :func:`medpsy.posterior.scores.scores`.

    Returns
    -------
    DataFrame
        Columns construct (or specific factor, testlet, second-order construct), person, mean, sd, lower,
        upper, answered (how many of its ``items`` the person answered), items. Persons in the order of the
        survey; units as in ``scores``.

    Raises
    ------
    SpecError
        An impossible interval or number of draws.
    FitError
        The model has no constructs.
    """
    check_interval(interval)
    found = scores(result, draws=draws, seed=seed)
    lower, upper = bounds(np.moveaxis(found["draw"].to_numpy(), 0, -1), interval)
    parts = []
    for d, name in enumerate(found["factor"].to_numpy()):
        answered = _answered(result, str(name))
        parts.append(
            pd.DataFrame(
                {
                    "construct": str(name),
                    "person": found["person"].to_numpy(),
                    "mean": found["mean"].to_numpy()[:, d],
                    "sd": found["sd"].to_numpy()[:, d],
                    "lower": lower[:, d],
                    "upper": upper[:, d],
                    "answered": answered.sum(axis=1),
                    "items": answered.shape[1],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _answered(result: Result, name: str) -> np.ndarray:
    """Which items of a latent variable were answered (person, item); a second-order construct has all."""
    constructs = result.model.constructs
    own = [item for c in constructs if c.name == name for item in c.items]
    own = own or [item for c in constructs for part in c.specific if part.name == name for item in part.items]
    every = [item for block in result.data.blocks for item in block.construct.items]
    given = [(b.values >= 0) if b.n_categories else ~np.isnan(b.values) for b in result.data.blocks]
    return np.concatenate(given, axis=1)[:, np.isin(every, own or every)]
