"""Industrialisation and political democracy (Bollen, 1989): 75 countries, three factors, three paths.

Without the six residual covariances of the textbook model, for every contestant alike.
"""

from __future__ import annotations

import numpy as np

from benchmarks.problem import DATA, Absent, Problem

ORDER = 5
TITLE = "Political democracy, 75 countries x 11 continuous items, paths between three factors"


def problem() -> Problem:
    """Items x1 to x3 and y1 to y8 as in lavaan's example."""
    import pandas as pd

    path = DATA / "political_democracy" / "political_democracy.csv"
    if not path.exists():
        raise Absent("the data on political democracy are not beside this checkout")
    factors = (
        ("ind60", ("x1", "x2", "x3")),
        ("dem60", ("y1", "y2", "y3", "y4")),
        ("dem65", ("y5", "y6", "y7", "y8")),
    )
    items = [item for _, own in factors for item in own]
    answers = np.array(pd.read_csv(path)[items], dtype=float)
    return Problem("political_democracy", TITLE, "gaussian", factors, True, 0, answers)
