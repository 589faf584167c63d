"""Levels of measurement invariance over groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from medpsy.api.comparison import Asked, Comparison, asked
from medpsy.api.fits import Fit
from medpsy.api.options import sampling_options
from medpsy.posterior.group_fits import invariance_fits
from medpsy.posterior.intervals import check_interval
from medpsy.survey.survey import Survey

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Invariance(Comparison):
    """Levels of measurement invariance; ``fits`` holds a model per level, least equal first.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> anxiety = mp.GradedResponse("anxiety", "gad1..gad7")
    >>> mp.invariance(survey, anxiety, "sex", seed=1).plot()  # doctest: +SKIP
    """

    @cached_property
    def _aligned(self) -> dict[str, Any]:
        from medpsy.posterior.invariance import CONFIGURAL, aligned

        if CONFIGURAL not in self.fits:
            return {}
        result = self.fits[CONFIGURAL].result
        groups = result.data.groups
        assert groups is not None
        able = [
            name
            for name, own in groups.coordinates.items()
            if {part.role for part in own.parts if part.role} == {"location", "scale"}
        ]
        return {name: aligned(result, name) for name in able}

    def table(self) -> pd.DataFrame:
        """Return one row per level: what is equal, elpd, difference to the level before, verdict.

        ``share_relevant``: of the parameters that may differ, the share that does so relevantly with
        probability above one half (configural: after alignment).
        """
        from medpsy.posterior.invariance import invariance_table

        table = invariance_table(self._results, interval=self.interval)
        rows = self._parameters
        share = (rows["p_relevant"] > 0.5).groupby(rows["level"]).mean()
        table.insert(len(table.columns) - 1, "share_relevant", table["level"].map(share))
        return self.mark.on_table(table)

    def parameters(self) -> pd.DataFrame:
        """Return every difference of an item from the reference group, by level, with its probability.

        Those of the configural model are on the common scale of its alignment.
        """
        return self.mark.on_table(self._parameters)

    @cached_property
    def _parameters(self) -> pd.DataFrame:
        import pandas as pd

        from medpsy.posterior.invariance import CONFIGURAL, aligned_differences
        from medpsy.posterior.item_differences import item_differences

        keep = ["construct", "item", "coordinate", "cell", "group", "against", "mean", "lower", "upper"]
        rest = ["relevant", "p_relevant"]
        frames = []
        for level, fit in self.fits.items():
            groups = fit.result.data.groups
            assert groups is not None
            if level == CONFIGURAL and self._aligned:
                found = aligned_differences(fit.result, self._aligned, interval=self.interval).assign(cell=0)
            elif groups.changes and groups.mean.free.size and groups.log_sd.free.size:
                found = item_differences(fit.result, interval=self.interval)
            else:
                # Without a common place and scale of the construct differences of items mean nothing.
                continue
            frames.append(found[[*keep, *rest]].assign(level=level))
        columns = ["level", *keep, *rest]
        if not frames:
            return pd.DataFrame(columns=columns)
        return pd.concat(frames, ignore_index=True)[columns]

    def means(self) -> pd.DataFrame:
        """Return latent mean differences under every level that knows them, and after alignment."""
        from medpsy.posterior.invariance import means_by_level

        return self.mark.on_table(means_by_level(self._results, self._aligned, interval=self.interval))

    @property
    def holds(self) -> bool | None:
        """Whether means may be compared; None where that level was not asked for.

        They may where every level from the configural one up to equal thresholds and loadings (intercepts)
        predicts as well as the one before it.
        """
        from medpsy.posterior.invariance import invariance_table, ladder, levels_hold

        model = next(iter(self.fits.values())).result.model
        known = ladder(self.by, tuple(model.families.values()), linear=model.spec.linear is not None)
        wanted = [level for level, at in known.items() if at.equal and not at.shrink]
        rows = invariance_table(self._results).set_index("level")["verdict"].to_dict()
        return levels_hold(rows, [level for level in wanted if level != "residuals"])

    def plot(self) -> Figure:
        """Draw what each level costs, and the latent mean differences under it."""
        from medpsy.plots.invariance import invariance as draw

        return self.mark.on_figure(draw(self.table(), self.means(), interval=self.interval))


def invariance(
    survey: Survey | pd.DataFrame,
    model: Asked,
    by: str,
    *,
    levels: Sequence[str] | None = None,
    release: Sequence[str] = (),
    reference: str | None = None,
    bands: int | None = None,
    interval: float = 0.95,
    **sampling: Any,
) -> Invariance:
    """Fit a model at every level of measurement invariance over groups.

    Parameters
    ----------
    survey, model, by, bands, reference
        As in :func:`medpsy.dif`.
    levels : sequence of str, optional
        Of ``"configural"``, ``"thresholds"``, ``"loadings"``, ``"intercepts"``, ``"residuals"`` and
        ``"approximate"`` those that the items have; all unless given.
    release : sequence of str
        Items, or ``"loadings.pm3"`` and the like, that are free at every level (partial invariance).
    interval : float
        Posterior mass of intervals.
    **sampling
        Options of :meth:`Model.fit`.

    Returns
    -------
    Invariance

    Raises
    ------
    SpecError, DataError
        An unknown level; groups that do not exist or hold one person.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> anxiety = mp.GradedResponse("anxiety", "gad1..gad7")
    >>> found = mp.invariance(survey, anxiety, "sex", seed=1)  # doctest: +SKIP
    >>> found.table()  # doctest: +SKIP
    """
    check_interval(interval)
    spec, survey, by = asked(survey, model, by, bands)
    results = invariance_fits(
        spec, survey, by, levels=levels, release=release, reference=reference,
        sampling=sampling_options(sampling),
    )  # fmt: skip
    return Invariance(by, {level: Fit(result) for level, result in results.items()}, interval)
