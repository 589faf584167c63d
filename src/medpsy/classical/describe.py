"""The sample, the items and Cronbach's alpha: what is known before any model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.spec.model_spec import Construct
from medpsy.survey.survey import NO_ANSWER, Survey

if TYPE_CHECKING:
    import pandas as pd


def sample_table(survey: Survey) -> pd.DataFrame:
    """Describe the person variables.

    Returns
    -------
    DataFrame
        Columns variable, level, n, share, mean, sd, min, max. A category has one row per level (persons and
        share of all persons); a number one row (persons with a value; mean, sd with n - 1, range in its own
        units). Persons without a value have a row ``no answer``.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    n = survey.n_person
    for variable in survey.instrument.variables:
        values = survey.variables[variable.name]
        name = variable.title or variable.name
        if variable.kind == "category":
            missing = values < 0
            for at, level in enumerate(variable.levels):
                k = int((values == at).sum())
                rows.append({"variable": name, "level": level, "n": k, "share": k / max(n, 1)})
        else:
            missing = np.isnan(values)
            known = values[~missing]
            row: dict[str, Any] = {"variable": name, "level": "", "n": len(known)}
            if len(known):
                row |= {"mean": known.mean(), "min": known.min(), "max": known.max()}
            if len(known) > 1:
                row["sd"] = known.std(ddof=1)
            rows.append(row)
        if missing.any():
            k = int(missing.sum())
            rows.append({"variable": name, "level": "no answer", "n": k, "share": k / n})
    columns = ["variable", "level", "n", "share", "mean", "sd", "min", "max"]
    frame = pd.DataFrame(rows, columns=columns)
    numbers = dict.fromkeys(columns[3:], float) | {"n": int}
    return frame.astype(numbers)


def item_table(survey: Survey, constructs: Sequence[Construct]) -> pd.DataFrame:
    """Describe every item of the constructs.

    Returns
    -------
    DataFrame
        Columns construct, item, wording, n, missing, mean, sd, item_rest. Mean and sd (n - 1) are in the
        codes of the file, as the question was asked; item_rest is the correlation with the sum of the other
        items of the construct, on turned codes, from pairwise covariances (NaN for a single item or one
        that does not vary).

    Raises
    ------
    DataError
        An item is not in the survey.
    """
    import pandas as pd

    rows = []
    for construct in constructs:
        turned = np.column_stack([_numbers(survey, item) for item in construct.items])
        rest = item_rest(turned)
        for j, item in enumerate(construct.items):
            given = turned[~np.isnan(turned[:, j]), j]
            asked = _as_asked(survey, item, given)
            rows.append(
                {
                    "construct": construct.name,
                    "item": item,
                    "wording": _wording(survey, item),
                    "n": len(given),
                    "missing": survey.n_person - len(given),
                    "mean": asked.mean() if len(given) else np.nan,
                    "sd": asked.std(ddof=1) if len(given) > 1 else np.nan,
                    "item_rest": rest[j],
                }
            )
    return pd.DataFrame(
        rows, columns=["construct", "item", "wording", "n", "missing", "mean", "sd", "item_rest"]
    )


def item_counts(survey: Survey, constructs: Sequence[Construct]) -> pd.DataFrame:
    """Count the answers in every category, zeros included.

    Returns
    -------
    DataFrame
        Columns construct, item, wording, category, label, count; category is the code of the file with its
        own label, whether or not the item is turned. Items that are numbers have no categories and no rows.

    Raises
    ------
    DataError
        An item is not in the survey.
    """
    import pandas as pd

    rows = []
    for construct in constructs:
        for item in construct.items:
            if item not in survey.instrument.items:
                survey.variable(item)
                continue
            module = survey.instrument.module_of(item)
            codes = survey.item_codes([item])[:, 0]
            order = asked_order(survey, [item])[0]
            for code, label, k in zip(module.codes, module.labels, order, strict=True):
                count = int((codes == k).sum())
                rows.append((construct.name, item, _wording(survey, item), code, label, count))
    return pd.DataFrame(rows, columns=["construct", "item", "wording", "category", "label", "count"])


