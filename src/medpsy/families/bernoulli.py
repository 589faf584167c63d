"""Two-parameter logistic model (Birnbaum, 1968): the graded response model with two categories.

P(Y = 1 | theta) = logistic(slope * theta + intercept), intercept = -threshold.
"""

from __future__ import annotations

from medpsy.families.graded import GradedResponse


class Bernoulli(GradedResponse):
    """The family ``bernoulli``: answers coded 0 and 1."""

    name = "bernoulli"
    max_categories = 2
    formula = "P({item} = 1) = logistic(slope * {name} - threshold)"
    reference = (
        "Birnbaum, A. (1968). Some latent trait models and their use in inferring an examinee's "
        "ability. In Lord & Novick, Statistical theories of mental test scores (two-parameter "
        "logistic model)"
    )


FAMILY = Bernoulli()
