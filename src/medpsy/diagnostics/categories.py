"""Answer categories that nobody used."""

from __future__ import annotations

from medpsy.diagnostics.base import CheckResult, listed
from medpsy.diagnostics.evidence import Evidence


class Categories:
    """Informs that the thresholds beside an unused category come from the prior.

    The category is kept: dropping it would change the scale for the next sample.
    """

    name = "empty categories"
    code = "CAT-03"
    order = 130

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One finding where there are categorical items; the value is the number of empty categories."""
        blocks = [block for block in evidence.result.data.blocks if block.n_categories]
        if not blocks:
            return ()
        empty = [
            f"{item} '{block.labels[j][k]}'"
            for block in blocks
            for j, item in enumerate(block.construct.items)
            for k in range(block.sizes[j])
            if not (block.values[:, j] == k).any()
        ]
        if not empty:
            text = "every category of every item was used"
            return (CheckResult(self.name, self.code, True, 0.0, 0.0, text),)
        text = f"nobody chose {listed(empty)}: the thresholds beside it are driven by the prior"
        cure = "Say so where these thresholds are reported; do not read them as results."
        return (CheckResult(self.name, self.code, None, float(len(empty)), 0.0, text, cure),)


CHECK = Categories()
