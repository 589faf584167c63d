"""The founding case with 1,000,000 simulated persons."""

from __future__ import annotations

from benchmarks.cases import mission_answers
from benchmarks.problem import Problem

ORDER = 7
TITLE = "1,000,000 persons x 26 items, three graded factors, mediation"
RUNS = {"medpsy_compiled": 1}
LIMITS = {"medpsy_compiled": 3600}


def problem() -> Problem:
    """Persons simulated from the truth of models/mission.toml."""
    factors, answers = mission_answers(1_000_000)
    return Problem("million", TITLE, "graded", factors, True, 5, answers)
