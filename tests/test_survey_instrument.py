"""Instruments as values and as TOML files: every mistake with its line and its cure."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from medpsy.errors import MedpsyError, SpecError
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.toml_instrument import parse_instrument, read_instrument

GOOD = """\
schema = 1
name = "Two scales"
note = "made up"
person = "rid"
missing = ["", "NA", "-9"]

[module.phq]
title = "PHQ"
items = "phq1..phq3"
codes = [0, 1, 2]
labels = ["never", "some days", "every day"]
reverse = ["phq2"]
source = "A (2001)"

[module.phq.wording]
phq1 = "Little interest"

[module.life]
items = ["life1", "life2"]
codes = [1, 2]
polarity = "negative"

[variable.sex]
kind = "category"
levels = ["m", "f"]

[variable.age]
kind = "number"
minimum = 16
maximum = 60
title = "Age"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "instrument.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_file_becomes_the_instrument_it_says(tmp_path: Path) -> None:
    phq = Module(
        name="phq",
        items=("phq1", "phq2", "phq3"),
        codes=(0, 1, 2),
        labels=("never", "some days", "every day"),
        reverse=("phq2",),
        wording=(("phq1", "Little interest"),),
        title="PHQ",
        source="A (2001)",
    )
    life = Module("life", ("life1", "life2"), (1, 2), polarity=-1)
    sex = Variable("sex", "category", ("m", "f"))
    age = Variable("age", title="Age", minimum=16, maximum=60)
    asked = Instrument((phq, life), (sex, age), "rid", ("", "NA", "-9"), "Two scales", "made up")
    assert read_instrument(write(tmp_path, GOOD)) == asked
    assert read_instrument(write(tmp_path, "\ufeff" + GOOD)) == asked
    assert asked.items == ("phq1", "phq2", "phq3", "life1", "life2")
    assert asked.columns == ("rid", "sex", "age", *asked.items)
    assert life.labels == ("1", "2")
    assert [phq.turned(item) for item in phq.items] == [False, True, False]
    assert [life.turned(item) for item in life.items] == [True, True]


def test_keying_and_polarity_cancel() -> None:
    module = Module("m", ("a", "b"), (0, 1), reverse=("a",), polarity=-1)
    assert (module.turned("a"), module.turned("b")) == (False, True)


def test_whole_numbers_serve_as_levels() -> None:
    asked = parse_instrument({"variable": {"arm": {"kind": "category", "levels": [1, 2]}}})
    assert asked.variables[0].levels == ("1", "2")


def test_an_item_can_be_looked_up_and_a_slip_is_named() -> None:
    asked = parse_instrument({"module": {"phq": {"items": "phq1..phq3", "codes": [0, 1]}}})
    assert asked.module_of("phq3").name == "phq"
    with pytest.raises(SpecError, match="Did you mean 'phq3'"):
        asked.module_of("phq33")


