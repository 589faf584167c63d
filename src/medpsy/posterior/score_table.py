"""From sum scores to scores of the construct, by the recursion of Lord and Wingersky."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.classical.sum_scores import sum_scores
from medpsy.errors import SpecError
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.items_at import ItemsAt, item_scores
from medpsy.posterior.measurement import affordable
from medpsy.posterior.nested_items import placed
from medpsy.result import Result

#: Draws that the table is averaged over; nodes and their reach in sds of the construct.
DRAWS, NODES, REACH = 200, 121, 6.0

COLUMNS = ("sum_score", "persons", "share", "score", "score_lower", "score_upper", "sd", "lower", "upper")


def score_table(
    result: Result, construct: str, *, interval: float = 0.95, short_form: bool = False
) -> pd.DataFrame:
    """Score of the construct that each sum score stands for.

    Parameters
    ----------
    result : Result
    construct : str
        Its items must be all the items of their module (or modules, with the same codes).
    interval : float
        Posterior mass of the equal-tailed intervals.
    short_form : bool
        Allow a construct that holds only some items of a module; the sum is then over these.

    Returns
    -------
    DataFrame
        One row per possible sum of the (turned) codes of the file. ``persons``: how many have it, those
        with a missing answer left out (``attrs["incomplete"]`` counts them); ``share``: expected by the
        model. ``score``: posterior mean of the construct given the sum, with the interval ``score_lower``
        to ``score_upper`` that comes from not knowing the item parameters; ``sd``, ``lower``, ``upper``:
        posterior sd and interval of a person with that sum. Scores are in sds of the construct over the
        persons, zero at their mean; sums that the model gives no probability are NaN.

    Raises
    ------
    SpecError
        An unknown construct, items that are numbers or measure another construct, only some items of a
        module, modules with different codes, an impossible interval.

    Notes
    -----
    Lord & Wingersky (1984, doi:10.1177/014662168400800409); Thissen, Pommerich, Billeaud & Williams (1995,
    doi:10.1177/014662169501900105). Answers to other constructs and a person's own covariates are not used.
    A sum score says less than the answers: see the scores of the persons.
    """
    check_interval(interval)
    items = ItemsAt(result, construct, min(DRAWS, affordable(result)))
    items.independent("their sum")
    _whole(result, items.items, construct, short_form)
    codes = item_scores(result, items.items)
    theta = np.linspace(-REACH, REACH, NODES)
    places = [(code - code[0]).astype(int) for code in codes]
    joint = np.stack([items.sums(s, theta, places) * items.density(s, theta) for s in range(len(items))])
    lowest = int(sum(code[0] for code in codes))
    given, incomplete = _observed(result, items.items)
    frame = _described(joint, theta, interval)
    frame.insert(0, "persons", np.bincount(given - lowest, minlength=len(frame)))
    frame.insert(0, "sum_score", lowest + np.arange(len(frame)))
    # Codes with gaps leave sums that nobody can have.
    possible = sum_scores([placed(np.ones(len(place)), place) for place in places]) > 0
    frame = frame[possible].reset_index(drop=True)
    frame.attrs |= {"construct": construct, "interval": float(interval), "incomplete": incomplete}
    return frame[list(COLUMNS)]


def _described(joint: np.ndarray, theta: np.ndarray, interval: float) -> pd.DataFrame:
    """Share, score and spread of every sum from joint masses (draw, sum, node)."""
    share = joint.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        given = joint / share[..., None]
        score = given @ theta
        mixture = given.mean(axis=0)
        lower, upper = _quantiles(mixture, theta, interval)
        sd = np.sqrt(mixture @ theta**2 - (mixture @ theta) ** 2)
    score_lower, score_upper = bounds(score.T, interval)
    return pd.DataFrame(
        {
            "share": share.mean(axis=0),
            "score": score.mean(axis=0),
            "score_lower": score_lower,
            "score_upper": score_upper,
            "sd": sd,
            "lower": lower,
            "upper": upper,
        }
    )


def _observed(result: Result, items: tuple[str, ...]) -> tuple[np.ndarray, int]:
    """Sum scores of the persons who answered every item, and how many did not."""
    answers = result.survey.item_codes(items)
    complete = (answers >= 0).all(axis=1)
    codes = item_scores(result, items)
    sums = sum(code[column] for code, column in zip(codes, answers[complete].T, strict=True))
    return np.asarray(sums, dtype=int), int((~complete).sum())


def _quantiles(mass: np.ndarray, theta: np.ndarray, interval: float) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the equal-tailed interval of masses (row, node); each node stands for the stretch around it."""
    edges = np.append(theta, 2 * theta[-1] - theta[-2]) - (theta[1] - theta[0]) / 2
    below = np.pad(np.cumsum(mass, axis=1), ((0, 0), (1, 0)))
    tail = (1 - interval) / 2
    ends = [
        [np.interp(q, row, edges) if np.isfinite(row).all() else np.nan for row in below]
        for q in (tail, 1 - tail)
    ]
    return np.array(ends[0]), np.array(ends[1])


def _whole(result: Result, items: tuple[str, ...], construct: str, short_form: bool) -> None:
    """Refuse sums that are no sum score of a questionnaire."""
    modules = {m.name: m for m in (result.survey.instrument.module_of(item) for item in items)}
    scales = {module.codes for module in modules.values()}
    if len(scales) > 1:
        texts = [f"{name} {m.codes[0]} to {m.codes[-1]}" for name, m in modules.items()]
        raise SpecError(
            f"the items of '{construct}' are answered on different scales ({', '.join(texts)}), "
            "so that their sum has no meaning",
            hint="Use the scores of the persons: fit.scores().",
        )
    missing = [item for module in modules.values() for item in module.items if item not in items]
    if missing and not short_form:
        raise SpecError(
            f"'{construct}' holds {len(items)} of the {len(items) + len(missing)} items of "
            f"{', '.join(modules)}; without {', '.join(missing[:5])} there is no sum score of the module",
            hint="Pass short_form=True for the sum over the items of the construct.",
        )
