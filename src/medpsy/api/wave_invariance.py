"""Levels of measurement invariance over waves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medpsy.api.comparison import Comparison
from medpsy.api.fits import Fit
from medpsy.api.options import sampling_options
from medpsy.errors import DataError, SpecError
from medpsy.posterior.wave_invariance import Waves, wave_fits, wave_means, wave_table
from medpsy.survey.items import expand_items
from medpsy.survey.survey import Survey

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class WaveInvariance(Comparison):
    """Levels of invariance over waves; ``fits`` holds a model per level, least equal first."""

    waves: tuple[Waves, ...] = ()

    def table(self) -> pd.DataFrame:
        """Return one row per level: what is equal, elpd, difference to the level before, verdict."""
        return self.mark.on_table(wave_table(self._results))

    def compare(self) -> pd.DataFrame:
        """Return what each level predicts of a person left out, against the one before it."""
        return self.table()

    def means(self) -> pd.DataFrame:
        """Return the change of the latent mean between waves, under every level that knows it."""
        return self.mark.on_table(wave_means(self._results, self.waves, interval=self.interval))

    @property
    def holds(self) -> bool | None:
        """Whether means may be compared over the waves; None where equal intercepts were not asked for."""
        rows = wave_table(self._results).set_index("level")["verdict"]
        if "intercepts" not in rows.index:
            return None
        needed = [level for level in ("loadings", "intercepts") if level in rows.index]
        return all(not str(rows[level]).endswith("fails") for level in needed)

    def plot(self) -> Figure:
        """Draw what each level costs, and the change of the latent means under it."""
        from medpsy.plots.invariance import invariance as draw

        means = wave_means(self._results, self.waves, interval=self.interval)
        return self.mark.on_figure(draw(wave_table(self._results), means, interval=self.interval))


def wave_invariance(
    survey: Any,
    constructs: Mapping[str, Mapping[str, str | Sequence[str]]],
    *,
    levels: Sequence[str] | None = None,
    release: Sequence[str] = (),
    interval: float = 0.95,
    **sampling: Any,
) -> WaveInvariance:
    """Fit constructs that were measured at several waves, at every level of measurement invariance.

    Answers are taken as numbers, those to ordinal items, too. Residuals of an item are correlated between its
    waves.

    Parameters
    ----------
    survey : Survey
    constructs : mapping
        Construct to waves to items, in the same order at every wave:
        ``{"mood": {"may": "a1..a4", "june": "b1..b4"}}``.
    levels : sequence of str, optional
        Of ``"configural"``, ``"loadings"``, ``"intercepts"``, ``"residuals"``; all unless given.
    release : sequence of str
        Items of the first wave, or ``"intercepts.a3"`` and the like, that are free at every level (partial
        invariance).
    interval : float
        Posterior mass of intervals.
    **sampling
        Options of :meth:`Model.fit`.

    Returns
    -------
    WaveInvariance

    Raises
    ------
    SpecError
        Waves with different numbers of items, an unknown level or item.
    DataError
        No survey, or variables that it does not have.

    Examples
    --------
    >>> import medpsy as mp
    >>> waves = {"mood": {"may": "a1..a3", "june": "b1..b3"}}
    >>> found = mp.wave_invariance(survey, waves, seed=1)  # doctest: +SKIP
    >>> print(found.table(), found.means())  # doctest: +SKIP
    """
    if not isinstance(survey, Survey):
        what = type(survey).__name__
        raise DataError(f"the answers come as {what}, not as a Survey", hint="Pass mp.read_survey(...).")
    if not constructs:
        raise SpecError("there is no construct", hint='Say {"mood": {"may": "a1..a4", "june": "b1..b4"}}.')
    waves = tuple(
        Waves(name, {wave: tuple(_items(items)) for wave, items in own.items()})
        for name, own in constructs.items()
    )
    options = sampling_options(sampling)
    results = wave_fits(survey, waves, levels=levels, release=release, sampling=options)
    return WaveInvariance("wave", {level: Fit(r) for level, r in results.items()}, interval, waves)


def _items(items: str | Sequence[str]) -> Sequence[str]:
    return expand_items(items) if isinstance(items, str) else items
