"""Latent growth, and mediation by growth (Cheong, MacKinnon & Khoo, 2003, doi:10.1207/S15328007SEM1002_5).

A variable at time t is level + slope * t + e. With a person variable as exposure, or with three variables,
slopes mediate: slope of the mediator on the exposure (or its slope), slope of the outcome on both.

Ordinal indicators have no unit and no zero (Liu et al., 2017, doi:10.1037/met0000075): the unit is the sd of
e at the first wave, and the level has mean 0 at the means of the covariates. The sds of e at later waves,
those of level and slope and the mean of the slope are free.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from medpsy.errors import SpecError
from medpsy.mediation.waves import need, node, one_unit, quote
from medpsy.spec.waves import Waves


class GrowthDesign:
    """The design ``growth``: three waves or more."""

    name = "growth"
    caution = (
        "Slopes of the same waves run side by side: which of them comes first is assumed, as in data of one "
        "occasion."
    )

    def lines(self, waves: Waves) -> Iterator[str]:
        """Levels and slopes, their means and covariances, and the paths of a mediation."""
        one_unit(waves, "levels and slopes")
        need(waves, 3, "a straight line through two of them fits everybody perfectly")
        for one in waves.series:
            columns = [node(one, t) for t in range(waves.count)]
            slopes = [f"{time - waves.when[0]:g}*{c}" for time, c in zip(waves.when, columns, strict=True)]
            yield f"level_{one.name} =~ {' + '.join(f'1*{c}' for c in columns)}"
            yield f"slope_{one.name} =~ {' + '.join(slopes)}"
            if not one.measured:
                yield f"{' + '.join(columns)} ~ 0*1"
            if not waves.ordinal:
                yield f"level_{one.name} ~ {'0*' if one.measured else ''}1"
            yield f"slope_{one.name} ~ 1"
        levels, slopes = ([f"{w}_{one.name}" for one in waves.series] for w in ("level", "slope"))
        paths = self._paths(waves, slopes)
        for name in (*levels, *slopes):
            terms = [f"{label}*{quote(source)}" for target, source, label in paths if target == name]
            terms += map(quote, waves.covariates)
            terms += [quote(waves.exposure)] if waves.exposure and name in levels else []
            if terms:
                yield f"{name} ~ {' + '.join(terms)}"
        joined = {frozenset((target, source)) for target, source, _ in paths}
        for left, right in combinations((*levels, *slopes), 2):
            if frozenset((left, right)) not in joined:
                yield f"{left} ~~ {right}"
        if paths:
            yield "indirect := a*b"
            yield "direct := c"
            yield "total := a*b + c"

    def _paths(self, waves: Waves, slopes: list[str]) -> list[tuple[str, str, str]]:
        """Target, source and label of the paths of a mediation, if there is one."""
        if waves.exposure and len(waves.series) == 2:
            m, y = slopes
            return [(m, waves.exposure, "a"), (y, m, "b"), (y, waves.exposure, "c")]
        if waves.exposure:
            raise SpecError(
                f"an exposure, and {len(waves.series)} growing variable(s) beside it",
                hint="Name two variables that grow: mediator and outcome.",
            )
        if len(waves.series) == 3:
            x, m, y = slopes
            return [(m, x, "a"), (y, m, "b"), (y, x, "c")]
        return []


WAVES = GrowthDesign()
