"""What the classical statistics read: a survey, a frame or an array, as numbers with NaN for no answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.errors import DataError, nearest
from medpsy.spec.model_spec import Construct
from medpsy.survey.items import expand_items
from medpsy.survey.survey import NO_ANSWER, Survey

if TYPE_CHECKING:
    import pandas as pd

#: Names of modules, or modules with their items ("mh1..mh10" or a list).
Modules = Sequence[str] | Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Answers:
    """Answers as numbers.

    Parameters
    ----------
    items : tuple of str
    values : ndarray of float, shape (person, item)
        Turned answers on the scale of the file's codes; NaN where no answer was given.
    scales : tuple of Construct
        Modules with at least one item.
    codes : dict of str to tuple of float
        Possible codes of an item, lowest first, where the instrument says them.
    turned : frozenset of str
        Items whose answers were turned on reading.
    note : str
        The sentence that every output must carry (simulated answers).
    """

    items: tuple[str, ...]
    values: np.ndarray
    scales: tuple[Construct, ...]
    codes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    turned: frozenset[str] = frozenset()
    note: str = ""

    @property
    def n_person(self) -> int:
        """Number of persons."""
        return len(self.values)

    def block(self, items: Sequence[str]) -> np.ndarray:
        """Return the (person, item) block of the named items; DataError for an unknown one."""
        where = {item: j for j, item in enumerate(self.items)}
        for item in items:
            if item not in where:
                raise DataError(f"no item '{item}' in these answers", hint=nearest(item, where))
        return self.values[:, [where[item] for item in items]]

    def as_asked(self, item: str) -> np.ndarray:
        """Answers (person,) on the codes of the file, as the question was put."""
        values = self.block([item])[:, 0]
        if item not in self.turned:
            return values
        scale = np.array(self.codes[item])
        back = np.full(len(values), np.nan)
        given = ~np.isnan(values)
        back[given] = scale[::-1][np.searchsorted(scale, values[given])]
        return back

    def scale_scores(self, fewest: float = 0.5) -> tuple[np.ndarray, list[int]]:
        """Mean of the answered items per module, NaN where less than ``fewest`` of them were answered.

        Returns
        -------
        scores : ndarray, shape (person, scale)
            In item units.
        unscored : list of int
            Per scale, persons without a score.
        """
        scores = np.full((self.n_person, len(self.scales)), np.nan)
        for s, scale in enumerate(self.scales):
            block = self.block(scale.items)
            given = ~np.isnan(block)
            enough = given.mean(axis=1) >= fewest
            scores[enough, s] = np.nansum(block[enough], axis=1) / given[enough].sum(axis=1)
        return scores, [int(k) for k in np.isnan(scores).sum(axis=0)]


def read_answers(data: Any, modules: Modules | None = None) -> Answers:
    """Return the answers of the chosen modules as numbers.

    Parameters
    ----------
    data : Survey, DataFrame or ndarray of shape (person, item)
        A survey is taken as it was turned on reading. Columns of a frame are items: numbers, or
        ordered categoricals, whose categories count from 0; the items of an array are called v1, v2, ...
    modules : sequence of str or mapping, optional
        Names of modules of the survey, or module names with their items. All modules of a survey, or one
        module of all columns, unless given.

    Raises
    ------
    DataError
        An unknown module or item, a column that holds no numbers, infinite values, nobody at all, a matrix
        of covariances instead of answers.
    """
    if isinstance(data, Answers):
        return _restricted(data, modules)
    if isinstance(data, Survey):
        found = _of_survey(data)
    elif hasattr(data, "columns"):
        found = _of_frame(data)
    else:
        found = _of_array(np.asarray(data))
    _refuse_matrix(found.values)
    if found.n_person == 0:
        raise DataError("there are no persons to describe", hint="Check the file and the screening.")
    if np.isinf(found.values).any():
        item = found.items[int(np.argwhere(np.isinf(found.values).any(axis=0))[0, 0])]
        raise DataError(f"item '{item}' holds an infinite value", hint="Write no answer as an empty cell.")
    return _restricted(found, modules)


def _refuse_matrix(values: np.ndarray) -> None:
    """Refuse what is a matrix of covariances or correlations instead of answers.

    Raises
    ------
    DataError
    """
    rows, columns = values.shape
    if rows != columns or rows < 3 or np.isnan(values).any() or (np.diag(values) <= 0).any():
        return
    sd = np.sqrt(np.diag(values))
    if np.allclose(values, values.T, rtol=1e-6) and (np.abs(values) <= 1.0001 * np.outer(sd, sd)).all():
        raise DataError(
            f"this is a matrix of covariances or correlations of {rows} items, not a table of answers",
            hint="Pass one row per person; linear models take covariances: Model(...).fit(cov=..., n=...).",
        )


def check_varying(answers: Answers, items: Sequence[str], *, least: int = 2) -> None:
    """Refuse items that nobody answered or that everybody answered alike, and too few items.

    Raises
    ------
    DataError
        Naming the items.
    """
    if len(items) < least:
        raise DataError(
            f"{len(items)} item{'s' * (len(items) != 1)} ({', '.join(items)}) cannot be analysed together",
            hint=f"This statistic needs at least {least} items.",
        )
    block = answers.block(items)
    for j, item in enumerate(items):
        given = block[~np.isnan(block[:, j]), j]
        if len(given) == 0:
            raise DataError(f"item '{item}' has no answer at all", hint="Leave it out.")
        if np.ptp(given) == 0:
            raise DataError(
                f"item '{item}' is constant: all {len(given)} answers are {given[0]:g}",
                hint="It correlates with nothing; leave it out.",
            )


def check_pairs(answers: Answers, items: Sequence[str]) -> None:
    """Refuse two items that fewer than three persons answered both.

    Raises
    ------
    DataError
        Naming the items.
    """
    given = (~np.isnan(answers.block(items))).astype(float)
    both = given.T @ given
    a, b = map(int, divmod(int(both.argmin()), len(items)))
    if both[a, b] < 3:
        who = f"'{items[a]}' and '{items[b]}'" if a != b else f"'{items[a]}'"
        raise DataError(
            f"only {int(both[a, b])} persons answered {who}",
            hint="Leave out the item that hardly anybody answered.",
        )


def twins(answers: Answers, items: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of items that everybody who answered both answered alike."""
    block = answers.block(items)
    out = []
    for i in range(len(items)):
        for j in range(i + 1, len(items)):
            both = ~np.isnan(block[:, i]) & ~np.isnan(block[:, j])
            if both.sum() > 1 and (block[both, i] == block[both, j]).all():
                out.append((items[i], items[j]))
    return out


