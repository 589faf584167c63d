"""Writing and reading again; mangled files never crash and never misread."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medpsy.errors import DataError, MedpsyError
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.read import read_survey
from medpsy.survey.survey import Survey
from medpsy.survey.write import write_csv

ASKED = Instrument(
    (
        Module("m", ("m1", "m2", "m3"), (1, 2, 3, 4, 5), reverse=("m2",)),
        Module("s", ("s1", "s2"), (-1, 0, 7), polarity=-1, reverse=("s1",)),
    ),
    (Variable("sex", "category", ("f", "m", "other, or none")), Variable("x")),
    "id",
    ("NA", "-9"),
)


def made_up(draw: np.random.Generator, n: int, asked: Instrument = ASKED) -> Survey:
    """A random survey with every kind of hole."""
    top = [asked.module_of(item).n_categories for item in asked.items]
    x = np.where(draw.random(n) < 0.2, np.nan, draw.normal(size=n) * 10.0 ** draw.integers(-8, 18, n))
    x[draw.random(n) < 0.2] = 3.0
    variables = {"sex": draw.integers(-1, 3, n), "x": x} if asked.variables else {}
    names = np.array([f'p{k} "q", \'{k};\n' + "é" for k in range(n)])
    person = names if asked.person else np.array([str(k + 1) for k in range(n)])
    codes = np.column_stack([draw.integers(-1, k, n) for k in top]).astype(np.int8)
    return Survey(asked, person, codes, variables)


def assert_same(left: Survey, right: Survey) -> None:
    assert left.person.tolist() == right.person.tolist()
    assert left.codes.tolist() == right.codes.tolist()
    assert left.variables.keys() == right.variables.keys()
    for name, values in left.variables.items():
        np.testing.assert_array_equal(values, right.variables[name])
    assert left.fingerprint == right.fingerprint


@pytest.mark.parametrize("seed", range(20))
def test_what_is_written_reads_back_exactly(tmp_path: Path, seed: int) -> None:
    survey = made_up(np.random.default_rng(seed), 1 + 3 * seed)
    write_csv(survey, tmp_path / "a.csv")
    again = read_survey(tmp_path / "a.csv", ASKED)
    assert_same(survey, again)
    assert [event.rule for event in again.ledger] == ["read", "turned"]


def test_original_codes_are_written(tmp_path: Path) -> None:
    survey = Survey(
        ASKED,
        np.array(["a", "b"]),
        np.array([[0, 0, 4, 0, 0], [-1, 1, -1, 2, 2]], np.int8),
        {"sex": np.array([2, -1]), "x": np.array([0.1, np.nan])},
    )
    write_csv(survey, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == (
        'id,sex,x,m1,m2,m3,s1,s2\na,"other, or none",0.1,1,5,5,-1,7\nb,,,,4,,7,-1\n'
    )


@pytest.mark.parametrize("items", [("m1",), ("m1", "m2")])
def test_without_a_person_column_empty_persons_survive(tmp_path: Path, items: tuple[str, ...]) -> None:
    asked = Instrument((Module("m", items, (0, 1, 2)),))
    survey = made_up(np.random.default_rng(1), 40, asked)
    assert (survey.codes == -1).all(axis=1).any()
    write_csv(survey, tmp_path / "a.csv")
    assert_same(survey, read_survey(tmp_path / "a.csv", asked))


def test_numbers_of_persons_that_are_no_longer_in_sequence_are_kept_in_a_column(tmp_path: Path) -> None:
    asked = Instrument((Module("m", ("m1", "person"), (0, 1)),))
    survey = made_up(np.random.default_rng(1), 5, asked).take(np.array([0, 3, 4]))
    write_csv(survey, tmp_path / "a.csv")
    again = read_survey(tmp_path / "a.csv", replace(asked, person="person_"))
    assert again.person.tolist() == ["1", "4", "5"]
    assert again.codes.tolist() == survey.codes.tolist()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    survey = made_up(np.random.default_rng(1), 2)
    for path in (tmp_path / "none" / "a.csv", tmp_path):
        with pytest.raises(DataError, match="cannot be written") as caught:
            write_csv(survey, path)
        assert caught.value.path == str(path)
        assert "a folder that exists" in caught.value.hint


def as_text(rows: list[list[str]], draw: random.Random) -> bytes:
    """The same cells under a random dialect."""
    file = io.StringIO()
    separator = draw.choice([",", ";", "\t"])
    quoting = draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
    csv.writer(
        file, delimiter=separator, quoting=quoting, lineterminator=draw.choice(["\n", "\r\n"])
    ).writerows(rows)
    text = file.getvalue()
    return (draw.choice(["", "\ufeff"]) + (text if draw.random() < 0.5 else text.rstrip("\r\n"))).encode()


def test_every_dialect_of_the_same_answers_reads_the_same(tmp_path: Path) -> None:
    draw = random.Random(2)
    for seed in range(100):
        survey = made_up(np.random.default_rng(seed), 1 + seed % 7)
        write_csv(survey, tmp_path / "a.csv")
        with open(tmp_path / "a.csv", encoding="utf-8", newline="") as file:
            rows = [
                [cell or draw.choice(["", "NA", " -9", "-9.0"]) for cell in row] for row in csv.reader(file)
            ]
        for row in rows[1:]:
            row[3:] = [
                draw.choice([cell, f" {cell} ", f"{cell}.0"]) if cell.isdigit() else cell for cell in row[3:]
            ]
            row[1] = row[1] if row[1] in ("f", "m", "other, or none") else ""
        order = draw.sample(range(len(rows[0])), len(rows[0]))
        path = tmp_path / "b.csv"
        path.write_bytes(as_text([[row[j] for j in order] for row in rows], draw))
        assert_same(survey, read_survey(path, ASKED))


def original(survey: Survey, row: int, item: str) -> str:
    """The code that a survey says was in the file."""
    module = survey.instrument.module_of(item)
    code = int(survey.item_codes([item])[row, 0])
    return "" if code < 0 else str(module.codes[::-1][code] if module.turned(item) else module.codes[code])


def assert_no_misread(survey: Survey, text: str) -> None:
    """Compare with the plainest possible reader: same persons, same codes, the rest counted."""
    tables = [list(csv.reader(io.StringIO(text, newline=""), delimiter=mark)) for mark in ",;\t"]
    rows = max(
        ([row for row in table if any(map(str.strip, row))] for table in tables), key=lambda t: len(t[0])
    )
    header = [cell.strip() for cell in rows[0]]
    rules = ("out_of_range", "not_finite")
    counted = {place for event in survey.ledger if event.rule in rules for place in event.places}
    assert survey.n_person == len(rows) - 1
    for k, cells in enumerate(rows[1:]):
        cell = dict(zip(header, map(str.strip, cells), strict=True))
        assert survey.person[k] == cell["id"]
        for item in survey.instrument.items:
            found, raw = original(survey, k, item), cell[item]
            if found:
                assert float(raw) == float(found)
            else:
                assert raw in ("", "NA") or float(raw) == -9 or f"row {k + 1} {item}={raw}" in counted
        level, x = survey.variables["sex"][k], survey.variables["x"][k]
        assert (ASKED.variables[0].levels[level] if level >= 0 else "") == cell["sex"].replace("NA", "")
        if np.isfinite(x):
            assert float(cell["x"]) == x
        else:
            assert cell["x"] in ("", "NA", "-9") or f"row {k + 1} x={cell['x']}" in counted


def test_only_medpsy_errors_escape_from_mangled_files_and_nothing_is_misread(tmp_path: Path) -> None:
    draw = random.Random(3)
    path = tmp_path / "a.csv"
    survey = replace(made_up(np.random.default_rng(5), 4), person=np.array(["a", "b", "c", "d"]))
    write_csv(survey, path)
    good = path.read_bytes()
    pieces = [bytes([code]) for code in b',;\t"\n\r\0\xff 9-.e'] + [b"", b"m1", b"NA"]
    read = 0
    for _ in range(600):
        data = bytearray(good)
        for _ in range(draw.randint(1, 2)):
            place = draw.randrange(0 if draw.random() < 0.3 else len(data) - 60, len(data))
            digit = draw.random() < 0.9 and data[place : place + 1].isdigit()
            data[place : place + (1 if digit else draw.randint(0, 2))] = draw.choice(
                pieces[:1] + [b"%d" % k for k in range(10)] if digit else pieces
            )
        path.write_bytes(data)
        try:
            found = read_survey(path, ASKED)
        except MedpsyError as error:
            assert error.hint
        else:
            read += 1
            assert_no_misread(found, data.decode())
    assert 100 < read < 500
