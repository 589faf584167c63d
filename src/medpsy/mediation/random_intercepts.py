"""Random-intercept cross-lagged panel model (Hamaker, Kuiper & Grasman, 2015, doi:10.1037/a0038889).

A variable is its mean, plus what a person has throughout (the random intercept), plus the deviation of that
wave; the deviations follow the cross-lagged model. Intercepts are independent of deviations.

Ordinal indicators have no unit: that of a variable is the sd of its deviations at the first wave.
"""

from __future__ import annotations

from collections.abc import Iterator

from medpsy.mediation.waves import (
    lagged_effects,
    need,
    node,
    one_unit,
    path_label,
    quote,
    within_waves,
)
from medpsy.spec.waves import Waves


class RandomInterceptsDesign:
    """The design ``random_intercepts``: three waves or more."""

    name = "random_intercepts"
    caution = ""

    def lines(self, waves: Waves) -> Iterator[str]:
        """Random intercepts, deviations, lagged paths among them, effects of a mediation."""
        one_unit(waves, "random intercepts")
        need(waves, 3, "with two, stable differences between persons cannot be told from carry-over")
        stable = [f"ri_{one.name}" for one in waves.series]
        within = [[f"w_{one.name}_{t + 1}" for one in waves.series] for t in range(waves.count)]
        for k, one in enumerate(waves.series):
            columns = [node(one, t) for t in range(waves.count)]
            yield f"{stable[k]} =~ {' + '.join(f'1*{name}' for name in columns)}"
            for t, name in enumerate(columns):
                yield f"{within[t][k]} =~ 1*{name}"
                yield f"{name} ~~ 0*{name}"
            if waves.ordinal:
                yield f"{within[0][k]} ~~ 1*{within[0][k]}"
        for t in range(1, waves.count):
            for k, target in enumerate(waves.series):
                labels = [path_label(source, target, t, waves) for source in waves.series]
                terms = [f"{label}*{name}" for label, name in zip(labels, within[t - 1], strict=True)]
                yield f"{within[t][k]} ~ {' + '.join(terms)}"
        if waves.covariates:
            for name in stable:
                yield f"{name} ~ {' + '.join(map(quote, waves.covariates))}"
        yield from within_waves([stable, *within])
        for name in stable:
            yield f"{name} ~~ {' + '.join(f'0*{other}' for other in within[0])}"
        yield from lagged_effects(waves)


WAVES = RandomInterceptsDesign()
