"""Levels of measurement invariance over waves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from medpsy.api.comparison import Comparison
from medpsy.api.fits import Fit
from medpsy.api.guess import survey_for
from medpsy.api.options import sampling_options
from medpsy.errors import SpecError
from medpsy.posterior import wave_items as ordinal
from medpsy.posterior.intervals import check_interval
from medpsy.posterior.invariance import CONFIGURAL, levels_hold
from medpsy.posterior.wave_invariance import LEVELS, Waves, wave_fits, wave_means, wave_table
from medpsy.spec.model_spec import Construct, ModelSpec
from medpsy.survey.items import expand_items
from medpsy.survey.survey import Survey

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


#: What is taken for granted of ordinal items at several waves.
CAUTION = (
    "What is left of an item given the construct is taken to be unrelated between its waves. Where persons "
    "keep an answer for reasons of its own the stability of the construct is too high; "
    "fit.local_dependence() of a level shows such pairs."
)


@dataclass(frozen=True)
class WaveInvariance(Comparison):
    """Levels of invariance over waves; ``fits`` holds a model per level, least equal first.

    ``family`` is ``"gaussian"`` where answers were taken as numbers, otherwise that of the items.
    """

    waves: tuple[Waves, ...] = ()
    family: str = "gaussian"

    @property
    def ordinal(self) -> bool:
        """Whether the items are ordinal, not numbers."""
        return self.family != "gaussian"

    @property
    def caution(self) -> str:
        """What the comparison takes for granted; empty where there is nothing special to say."""
        return CAUTION if self.ordinal else ""

    @cached_property
    def _table(self) -> pd.DataFrame:
        return wave_table(self._results, ordinal.LEVELS if self.ordinal else LEVELS)

    @cached_property
    def _means(self) -> pd.DataFrame:
        if not self.ordinal:
            return wave_means(self._results, self.waves, interval=self.interval)
        found = wave_means(
            self._results, self.waves, interval=self.interval, levels=ordinal.LEVELS, known="thresholds"
        )
        if CONFIGURAL not in self.fits:
            return found
        import pandas as pd

        first = ordinal.aligned_means(self._results[CONFIGURAL], self.waves, interval=self.interval)
        return pd.concat([first, found], ignore_index=True) if len(found) else first

    def table(self) -> pd.DataFrame:
        """Return one row per level: what is equal, elpd, difference to the level before, verdict.

        Of ordinal items also ``share_relevant``: of what may differ between the waves, the share that does so
        relevantly with probability above one half (configural level: after alignment); and ``differing``,
        which that is. A level whose predictions are no worse over all items may still hold such an item.
        """
        table = self._table.copy()
        if self.ordinal:
            rows = self._parameters
            relevant = rows["p_relevant"] > 0.5
            share = relevant.groupby(rows["level"]).mean()
            named = rows["item"] + " " + rows["coordinate"] + " (" + rows["group"] + ")"
            differing = named[relevant].groupby(rows["level"][relevant]).agg(", ".join)
            table.insert(len(table.columns) - 1, "share_relevant", table["level"].map(share))
            names = [differing.get(level, "") for level in table["level"]]
            table.insert(len(table.columns) - 1, "differing", names)
        return self.mark.on_table(table)

    def compare(self) -> pd.DataFrame:
        """Return what each level predicts of a person left out, against the one before it."""
        return self.table()

    def means(self) -> pd.DataFrame:
        """Return the change of the latent mean between waves, under every level that knows it.

        Of ordinal items also after alignment of the configural level.
        """
        return self.mark.on_table(self._means)

    @cached_property
    def _parameters(self) -> pd.DataFrame:
        return ordinal.item_changes(self._results, self.waves, interval=self.interval)

    def parameters(self) -> pd.DataFrame:
        """Return every difference of an ordinal item from the first wave, with its probability.

        Those of the configural level are on the common scale of its alignment; of the other levels there are
        those of released items.

        Raises
        ------
        SpecError
            The answers were taken as numbers.
        """
        if not self.ordinal:
            raise SpecError(
                "differences of items are for ordinal ones, and the answers were taken as numbers",
                hint="Ask again with family='graded', or compare fits['configural'].summary() by wave.",
            )
        return self.mark.on_table(self._parameters)

    @property
    def holds(self) -> bool | None:
        """Whether means may be compared over the waves; None where the level for that was not asked for.

        They may where every level from the configural one up to equal thresholds and slopes (of numbers:
        loadings and intercepts) predicts as well as the one before it, and no ordinal item differs relevantly
        once the configural level is aligned (each with probability above one half; items to be released are
        left aside).
        """
        wanted = ("thresholds", "loadings") if self.ordinal else ("loadings", "intercepts")
        held = levels_hold(self._table.set_index("level")["verdict"].to_dict(), wanted)
        if held and self.ordinal:
            found = self._parameters
            first = found["level"] == CONFIGURAL
            differing = set(found.loc[first & (found["p_relevant"] > 0.5), "item"])
            if differing - set(found.loc[~first, "item"]):
                return False
        return held

    def plot(self) -> Figure:
        """Draw what each level costs, and the change of the latent means under it."""
        from medpsy.plots.invariance import invariance as draw

        return self.mark.on_figure(draw(self._table, self._means, interval=self.interval))


def wave_invariance(
    survey: Survey | pd.DataFrame,
    constructs: Mapping[str, Mapping[str, str | Sequence[str]]],
    *,
    family: str | None = None,
    levels: Sequence[str] | None = None,
    release: Sequence[str] = (),
    interval: float = 0.95,
    **sampling: Any,
) -> WaveInvariance:
    """Fit constructs that were measured at several waves, at every level of measurement invariance.

    Ordinal items: one construct at two or three waves, persons integrated out; what is left of an item given
    the construct is unrelated between waves. Answers as numbers (``family="gaussian"``): any number of
    constructs and waves, the residuals of an item correlated between its waves.

    Parameters
    ----------
    survey : Survey or DataFrame
        Of a frame, the items of a construct share one answer scale at all waves.
    constructs : mapping
        Construct to waves to items, each in one order: ``{"mood": {"may": "a1..a4", "june": "b1..b4"}}``.
    family : str, optional
        ``"graded"`` for items of a questionnaire, ``"gaussian"`` (numbers) for variables unless given.
    levels : str or sequence of str, optional
        Of ``"configural"``, ``"thresholds"``, ``"loadings"`` (both equal); of numbers ``"configural"``,
        ``"loadings"``, ``"intercepts"``, ``"residuals"``; all unless given.
    release : str or sequence of str
        Items of the first wave, or ``"thresholds.a3"`` (of numbers ``"intercepts.a3"``) and the like, that
        are free at every level; the first item with equal loadings is the unit of numbers.
    interval, **sampling
        Posterior mass of intervals; options of :meth:`Model.fit`.

    Returns
    -------
    WaveInvariance

    Raises
    ------
    SpecError, DataError
        Waves with different numbers of items, an unknown level, item or variable, more than three ordinal
        constructs times waves, a construct of which all items are released.

    Examples
    --------
    >>> import medpsy as mp
    >>> waves = {"mood": {"may": "a1..a3", "june": "b1..b3"}}
    >>> mp.wave_invariance(survey, waves, seed=1).table()  # doctest: +SKIP
    """
    check_interval(interval)
    waves = _waves(constructs)
    survey = _survey(survey, waves, family)
    family = family or _family(survey, waves)
    freed = (release,) if isinstance(release, str) else tuple(release)
    about: dict[str, Any] = {"levels": levels, "release": freed, "sampling": sampling_options(sampling)}
    if family == "gaussian":
        results = wave_fits(survey, waves, **about)
    else:
        results = ordinal.ordinal_fits(survey, waves, family=family, **about)
    return WaveInvariance("wave", {level: Fit(r) for level, r in results.items()}, interval, waves, family)


def _family(survey: Survey, waves: Sequence[Waves]) -> str:
    """``graded`` where all items are answers in categories."""
    items = {item for one in waves for own in one.items.values() for item in own}
    return "graded" if items <= set(survey.instrument.items) else "gaussian"


def _survey(given: Survey | pd.DataFrame, waves: Sequence[Waves], family: str | None) -> Survey:
    """The answers; those of a data frame on one answer scale for all waves of a construct."""
    each = {one.construct: [item for own in one.items.values() for item in own] for one in waves}
    parts = (Construct(name, tuple(items), family or "graded") for name, items in each.items())
    return survey_for(given, ModelSpec(constructs=tuple(parts)))


def _waves(constructs: Mapping[str, Mapping[str, str | Sequence[str]]]) -> tuple[Waves, ...]:
    """What is asked about, checked."""
    if not isinstance(constructs, Mapping) or not constructs:
        raise SpecError(
            "there is no construct" if not constructs else f"constructs come as {type(constructs).__name__}",
            hint='Say {"mood": {"may": "a1..a4", "june": "b1..b4"}}.',
        )
    for name, own in constructs.items():
        if not isinstance(own, Mapping):
            raise SpecError(
                f"the waves of '{name}' come as {type(own).__name__}, not as a mapping",
                hint=f'Say {{"{name}": {{"may": "a1..a4", "june": "b1..b4"}}}}: items by wave.',
            )
    return tuple(
        Waves(str(name), {str(wave): expand_items(items) for wave, items in own.items()})
        for name, own in constructs.items()
    )