MISTAKES = [
    ('note = "made up"', 'noet = "x"', 3, "unknown key 'noet'", "Did you mean 'note'"),
    ('title = "PHQ"', 'titel = "PHQ"', 8, "unknown key 'titel' in [module.phq]", "Did you mean 'title'"),
    ("[variable.sex]", "[variables.sex]", 23, "unknown key 'variables'", "Did you mean 'variable'"),
    ("minimum = 16", "minimun = 16", 29, "unknown key 'minimun'", "Did you mean 'minimum'"),
    ("schema = 1", "schema = 2", 1, "schema 2 is unknown", "schema = 1"),
    ("codes = [0, 1, 2]", "codes = [0, 1, 1]", 10, "lists code 1 twice", "its own code"),
    ("codes = [0, 1, 2]", "codes = [2, 1, 0]", 10, "do not rise: 2,1,0", "lowest first"),
    ("codes = [0, 1, 2]", "codes = [0.5, 1, 2]", 10, "not a list of whole numbers", "codes = [0, 1, 2]"),
    ("codes = [0, 1, 2]", "codes = [true, 1, 2]", 10, "not a list of whole numbers", "codes = "),
    ("codes = [0, 1, 2]", "", 7, "[module.phq] has no codes", "codes = [0, 1, 2, 3]"),
    ("codes = [1, 2]", "codes = [1]", 20, "module 'life' has only one code", "at least two"),
    ("codes = [1, 2]", "codes = []", 20, "module 'life' has no codes", "at least two"),
    ("codes = [1, 2]", f"codes = {list(range(200))}", 20, "200 codes; at most 127", "variable"),
    ("codes = [1, 2]", f"codes = [1, {10**30}]", 20, "too large to be exact", "small whole numbers"),
    ('"some days", ', "", 11, "3 codes but 2 labels", "one label per code"),
    ('reverse = ["phq2"]', 'reverse = ["phq9"]', 12, "reverses 'phq9'", "Did you mean 'phq"),
    ('reverse = ["phq2"]', 'reverse = ["phq2", "phq2"]', 12, "reverses item 'phq2' twice", "Remove"),
    ('phq1 = "Little', 'phq7 = "Little', 16, "wording for 'phq7'", "Did you mean"),
    ('phq1 = "Little interest"', "phq1 = 3", 16, "'phq1' is 3, not a text", "in quotes"),
    ('items = "phq1..phq3"', 'items = "phq1..pqh3"', 9, "starts with 'phq' but", "same prefix"),
    ('items = "phq1..phq3"', "items = 3", 9, "'items' is 3, not item names", "or a list"),
    ('items = "phq1..phq3"', "", 7, "module 'phq' has no items", "mh1..mh10"),
    ('"life1", "life2"', '"life1", "life1"', 19, "item 'life1' is listed twice", "Remove one"),
    ('"life1", "life2"', '"life1", "phq2"', 19, "'phq2' is declared as an item of module 'phq'", "one role"),
    ('"life1", "life2"', '"life1", "rid"', 19, "'rid' is declared as the person column", "one role"),
    ("[variable.sex]", "[variable.phq1]", 23, "and again as a variable", "one role"),
    ('polarity = "negative"', 'polarity = "down"', 21, "polarity 'down' is unknown", '"positive"'),
    ('kind = "category"', 'kind = "categorical"', 24, "unknown kind 'categorical'", "'category'"),
    ('kind = "category"', "", 25, "is a number but has levels", 'kind = "category"'),
    ('levels = ["m", "f"]', "", 23, "fewer than two levels", "reference first"),
    ('levels = ["m", "f"]', 'levels = ["m", "m"]', 25, "level 'm' twice", "Remove one"),
    ('levels = ["m", "f"]', 'levels = ["m", ""]', 25, "is called ''", "not empty"),
    ('levels = ["m", "f"]', 'levels = ["m", "NA"]', 5, "missing value 'NA' is also a level", "take it out"),
    ('levels = ["m", "f"]', 'levels = "m"', 25, "not a list of texts", '["...", "..."]'),
    ('missing = ["", "NA", "-9"]', "missing = [0]", 5, "'0' is also a code of module 'phq'", "take it out"),
    ("minimum = 16", "minimum = 90", 29, "between minimum 90.0 and maximum 60.0", "smaller bound"),
    ("minimum = 16", "minimum = nan", 29, "no number lies between", "smaller bound"),
    ("minimum = 16", 'minimum = "16"', 29, "'minimum' is '16', not a number", "without quotes"),
    ('levels = ["m", "f"]', 'levels = ["m", "f"]\nmaximum = 3', 23, "category but has a range", "levels"),
    ('person = "rid"', "person = 4", 4, "'person' is 4, not a text", "in quotes"),
    ('name = "Two scales"', 'name = "Two scales', 2, "not TOML", "quotes"),
    ('name = "Two scales"', 'note = "twice"', 3, "not TOML", "only once"),
    ("[module.phq.wording]", "[module.phq.labels]", 15, "not TOML", "only once"),
]


@pytest.mark.parametrize(("old", "new", "line", "message", "cure"), MISTAKES)
def test_a_mistake_is_named_with_file_line_and_cure(
    tmp_path: Path, old: str, new: str, line: int, message: str, cure: str
) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(SpecError) as caught:
        read_instrument(path)
    error = caught.value
    assert message in error.message
    assert cure in error.hint
    assert (error.path, error.line) == (str(path), line)


def test_tables_of_the_wrong_shape_are_refused(tmp_path: Path) -> None:
    for text, message in (
        ("module = 3", "'module' is not a table"),
        ("[module]\nphq = 3", "'module.phq' is not a table"),
        ('[module.a]\nitems = "a"\ncodes = [0, 1]\nwording = "x"', "'module.a.wording' is not a table"),
        ("", "the instrument asks nothing"),
    ):
        with pytest.raises(SpecError, match=message):
            read_instrument(write(tmp_path, text))


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"none\.toml: there is no such instrument file\n  Check the path"):
        read_instrument(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="cannot be read"):
        read_instrument(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    with pytest.raises(SpecError, match="not UTF-8 at byte 11"):
        read_instrument(tmp_path / "latin.toml")


def test_a_mistake_below_an_inner_table_of_a_model_file_has_its_line(tmp_path: Path) -> None:
    path = write(
        tmp_path, 'name = "model"\n[instrument]\nname = "x"\n[instrument.module.m]\ncodse = [0, 1]\n'
    )
    with pytest.raises(SpecError) as caught:
        parse_instrument({"name": "x", "module": {"m": {"codse": [0, 1]}}}, path)
    assert caught.value.line == 5
    with pytest.raises(SpecError) as caught:
        parse_instrument({"name": 3, "module": {}}, path)
    assert caught.value.line == 3


def test_only_medpsy_errors_escape_from_mangled_files(tmp_path: Path) -> None:
    draw = random.Random(4)
    refused = 0
    for _ in range(300):
        text = list(GOOD)
        for _ in range(draw.randint(1, 4)):
            place = draw.randrange(len(text))
            text[place : place + draw.randint(0, 3)] = draw.choice(
                ['"', "[", "]", "\n", "=", "é", "9", ".", ","]
            )
        try:
            asked = read_instrument(write(tmp_path, "".join(text)))
        except MedpsyError as error:
            assert error.hint
            refused += 1
        else:
            assert len(set(asked.columns)) == len(asked.columns)
    assert refused > 150
