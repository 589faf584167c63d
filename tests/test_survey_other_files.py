"""Answers in spreadsheets and SPSS files come out as from delimited text; every fault is named."""

from __future__ import annotations

import builtins
import math
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medpsy.errors import DataError
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.read import read_survey
from medpsy.survey.survey import Survey

ASKED = Instrument(
    (Module("phq", ("phq1", "phq2"), (0, 1, 2, 3), reverse=("phq2",)),),
    (Variable("sex", "category", ("man", "woman")), Variable("age", minimum=16, maximum=60)),
    "id",
    ("NA",),
)
HEADER = ["id", "sex", "age", "phq1", "phq2"]
ROWS = [["a1", "man", 19, 0, 3], ["a2", "woman", 20.5, 3, "NA"], ["a3", None, None, None, 1]]
SHEETS = ["answers.xlsx", "answers.xlsm", "answers.ods"]


def assert_expected(survey: Survey) -> None:
    assert survey.person.tolist() == ["a1", "a2", "a3"]
    assert survey.codes.tolist() == [[0, 0], [3, -1], [-1, 2]]
    assert survey.variables["sex"].tolist() == [0, 1, -1]
    assert survey.variables["age"][:2].tolist() == [19.0, 20.5]
    assert math.isnan(survey.variables["age"][2])


def events(survey: Survey) -> dict[str, Any]:
    return {event.rule: event for event in survey.ledger}


