"""Moderation without a mediator: how the effect of an exposure on an outcome changes with a third variable.

outcome ~ c*exposure + w + c_w*exposure:w (Aiken & West, 1991, ISBN 9780803936058).
"""

from __future__ import annotations

from medpsy.errors import SpecError
from medpsy.spec.model_spec import Design


class Moderation:
    """No mediator, at least one moderator of the direct path."""

    name = "moderation"

    def stages(self, design: Design) -> tuple[int, ...]:
        """No stage."""
        if design.mediators or not design.moderation:
            raise SpecError(
                "the design 'moderation' takes no mediator and at least one moderator",
                hint="Use 'simple' for one mediator, with a moderator where there is one.",
            )
        return ()


DESIGN = Moderation()
