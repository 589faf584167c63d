"""The real answers that ship with the package, held against the cleaned deposit."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from medpsy.errors import DataError
from medpsy.survey.examples import example_names, example_path, load_example
from medpsy.survey.read import read_survey
from medpsy.survey.survey import Survey


@pytest.fixture(scope="module")
def students() -> Survey:
    return load_example("students")


def records(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_students_are_all_there(students: Survey) -> None:
    assert students.n_person == 783
    assert students.person[[0, -1]].tolist() == ["1", "783"]
    modules = students.instrument.modules
    assert [(m.name, len(m.items), m.codes) for m in modules] == [
        ("phq", 9, (0, 1, 2, 3)),
        ("gad", 7, (0, 1, 2, 3)),
        ("epworth", 8, (0, 1, 2, 3)),
    ]
    assert all(dict(m.wording).keys() == set(m.items) for m in modules)
    assert int((students.codes == -1).sum()) == 109
    assert np.bincount(students.variables["sex"]).tolist() == [403, 380]
    assert np.bincount(students.variables["year"].astype(int)).tolist() == [0, 275, 192, 140, 176]
    assert students.source == "example 'students'"


def test_the_24_impossible_answers_are_counted_with_their_places(students: Survey) -> None:
    (event,) = [event for event in students.ledger if event.rule == "out_of_range"]
    assert (event.unit, event.before - event.after, len(event.places)) == ("answers", 24, 24)
    assert {"row 496 gad5=10", "row 504 age=12", "row 427 epworth8=4"} <= set(event.places)
    assert sum("epworth" in place for place in event.places) == 22
    assert [event.rule for event in students.ledger] == ["read", "out_of_range"]


def test_the_places_are_those_of_the_cleaning_log(students: Survey, shared: Path) -> None:
    log = records(shared / "data" / "mexmed_students" / "cleaning_log.csv")
    (event,) = [event for event in students.ledger if event.rule == "out_of_range"]
    assert {f"row {r['rid']} {r['variable']}={r['raw']}" for r in log} == set(event.places)


def test_the_codes_are_those_of_the_cleaned_deposit(students: Survey, shared: Path) -> None:
    clean = records(shared / "data" / "mexmed_students" / "mexmed_students_clean.csv")
    codes = [[int(r[item] or -1) for item in students.instrument.items] for r in clean]
    np.testing.assert_array_equal(students.codes, codes)
    np.testing.assert_array_equal(students.variables["age"], [float(r["age"] or "nan") for r in clean])
    assert [students.variable("sex").levels[k] for k in students.variables["sex"]] == [
        r["sex"] for r in clean
    ]


def test_the_deposit_itself_reads_alike_and_names_what_is_left_out(students: Survey, shared: Path) -> None:
    raw = shared / "data" / "mexmed_students" / "mexmed_students_raw.csv"
    survey = read_survey(raw, example_path("students") / "instrument.toml")
    assert survey.fingerprint == students.fingerprint
    (event,) = [event for event in survey.ledger if event.rule == "columns_not_read"]
    assert event.places == ("prev_depression_dx", "prev_depression_rx", "prev_anxiety_dx", "prev_anxiety_rx")


def test_every_example_has_its_card_and_licence() -> None:
    said = {"holzinger_swineford": "facts printed in", "students": "Permission is hereby granted"}
    assert example_names() == tuple(said)
    for name in example_names():
        folder = example_path(name)
        card = (folder / "CARD.md").read_text(encoding="utf-8")
        assert said[name] in (folder / "LICENSE").read_text(encoding="utf-8")
        assert "licence" in card
        assert ("phq9" if name == "students" else "Monographs, 48") in card


def test_the_pupils_are_those_of_the_reference_data(shared: Path) -> None:
    pupils = load_example("holzinger_swineford")
    rows = records(shared / "data" / "holzinger_swineford" / "holzinger_swineford.csv")
    assert pupils.person.tolist() == [row["id"] for row in rows]
    for name in (*(f"x{j}" for j in range(1, 10)), "ageyr", "agemo", "grade"):
        values = [float(row[name] or "nan") for row in rows]
        np.testing.assert_array_equal(pupils.variables[name], values)
    for name in ("school", "sex"):
        levels = pupils.variable(name).levels
        assert [levels[code] for code in pupils.variables[name]] == [row[name] for row in rows]
    assert [event.rule for event in pupils.ledger] == ["read"]


def test_an_unknown_example_is_named_with_the_nearest() -> None:
    with pytest.raises(DataError, match="there is no example 'student'\n  Did you mean 'students'"):
        load_example("student")
    with pytest.raises(DataError, match="Known: holzinger_swineford, students"):
        example_path("..")
