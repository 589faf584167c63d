"""Item ranges: ``"mh1..mh10"`` stands for ten names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from medpsy.errors import SpecError

#: A longer range is taken for a slip of the pen rather than a questionnaire.
LONGEST_RANGE = 1000

_END = re.compile(r"(.*?)([0-9]+)")


def expand_items(items: str | Iterable[str]) -> tuple[str, ...]:
    """Expand item names and ranges, in order.

    Parameters
    ----------
    items : str or iterable of str
        One name, one range such as ``"mh1..mh10"`` or ``"mh01..mh10"`` (leading zeros are kept), or
        several of them.

    Returns
    -------
    tuple of str
        Item names; a name that is given twice stays twice, for the caller to judge.

    Raises
    ------
    SpecError
        An empty name, different prefixes, a range that runs backwards or is longer than 1000.
    """
    texts = [items] if isinstance(items, str) else list(items)
    names: list[str] = []
    for text in texts:
        if not isinstance(text, str):
            raise SpecError(f"item {text!r} is not a text", hint='Write item names in quotes, like "mh1".')
        names.extend(_expand(text.strip()))
    return tuple(names)


def _expand(text: str) -> list[str]:
    if not text:
        raise SpecError("an item name is empty", hint='Write a name or a range like "mh1..mh10".')
    if ".." not in text:
        return [text]
    ends = [part.strip() for part in text.split("..")]
    matches = [_END.fullmatch(end) for end in ends]
    if len(matches) != 2 or matches[0] is None or matches[1] is None:
        raise SpecError(
            f"'{text}' is no item range", hint='A range joins two names that end in a number: "mh1..mh10".'
        )
    (prefix, first), (other, last) = matches[0].groups(), matches[1].groups()
    if prefix != other:
        raise SpecError(
            f"the range '{text}' starts with '{prefix}' but ends with '{other}'",
            hint=f'Both ends need the same prefix: "{prefix}{first}..{prefix}{last}".',
        )
    padded = any(len(end) > 1 and end.startswith("0") for end in (first, last))
    if padded and len(first) != len(last):
        raise SpecError(
            f"the ends of the range '{text}' have different numbers of digits",
            hint='With leading zeros both ends have the same width: "mh01..mh10".',
        )
    if max(len(first), len(last)) > 9 or int(last) - int(first) >= LONGEST_RANGE:
        raise SpecError(f"the range '{text}' has more than {LONGEST_RANGE} items", hint="Check its ends.")
    if int(last) < int(first):
        raise SpecError(
            f"the range '{text}' is empty",
            hint=f'Write the smaller number first: "{prefix}{last}..{prefix}{first}".',
        )
    width = len(first) if padded else 0
    return [f"{prefix}{number:0{width}d}" for number in range(int(first), int(last) + 1)]
