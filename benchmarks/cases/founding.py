"""The founding case: 321 students, 26 items in three modules, mental health -> meaning -> mission."""

from __future__ import annotations

from benchmarks.cases import mission_answers
from benchmarks.problem import Problem

ORDER = 3
TITLE = "Founding case, 321 persons x 26 items, three graded factors, mediation"
RUNS = {"medpsy_pymc": 3, "pymc_persons": 3, "stan_persons": 3}


def problem() -> Problem:
    """The simulated survey of models/mission.toml, its measurement model and mediation; no covariate."""
    factors, answers = mission_answers()
    return Problem("founding", TITLE, "graded", factors, True, 5, answers)
