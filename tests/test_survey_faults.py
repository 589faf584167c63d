"""Files that cannot be read: each fault is named with its place and its cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from medpsy.errors import DataError
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.read import read_survey

ASKED = Instrument(
    (Module("gad", ("gad1", "gad2"), (0, 1, 2, 3)),), (Variable("sex", "category", ("m", "f")),), "rid"
)
HEAD = "rid,sex,gad1,gad2\n"

FAULTS = [
    ("empty", b"", "the file is empty", "header line", None),
    ("blank", b"\n \n\n", "the file is empty", "header line", None),
    ("mark only", b"\xef\xbb\xbf", "the file is empty", "header line", None),
    ("header only", HEAD.encode(), "a header but no rows", "one row per person", None),
    ("only blank rows", f"{HEAD},,,\n\n".encode(), "all rows are blank", "one row per person", None),
    ("latin", HEAD.encode() + b"\xe9,m,0,1\n", "byte 0xe9 at offset 18 is not UTF-8", "cp1252", 2),
    ("utf-16", HEAD.encode("utf-16"), "UTF-16, not UTF-8", "encoding='utf-16'", None),
    ("nul", f"{HEAD}a,m,\0,1\n".encode(), "NUL byte at character 22", "UTF-8", 2),
    ("short row", f"{HEAD}a,m,0,1\nb,m,0\n".encode(), "3 fields where the header has 4", "quotes", 3),
    ("long row", f"{HEAD}a,m,0,1,2\n".encode(), "5 fields where the header has 4", "too many", 2),
    ("one field", f"{HEAD}a\n".encode(), "1 field where", "separator", 2),
    ("open quote", f'{HEAD}a,m,0,1\nb,m,"0,1\nc,m,0,1\n'.encode(), "is broken", "Close every quote", 3),
    ("after quote", f'{HEAD}"a"b,m,0,1\n'.encode(), "is broken", "Close every quote", 2),
    ("huge cell", HEAD.encode() + b"x" * 200_000 + b",m,0,1\n", "is broken: field larger", "quote", 2),
    (
        "column twice",
        b"rid,sex,gad1,gad2,gad1\na,m,0,1,2\n",
        "column 'gad1' stands twice in the header, as columns 3 and 5",
        "Rename",
        1,
    ),
    ("missing column", b"rid,sex,gad1,gad_2\na,m,0,1\n", "there is no column 'gad2'", "'gad_2'", None),
    ("case", b"rid,sex,gad1,GAD2\na,m,0,1\n", "there is no column 'gad2'", "Upper and lower case", None),
    ("narrow", b"rid,sex\na,m\n", "there is no column 'gad1', 'gad2'", "Add it to the file", None),
    ("no person", b"id,sex,gad1,gad2\na,m,0,1\n", "there is no column 'rid'", "Did you mean 'id'", None),
    ("no header", b"a,m,0,1\nb,f,1,1\n", "there is no column 'rid', 'sex', ", "does it have a header", None),
    ("bar", b"rid|sex|gad1|gad2\na|m|0|1\n", "there is no column 'rid'", "right file", None),
    (
        "person twice",
        f"{HEAD}a,m,0,1\nb,f,0,1\na,f,1,1\nb,f,1,1\n".encode(),
        "'a' in row 1 (line 2), row 3 (line 4); 'b' in row 2 (line 3), row 4 (line 5)",
        "one row per person",
        None,
    ),
    (
        "no identifier",
        f"{HEAD}a,m,0,1\n ,f,0,1\n".encode(),
        "no person identifier in column 'rid': row 2 (line 3)",
        "declare no person column",
        None,
    ),
]


@pytest.mark.parametrize(
    ("data", "message", "cure", "line"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_a_fault_is_named_with_its_place_and_cure(
    tmp_path: Path, data: bytes, message: str, cure: str, line: int | None
) -> None:
    path = tmp_path / "answers.csv"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_survey(path, ASKED)
    error = caught.value
    assert message in error.message
    assert cure in error.hint
    assert (error.path, error.line) == (str(path), line)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: there is no such file\n  Check the path"):
        read_survey(tmp_path / "none.csv", ASKED)
    with pytest.raises(DataError, match="a folder, not a file"):
        read_survey(tmp_path, ASKED)
    with pytest.raises(DataError, match="cannot be read"):
        read_survey(f"{tmp_path}/a\0b", ASKED)


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "hex", "a\0b"])
def test_encodings_that_do_not_exist(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(f"{HEAD}a,m,0,1\n")
    with pytest.raises(DataError, match="cannot be used") as caught:
        read_survey(path, ASKED, encoding=encoding)
    assert "'cp1252'" in caught.value.hint


def test_the_wrong_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_bytes(f"{HEAD}é,m,0,1\n".encode("cp1252"))
    with pytest.raises(DataError, match="byte 0xe9 at offset 18 is not gb18030"):
        read_survey(path, ASKED, encoding="gb18030")


def test_long_lists_of_places_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(HEAD + "a,m,0,1\n" * 14)
    with pytest.raises(DataError, match=r"row 10 \(line 11\) and 4 more"):
        read_survey(path, ASKED)
    path.write_text(HEAD + "".join(f"p{k},m,0,1\n" * 2 for k in range(12)))
    with pytest.raises(DataError, match=r"'p9' in row 19 \(line 20\), row 20 \(line 21\) and 2 more"):
        read_survey(path, ASKED)