def asked_order(survey: Survey, items: Sequence[str]) -> np.ndarray:
    """Where the answer categories, in the order of the file's codes, stand among the turned ones.

    Parameters
    ----------
    survey : Survey
    items : sequence of str

    Returns
    -------
    ndarray of int, shape (item, category)
        0, 1, ... K-1 for an item that is read as it was asked, K-1, ... 0 for a turned one. Where other items
        have more categories, the places of those that an item does not have stay where they are.
    """
    modules = [survey.instrument.module_of(item) for item in items]
    most = max((module.n_categories for module in modules), default=0)
    order = []
    for item, module in zip(items, modules, strict=True):
        places = np.arange(most)
        size = module.n_categories
        places[:size] = places[:size][::-1] if module.turned(item) else places[:size]
        order.append(places)
    return np.array(order)


def alpha(codes: np.ndarray) -> float:
    """Coefficient alpha of the sum of the items (Cronbach, 1951, doi:10.1007/BF02310555).

    Parameters
    ----------
    codes : ndarray, shape (person, item)
        Turned answers. Whole numbers: negative means no answer; floating point: NaN means no answer.

    Returns
    -------
    float
        k / (k - 1) (1 - sum of the item variances / variance of the sum), from pairwise covariances; NaN
        where it is not defined (a single item, no variance, two items that nobody answered both).
    """
    values = codes.astype(float)
    if codes.dtype.kind in "iu":
        values[codes < 0] = np.nan
    covariance = pairwise_covariance(values)
    size = len(covariance)
    total = covariance.sum()
    if size < 2 or not total > 0:
        return float("nan")
    return float(size / (size - 1) * (1 - np.trace(covariance) / total))


def item_rest(values: np.ndarray) -> np.ndarray:
    """Correlation of every item with the sum of the others.

    Parameters
    ----------
    values : ndarray of float, shape (person, item)
        Turned answers, NaN missing.

    Returns
    -------
    ndarray, shape (item,)
        From pairwise covariances, so that persons with a missing answer count where they answered.
    """
    covariance = pairwise_covariance(values)
    own = np.diag(covariance)
    with_rest = covariance.sum(axis=0) - own
    rest = covariance.sum() - 2 * with_rest - own
    product = own * rest
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(product > 0, with_rest / np.sqrt(product), np.nan)


def pairwise_covariance(values: np.ndarray) -> np.ndarray:
    """Covariances (item, item), n - 1, each from the persons who answered both items; NaN below two."""
    given = ~np.isnan(values)
    seen = given.astype(float)
    # Centred once for the precision of the products; the pairwise means are taken off below.
    centre = np.where(given, values, 0.0).sum(axis=0) / np.maximum(given.sum(axis=0), 1)
    filled = np.where(given, values - centre, 0.0)
    both = seen.T @ seen
    sums = filled.T @ seen  # sum of item j over the persons who answered j and l
    with np.errstate(invalid="ignore", divide="ignore"):
        out = (filled.T @ filled - sums * sums.T / both) / (both - 1)
    return np.where(both > 1, out, np.nan)


def _numbers(survey: Survey, item: str) -> np.ndarray:
    """Turned answers (person,) on the scale of the file's codes, or a person variable; NaN missing."""
    if item not in survey.instrument.items:
        values = survey.variables[survey.variable(item).name].astype(float)
        return np.where(values < 0, np.nan, values) if survey.variable(item).kind == "category" else values
    codes = survey.item_codes([item])[:, 0]
    scale = np.array(survey.instrument.module_of(item).codes, dtype=float)
    return np.where(codes == NO_ANSWER, np.nan, scale[codes])


def _as_asked(survey: Survey, item: str, given: np.ndarray) -> np.ndarray:
    """Turned numbers back to the codes of the file."""
    if item not in survey.instrument.items:
        return given
    module = survey.instrument.module_of(item)
    if not module.turned(item):
        return given
    scale = np.array(module.codes, dtype=float)
    return scale[::-1][np.searchsorted(scale, given)]


def _wording(survey: Survey, item: str) -> str:
    if item not in survey.instrument.items:
        return survey.variable(item).title
    return dict(survey.instrument.module_of(item).wording).get(item, "")
