"""Draws of one row of the parameter table of a linear model, as lavaan prints it: variances, covariances."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medpsy.latent.linear import LinearStructure
from medpsy.latent.linear_raw import covariance, intercepts, variances
from medpsy.result import Result
from medpsy.spec.parameters import ParameterRow

#: What is said of a prior beside its text.
ABOUT = {
    "loading": " (z-scored)", "path": " (z-scored)", "intercept": " (z-scored)",
    "residual_sd": " on the sd (z-scored)", "residual_correlation": " on (1 + r) / 2",
    "correlation": " on the correlations",
}  # fmt: skip


def linear_lines(
    result: Result, row: ParameterRow, values: dict[str, np.ndarray]
) -> Iterator[tuple[str, str, str, str, np.ndarray]]:
    """(lhs, rhs, label, prior, draws) of every line that a row stands for, raw units; op is the row's."""
    layout, structure = result.data.layout, result.model.structure
    assert isinstance(structure, LinearStructure)
    head, _, name = row.target.partition(".")
    prior = row.note if row.prior is None else f"{row.prior}{ABOUT[head]}"
    label = row.label or ""
    lead = next(iter(values.values())).shape[:2]
    if head in ("loading", "path"):
        for i, c in enumerate(layout.coefficients):
            if (c.path.source, c.path.target) == (row.lhs, row.rhs) and head == "loading" and c.path.measured:
                yield row.lhs, row.rhs, label, prior, values["coefficient"][..., i]
            elif head == "path" and not c.path.measured and c.path.key == name:
                yield row.lhs, layout.term(c), label, prior, values["coefficient"][..., i]
        return
    pairs = [(row.lhs, row.rhs, label)]
    if head == "correlation":
        groups = [{layout.nodes[i] for i in clique} for clique in layout.cliques]
        said = [c for c in result.model.spec.covariances if c.left != c.right]
        pairs = [
            (c.left, c.right, c.label or "") for c in said if any({c.left, c.right} <= g for g in groups)
        ]
    linear = result.model.spec.linear
    fixed = {} if linear is None else {i.target: i.value for i in linear.intercepts if i.value is not None}
    for left, right, own in pairs:
        draws: np.ndarray | float
        if head == "intercept" and left in fixed:
            draws = fixed[left]  # through z-scores and back it would be off by a rounding error
        elif head == "intercept":
            draws = intercepts(structure, values, layout)[..., layout.nodes.index(left)]
        elif head == "residual_sd":
            draws = variances(structure, values, layout)[..., layout.nodes.index(left)]
        else:
            draws = covariance(structure, values, layout, left, right)
        yield left, right, own, prior, np.broadcast_to(draws, lead)
