"""Item ranges."""

from __future__ import annotations

import pytest

from medpsy.errors import SpecError
from medpsy.survey.items import expand_items


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("mh1..mh3", ("mh1", "mh2", "mh3")),
        ("mh9..mh11", ("mh9", "mh10", "mh11")),
        ("mh01..mh03", ("mh01", "mh02", "mh03")),
        ("mh08..mh10", ("mh08", "mh09", "mh10")),
        ("x0..x2", ("x0", "x1", "x2")),
        ("mh4..mh4", ("mh4",)),
        (" mh1 .. mh2 ", ("mh1", "mh2")),
        ("scale2_q1..scale2_q2", ("scale2_q1", "scale2_q2")),
        ("1..3", ("1", "2", "3")),
        ("sex", ("sex",)),
        (["a", "b1..b2", "c"], ("a", "b1", "b2", "c")),
        ([], ()),
        (["a", "a"], ("a", "a")),
    ],
)
def test_ranges_expand_in_order(text: str | list[str], names: tuple[str, ...]) -> None:
    assert expand_items(text) == names


@pytest.mark.parametrize(
    ("text", "message", "cure"),
    [
        ("mh1..ml10", "starts with 'mh' but ends with 'ml'", '"mh1..mh10"'),
        ("mh1..10", "starts with 'mh' but ends with ''", '"mh1..mh10"'),
        ("mh10..mh1", "the range 'mh10..mh1' is empty", '"mh1..mh10"'),
        ("mh01..mh100", "different numbers of digits", "mh01..mh10"),
        ("mh..mh9", "'mh..mh9' is no item range", "end in a number"),
        ("mh1..", "is no item range", "end in a number"),
        ("a1..a2..a3", "is no item range", "end in a number"),
        ("a1..a5000", "more than 1000 items", "Check its ends"),
        ("a1..a99999999999999999999", "more than 1000 items", "Check its ends"),
        ("", "an item name is empty", "mh1..mh10"),
        (["a", " "], "an item name is empty", "mh1..mh10"),
        (["a", 3], "item 3 is not a text", "in quotes"),
    ],
)
def test_impossible_ranges_are_refused_with_their_cure(text: str, message: str, cure: str) -> None:
    with pytest.raises(SpecError) as caught:
        expand_items(text)
    assert message in str(caught.value)
    assert cure in caught.value.hint
