"""Does a declared sample table add up, and does it describe these persons?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from medpsy.errors import SpecError
from medpsy.survey.survey import Survey

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("variable", "level", "check", "declared", "expected", "passed", "text")


def audit(
    declared: Mapping[str, Mapping[str, Any]], *, n: int | None = None, survey: Survey | None = None
) -> pd.DataFrame:
    """Check counts and percentages of a sample table by arithmetic, and against the answers.

    Parameters
    ----------
    declared : mapping
        Variable to level to what was declared: a count ``115``, a count with its percentage ``(115, 35.83)``,
        or a percentage alone ``"31.15 %"``. Write percentages as text to keep trailing zeros.
    n : int, optional
        Persons in the sample; those of ``survey`` unless given.
    survey : Survey, optional
        Compare counts with its variables; their levels are those of the instrument.

    Returns
    -------
    DataFrame
        variable, level, check ("count makes percentage", "percentage has a count", "counts add up to n",
        "percentages add up to 100", "count in the answers"), declared, expected, passed, text. A percentage
        passes if it is the rounded share; a percentage alone passes if some whole number of persons makes
        it, and ``expected`` is that number.

    Raises
    ------
    SpecError
        Something declared that is neither count nor percentage, or a variable or level that the survey does
        not have.

    Notes
    -----
    The check of a percentage alone is that of Brown & Heathers (2017, doi:10.1177/1948550616673876) for
    means, applied to shares.
    """
    import pandas as pd

    size = n if n is not None else (None if survey is None else survey.n_person)
    rows: list[tuple[Any, ...]] = []
    for variable, levels in declared.items():
        found = {str(level): _parts(variable, str(level), value) for level, value in levels.items()}
        counts = {level: count for level, (count, _) in found.items()}
        total = size
        if total is None and None not in counts.values():
            total = sum(count for count in counts.values() if count is not None)
        for level, (count, percentage) in found.items():
            rows += _level(variable, level, count, percentage, total)
        rows += _sums(variable, found, size)
        if survey is not None:
            rows += _in_answers(variable, counts, survey)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"passed": bool})


def _parts(variable: str, level: str, value: Any) -> tuple[int | None, Decimal | None]:
    """Count and percentage of one declared value."""
    count, percentage = value if isinstance(value, tuple | list) and len(value) == 2 else (value, None)
    if isinstance(count, str) and percentage is None and count.strip().endswith("%"):
        count, percentage = None, count
    try:
        share = None if percentage is None else Decimal(str(percentage).replace("%", "").strip())
        whole = None if count is None else Decimal(str(count))
    except InvalidOperation:
        share, whole = None, Decimal("NaN")
    if (whole is not None and (not whole.is_finite() or whole != int(whole) or whole < 0)) or (
        share is not None and not (share.is_finite() and 0 <= share <= 100)
    ):
        raise SpecError(
            f"{variable}, {level}: {value!r} is neither a count nor a percentage",
            hint='Write 115, (115, 35.83) or "35.83 %".',
        )
    return (None if whole is None else int(whole)), share


def _level(
    variable: str, level: str, count: int | None, percentage: Decimal | None, n: int | None
) -> list[tuple[Any, ...]]:
    if percentage is None or not n:
        return []
    half = Decimal(1).scaleb(int(percentage.as_tuple().exponent)) / 2
    if count is not None:
        share = Decimal(100 * count) / n
        passed = abs(share - percentage) <= half
        text = f"{count} of {n} persons are {_shown(share, percentage)} %"
        return [(variable, level, "count makes percentage", float(percentage), float(share), passed, text)]
    low, high = (percentage - half) * n / 100, (percentage + half) * n / 100
    possible = list(range(max(0, math.ceil(low)), min(n, math.floor(high)) + 1))
    text = (
        f"{percentage} % of {n} persons are {' or '.join(map(str, possible[:3]))}"
        if possible
        else f"no whole number of {n} persons makes {percentage} %"
    )
    expected = float(possible[0]) if len(possible) == 1 else math.nan
    return [(variable, level, "percentage has a count", float(percentage), expected, bool(possible), text)]


def _shown(share: Decimal, like: Decimal) -> Decimal:
    """Round a share to as many decimals as the declared one."""
    return share.quantize(Decimal(1).scaleb(int(like.as_tuple().exponent)))


def _sums(
    variable: str, found: Mapping[str, tuple[int | None, Decimal | None]], n: int | None
) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    counts = [count for count, _ in found.values()]
    shares = [share for _, share in found.values()]
    known = [count for count in counts if count is not None]
    if n is not None and len(known) == len(counts):
        text = f"the counts add up to {sum(known)}, the sample has {n} persons"
        rows.append((variable, "", "counts add up to n", float(sum(known)), float(n), sum(known) == n, text))
    given = [share for share in shares if share is not None]
    if len(given) == len(shares):
        total = sum(given, Decimal(0))
        slack = sum((Decimal(1).scaleb(int(s.as_tuple().exponent)) / 2 for s in given), Decimal(0))
        passed = abs(total - 100) <= slack
        text = f"the percentages add up to {total}, which rounding may move by {slack.normalize():f}"
        rows.append((variable, "", "percentages add up to 100", float(total), 100.0, passed, text))
    return rows


def _in_answers(variable: str, counts: Mapping[str, int | None], survey: Survey) -> list[tuple[Any, ...]]:
    declaration = survey.variable(variable)
    if declaration.kind != "category":
        raise SpecError(
            f"'{variable}' is a number, not a category", hint="Audit categories with levels and counts."
        )
    rows = []
    for level, count in counts.items():
        if level not in declaration.levels:
            raise SpecError(
                f"variable '{variable}' has no level '{level}'",
                hint=f"Its levels are {', '.join(declaration.levels)}.",
            )
        seen = int((survey.variables[variable] == declaration.levels.index(level)).sum())
        if count is not None:
            text = f"declared {count}, in the answers {seen}"
            rows.append(
                (variable, level, "count in the answers", float(count), float(seen), count == seen, text)
            )
    return rows
