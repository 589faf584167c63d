"""Lagged mediation over waves (Cole & Maxwell, 2003, doi:10.1037/0021-843X.112.4.558).

The mediator depends on the exposure one wave before, the outcome on the mediator one wave before and on the
exposure two waves before; each on itself one wave before. Nothing runs backwards.
"""

from __future__ import annotations

from collections.abc import Iterator

from medpsy.errors import SpecError
from medpsy.mediation.waves import lagged_terms, need, node, path_label, quote, within_waves
from medpsy.spec.waves import Waves


class LaggedDesign:
    """The design ``lagged``: exposure, mediator and outcome at three waves or more."""

    name = "lagged"
    caution = (
        "What carries over from wave to wave may be stable differences between persons; random intercepts "
        "keep them apart. Effects of the mediator on the exposure, and of the outcome on either, are taken "
        "to be zero."
    )

    def lines(self, waves: Waves) -> Iterator[str]:
        """Lagged paths, covariances within waves, effects over two intervals."""
        if len(waves.series) != 3:
            raise SpecError(
                f"lagged mediation has three variables, not {len(waves.series)}",
                hint="Name exposure, mediator and outcome, in this order.",
            )
        need(waves, 3, "an effect through a mediator takes two intervals")
        x, m, y = waves.series
        before = {x: (x,), m: (m, x), y: (y, m)}
        for t in range(waves.count):
            for target, sources in before.items():
                terms = lagged_terms(waves, target, sources, t)
                if target is y and t > 1:
                    terms.append(f"direct_path{self._ends(waves, t)}*{node(x, t - 2)}")
                terms += map(quote, waves.covariates)
                if terms:
                    yield f"{node(target, t)} ~ {' + '.join(terms)}"
        yield from within_waves([[node(one, t) for one in waves.series] for t in range(waves.count)])
        for t in range(2, 3 if waves.constant else waves.count):
            ends = self._ends(waves, t)
            indirect = f"{path_label(x, m, t - 1, waves)}*{path_label(m, y, t, waves)}"
            yield f"indirect{ends} := {indirect}"
            yield f"direct{ends} := direct_path{ends}"
            yield f"total{ends} := {indirect} + direct_path{ends}"

    def _ends(self, waves: Waves, wave: int) -> str:
        """End of a label of what runs over two intervals up to ``wave``."""
        gap = "_" if waves.count > 9 else ""
        return "" if waves.constant else f"_{wave - 1}{gap}{wave + 1}"


WAVES = LaggedDesign()
