"""Reading answers: what comes out is what the file says, and everything that happened is counted."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medpsy.errors import DataError, SpecError
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.read import from_frame, read_survey
from medpsy.survey.survey import Survey

PHQ = Module("phq", ("phq1", "phq2"), (0, 1, 2, 3), reverse=("phq2",))
LIFE = Module("life", ("life1",), (1, 2, 5), polarity=-1)
SEX = Variable("sex", "category", ("m", "f"))
AGE = Variable("age", minimum=16, maximum=60)
ASKED = Instrument((PHQ, LIFE), (SEX, AGE), "rid", ("NA", "-9"))
TEXT = "rid,sex,age,phq1,phq2,life1\na,m,19,0,0,1\nb,f,20.5,3,1,5\nc,,NA,-9,NA,2\n"


def read(folder: Path, text: str | bytes, asked: Instrument = ASKED, **options: str) -> Survey:
    path = folder / "answers.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_survey(path, asked, **options)


def events(survey: Survey) -> dict[str, tuple[int, int, tuple[str, ...]]]:
    return {event.rule: (event.before, event.after, event.places) for event in survey.ledger}


def assert_expected(survey: Survey) -> None:
    assert survey.person.tolist() == ["a", "b", "c"]
    assert survey.codes.dtype == np.int8
    assert survey.codes.tolist() == [[0, 3, 2], [3, 2, 0], [-1, -1, 1]]
    assert survey.variables["sex"].tolist() == [0, 1, -1]
    assert survey.variables["age"][:2].tolist() == [19.0, 20.5]
    assert math.isnan(survey.variables["age"][2])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_line_ends_and_byte_order_marks(
    tmp_path: Path, separator: str, newline: str, mark: str
) -> None:
    text = mark + TEXT.replace(",", separator).replace("\n", newline)
    survey = read(tmp_path, text)
    assert_expected(survey)
    assert events(survey) == {"read": (3, 3, ()), "turned": (5, 5, ("phq2", "life1"))}
    assert_expected(read(tmp_path, text.rstrip("\r\n")))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252", "gb18030", "utf-8"])
def test_other_encodings_on_request(tmp_path: Path, encoding: str) -> None:
    assert_expected(read(tmp_path, TEXT.encode(encoding), encoding=encoding))


def test_names_in_any_script(tmp_path: Path) -> None:
    asked = Instrument((Module("m", ("题1", "题2"), (1, 2)),), person="学号")
    text = "学号,题1,题2\n张,1,2\n"
    assert read(tmp_path, text.encode("gb18030"), asked, encoding="gb18030").person.tolist() == ["张"]
    assert read(tmp_path, text, asked).codes.tolist() == [[0, 1]]


def test_quotes_spaces_and_column_order_do_not_matter(tmp_path: Path) -> None:
    survey = read(
        tmp_path,
        'life1, phq2 ,"phq1",age,"sex",rid\n1,0,"0", 19 ,m,a\n5,1,3,20.5,"f"," b"\n2,NA,-9,NA,,c\n',
    )
    assert_expected(survey)


def test_the_separator_is_the_one_that_finds_the_columns(tmp_path: Path) -> None:
    asked = Instrument((Module("m", ("a;b", "c"), (0, 1)),))
    assert read(tmp_path, '"a;b",c\n0,1\n', asked).codes.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("text", "code"),
    [("3", 3), ("3.0", 3), ("03", 3), ("+3", 3), ("3.", 3), (" 3 ", 3), ("", -1), ("-9.0", -1)],
)
def test_ways_to_write_a_code(tmp_path: Path, text: str, code: int) -> None:
    survey = read(tmp_path, f"rid,sex,age,phq1,phq2,life1\na,m,19,{text},0,1\n")
    assert survey.codes[0, 0] == code


@pytest.mark.parametrize("text", ["3.5", "abc", "1_0", "٣", "1,5", "0x1", "1e999", "nan", "--1", "3 3", "−1"])
def test_what_is_no_code_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, f'rid,sex,age,phq1,phq2,life1\na,m,19,0,0,1\nb,m,19,0,"{text}",1\n')
    assert caught.value.message == f"row 2 (line 3), item phq2: '{text}' is no code; codes are 0,1,2,3"
    assert ("point" if text == "1,5" else "list the text under `missing`") in caught.value.hint
    assert str(tmp_path / "answers.csv") in str(caught.value)


def test_many_unreadable_cells_are_listed_ten_at_a_time_in_row_order(tmp_path: Path) -> None:
    rows = "".join(f"p{k},m,19,x,0,y\n" for k in range(8))
    with pytest.raises(DataError) as caught:
        read(tmp_path, "rid,sex,age,phq1,phq2,life1\n" + rows)
    message = caught.value.message
    assert message.startswith("16 cells cannot be read: row 1 (line 2), item phq1: 'x' is no code")
    assert "; row 1 (line 2), item life1: 'y' is no code; codes are 1,2,5; row 2 (line 3)" in message
    assert message.endswith(" and 6 more")
    assert message.count("(line") == 10


def test_answers_out_of_range_become_missing_and_are_counted(tmp_path: Path) -> None:
    text = TEXT + "d,m,12,4,0,3\ne,f,61,0,-1,99999999999999999999999\n"
    survey = read(tmp_path, text)
    assert survey.codes[3:].tolist() == [[-1, 3, -1], [0, -1, -1]]
    assert np.isnan(survey.variables["age"][3:]).all()
    before, after, places = events(survey)["out_of_range"]
    assert (before, after) == (21, 15)
    assert places == (
        "row 4 age=12",
        "row 4 phq1=4",
        "row 4 life1=3",
        "row 5 age=61",
        "row 5 phq2=-1",
        "row 5 life1=99999999999999999999999",
    )


def test_answers_out_of_range_are_refused_on_request(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, TEXT + "d,m,19,4,0,1\n", out_of_range="refuse")
    assert caught.value.message == "1 answer is outside the instrument: row 4 (line 5) phq1=4"
    assert "out_of_range='missing'" in caught.value.hint
    rows = "".join(f"p{k},m,19,7,0,1\n" for k in range(13))
    with pytest.raises(DataError, match=r"13 answers are outside .* row 10 \(line 11\) phq1=7 and 3 more"):
        read(tmp_path, "rid,sex,age,phq1,phq2,life1\n" + rows, out_of_range="refuse")
    with pytest.raises(SpecError, match="out_of_range='refused' is unknown\n  Did you mean 'refuse'"):
        read(tmp_path, TEXT, out_of_range="refused")


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_become_missing_and_are_counted(tmp_path: Path, text: str) -> None:
    survey = read(tmp_path, TEXT + f"d,m,{text},0,0,1\n")
    assert math.isnan(survey.variables["age"][3])
    assert events(survey)["not_finite"] == (16, 15, (f"row 4 age={text}",))


def test_range_ends_are_possible_and_minus_zero_is_zero(tmp_path: Path) -> None:
    asked = Instrument((), (Variable("x", minimum=-1, maximum=1),))
    values = read(tmp_path, "x\n-1\n1\n-0.0\n1e-3\n.5\n", asked).variables["x"]
    assert values.tolist() == [-1.0, 1.0, 0.0, 0.001, 0.5]
    assert not np.signbit(values[2])


@pytest.mark.parametrize(
    ("row", "message", "cure"),
    [
        ("d,w,19,0,0,1", "row 4 (line 5), variable sex: 'w' is no level; levels are m,f", "Known: f, m."),
        ("d,M,19,0,0,1", "row 4 (line 5), variable sex: 'M' is no level; levels are m,f", "list the text"),
        ("d,m,old,0,0,1", "row 4 (line 5), variable age: 'old' is no number", "list the text"),
        ('d,m,"19,5",0,0,1', "row 4 (line 5), variable age: '19,5' is no number", "with a point"),
        ("d,m,1_9,0,0,1", "row 4 (line 5), variable age: '1_9' is no number", "list the text"),
    ],
)
def test_variables_that_cannot_be_read(tmp_path: Path, row: str, message: str, cure: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, TEXT + row + "\n")
    assert caught.value.message == message
    assert cure in caught.value.hint


def test_levels_exported_as_decimals(tmp_path: Path) -> None:
    asked = Instrument((), (Variable("arm", "category", ("0", "1")), Variable("x")), missing=("9",))
    survey = read(tmp_path, "arm,x\n1.0,1\n0,2\n9.0,3\n,4\n", asked)
    assert survey.variables["arm"].tolist() == [1, 0, -1, -1]


def test_blank_rows_are_counted_and_named(tmp_path: Path) -> None:
    head, *rows = TEXT.splitlines()
    survey = read(tmp_path, "\n".join(["", head, rows[0], "", "   ", rows[1], ",,,,,", rows[2], "", ""]))
    assert_expected(survey)
    assert events(survey)["read"][:2] == (8, 8)
    assert events(survey)["blank_rows"] == (8, 3, ("line 1", "line 4", "line 5", "line 7", "line 9"))


def test_lines_are_those_of_the_file_behind_blank_rows_and_quoted_line_ends(tmp_path: Path) -> None:
    head, *rows = TEXT.splitlines()
    text = "\n".join([head, '"a\nb",m,19,0,0,1', "", rows[1], "d,m,19,zz,0,1"])
    with pytest.raises(DataError, match=r"row 3 \(line 6\), item phq1: 'zz'"):
        read(tmp_path, text)


def test_without_a_person_column_persons_are_numbered_and_empty_rows_stay(tmp_path: Path) -> None:
    asked = Instrument((PHQ,))
    survey = read(tmp_path, "phq1,phq2\n0,1\n,\n\n3,3\n", asked)
    assert survey.person.tolist() == ["1", "2", "3"]
    assert survey.codes.tolist() == [[0, 2], [-1, -1], [3, 0]]
    assert events(survey)["blank_rows"] == (4, 3, ("line 4",))
    assert events(survey)["empty_rows"] == (3, 3, ("row 2",))


def test_persons_without_any_answer_are_kept(tmp_path: Path) -> None:
    survey = read(tmp_path, TEXT + "d,,,,,\n")
    assert survey.person.tolist() == ["a", "b", "c", "d"]
    assert survey.codes[3].tolist() == [-1, -1, -1]


def test_columns_that_are_not_read_are_named(tmp_path: Path) -> None:
    survey = read(tmp_path, ",rid,sex,age,phq1,phq2,life1,time,\n1,a,m,19,0,0,1,12:30,\n")
    (event,) = [event for event in survey.ledger if event.rule == "columns_not_read"]
    assert event.places == ("column 1, unnamed", "time", "column 9, unnamed")
    assert event.text.startswith("columns not in the instrument are not read: column 1, unnamed, time")
    assert (event.before, event.after) == (1, 1)


def test_a_frame_goes_through_the_same_rules(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "rid": ["a", "b", "c"],
            "sex": pd.Categorical(["m", "f", None]),
            "age": [19.0, 20.5, None],
            "phq1": [0.0, 3.0, math.nan],
            "phq2": pd.array([0, 1, None], dtype="Int64"),
            "life1": [1, 5, 2],
            7: ["x", "y", "z"],
        },
        index=[10, 20, 30],
    )
    survey = from_frame(frame, ASKED)
    assert_expected(survey)
    assert survey.fingerprint == read(tmp_path, TEXT).fingerprint
    assert events(survey)["columns_not_read"][2] == ("7",)
    frame.loc[20, "phq1"] = 9
    assert events(from_frame(frame, ASKED))["out_of_range"][2] == ("row 2 phq1=9",)
    with pytest.raises(DataError, match="row 2 phq1=9"):
        from_frame(frame, ASKED, out_of_range="refuse")
    frame["phq1"] = ["0", "few", True]
    with pytest.raises(DataError, match="2 cells cannot be read: row 2, item phq1: 'few' is no code"):
        from_frame(frame, ASKED)


def test_frames_that_cannot_be_used(tmp_path: Path) -> None:
    frame = pd.DataFrame([[1, 0, 0]], columns=["rid", "phq1", "phq2"])
    asked = Instrument((PHQ,), person="rid")
    with pytest.raises(DataError, match="dict is no pandas DataFrame"):
        from_frame({"phq1": [0]}, asked)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no rows"):
        from_frame(frame.iloc[:0], asked)
    with pytest.raises(DataError, match="there is no column 'phq2'"):
        from_frame(frame[["rid", "phq1"]], asked)
    with pytest.raises(DataError, match="column 'phq1' stands twice"):
        from_frame(frame.set_axis(["rid", "phq1", "phq1"], axis=1), asked)
    with pytest.raises(DataError, match="all rows are blank"):
        from_frame(pd.DataFrame({"rid": [None], "phq1": [None], "phq2": [None]}), asked)
