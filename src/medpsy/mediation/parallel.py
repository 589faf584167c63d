"""Parallel mediation: several mediators beside each other (Preacher & Hayes, 2008, doi:10.3758/BRM.40.3.879).

m_k ~ a_k*exposure; outcome ~ b_1*m_1 + b_2*m_2 + ... + c*exposure; a specific indirect effect a_k*b_k holds
the other mediators constant, their sum is the total indirect effect.
"""

from __future__ import annotations

from medpsy.errors import SpecError
from medpsy.spec.model_spec import Design


class ParallelMediation:
    """Two or more mediators without paths between them."""

    name = "parallel"

    def stages(self, design: Design) -> tuple[int, ...]:
        """One stage of all mediators."""
        if len(design.mediators) < 2:
            raise SpecError(
                f"the design 'parallel' takes two or more mediators, not {len(design.mediators)}",
                hint="Use 'simple' for one.",
            )
        return (len(design.mediators),)


DESIGN = ParallelMediation()
