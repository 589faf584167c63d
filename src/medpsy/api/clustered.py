"""What one can ask a fit about its clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from medpsy.api.verbs import Verbs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Clustered(Verbs):
    """Verbs of :class:`medpsy.Fit` about clusters; SpecError where the model has none."""

    def clusters(self, *, interval: float | None = None) -> pd.DataFrame:
        """Return what differs between clusters: sds, intraclass correlations, design effects.

        Returns
        -------
        DataFrame
            See :func:`medpsy.posterior.clusters.cluster_table`.
        """
        from medpsy.posterior.clusters import cluster_table

        return self.mark.on_table(cluster_table(self.result, interval=self._cluster_mass(interval)))

    def by_cluster(self, *, interval: float | None = None) -> pd.DataFrame:
        """Return the indirect effect of every cluster under partial pooling, with its rank.

        Returns
        -------
        DataFrame
            See :func:`medpsy.posterior.cluster_effects.by_cluster`.
        """
        from medpsy.posterior.cluster_effects import by_cluster

        return self.mark.on_table(by_cluster(self.result, interval=self._cluster_mass(interval)))

    def cluster_contrasts(self, *, interval: float | None = None) -> pd.DataFrame:
        """Return the differences of the indirect effects of all pairs of clusters (twelve at most).

        Returns
        -------
        DataFrame
            See :func:`medpsy.posterior.cluster_effects.cluster_contrasts`.
        """
        from medpsy.posterior.cluster_effects import cluster_contrasts

        return self.mark.on_table(cluster_contrasts(self.result, interval=self._cluster_mass(interval)))

    def cluster_tipping(
        self, at: Mapping[str, object] | None = None, *, interval: float | None = None
    ) -> pd.DataFrame:
        """Return how strong an unmeasured common cause of mediator and outcome must be on each level, at
        every value ``at`` of what the paths out of the mediators change with.

        Returns
        -------
        DataFrame
            See :func:`medpsy.posterior.cluster_tipping.cluster_tipping`.
        """
        from medpsy.posterior.cluster_tipping import cluster_tipping

        return self.mark.on_table(cluster_tipping(self.result, at=at, interval=self._cluster_mass(interval)))

    def plot_ladder(self, text: str | None = None) -> Figure:
        """Draw the indirect effect of every cluster, in order of size.

        Parameters
        ----------
        text : str, optional
            The chain, as in :meth:`by_cluster`; the first unless given.

        Raises
        ------
        SpecError
            No such chain.
        """
        from medpsy.errors import SpecError, nearest
        from medpsy.plots.cluster_ladder import cluster_ladder
        from medpsy.posterior.cluster_effects import by_cluster

        table = by_cluster(self.result, interval=self._cluster_mass(None))
        known = list(dict.fromkeys(table["text"]))
        if text is not None and text not in known:
            raise SpecError(f"there is no chain '{text}'", hint=nearest(text, known))
        own = table[table["text"] == (text or known[0])]
        return self.mark.on_figure(cluster_ladder(own, average=float(own["mean"].mean())))

    def _cluster_mass(self, interval: float | None) -> float:
        return self.interval if interval is None else interval
