"""Serial mediation: a chain of mediators (Taylor, MacKinnon & Tein, 2008, doi:10.1177/1094428107300344).

Every mediator is explained by the exposure and by all mediators before it, the outcome by all: m_2 ~ a2*x +
d21*m_1; outcome ~ b1*m_1 + b2*m_2 + c*x. The indirect effect along the whole chain is a1*d21*b2.
"""

from __future__ import annotations

from medpsy.errors import SpecError
from medpsy.spec.model_spec import Design


class SerialMediation:
    """Two or more mediators in causal order."""

    name = "serial"

    def stages(self, design: Design) -> tuple[int, ...]:
        """One mediator a stage."""
        if len(design.mediators) < 2:
            raise SpecError(
                f"the design 'serial' takes two or more mediators, not {len(design.mediators)}",
                hint="Use 'simple' for one.",
            )
        return (1,) * len(design.mediators)


DESIGN = SerialMediation()
