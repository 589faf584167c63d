"""What one can ask a fit about its groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medpsy.api.verbs import Verbs

if TYPE_CHECKING:
    import pandas as pd

    from medpsy.api.dif import Dif
    from medpsy.api.fits import Fit
    from medpsy.api.invariance import Invariance


class Grouped(Verbs):
    """Verbs of :class:`medpsy.Fit` about groups."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups; empty for a model without groups."""
        groups = self.result.data.groups
        return groups.levels if groups is not None else ()

    def group(self, level: str) -> Fit:
        """Return one group as a fit of its own, on the scale that the groups share.

        Raises
        ------
        SpecError
            The model has no groups, or none of that name.
        """
        from medpsy.api.fits import Fit
        from medpsy.posterior.by_group import view

        return Fit(view(self.result, level))

    def level_effects(self, *, interval: float | None = None) -> pd.DataFrame:
        """Return what the levels of person variables do: ``anxiety ~ (1|centre)``, or ``anxiety ~ centre``.

        Returns
        -------
        DataFrame
            See :func:`medpsy.posterior.level_effects.level_effects`: distances from the mean of the levels,
            with the sd of pooled ones.

        Raises
        ------
        SpecError
            No variable with levels explains anything.
        """
        from medpsy.posterior.level_effects import level_effects

        mass = self.interval if interval is None else interval
        return self.mark.on_table(level_effects(self.result, interval=mass))

    def level_contrasts(self, *, interval: float | None = None, rope: float = 0.1) -> pd.DataFrame:
        """Return the differences of all pairs of levels of person variables.

        Returns
        -------
        DataFrame
            See :func:`medpsy.posterior.level_effects.level_contrasts`.

        Raises
        ------
        SpecError
            No variable with levels explains anything.
        """
        from medpsy.posterior.level_effects import level_contrasts

        mass = self.interval if interval is None else interval
        return self.mark.on_table(level_contrasts(self.result, interval=mass, rope=rope))

    def group_means(self, *, interval: float | None = None, rope: float = 0.1) -> pd.DataFrame:
        """Return the differences of latent means between all pairs of groups.

        Columns: construct, group, against, n, n_against, difference, d (in pooled sds), sd, lower, upper (of
        d), p_direction, p_negligible (of a size of d below ``rope``), sd_ratio.

        Raises
        ------
        SpecError
            The model has no groups, or fixes their means.
        """
        from medpsy.posterior.group_means import group_means

        mass = self.interval if interval is None else interval
        return self.mark.on_table(group_means(self.result, interval=mass, rope=rope))

    def item_differences(
        self, *, interval: float | None = None, relevant: Mapping[str, float] | None = None
    ) -> pd.DataFrame:
        """Return what differs between the items of each group and those of the reference group.

        Columns and sizes: :func:`medpsy.posterior.item_differences.item_differences`.

        Raises
        ------
        SpecError
            The model has no groups, or all items are equal in them.
        """
        from medpsy.posterior.item_differences import item_differences

        mass = self.interval if interval is None else interval
        return self.mark.on_table(item_differences(self.result, interval=mass, relevant=relevant))

    def score_impact(self, *, interval: float | None = None) -> pd.DataFrame:
        """Return what the differences of items do to expected item and sum scores of each group.

        Raises
        ------
        SpecError
            The model has no groups, or all items are equal in them.
        """
        from medpsy.posterior.item_differences import score_impact

        mass = self.interval if interval is None else interval
        return self.mark.on_table(score_impact(self.result, interval=mass))

    def dif(self, by: str, **options: Any) -> Dif:
        """Look for items of this model that work differently in groups: :func:`medpsy.dif`."""
        from medpsy.api.dif import dif

        return dif(self.result.survey, self.result.model.spec, by, **options)

    def invariance(self, by: str, **options: Any) -> Invariance:
        """Ask at which level this model is the same in all groups: :func:`medpsy.invariance`."""
        from medpsy.api.invariance import invariance

        return invariance(self.result.survey, self.result.model.spec, by, **options)
