"""What one can ask a fit about mediation and moderation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from medpsy.errors import SpecError, nearest
from medpsy.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from medpsy.api.fits import Fit
    from medpsy.api.mark import Mark


if TYPE_CHECKING:

    class _Fitted(Protocol):
        """What the verbs need of a fit."""

        @property
        def mark(self) -> Mark:
            """What every table and figure carries."""
            ...

        @property
        def interval(self) -> float:
            """Posterior mass of intervals."""
            ...

        @property
        def rope(self) -> float:
            """Half width of the region of practical equivalence."""
            ...

else:
    _Fitted = object


class Mediated(_Fitted):
    """Verbs of :class:`medpsy.Fit` about effects that go through something or change with something.

    Tables are in raw units (constructs in residual sds) unless they say otherwise; errors are SpecError where
    the model has no such effect, variable or value.
    """

    result: Result

    def conditional(
        self,
        at: Mapping[str, object] | None = None,
        *,
        exposure: str | None = None,
        outcome: str | None = None,
        interval: float | None = None,
        kind: str = "eti",
    ) -> pd.DataFrame:
        """Return indirect, direct and total effects at values of their moderators.

        Parameters
        ----------
        at : mapping, optional
            Value or values by moderator; every level, or the 16th, 50th and 84th percentile unless given.
        exposure, outcome : str, optional
            Those of the mediation unless given.
        interval, kind
            As in :meth:`Fit.effects`.

        Returns
        -------
        DataFrame
            See :func:`medpsy.posterior.conditional.conditional`.
        """
        from medpsy.posterior.conditional import conditional

        found = conditional(
            self.result, at=at, exposure=exposure, outcome=outcome, interval=self._width(interval), kind=kind
        )
        return self.mark.on_table(found)

    def conditional_contrasts(
        self, at: Mapping[str, object] | None = None, *, interval: float | None = None, kind: str = "eti"
    ) -> pd.DataFrame:
        """Return the differences of all conditional effects between all pairs of settings."""
        from medpsy.posterior.conditional import contrasts

        return self.mark.on_table(contrasts(self.result, at=at, interval=self._width(interval), kind=kind))

    def relative_effects(
        self,
        comparisons: Mapping[str, Mapping[str, float]] | None = None,
        *,
        interval: float | None = None,
        kind: str = "eti",
    ) -> pd.DataFrame:
        """Return the effects of a categorical exposure for chosen comparisons of its levels.

        Parameters
        ----------
        comparisons : mapping, optional
            Name to weights by level, which sum to zero; all pairs of levels unless given.
        """
        from medpsy.posterior.conditional import relative

        return self.mark.on_table(
            relative(self.result, comparisons, interval=self._width(interval), kind=kind)
        )

    def simple_slopes(
        self,
        target: str,
        source: str,
        at: Mapping[str, object] | None = None,
        *,
        interval: float | None = None,
        kind: str = "eti",
    ) -> pd.DataFrame:
        """Return the slope of one path at values of its moderators."""
        from medpsy.posterior.conditional import simple_slopes

        return self.mark.on_table(
            simple_slopes(self.result, target, source, at=at, interval=self._width(interval), kind=kind)
        )

    def conditional_curve(
        self,
        moderator: str,
        *,
        effect: str = "indirect",
        text: str | None = None,
        at: Mapping[str, object] | None = None,
        interval: float | None = None,
    ) -> pd.DataFrame:
        """Return one effect over the range of a numeric moderator, and where its interval excludes zero.

        Parameters
        ----------
        moderator : str
        effect, text : str
            A row of :meth:`conditional`: its effect and, where there are several, its chain.
        at : mapping, optional
            Values of the other moderators.

        Returns
        -------
        DataFrame
            value, mean, lower, upper; ``attrs["regions"]`` are the stretches that exclude zero.
        """
        from medpsy.posterior.moderator_curves import curve

        found = curve(self.result, moderator, effect=effect, text=text, at=at, interval=self._width(interval))
        return self.mark.on_table(found)

    def natural_effects(
        self,
        low: float | str | None = None,
        high: float | str | None = None,
        *,
        mediators_at: Mapping[str, float] | None = None,
        at: Mapping[str, float | str] | None = None,
        exposure: str | None = None,
        outcome: str | None = None,
        category: float | str | None = None,
        interval: float | None = None,
        draws: int = 500,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Return natural direct and indirect, total and controlled direct effects by simulation under do().

        Parameters
        ----------
        low, high : float or str, optional
            Values of the exposure that are compared.
        mediators_at : mapping, optional
            Values of the mediators for the controlled direct effect; their means unless given.
        at : mapping, optional
            Covariates and moderators that everybody is given this value of.
        exposure, outcome : str, optional
            Those of the mediation unless given; to be named where the paths are no recognised design.
        category : float or str, optional
            Of an ordinal outcome: the category whose probability is compared, instead of the expected score.
        draws, seed : int
            Posterior draws that are used, and the seed of the simulation.

        Returns
        -------
        DataFrame
            In the outcome's own units; differences of probabilities where it is binary, of expected scores
            where it is ordinal (of the probability of ``category``, if one is named).
        """
        from medpsy.posterior.natural import natural

        found = natural(
            self.result, low=low, high=high, mediators_at=mediators_at, at=at, exposure=exposure,
            outcome=outcome, category=category, interval=self._width(interval), draws=draws, seed=seed,
        )  # fmt: skip
        return self.mark.on_table(found)

    def mediational_e_value(
        self,
        low: float | str | None = None,
        high: float | str | None = None,
        *,
        interval: float | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Return risk ratios of the natural effects on a binary or counted outcome, and their E-values: how
        strong a hidden cause of mediator and outcome would have to be to explain them away."""
        from medpsy.posterior.e_value import mediational_e_value

        found = mediational_e_value(
            self.result, low=low, high=high, interval=self._width(interval), **options
        )
        return self.mark.on_table(found)

    def tipping_points(
        self, at: Mapping[str, object] | None = None, *, interval: float | None = None
    ) -> pd.DataFrame:
        """Return how strong an unmeasured common cause of mediator and outcome would undo each indirect
        effect, at every value ``at`` of what the paths out of the mediators change with."""
        from medpsy.posterior.confounding import tipping

        return self.mark.on_table(tipping(self.result, at=at, interval=self._width(interval)))

    def stability_grid(
        self,
        stabilities: Sequence[float] = (0.3, 0.5, 0.7),
        *,
        at: Mapping[str, object] | None = None,
        interval: float | None = None,
    ) -> pd.DataFrame:
        """Return what these answers of one occasion would mean over time, under assumed stabilities."""
        from medpsy.posterior.stability import stability_grid

        found = stability_grid(self.result, stabilities, at=at, interval=self._width(interval))
        return self.mark.on_table(found)

    def naive_effects(
        self, at: Mapping[str, object] | None = None, *, interval: float | None = None
    ) -> pd.DataFrame:
        """Return standardised effects by least squares on mean scores, beside their posterior."""
        from medpsy.posterior.naive import naive_vs_latent

        return self.mark.on_table(naive_vs_latent(self.result, at=at, interval=self._width(interval)))

    def orders_within(
        self, at: Mapping[str, object] | None = None, *, interval: float | None = None
    ) -> pd.DataFrame | None:
        """Return the indirect effects of a moderated simple mediation in all six orders, by setting."""
        from medpsy.posterior.orders import orders_within

        found = orders_within(self.result, at=at, interval=self._width(interval))
        return None if found is None else self.mark.on_table(found)

    def independences(self, *, interval: float | None = None, seed: int = 0) -> pd.DataFrame:
        """Return the conditional independences that the path graph implies, each tested with its
        posterior."""
        from medpsy.posterior.independences import independence_table

        found = independence_table(self.result, interval=self._width(interval), seed=seed)
        return self.mark.on_table(found)

    def adjustment_sets(self) -> pd.DataFrame:
        """Return what each effect of the mediation needs held constant, read off the path graph."""
        from medpsy.posterior.independences import adjustments

        return self.mark.on_table(adjustments(self.result))

    def against_no_indirect(self, **options: Any) -> pd.DataFrame:
        """Fit the model without the paths out of the mediators, and compare by leave-one-person-out.

        Parameters
        ----------
        **options
            Of :meth:`Model.fit` for the second fit.

        Returns
        -------
        DataFrame
            As :meth:`Fit.compare`; models ``"with"`` and ``"without indirect effect"``.
        """
        from medpsy.api.models import Model
        from medpsy.mediation.without import without_indirect

        fit = cast("Fit", self)
        other = Model(without_indirect(self.result.model.spec)).fit(self.result.survey, **options)
        return fit.compare(other, names=["with", "without indirect effect"])

    # Figures

    def plot_conditional(self, moderator: str, **options: Any) -> Figure:
        """Draw one effect over a numeric moderator; options as in :meth:`conditional_curve`."""
        from medpsy.plots.conditional_curve import conditional_curve

        return self.mark.on_figure(conditional_curve(self.conditional_curve(moderator, **options)))

    def plot_simple_slopes(
        self,
        target: str,
        source: str,
        at: Mapping[str, object] | None = None,
        *,
        interval: float | None = None,
        level: str | None = None,
    ) -> Figure:
        """Draw expected values of one variable over another, one line per setting of their moderators; of
        deviations and cluster means on one ``level`` (``"within"``, ``"between"``)."""
        from medpsy.plots.slope_lines import slope_lines
        from medpsy.posterior.moderator_curves import slope_lines as lines

        table = lines(self.result, target, source, at=at, interval=self._width(interval), level=level)
        return self.mark.on_figure(slope_lines(table))

    def plot_tipping(
        self,
        mediator: str | None = None,
        outcome: str | None = None,
        *,
        at: Mapping[str, object] | None = None,
        interval: float | None = None,
        level: str | None = None,
    ) -> Figure:
        """Draw an indirect effect over the strength of unmeasured confounding, at values of its moderators;
        of deviations and cluster means on one ``level`` (``"within"``, ``"between"``)."""
        from medpsy.plots.tipping_curve import tipping_curve
        from medpsy.posterior.confounding import tipping_curve as curve

        width = self._width(interval)
        table = curve(self.result, mediator, outcome, at=at, interval=width, level=level)
        return self.mark.on_figure(tipping_curve(table))

    def plot_effect(self, effect: str = "indirect", *, rope: float | None = None) -> Figure:
        """Draw the standardised posterior of one effect over its prior, with the region of equivalence."""
        from medpsy.plots.posterior_density import posterior_density
        from medpsy.posterior.effects import effect_draws, effects
        from medpsy.posterior.predictive import prior_effects

        half = self.rope if rope is None else rope
        table = effects(self.result, interval=self.interval, rope=half).set_index("effect")
        if effect not in table.index:
            raise SpecError(f"there is no effect '{effect}'", hint=nearest(effect, list(table.index)))
        row = table.loc[effect]
        figure = posterior_density(
            effect_draws(self.result)[effect], prior_effects(self.result.data).get(effect),
            rope=(row["rope_low"], row["rope_high"]), label=f"{effect}, standardised", interval=self.interval,
        )  # fmt: skip
        return self.mark.on_figure(figure)

    def _width(self, interval: float | None) -> float:
        return self.interval if interval is None else interval
