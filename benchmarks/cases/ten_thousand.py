"""The founding case with 10,000 simulated persons."""

from __future__ import annotations

from benchmarks.cases import mission_answers
from benchmarks.problem import Problem

ORDER = 6
TITLE = "10,000 persons x 26 items, three graded factors, mediation"
RUNS = {"medpsy_compiled": 3, "lavaan": 3, "mirt_em": 1}


def problem() -> Problem:
    """Persons simulated from the truth of models/mission.toml."""
    factors, answers = mission_answers(10_000)
    return Problem("ten_thousand", TITLE, "graded", factors, True, 5, answers)
