"""Cross-lagged panel model: every variable on all variables one wave before.

x_t = A x_{t-1} + e_t. It does not tell stable differences between persons from change within them
(Hamaker, Kuiper & Grasman, 2015, doi:10.1037/a0038889), for which three waves and random intercepts are
needed.
"""

from __future__ import annotations

from collections.abc import Iterator

from medpsy.mediation.waves import lagged_effects, lagged_terms, node, quote, within_waves
from medpsy.spec.waves import Waves


class CrossLaggedDesign:
    """The design ``cross_lagged``: two waves or more."""

    name = "cross_lagged"
    caution = (
        "The paths mix stable differences between persons with change within persons; with three waves "
        "or more, random intercepts keep them apart."
    )

    def lines(self, waves: Waves) -> Iterator[str]:
        """Lagged paths, covariances within waves, effects of a mediation of three variables."""
        names = [[node(one, t) for one in waves.series] for t in range(waves.count)]
        for t in range(waves.count):
            for target in waves.series:
                terms = lagged_terms(waves, target, waves.series, t)
                terms += map(quote, waves.covariates)
                if terms:
                    yield f"{node(target, t)} ~ {' + '.join(terms)}"
        yield from within_waves(names)
        yield from lagged_effects(waves)


WAVES = CrossLaggedDesign()