def write_sheets(path: Path, **sheets: list[list[Any]]) -> Path:
    if path.suffix == ".ods":
        return write_open_document(path, sheets)
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is an extra")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def write_open_document(path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    """As LibreOffice does: empty cells and rows at the end are written once, with their number."""
    names = ("office", "table", "text")
    spaces = " ".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for n in names)
    tables = "".join(
        f'<table:table table:name="{name}">{"".join(map(open_document_row, rows))}'
        '<table:table-row table:number-rows-repeated="1048000"><table:table-cell '
        'table:number-columns-repeated="1024"/></table:table-row></table:table>'
        for name, rows in sheets.items()
    )
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("content.xml", f"<office:document-content {spaces}>{body}</office:document-content>")
    return path


def open_document_row(row: list[Any]) -> str:
    cells = []
    for value in row:
        if value is None:
            cells.append("<table:table-cell/>")
        elif isinstance(value, str):
            kind = 'office:value-type="string"'
            cells.append(f"<table:table-cell {kind}><text:p>{value}</text:p></table:table-cell>")
        else:
            kind = f'office:value-type="float" office:value="{value}"'
            cells.append(f"<table:table-cell {kind}><text:p>shown otherwise</text:p></table:table-cell>")
    return f"<table:table-row>{''.join(cells)}<table:table-cell/></table:table-row>"


@pytest.mark.parametrize("name", SHEETS)
def test_spreadsheet_reads_as_text_does(tmp_path: Path, name: str) -> None:
    survey = read_survey(write_sheets(tmp_path / name, answers=[HEADER, *ROWS]), ASKED)
    assert_expected(survey)
    assert events(survey)["read"].text == f"rows in {name}"


@pytest.mark.parametrize("name", SHEETS)
def test_the_sheet_with_the_columns_is_found_and_blank_rows_are_counted(tmp_path: Path, name: str) -> None:
    notes = [["asked in spring", None], ["id", "what"], [1, "nothing"]]
    answers = [[None] * 5, HEADER, ROWS[0], [None] * 5, *ROWS[1:]]
    survey = read_survey(write_sheets(tmp_path / name, notes=notes, data=answers), ASKED)
    assert_expected(survey)
    assert events(survey)["read"].text == f"rows in {name}, sheet 'data'"
    assert events(survey)["blank_rows"].places == ("line 1", "line 4")


def test_impossible_cells_name_the_row_of_the_sheet(tmp_path: Path) -> None:
    path = tmp_path / "answers.xlsx"
    rows = [HEADER, ["a1", "man", 19, 0, 3], ["a2", "woman", 20, 2.5, 1]]
    with pytest.raises(DataError, match=r"row 2 \(line 3\).*phq1.*2\.5"):
        read_survey(write_sheets(path, answers=rows), ASKED)


@pytest.mark.parametrize("name", ["answers.xlsx", "answers.ods"])
def test_a_failed_formula_is_not_taken_for_no_answer(tmp_path: Path, name: str) -> None:
    rows = [HEADER, *ROWS[:2], ["a3", "man", 19, "#DIV/0!", 1]]
    with pytest.raises(DataError, match=r"row 3 \(line 4\).*phq1.*#DIV/0!"):
        read_survey(write_sheets(tmp_path / name, answers=rows), ASKED)


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([[None]], "empty"),
        ([HEADER], "header but no rows"),
        ([["id", "id"], [1, 2]], "column 'id' stands twice"),
        ([["person", *HEADER[1:]], *ROWS], "there is no column 'id'"),
    ],
)
def test_faults_of_a_spreadsheet_are_named(tmp_path: Path, rows: list[list[Any]], what: str) -> None:
    path = write_sheets(tmp_path / "answers.xlsx", answers=rows)
    with pytest.raises(DataError, match=what):
        read_survey(path, ASKED)


@pytest.mark.parametrize("name", ["answers.xlsx", "answers.ods", "answers.sav", "answers.por"])
def test_files_that_are_something_else_are_refused(tmp_path: Path, name: str) -> None:
    if not name.endswith(".ods"):
        package = "openpyxl" if name.endswith(".xlsx") else "pyreadstat"
        pytest.importorskip(package, reason=f"{package} is an extra")
    (tmp_path / name).write_text("id,sex,age,phq1,phq2\na,man,19,0,0\n")
    with pytest.raises(DataError, match="that can be read") as caught:
        read_survey(tmp_path / name, ASKED)
    assert "save it" in (caught.value.hint or "")
    with pytest.raises(DataError, match="no such file"):
        read_survey(tmp_path / f"other_{name}", ASKED)


@pytest.mark.parametrize("name", ["answers.xls", "answers.DTA", "answers.rds"])
def test_files_that_no_reader_takes_name_the_way_round(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"files are not read") as caught:
        read_survey(tmp_path / name, ASKED)
    assert "from_frame" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("a.xlsx", "openpyxl", "excel"), ("a.sav", "pyreadstat", "spss")],
)
def test_a_missing_package_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str, extra: str
) -> None:
    if package == "pyreadstat":
        (tmp_path / name).write_bytes(b"$FL2")
    else:
        write_sheets(tmp_path / name, answers=[HEADER, *ROWS])
    real = builtins.__import__

    def without(wanted: str, *more: Any, **named: Any) -> Any:
        if wanted.partition(".")[0] == package:
            raise ImportError(f"no module {package}")
        return real(wanted, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match="is not installed") as caught:
        read_survey(tmp_path / name, ASKED)
    assert f"medpsy[{extra}]" in (caught.value.hint or "")


def write_spss(path: Path, frame: pd.DataFrame, **about: Any) -> Path:
    pyreadstat = pytest.importorskip("pyreadstat", reason="pyreadstat is an extra")
    pyreadstat.write_sav(frame, path, **about)
    return path


def spss_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": ["a1", "a2", "a3"],
            "sex": [1.0, 2.0, math.nan],
            "age": [19.0, 20.5, -99.0],
            "phq1": [0.0, 3.0, math.nan],
            "phq2": [3.0, 8.0, 1.0],
        }
    )


ABOUT = {
    "variable_value_labels": {
        "sex": {1.0: "man", 2.0: "woman"},
        "phq1": {0.0: "never", 3.0: "always"},
        "phq2": {0.0: "never", 3.0: "always", 8.0: "refused"},
    },
    "missing_ranges": {"age": [{"lo": -99.0, "hi": -90.0}], "phq2": [8.0, 9.0]},
}


@pytest.mark.parametrize("name", ["answers.sav", "answers.zsav"])
def test_spss_labels_are_levels_and_declared_missing_values_are_counted(tmp_path: Path, name: str) -> None:
    path = write_spss(tmp_path / name, spss_frame(), **ABOUT, compress=name.endswith("zsav"))
    survey = read_survey(path, ASKED)
    assert_expected(survey)
    event = events(survey)["user_missing"]
    assert event.places == ("row 2 phq2=8", "row 3 age=-99")
    assert (event.before, event.after) == (13, 11)


def test_spss_codes_may_be_the_levels_too(tmp_path: Path) -> None:
    asked = Instrument(
        ASKED.modules, (Variable("sex", "category", ("1", "2")), ASKED.variables[1]), "id", ("NA",)
    )
    assert_expected(read_survey(write_spss(tmp_path / "answers.sav", spss_frame(), **ABOUT), asked))


def test_spss_portable_file(tmp_path: Path) -> None:
    pyreadstat = pytest.importorskip("pyreadstat", reason="pyreadstat is an extra")
    frame = spss_frame().replace({8.0: math.nan, -99.0: math.nan})
    frame["sex"] = ["man", "woman", ""]
    frame.columns = [name.upper() for name in frame.columns]
    pyreadstat.write_por(frame, tmp_path / "answers.por")
    asked = Instrument(
        (Module("phq", ("PHQ1", "PHQ2"), (0, 1, 2, 3), reverse=("PHQ2",)),),
        (Variable("SEX", "category", ("man", "woman")), Variable("AGE")),
        "ID",
    )
    survey = read_survey(tmp_path / "answers.por", asked)
    assert survey.codes.tolist() == [[0, 0], [3, -1], [-1, 2]]
    assert survey.variables["SEX"].tolist() == [0, 1, -1]
