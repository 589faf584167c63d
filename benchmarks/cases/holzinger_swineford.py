"""Confirmatory factor analysis of Holzinger & Swineford (1939): 301 pupils, nine tests, three factors."""

from __future__ import annotations

import numpy as np

from benchmarks.problem import DATA, Absent, Problem

ORDER = 4
TITLE = "Holzinger & Swineford, 301 persons x 9 continuous items, three factors"


def problem() -> Problem:
    """Items x1 to x9 as in lavaan's example."""
    import pandas as pd

    path = DATA / "holzinger_swineford" / "holzinger_swineford.csv"
    if not path.exists():
        raise Absent("the data of Holzinger and Swineford are not beside this checkout")
    names = [f"x{j}" for j in range(1, 10)]
    answers = np.array(pd.read_csv(path)[names], dtype=float)
    factors = tuple(
        (factor, tuple(names[3 * i : 3 * i + 3])) for i, factor in enumerate(("visual", "textual", "speed"))
    )
    return Problem("holzinger_swineford", TITLE, "gaussian", factors, False, 0, answers)
