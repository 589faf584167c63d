"""Neuroticism of the bfi data: 2800 persons, five items, six categories, some answers missing.

Revelle, Wilt & Rosenthal (2010), in Handbook of Individual Differences in Cognition; R package psychTools.
"""

from __future__ import annotations

import numpy as np

from benchmarks.problem import DATA, Absent, Problem

ORDER = 2
TITLE = "bfi neuroticism, 2800 persons x 5 items, 6 categories, missing answers"
RUNS = {"medpsy_pymc": 3, "pymc_persons": 2, "stan_persons": 2}


def problem() -> Problem:
    """Items N1 to N5, from 1 to 6; persons without any answer to them stay."""
    import pandas as pd

    path = DATA / "bfi" / "bfi.csv"
    if not path.exists():
        raise Absent("the bfi data are not beside this checkout")
    items = tuple(f"N{j}" for j in range(1, 6))
    answers = np.array(pd.read_csv(path)[list(items)], dtype=float) - 1.0
    return Problem("bfi_neuroticism", TITLE, "graded", (("neuroticism", items),), False, 6, answers)
