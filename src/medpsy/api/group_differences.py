"""Latent mean differences with partial pooling, and their observed-score twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medpsy.api.comparison import Asked, asked
from medpsy.api.fits import Fit
from medpsy.api.invariance import Invariance
from medpsy.api.options import sampling_options
from medpsy.posterior.group_fits import fit_groups
from medpsy.posterior.intervals import check_interval, check_rope
from medpsy.spec.groups import Groups
from medpsy.survey.survey import Survey

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class GroupDifferences:
    """Latent mean differences with partial pooling, and their observed-score twin.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> anxiety = mp.GradedResponse("anxiety", "gad1..gad7")
    >>> mp.group_differences(survey, anxiety, "sex", seed=1).plot()  # doctest: +SKIP
    """

    by: str
    fit: Fit
    survey: Survey
    interval: float = 0.95
    rope: float = 0.1
    invariance: Invariance | None = None

    @property
    def verdict(self) -> str:
        """What is known about the precondition of comparing means."""
        return verdict(self.invariance, self.by)

    def table(self) -> pd.DataFrame:
        """Return all pairwise differences of latent means; see :meth:`Fit.group_means`."""
        table = self.fit.group_means(interval=self.interval, rope=self.rope)
        table["invariance"] = self.verdict
        return table

    def observed(self) -> pd.DataFrame:
        """Return the same pairs on mean item scores, with robust errors."""
        import numpy as np
        import pandas as pd

        from medpsy.classical.group_scores import score_differences

        variable = self.survey.variable(self.by)
        label = np.asarray(self.survey.variables[self.by])
        frames = []
        for name, scores in self._scores().items():
            found = score_differences(scores, label, variable.levels, interval=self.interval)
            found.insert(0, "construct", name)
            frames.append(found)
        return pd.concat(frames, ignore_index=True)

    def _scores(self) -> dict[str, np.ndarray]:
        """Mean answered item of every construct, NaN below half of the items; raw units."""
        import numpy as np

        out = {}
        for block in self.fit.result.data.blocks:
            values = block.values.astype(float)
            values = np.where(values < 0, np.nan, values) if block.n_categories else values * block.unit
            values = values + (0.0 if block.n_categories else block.centre)
            given = ~np.isnan(values)
            enough = given.mean(1) >= 0.5
            total = np.where(given, values, 0.0).sum(1)
            out[block.name] = np.where(enough, total / np.maximum(given.sum(1), 1), np.nan)
        return out

    def clusters(self, *, draws: int = 4000, seed: int = 0) -> pd.DataFrame:
        """Return intraclass correlation and design effect of each construct, latent and observed."""
        from medpsy.api.cluster_table import cluster_table

        return self.fit.mark.on_table(
            cluster_table(self.fit.result, self._scores(), interval=self.interval, draws=draws, seed=seed)
        )

    def plot(self) -> Figure:
        """Draw all differences in pooled sds, with intervals and the region of negligible ones."""
        from medpsy.plots.effects_forest import effects_forest

        rows = self.fit.group_means(interval=self.interval, rope=self.rope)
        frame = rows.assign(
            effect=rows["group"] + " − " + rows["against"], text=rows["construct"], mean=rows["d"]
        )
        rope = (-self.rope, self.rope)
        return self.fit.mark.on_figure(effects_forest(frame, rope=rope, interval=self.interval))


def verdict(found: Invariance | None, by: str) -> str:
    """One sentence on whether means may be compared."""
    if found is None:
        return "not tested: the comparison takes for granted that the items work alike in all groups"
    if found.by != by:
        return f"tested over '{found.by}', not over '{by}'"
    if found.holds is None:
        return "the levels that comparing means needs were not tested"
    return "holds" if found.holds else "fails: differences may be those of the items"


def group_differences(
    survey: Survey | pd.DataFrame,
    model: Asked,
    by: str,
    *,
    pooled: bool = True,
    release: Sequence[str] = (),
    reference: str | None = None,
    invariance: Invariance | None = None,
    bands: int | None = None,
    rope: float = 0.1,
    interval: float = 0.95,
    **sampling: Any,
) -> GroupDifferences:
    """Compare groups on the latent scale, with partial pooling of their means and spreads.

    Items are equal in all groups but for those in ``release``. Pooled groups share a distribution: means of
    small groups are drawn towards the average, which guards against reading noise as difference (Gelman,
    Hill & Yajima, 2012, doi:10.1080/19345747.2011.618213).

    Parameters
    ----------
    survey, model, by, bands
        As in :func:`medpsy.dif`.
    pooled : bool
        False: the reference group has mean 0 and sd 1, the others are free.
    release : sequence of str
        Items that differ between the groups.
    reference : str, optional
        Only without pooling.
    invariance : Invariance, optional
        Its verdict is printed beside the differences.
    rope, interval : float
        Half-width of the region of negligible standardised differences; posterior mass of intervals.
    **sampling
        Options of :meth:`Model.fit`.

    Returns
    -------
    GroupDifferences

    Raises
    ------
    SpecError, DataError
        Groups that do not exist or hold one person.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> anxiety = mp.GradedResponse("anxiety", "gad1..gad7")
    >>> found = mp.group_differences(survey, anxiety, "year", seed=1)  # doctest: +SKIP
    >>> found.table()  # doctest: +SKIP
    """
    _check(rope, interval)
    spec, survey, by = asked(survey, model, by, bands)
    freed = [release] if isinstance(release, str) else release
    groups = Groups(by, release=tuple(freed), reference=reference, pooled=pooled)
    fit = Fit(fit_groups(spec, survey, groups, sampling_options(sampling)))
    return GroupDifferences(by, fit, fit.survey, interval, rope, invariance)


def _check(rope: float, interval: float) -> None:
    check_interval(interval)
    check_rope(rope)
