"""An instrument for a data frame that comes without one: what the model asks for, as the columns are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from medpsy.classical.inputs import ordered_labels
from medpsy.errors import DataError, nearest
from medpsy.spec.model_spec import ModelSpec
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.survey import Survey

if TYPE_CHECKING:
    import pandas as pd

    from medpsy.api.models import Model

#: A column of texts with more different ones than this is no category, so many numbers no answer scale.
MOST_LEVELS = 30


def as_survey(given: Survey | pd.DataFrame, model: Model) -> Survey:
    """The answers of a survey, or of a data frame under the model's instrument or a guessed one.

    Raises
    ------
    DataError
        Neither a survey nor a data frame, or a frame that does not suit the model.
    """
    return survey_for(given, model.composed.spec, model.instrument)


def survey_for(given: Survey | pd.DataFrame, spec: ModelSpec, instrument: Instrument | None = None) -> Survey:
    """The same for a specification."""
    if isinstance(given, Survey):
        return given
    if type(given).__name__ == "DataFrame":
        if instrument is None:
            return read_frame(given, spec)
        from medpsy.survey.read import from_frame

        return from_frame(given, instrument)
    raise DataError(
        f"the answers come as {type(given).__name__}, not as a Survey",
        hint="Pass medpsy.read_survey(...), a data frame, or the .survey of a screening.",
    )


def read_frame(frame: pd.DataFrame, spec: ModelSpec) -> Survey:
    """The answers of a data frame under the guessed instrument.

    Raises
    ------
    DataError
        As :func:`guessed`.
    """
    from medpsy.survey.read import from_frame

    instrument = guessed(frame, spec)
    coded = {
        item: frame[item].cat.codes.mask(frame[item].isna())
        for item in instrument.items
        if ordered_labels(frame[item])
    }
    return from_frame(frame.assign(**coded), instrument)


def guessed(frame: pd.DataFrame, spec: ModelSpec) -> Instrument:
    """Modules and variables of a model, read off a data frame.

    The items of a construct share one answer scale: all whole numbers from the lowest to the highest that
    anybody answered, or the categories of ordered pandas categoricals. Categories of numbers that nobody used
    at either end, and reversed items, cannot be seen in the answers; they take an instrument. Further columns
    are numbers or categories, as they look.

    Raises
    ------
    DataError
        An item has no column, or its answers are neither whole numbers nor ordered categories.
    """
    modules: list[Module] = []
    taken: set[str] = set()
    for construct in spec.constructs:
        items = tuple(item for item in construct.items if item not in taken)
        if construct.family == "gaussian" or not items:
            continue
        labels = _labels(frame, items, construct.name)
        codes = tuple(range(len(labels))) if labels else _codes(frame, items, construct.name)
        modules.append(Module(construct.name, items, codes, labels))
        taken.update(items)
    rest = [str(name) for name in frame.columns if str(name) not in taken]
    variables = (_variable(name, frame[name]) for name in rest)
    return Instrument(tuple(modules), tuple(v for v in variables if v is not None))


def _labels(frame: pd.DataFrame, items: Iterable[str], construct: str) -> tuple[str, ...]:
    """Labels of ordered categoricals, lowest first; nothing where the answers are numbers.

    Raises
    ------
    DataError
        Items with different categories.
    """
    found = {item: ordered_labels(frame[item]) for item in items if item in frame.columns}
    first = next(iter(found.values()), ())
    for item, labels in found.items():
        if labels != first:
            raise DataError(
                f"the items of '{construct}' have different answer categories: {next(iter(found))} has "
                f"{', '.join(first) or 'numbers'}, {item} has {', '.join(labels) or 'numbers'}",
                hint="Items of a construct share one answer scale; give all of them the same categories.",
            )
    return first


def _codes(frame: pd.DataFrame, items: Iterable[str], construct: str) -> tuple[int, ...]:
    """Every whole number between the lowest and the highest answer."""
    import pandas as pd

    low, high = [], []
    for item in items:
        if item not in frame.columns:
            raise DataError(
                f"the data frame has no column '{item}', an item of '{construct}'",
                hint=nearest(item, [str(name) for name in frame.columns]),
            )
        values = pd.to_numeric(frame[item], errors="coerce")
        odd = frame[item][frame[item].notna() & (values.isna() | (values % 1 != 0))]
        if len(odd):
            raise DataError(
                f"item '{item}' of '{construct}' holds {str(odd.iloc[0])!r}, which is no whole number",
                hint="Say the order of texts: pandas.Categorical(column, categories=[...], ordered=True), or "
                "pass an instrument with the labels. For numbers without categories say family='gaussian'.",
            )
        if values.notna().any():
            low.append(int(values.min()))
            high.append(int(values.max()))
    if not low or min(low) == max(high):
        raise DataError(
            f"everybody gives the same answer, or none, to all items of '{construct}'",
            hint="Pass an instrument that names the answer categories.",
        )
    if max(high) - min(low) >= MOST_LEVELS:
        raise DataError(
            f"the answers to the items of '{construct}' run from {min(low)} to {max(high)}",
            hint="If the lowest or highest means no answer, make it NaN or pass an instrument; for numbers "
            "without categories say family='gaussian'.",
        )
    return tuple(range(min(low), max(high) + 1))


def _variable(name: str, column: pd.Series) -> Variable | None:
    """The column as a number or a category; None where it is neither."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return Variable(name)
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = [str(level) for level in column.cat.categories]
    else:
        levels = sorted({str(value) for value in column.dropna()})
    return Variable(name, "category", tuple(levels)) if 2 <= len(levels) <= MOST_LEVELS else None
