"""Screening: who leaves, under which rule, and that every exclusion is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pytest

from medpsy.errors import DataError, SpecError
from medpsy.screening.incomplete_variables import RequireVariables
from medpsy.screening.missing import MissingShare
from medpsy.screening.rule import Rule, registered
from medpsy.screening.screen import screen
from medpsy.survey.examples import load_example
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.survey import Event, Survey


def survey(missing: list[int], n_items: int = 26, **variables: list[float]) -> Survey:
    """One person per entry, with so many answers missing."""
    items = tuple(f"q{j}" for j in range(n_items))
    declared = tuple(
        Variable(name, "category", ("a", "b")) if name == "sex" else Variable(name) for name in variables
    )
    codes = np.array([[-1] * k + [1] * (n_items - k) for k in missing], np.int8)
    return Survey(
        Instrument((Module("m", items, (0, 1)),), declared),
        np.array([f"p{k}" for k in range(len(missing))]),
        codes,
        {name: np.array(values) for name, values in variables.items()},
        (Event("read", "rows", "persons", len(missing), len(missing)),),
    )


@pytest.mark.parametrize(
    ("n_items", "limit", "kept", "out"),
    [
        (26, 0.10, 2, 3),
        (20, 0.10, 2, 3),
        (30, 0.10, 3, 4),
        (70, 0.10, 7, 8),
        (100, 0.29, 29, 30),
        (10, 0.0, 0, 1),
        (10, 0.05, 0, 1),
        (3, 1 / 3, 0, 1),
    ],
)
def test_the_limit_is_strict_and_exact(n_items: int, limit: float, kept: int, out: int) -> None:
    flags = MissingShare(limit).flags(survey([0, kept, out, n_items], n_items))
    assert flags.tolist() == [False, False, True, True]


def test_nobody_leaves_under_a_limit_of_one() -> None:
    assert not MissingShare(1).flags(survey([26, 0])).any()


def test_the_share_may_be_of_some_items_only() -> None:
    answers = survey([3, 0])
    assert MissingShare(0.10, ("q0", "q1", "q2")).flags(answers).tolist() == [True, False]
    assert MissingShare(0.10, tuple(f"q{j}" for j in range(3, 26))).flags(answers).tolist() == [False, False]
    with pytest.raises(DataError, match="no item 'q99'"):
        MissingShare(0.10, ("q99",)).flags(answers)


def test_the_default_is_ten_percent_and_the_flow_counts_it() -> None:
    answers = survey([0, 2, 3, 26])
    result = screen(answers)
    assert result.survey.person.tolist() == ["p0", "p1"]
    assert result.survey.codes.shape == (2, 26)
    assert result.flow == result.survey.ledger
    assert result.flow[0] == answers.ledger[0]
    assert result.flow[1] == Event(
        rule="max_missing",
        text="more than 10 % of all items without an answer",
        unit="persons",
        before=4,
        after=2,
        only=2,
        places=("person p2", "person p3"),
    )


def test_overlaps_are_counted_per_rule() -> None:
    answers = survey([0, 9, 9, 0, 0], sex=[0, 1, -1, -1, 1], age=[20.0, 21.0, 22.0, np.nan, np.nan])
    rules = (MissingShare(), RequireVariables(("sex",)), RequireVariables(["age"]))
    result = screen(answers, rules)
    assert result.survey.person.tolist() == ["p0"]
    assert [(e.before, e.after, e.only) for e in result.flow[1:]] == [(5, 3, 1), (3, 2, 0), (2, 1, 1)]
    assert [e.places for e in result.flow[1:]] == [("person p1", "person p2"), ("person p3",), ("person p4",)]
    assert result.flow[2].text == "no value for sex (1 more had left before)"
    assert result.flow[3].text == "no value for age (1 more had left before)"
    backwards = screen(answers, rules[::-1])
    assert backwards.survey.person.tolist() == ["p0"]
    assert sorted(e.only for e in backwards.flow[1:]) == [0, 1, 1]


def test_the_table_shows_the_flow() -> None:
    table = screen(
        survey([0, 3, 0], sex=[0, 0, -1]), {"max_missing": 0.1, "require_variables": ["sex"]}
    ).table()
    assert list(table.columns) == [
        "rule",
        "text",
        "unit",
        "before",
        "after",
        "removed",
        "only_this_rule",
        "places",
    ]
    assert table["rule"].tolist() == ["read", "max_missing", "require_variables"]
    assert table["removed"].tolist() == [0, 1, 1]
    assert table["only_this_rule"].isna().tolist() == [True, False, False]
    assert table["only_this_rule"].tolist()[1:] == [1, 1]
    assert table["places"].tolist() == ["", "person p1", "person p2"]


def test_no_rules_remove_nobody() -> None:
    for rules in ({}, (), {"require_variables": []}):
        assert screen(survey([26, 0]), rules).survey.n_person == 2


def test_rules_from_a_mapping_equal_rules_as_objects() -> None:
    answers = survey([0, 3, 6], sex=[0, 1, -1])
    mapped = screen(answers, {"require_variables": ["sex"], "max_missing": 0.2})
    assert mapped.flow == screen(answers, [RequireVariables(("sex",)), MissingShare(0.2)]).flow
    assert mapped.survey.person.tolist() == ["p0", "p1"]


def test_the_registry_holds_every_rule_file() -> None:
    assert registered() == {"max_missing": MissingShare(), "require_variables": RequireVariables()}
    for name, rule in registered().items():
        assert isinstance(rule, Rule)
        assert rule.name == name
        assert rule.text
        assert not rule.flags(survey([0, 0])).any()


@dataclass
class Odd:
    """A rule of the user: every second person."""

    name: ClassVar[str] = "odd"
    text: str = "every second person"

    def flags(self, survey: Survey) -> np.ndarray:
        return np.arange(survey.n_person) % 2 == 1

    @classmethod
    def from_setting(cls, value: Any) -> Self:
        return cls(str(value))


def test_a_rule_of_the_user_needs_no_registration() -> None:
    assert isinstance(Odd(), Rule)
    assert screen(survey([0, 0, 0]), [Odd()]).survey.person.tolist() == ["p0", "p2"]


@pytest.mark.parametrize(
    ("rules", "message", "cure"),
    [
        ({"max_mising": 0.1}, "there is no screening rule 'max_mising'", "Did you mean 'max_missing'"),
        ({"max_missing": 10}, "max_missing is 10, not a share", "from 0 to 1"),
        ({"max_missing": "10 %"}, "max_missing is '10 %', not a share", "0.10"),
        ({"max_missing": True}, "max_missing is True, not a share", "0.10"),
        ({"max_missing": float("nan")}, "max_missing is nan, not a share", "0.10"),
        ({"require_variables": "sex"}, "require_variables is 'sex', not a list", '["sex", "age"]'),
        ({"require_variables": 3}, "require_variables is 3, not a list", '["sex", "age"]'),
        ({"require_variables": [3]}, "require_variables is [3], not a list", '["sex", "age"]'),
        (["max_missing"], "'max_missing' is no screening rule", "keys max_missing, require_variables"),
    ],
)
def test_impossible_rules_are_refused_with_their_cure(rules: Any, message: str, cure: str) -> None:
    with pytest.raises(SpecError) as caught:
        screen(survey([0]), rules)
    assert message in caught.value.message
    assert cure in caught.value.hint


def test_a_rule_that_returns_something_else_is_named() -> None:
    class Wrong(Odd):
        def flags(self, survey: Survey) -> np.ndarray:
            return np.zeros(1, int)

    with pytest.raises(SpecError, match=r"rule 'odd' returned int64 of shape \(1,\)\n  .* shape \(2,\)"):
        screen(survey([0, 0]), [Wrong()])


def test_variables_that_are_not_there() -> None:
    with pytest.raises(DataError, match="no variable 'sexx' in these answers\n  Did you mean 'sex'"):
        screen(survey([0], sex=[0]), [RequireVariables(("sexx",))])
    bare = survey([0], sex=[0])
    bare.variables.clear()
    with pytest.raises(DataError, match="variable 'sex' is declared but"):
        screen(bare, [RequireVariables(("sex",))])


def test_an_empty_result_is_refused_with_the_counts() -> None:
    with pytest.raises(DataError, match=r"none of the 2 persons \(more than 10 % .*: 2\)\n  Relax the rules"):
        screen(survey([9, 9]))


def test_the_students() -> None:
    students = load_example("students")
    result = screen(students, {"max_missing": 0.10, "require_variables": ["age", "sex", "year"]})
    share = (students.codes == -1).sum(axis=1)
    assert [e.rule for e in result.flow] == ["read", "out_of_range", "max_missing", "require_variables"]
    assert [(e.before, e.after) for e in result.flow if e.unit == "persons"] == [
        (783, 783),
        (783, 783 - int((share >= 3).sum())),
        (771, 770),
    ]
    assert result.flow[-1].places == ("person 504",)
    assert ((result.survey.codes == -1).sum(axis=1) <= 2).all()
