"""A data frame without an instrument."""

from __future__ import annotations

import pandas as pd
import pytest

import medpsy as mp
from medpsy.api.guess import guessed
from medpsy.survey.instrument import Module

FRAME = pd.DataFrame(
    {
        "q1": [1, 3, None, 2], "q2": [2, 2, 3, 5], "q3": [0.5, 1.5, 2.5, None], "q4": [1.0, 2.0, 3.0, 4.0],
        "age": [20, 31, 25, 40], "sex": ["f", "m", "f", "m"], "remarks": ["a b", "c", None, "d"],
        "one": ["x"] * 4,
    }
)  # fmt: skip


def test_items_get_the_whole_scale_and_other_columns_are_numbers_or_categories() -> None:
    spec = mp.Model("f =~ q1 + q2; g =~ q3 + q4; f ~ age", families={"g": "gaussian"}).spec
    made = guessed(FRAME, spec)
    assert [(m.name, m.items, m.codes) for m in made.modules] == [("f", ("q1", "q2"), (1, 2, 3, 4, 5))]
    kinds = {v.name: (v.kind, v.levels) for v in made.variables}
    assert kinds["age"] == kinds["q3"] == ("number", ())
    assert kinds["sex"] == ("category", ("f", "m"))
    assert "one" not in kinds


def test_a_frame_is_fitted_as_its_survey_is() -> None:
    model = mp.Model("f =~ q1 + q2; f ~ age")
    survey = model._survey(FRAME)
    assert survey.codes.tolist() == [[0, 1], [2, 1], [-1, 2], [1, 4]]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("f =~ q1 + q22", "no column 'q22', an item of 'f'"),
        ("f =~ q1 + q3", "item 'q3' of 'f' holds '0.5', which is no whole number"),
        ("f =~ sex + q1", "item 'sex' of 'f' holds 'f'"),
    ],
)
def test_what_is_no_item_is_named(text: str, word: str) -> None:
    with pytest.raises(mp.DataError, match=word):
        mp.Model(text)._survey(FRAME)


def test_answers_that_never_differ_need_an_instrument() -> None:
    with pytest.raises(mp.DataError, match="everybody gives the same answer"):
        mp.Model("f =~ a + b")._survey(pd.DataFrame({"a": [2, 2], "b": [2, None]}))
    with pytest.raises(mp.DataError, match="'f' run from 1 to 99"):
        mp.Model("f =~ a + b")._survey(pd.DataFrame({"a": [2, 99], "b": [2, 1]}))
    with pytest.raises(mp.DataError, match="everybody has the same value of 'g'"):
        mp.dif(pd.DataFrame({"a": [1, 2], "b": [1, 2], "g": "x"}), "f =~ a + b", "g")
    with pytest.raises(mp.DataError, match="not as a Survey"):
        mp.dropout(pd.DataFrame({"a": [1, 2]}), ["a", "b"])  # type: ignore[arg-type]


def test_ordered_texts_are_answers_in_their_order() -> None:
    labels = ["never", "some", "often", "always"]
    columns = {name: pd.Categorical(own, labels, ordered=True) for name, own in {
        "a": ["often", "never", None], "b": ["some", "some", "often"],
    }.items()}  # fmt: skip
    frame = pd.DataFrame(columns)
    read = mp.Model("f =~ a + b")._survey(frame)
    assert read.codes.tolist() == [[2, 1], [0, 1], [-1, 2]]
    assert read.instrument.modules[0].labels == tuple(labels)
    described = mp.describe(frame, draws=100)["items"].set_index("item")
    assert described.loc["a", "mean"] == 1.0 and described.loc["a", "n"] == 2
    digits = frame.assign(a=pd.Categorical(["2", "1", "3"], ["1", "2", "3"], ordered=True))
    with pytest.raises(mp.DataError, match="different answer categories: a has 1, 2, 3, b has never"):
        mp.Model("f =~ a + b")._survey(digits)
    digits["b"] = digits["a"]
    assert mp.Model("f =~ a + b")._survey(digits).codes.tolist() == [[1, 1], [0, 0], [2, 2]]
    with pytest.raises(mp.DataError, match="no number"):
        mp.describe(frame.assign(a=["x", "y", "z"]))


def test_labels_of_an_instrument_are_answers_unless_they_are_numbers() -> None:
    frame = pd.DataFrame({"a": ["no", "yes", "1"], "b": ["0", "no", ""]})
    module = Module("m", ("a", "b"), (0, 1), ("no", "yes"), ("b",))
    assert mp.from_frame(frame, mp.Instrument((module,))).codes.tolist() == [[0, 1], [1, 1], [1, -1]]
    other = Module("m", ("a", "b"), (0, 1), ("1", "no"))
    with pytest.raises(mp.DataError, match="'no' is no code"):
        mp.from_frame(frame, mp.Instrument((other,)))
