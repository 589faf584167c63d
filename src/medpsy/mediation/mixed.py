"""Parallel and serial mediation in one: mediators in stages, several beside each other at some of them.

Every mediator is explained by the exposures and by all mediators of earlier stages, the outcome by all
(Hayes, 2022, ISBN 9781462549030, models 80 and 81).
"""

from __future__ import annotations

from medpsy.errors import SpecError
from medpsy.spec.model_spec import Design


class MixedMediation:
    """Stages of one or more mediators each."""

    name = "mixed"

    def stages(self, design: Design) -> tuple[int, ...]:
        """What the design says."""
        stages = design.stages
        if sum(stages) != len(design.mediators) or len(stages) < 2 or max(stages) < 2 or min(stages) < 1:
            raise SpecError(
                f"the design 'mixed' cannot put {len(design.mediators)} mediators into stages of "
                f"{', '.join(map(str, stages)) or 'no size'}",
                hint='Write the mediators in stages, for example [["m1", "m2"], "m3"]. One stage is the '
                "design 'parallel', a chain 'serial'.",
            )
        return stages


DESIGN = MixedMediation()
