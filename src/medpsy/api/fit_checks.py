"""What a fit says about its items, its persons and its priors: the verbs of measurement."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from medpsy.api.mark import Mark
    from medpsy.result import Result


class FitChecks:
    """Verbs of :class:`medpsy.Fit` that compare the answers with what the model expects."""

    result: Result

    @property
    @abstractmethod
    def mark(self) -> Mark:
        """What every table and figure carries."""

    @property
    @abstractmethod
    def interval(self) -> float:
        """Posterior mass of intervals."""

    def _made(self, draws: int | None, seed: int) -> dict[str, Any]:
        """What the tables need: draws and seed, and at the defaults what was made already."""
        from medpsy.posterior.replicates import shared

        if draws is None and seed == 0:
            return {"made": shared(self.result)}
        return {"draws": 200 if draws is None else draws, "seed": seed}

    def item_fit(self, *, draws: int | None = None, alpha: float = 0.05, seed: int = 0) -> pd.DataFrame:
        """Return the fit of every item: S-X2, infit and outfit, with posterior predictive p values.

        Parameters
        ----------
        draws : int, optional
            Posterior draws used; 200 unless given.
        alpha : float
            Level of the flags.
        seed : int
            Of the replicated answers.

        Returns
        -------
        DataFrame
            construct, item, n, n_complete, s_x2, df, p, s_x2_ppp, infit, infit_ppp, outfit, outfit_ppp, flag;
            ``attrs["flags"]`` beside ``attrs["by_chance"]``. See
            :func:`medpsy.posterior.item_fit.item_fit`.

        Raises
        ------
        SpecError
            No item has categories, or an impossible number of draws or level.
        """
        from medpsy.posterior.item_fit import item_fit

        return self.mark.on_table(item_fit(self.result, alpha=alpha, **self._made(draws, seed)))

    def local_dependence(
        self, *, draws: int | None = None, alpha: float = 0.05, seed: int = 0
    ) -> pd.DataFrame:
        """Return what is left between every two items: Q3 and two-way tables.

        Parameters
        ----------
        draws, alpha, seed
            As in :meth:`item_fit`.

        Returns
        -------
        DataFrame
            construct_1, item_1, construct_2, item_2, n, q3, above_mean, q3_ppp, table_ppp, flag; largest Q3
            first. See :func:`medpsy.posterior.local_dependence.local_dependence`.

        Raises
        ------
        SpecError
            As :meth:`item_fit`.
        """
        from medpsy.posterior.local_dependence import local_dependence

        return self.mark.on_table(local_dependence(self.result, alpha=alpha, **self._made(draws, seed)))

    def pair_table(self, item_1: str, item_2: str) -> pd.DataFrame:
        """Return the two-way table of two items: observed, expected, standardised residual.

        Raises
        ------
        SpecError
            An unknown item, the same item twice.
        """
        from medpsy.posterior.local_dependence import pair_table

        return self.mark.on_table(pair_table(self.result, item_1, item_2))

    def person_fit(
        self, construct: str | None = None, *, draws: int | None = None, alpha: float = 0.05, seed: int = 0
    ) -> pd.DataFrame:
        """Return the fit of every person, and for flagged ones the answers that were unlikely.

        Parameters
        ----------
        construct : str, optional
            Judge the answers to its items only.
        draws, alpha, seed
            As in :meth:`item_fit`.

        Returns
        -------
        DataFrame
            person, answers, ppp, lz, lz_star, flag, unlikely, in the order of the survey;
            ``.nsmallest(10, "ppp")`` are the worst. See :func:`medpsy.posterior.person_fit.person_fit`.

        Raises
        ------
        SpecError
            An unknown construct, and as :meth:`item_fit`.
        """
        from medpsy.posterior.person_fit import person_fit

        made = self._made(draws, seed)
        return self.mark.on_table(person_fit(self.result, construct, alpha=alpha, **made))

    def score_distribution(
        self, *, interval: float | None = None, draws: int | None = None, seed: int = 0
    ) -> pd.DataFrame:
        """Return sum scores counted and predicted, of the persons who answered a whole module.

        Returns
        -------
        DataFrame
            construct, score, observed, predicted, lower, upper; ``attrs["ppp"]`` by construct. See
            :func:`medpsy.posterior.score_distribution.score_distribution`.

        Raises
        ------
        SpecError
            No item has categories, an impossible interval or number of draws.
        """
        from medpsy.posterior.score_distribution import score_distribution

        mass = self.interval if interval is None else interval
        made = self._made(draws, seed)
        return self.mark.on_table(score_distribution(self.result, interval=mass, **made))

    def category_use(
        self, *, interval: float | None = None, draws: int | None = None, seed: int = 0
    ) -> pd.DataFrame:
        """Return how often each category was used, and whether higher ones go with higher scores.

        Returns
        -------
        DataFrame
            construct, item, category, label, count, share, mean, lower, upper, p_ordered. See
            :func:`medpsy.posterior.score_distribution.category_use`.

        Raises
        ------
        SpecError
            As :meth:`score_distribution`.
        """
        from medpsy.posterior.score_distribution import category_use

        mass = self.interval if interval is None else interval
        return self.mark.on_table(category_use(self.result, interval=mass, **self._made(draws, seed)))

    def model_fit(
        self,
        *,
        interval: float = 0.9,
        kind: str = "hdi",
        cuts: Mapping[str, float] | None = None,
        draws: int | None = None,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Return how well the model fits as a whole, with posterior predictive p values.

        Models of numbers: BRMSEA, BCFI and their kin, SRMR. Ordinal items: two-way tables of all pairs, SRMR
        of their polychoric correlations; an RMSEA of them would be mislabelled.

        Parameters
        ----------
        interval, kind
            Mass and kind of the intervals; 90 % highest density as is customary.
        cuts : mapping of str to float, optional
            Cuts of your own by name of the index: ``{"BRMSEA": 0.08}``, ``{"polychoric SRMR": 0.08}``.
        draws, seed
            Posterior draws (1000, with ordinal items 200), and the seed of replicated answers.

        Returns
        -------
        DataFrame
            measure, mean, sd, lower, upper, cut, passes, p_passes; with ordinal items ppp and by_chance, too.
            See :func:`medpsy.posterior.model_fit.model_fit` and
            :func:`medpsy.posterior.ordinal_fit.ordinal_fit`.

        Raises
        ------
        SpecError
            Paths that differ between persons, an index that the model does not have.
        DataError
            Too few persons, an item that everybody answered alike.
        """
        from medpsy.posterior.model_fit import model_fit
        from medpsy.posterior.ordinal_fit import is_ordinal, ordinal_fit

        options: dict[str, Any] = {"interval": interval, "kind": kind, "cuts": cuts, "seed": seed}
        if is_ordinal(self.result):
            return self.mark.on_table(ordinal_fit(self.result, draws=draws or 200, **options))
        return self.mark.on_table(model_fit(self.result, draws=draws or 1000, **options))

    def residual_correlations(
        self,
        *,
        interval: float | None = None,
        relevant: float = 0.1,
        draws: int | None = None,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Return the correlations that a model leaves over, pair by pair, largest first.

        Parameters
        ----------
        interval : float, optional
            Posterior mass of the highest-density intervals.
        relevant : float
            Residuals beyond this matter.
        draws, seed
            As in :meth:`model_fit`.

        Returns
        -------
        DataFrame
            item_1, item_2, observed, implied, residual, lower, upper, p_relevant, ppp. Ordinal items:
            polychoric correlations, with the constructs, ``n`` and the p value of the two-way table. See
            :func:`medpsy.posterior.model_fit.residual_correlations` and
            :func:`medpsy.posterior.ordinal_fit.residual_polychorics`.

        Raises
        ------
        SpecError, DataError
            As :meth:`model_fit`.
        """
        from medpsy.posterior.model_fit import residual_correlations
        from medpsy.posterior.ordinal_fit import is_ordinal, residual_polychorics

        mass = self.interval if interval is None else interval
        options: dict[str, Any] = {"interval": mass, "relevant": relevant, "seed": seed}
        if is_ordinal(self.result):
            return self.mark.on_table(residual_polychorics(self.result, draws=draws or 200, **options))
        return self.mark.on_table(residual_correlations(self.result, draws=draws or 1000, **options))

    def prior_sensitivity(self) -> pd.DataFrame:
        """Return how far every parameter and effect moves when priors, or the data, are given more weight.

        Returns
        -------
        DataFrame
            quantity, prior, data, verdict; most sensitive to the priors first. See
            :func:`medpsy.diagnostics.prior_sensitivity.sensitivity_table`.

        Raises
        ------
        FitError
            The fit has no log-likelihood terms, or fewer than 25 draws.
        """
        from medpsy.diagnostics.prior_sensitivity import sensitivity_table

        return self.mark.on_table(sensitivity_table(self.result))

    def plot_prior_reliability(self) -> Figure:
        """Draw the reliability of sum scores that the priors expect, and the posterior beside it."""
        from medpsy.plots.prior_reliability import prior_reliability
        from medpsy.posterior.prior_reliability import prior_reliability_draws
        from medpsy.posterior.reliability import reliability

        table = reliability(self.result, interval=self.interval).drop_duplicates("construct")
        columns = (table[c].to_list() for c in ("construct", "mean", "lower", "upper"))
        found = {name: (m, low, high) for name, m, low, high in zip(*columns, strict=True)}
        return self.mark.on_figure(prior_reliability(prior_reliability_draws(self.result.data), found))

    def plot_local_dependence(self) -> Figure:
        """Draw Q3 of all pairs of items."""
        from medpsy.plots.local_dependence import local_dependence

        return self.mark.on_figure(local_dependence(self.local_dependence()))

    def plot_item_fit(self) -> Figure:
        """Draw infit and outfit of every item, marked where the posterior predictive check flags them."""
        from medpsy.plots.item_fit import item_fit
        from medpsy.posterior.replicates import by_group

        return self.mark.on_figure(item_fit(by_group(self.item_fit())))

    def plot_person_fit(self, construct: str | None = None) -> Figure:
        """Draw lz* of all persons against the standard normal, and the posterior predictive p values."""
        from medpsy.plots.person_fit import person_fit

        return self.mark.on_figure(person_fit(self.person_fit(construct)))

    def plot_score_distribution(self) -> Figure:
        """Draw sum scores counted and predicted."""
        from medpsy.plots.score_distribution import score_distribution
        from medpsy.posterior.replicates import by_group

        return self.mark.on_figure(score_distribution(by_group(self.score_distribution())))
