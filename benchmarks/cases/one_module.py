"""One questionnaire module: ten symptom items of 321 students, five categories, a graded model."""

from __future__ import annotations

from benchmarks.cases import mission_answers
from benchmarks.problem import Problem

ORDER = 1
TITLE = "One module, 321 persons x 10 items, graded model"


def problem() -> Problem:
    """The first module of the simulated survey."""
    factors, answers = mission_answers()
    return Problem("one_module", TITLE, "graded", factors[:1], False, 5, answers[:, :10])
