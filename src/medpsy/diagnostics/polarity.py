"""Items that run against their construct."""

from __future__ import annotations

import numpy as np

from medpsy.bind import local
from medpsy.diagnostics.base import CheckResult
from medpsy.diagnostics.evidence import Evidence

#: Roles that carry the direction of an item.
DIRECTIONS = ("slope", "loading")


class Polarity:
    """Informs about slopes that are more probably negative than positive.

    The first item of a construct anchors its direction. Where most of the others run against it, it is the
    first item that looks reversed. Constructs with positive slopes only are not asked.
    """

    name = "polarity"
    code = "POL-01"
    order = 140

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One finding; the value is the largest probability of a negative slope."""
        data, values = evidence.result.data, evidence.result.values()
        odd: list[str] = []
        largest = None
        for block in data.blocks:
            if block.construct.positive or len(block.construct.items) < 2:
                continue
            roles = local(data, block, values)
            slopes = next((roles[role] for role in DIRECTIONS if role in roles), None)
            if slopes is None:  # a family in which all items share one positive slope
                continue
            negative = (slopes < 0).mean(axis=(0, 1))
            largest = max(float(negative.max()), largest or 0.0)
            odd += _odd(block.name, block.construct.items, negative)
        if largest is None:
            return ()
        if not odd:
            text = "every item runs in the direction of its construct"
            return (CheckResult(self.name, self.code, True, largest, 0.5, text),)
        cure = "If the wording runs against the construct, list the item under `reverse` of its module."
        return (CheckResult(self.name, self.code, None, largest, 0.5, "; ".join(odd), cure),)


def _odd(construct: str, items: tuple[str, ...], negative: np.ndarray) -> list[str]:
    """A sentence per item that looks reversed, or about the anchor where most others do."""
    against = [j for j in range(len(items)) if negative[j] > 0.5]
    if 2 * len(against) > len(items):
        return [
            f"{items[0]} looks reverse-keyed: {len(against)} of {len(items) - 1} other items of "
            f"'{construct}' run against it"
        ]
    return [
        f"{items[j]} of '{construct}' looks reverse-keyed: P(slope < 0) = {negative[j]:.2f}" for j in against
    ]


CHECK = Polarity()
