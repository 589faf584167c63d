"""Items of which hardly anything is left but their construct: Heywood cases, with their probability."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medpsy.bind import local
from medpsy.diagnostics.base import CheckResult, listed
from medpsy.diagnostics.evidence import Evidence
from medpsy.latent.base import system, total_sd
from medpsy.ops import Numpy

#: A residual variance below this share of the item's variance counts as none, and at which probability it
#: is reported.
NOTHING, LIKELY = 0.02, 0.05


class Heywood:
    """Informs about continuous items whose residual variance is next to nothing.

    Variances cannot be negative here, so that what maximum likelihood shows as a negative variance (Heywood,
    1931, doi:10.1098/rspa.1931.0162) is a posterior that leans on zero.
    """

    name = "heywood"
    code = "HEY-01"
    order = 145

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One finding; the value is the largest probability of a residual variance below 2 %."""
        found = dict(_shares(evidence))
        if not found:
            return ()
        chance = {item: float((share < NOTHING).mean()) for item, share in found.items()}
        worst = max(chance, key=lambda item: chance[item])
        likely = [item for item, p in chance.items() if p > LIKELY]
        if not likely:
            text = (
                f"every item keeps variance of its own; P(residual below 2 %) is largest for {worst}, "
                f"{chance[worst]:.2f}"
            )
            return (CheckResult(self.name, self.code, True, chance[worst], LIKELY, text),)
        told = listed([f"{item} ({chance[item]:.2f})" for item in likely])
        text = f"Heywood case: probably less than 2 % of its variance is left of {told} (probability)"
        cure = (
            "Look for an item that repeats another, a construct with two items, or too small a sample; a "
            "model with fewer constructs or equal loadings may do."
        )
        return (CheckResult(self.name, self.code, None, chance[worst], LIKELY, text, cure),)


def _shares(evidence: Evidence) -> Iterator[tuple[str, np.ndarray]]:
    """Residual share of the variance (chain, draw) of every continuous item."""
    data, values = evidence.result.data, evidence.result.values()
    if data.groups is not None or data.cells is not None:
        return
    layout = data.layout
    if not data.model.spec.linear and not any(not block.n_categories for block in data.blocks):
        return
    eq = data.model.structure.equations(values, layout, Numpy)
    mean, chol = system(eq, layout, Numpy)
    total = total_sd(mean, chol, layout, values)
    for block in data.blocks:
        roles = local(data, block, values)
        if block.n_categories or "residual_sd" not in roles or "loading" not in roles:
            continue
        true = (roles["loading"] * total[..., [layout.factors[block.factor]]]) ** 2
        share = roles["residual_sd"] ** 2 / (true + roles["residual_sd"] ** 2)
        yield from zip(block.construct.items, np.moveaxis(share, -1, 0), strict=True)
    items = {path.target for path in data.model.spec.paths if path.measured}
    sd = np.broadcast_to(eq.d, total.shape)
    for at, name in enumerate(layout.nodes):
        if name in items and sd[..., at].std() > 0:
            yield name, (sd[..., at] / total[..., at]) ** 2


CHECK = Heywood()
