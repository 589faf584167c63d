"""Whether answers can carry a model."""

from __future__ import annotations

import numpy as np
import pytest

from medpsy.errors import DataError
from medpsy.survey.instrument import Instrument, Module
from medpsy.survey.survey import Survey
from medpsy.survey.usable import check_usable, warn_unusable

GAD = Module("gad", ("gad1", "gad2", "gad3"), (0, 1, 2), ("never", "some days", "daily"), reverse=("gad2",))
PHQ = Module("phq", ("phq1", "phq2"), (0, 1))
ASKED = Instrument((GAD, PHQ))


def survey(*rows: list[int]) -> Survey:
    return Survey(ASKED, np.array([str(k) for k in range(len(rows))]), np.array(rows, np.int8))


def test_usable_answers_pass() -> None:
    good = survey(*([k % 3, 0, 2, k % 2, 1] for k in range(6)))
    assert warn_unusable(good, ASKED.items) == []
    check_usable(good, ASKED.items)


def test_an_item_without_any_answer_is_named() -> None:
    poor = survey(*([k % 3, 0, -1, k % 2, 1] for k in range(6)))
    with pytest.raises(DataError, match="item gad3 has no answer at all: leave it out of the model"):
        check_usable(poor, ASKED.items)
    assert warn_unusable(poor, ("gad1", "gad2", "phq1")) == []


def test_a_module_with_one_category_in_use_is_named_in_the_words_of_the_file() -> None:
    poor = survey(*([2, 0, 2, k % 2, 1] for k in range(6)))
    (problem,) = warn_unusable(poor, ASKED.items)
    assert problem.startswith("module gad: only one answer category in use ('daily')")
    assert problem.endswith("leave it out of the model")


def test_an_unanswered_module_is_reported_item_by_item_only() -> None:
    poor = survey(*([k % 3, 0, 1, -1, -1] for k in range(6)))
    assert [problem.split()[1] for problem in warn_unusable(poor, ASKED.items)] == ["phq1", "phq2"]


def test_fewer_persons_than_items_and_all_problems_at_once() -> None:
    poor = survey([0, 0, -1, 1, 1], [0, 1, -1, 0, 1])
    with pytest.raises(DataError) as caught:
        check_usable(poor, ASKED.items)
    assert "item gad3 has no answer" in str(caught.value)
    assert "2 persons answered 5 items" in str(caught.value)
    assert "use fewer items" in str(caught.value)
    five = survey(*([k % 3, 0, 1, k % 2, 1] for k in range(5)))
    assert warn_unusable(five, ASKED.items) == []


def test_an_unknown_item_is_named() -> None:
    with pytest.raises(DataError, match="Did you mean 'gad3'"):
        warn_unusable(survey([0, 0, 0, 0, 0]), ("gad33",))
