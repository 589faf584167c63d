"""Simple mediation: exposure -> mediator -> outcome (Baron & Kenny, 1986, doi:10.1037/0022-3514.51.6.1173).

mediator ~ a*exposure; outcome ~ b*mediator + c*exposure; indirect a*b, direct c, total a*b + c.
"""

from __future__ import annotations

from medpsy.errors import SpecError
from medpsy.spec.model_spec import Design


class SimpleMediation:
    """One mediator."""

    name = "simple"

    def stages(self, design: Design) -> tuple[int, ...]:
        """One stage of one mediator."""
        if len(design.mediators) != 1:
            raise SpecError(
                f"the design 'simple' takes one mediator, not {len(design.mediators)}",
                hint="Use 'parallel' for mediators beside each other, 'serial' for a chain.",
            )
        return (1,)


DESIGN = SimpleMediation()
