"""Two-parameter logistic model (Birnbaum, 1968): the graded response model with two categories.

P(Y = 1 | theta) = logistic(slope * theta + intercept), intercept = -threshold.
"""

from __future__ import annotations

from medpsy.families.graded import GradedResponse


class Bernoulli(GradedResponse):
    """The family ``bernoulli``: answers coded 0 and 1."""

    name = "bernoulli"
    max_categories = 2


FAMILY = Bernoulli()