def _of_survey(survey: Survey) -> Answers:
    instrument = survey.instrument
    values = np.full(survey.codes.shape, np.nan)
    known: dict[str, tuple[float, ...]] = {}
    for j, item in enumerate(instrument.items):
        scale = np.array(instrument.module_of(item).codes, dtype=float)
        known[item] = tuple(scale)
        # Turned answers stand on the file's own codes: the lowest for the lowest, whichever end was asked.
        codes = survey.codes[:, j]
        values[:, j] = np.where(codes == NO_ANSWER, np.nan, scale[codes])
    scales = tuple(Construct(module.name, module.items) for module in instrument.modules)
    turned = frozenset(item for m in instrument.modules for item in m.items if m.turned(item))
    return Answers(instrument.items, values, scales, known, turned, survey.simulated)


def ordered_labels(column: pd.Series) -> tuple[str, ...]:
    """Categories of an ordered categorical of texts, lowest first; nothing for any other column."""
    categories = getattr(column, "cat", None)
    if categories is None or not categories.ordered or categories.categories.dtype.kind in "biuf":
        return ()
    return tuple(str(label) for label in categories.categories)


def _of_frame(frame: pd.DataFrame) -> Answers:
    columns = []
    for name in frame.columns:
        try:
            if ordered_labels(frame[name]):
                codes = frame[name].cat.codes.to_numpy(dtype=float)
                columns.append(np.where(codes < 0, np.nan, codes))
            else:
                columns.append(frame[name].to_numpy(dtype=float, na_value=np.nan))
        except (TypeError, ValueError):
            raise DataError(
                f"column '{name}' holds something that is no number",
                hint="Pass the item columns only, texts as ordered categoricals: "
                "pandas.Categorical(column, categories=[...], ordered=True).",
            ) from None
    items = tuple(str(name) for name in frame.columns)
    values = np.column_stack(columns) if columns else np.empty((len(frame), 0))
    return Answers(items, values, (Construct("all items", items),) if items else ())


def _of_array(array: np.ndarray) -> Answers:
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise DataError(
            f"answers of shape {array.shape} and type {array.dtype} are no table of numbers",
            hint="Pass a survey, a data frame of items, or an array (person, item) with NaN for no answer.",
        )
    items = tuple(f"v{j + 1}" for j in range(array.shape[1]))
    return Answers(items, array.astype(float), (Construct("all items", items),) if items else ())


def _restricted(answers: Answers, modules: Modules | None) -> Answers:
    """Keep the asked modules, in the asked order."""
    known = {scale.name: scale for scale in answers.scales}
    if modules is None:
        scales = list(answers.scales)
    elif isinstance(modules, Mapping):
        scales = [Construct(str(name), expand_items(items)) for name, items in modules.items()]
    else:
        scales = []
        for name in [modules] if isinstance(modules, str) else modules:
            if name not in known:
                raise DataError(f"there is no module '{name}'", hint=nearest(str(name), known))
            scales.append(known[name])
    if not scales:
        raise DataError("there is no module to analyse", hint="Name modules with their items.")
    items = tuple(dict.fromkeys(item for scale in scales for item in scale.items))
    codes = {item: answers.codes[item] for item in items if item in answers.codes}
    turned = answers.turned & set(items)
    return Answers(items, answers.block(items), tuple(scales), codes, turned, answers.note)
