"""What one can ask a fit about its items and its persons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.api.verbs import Verbs
from medpsy.errors import FitError, SpecError, nearest
from medpsy.result import Result

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure


class Measured(Verbs):
    """Verbs of :class:`medpsy.Fit` about measurement.

    Where the model has groups, ``group`` names the one whose items and persons are meant.
    """

    # Items

    def items(
        self,
        construct: str | None = None,
        *,
        form: str = "slope-threshold",
        interval: float | None = None,
    ) -> pd.DataFrame:
        """Return the parameters of every item, with the label of each category.

        Parameters
        ----------
        construct : str, optional
            May be left out where the model has only one.
        form : str
            ``"slope-threshold"``, ``"slope-intercept"`` or ``"difficulty"``.
        interval : float, optional
            Posterior mass of the intervals.

        Returns
        -------
        DataFrame
            See :func:`medpsy.posterior.item_parameters.item_parameters`.

        Raises
        ------
        SpecError
            There is no such form or construct, or the items are numbers.
        """
        from medpsy.posterior.item_parameters import item_parameters

        mass = self._posterior(interval)
        found = item_parameters(self.result, self._construct(construct), form=form, interval=mass)
        return self.mark.on_table(found)

    def item_effects(self, construct: str | None = None, *, interval: float | None = None) -> pd.DataFrame:
        """Return what properties of the items (or raters, occasions) do to their location.

        Parameters
        ----------
        construct : str, optional
            May be left out where the model has only one.
        interval : float, optional
            Posterior mass of the intervals.

        Returns
        -------
        DataFrame
            See :func:`medpsy.posterior.item_effects.item_effects`: logits, higher is harder or stricter.

        Raises
        ------
        SpecError
            The items have no properties.
        """
        from medpsy.posterior.item_effects import item_effects

        mass = self._posterior(interval)
        return self.mark.on_table(item_effects(self.result, self._construct(construct), interval=mass))

    def item_curves(
        self, construct: str | None = None, *, interval: float | None = None, group: str | None = None
    ) -> xr.Dataset:
        """Return boundary curves, expected answers and the expected sum score, with bands.

        Parameters
        ----------
        construct : str, optional
            May be left out where the model has only one.
        interval : float, optional
            Posterior mass of the bands.
        group : str, optional

        Returns
        -------
        Dataset
            See :func:`medpsy.posterior.item_curves.item_curves`; theta in sds of the construct.

        Raises
        ------
        SpecError
            There is no such construct or group, or the items are numbers.
        """
        from medpsy.posterior.item_curves import item_curves

        found = item_curves(
            self._group(group), self._construct(construct), interval=self._posterior(interval)
        )
        return found.assign_attrs(self.mark.attributes())

    def information(
        self, construct: str | None = None, *, interval: float | None = None, group: str | None = None
    ) -> xr.Dataset:
        """Return the information of items and module, and the standard errors of scores, with bands.

        Parameters and errors as in :meth:`item_curves`; see
        :func:`medpsy.posterior.information.information`.
        """
        from medpsy.posterior.information import information

        found = information(
            self._group(group), self._construct(construct), interval=self._posterior(interval)
        )
        return found.assign_attrs(self.mark.attributes())

    def wright(
        self, construct: str | None = None, *, interval: float | None = None, group: str | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the distribution of the persons and the locations of the steps, on one axis.

        Parameters and errors as in :meth:`item_curves`; see :func:`medpsy.posterior.wright.persons` and
        :func:`medpsy.posterior.wright.locations`.
        """
        from medpsy.posterior.wright import locations, persons

        result, name, mass = self._group(group), self._construct(construct), self._posterior(interval)
        people = persons(result, interval=mass)
        people = people[people["construct"] == name].reset_index(drop=True)
        return self.mark.on_table(people), self.mark.on_table(locations(result, name, interval=mass))

    def score_table(
        self,
        construct: str | None = None,
        *,
        interval: float | None = None,
        short_form: bool = False,
        group: str | None = None,
    ) -> pd.DataFrame:
        """Return the score that each sum score stands for.

        Parameters
        ----------
        construct, interval, group
            As in :meth:`item_curves`.
        short_form : bool
            Allow a construct that holds only some items of a module.

        Returns
        -------
        DataFrame
            sum_score, persons, share, score, score_lower, score_upper, sd, lower, upper; see
            :func:`medpsy.posterior.score_table.score_table`.

        Raises
        ------
        SpecError
            As in :meth:`item_curves`; a construct without a sum score of its own.
        """
        from medpsy.posterior.score_table import score_table

        found = score_table(
            self._group(group), self._construct(construct), interval=self._posterior(interval),
            short_form=short_form,
        )  # fmt: skip
        return self.mark.on_table(found)

    def loadings(self, *, interval: float | None = None, relevant: float = 0.3) -> pd.DataFrame:
        """Return the standardised loadings of every item on all that it measures, and communalities.

        Parameters
        ----------
        interval : float, optional
        relevant : float
            From this absolute size on a loading is relevant.

        Returns
        -------
        DataFrame
            See :func:`medpsy.posterior.loadings.loadings`: own and cross-loadings, those on specific factors,
            and with a second-order construct direct and indirect ones.

        Raises
        ------
        SpecError
            No items with such loadings, paths that differ between persons.
        """
        from medpsy.posterior.loadings import loadings

        found = loadings(self.result, interval=self._posterior(interval), relevant=relevant)
        return self.mark.on_table(found)

    # Persons

    def scores(self, *, draws: int = 100, seed: int = 0) -> xr.Dataset:
        """Return person scores from their exact conditional posterior.

        Parameters
        ----------
        draws : int
            Plausible values per person.
        seed : int

        Returns
        -------
        Dataset
            ``mean`` and ``sd`` (person, factor), the sd being the standard error of the mean as a score;
            ``draw`` (sample, person, factor); ``map`` and ``map_error`` (person, factor), the mode at the
            posterior means of the parameters, where the model has one in closed form. In standard deviations
            of the construct; ``person`` are the identifiers of the survey, in its order.

        Raises
        ------
        FitError
            The model has no constructs.
        """
        from medpsy.posterior.person_modes import person_modes
        from medpsy.posterior.scores import scores

        found = scores(self.result, draws=draws, seed=seed).assign_attrs(self.mark.attributes())
        try:
            mode, error = person_modes(self.result)
        except FitError as reason:
            return found.assign_attrs(map=f"left out: {reason.message}")
        # Latent variables beyond the constructs, which come last, have none.
        missing = ((0, 0), (0, found.sizes["factor"] - mode.shape[1]))
        mode, error = (np.pad(x, missing, constant_values=np.nan) for x in (mode, error))
        return found.assign({"map": (found["mean"].dims, mode), "map_error": (found["mean"].dims, error)})

    def person_table(self, *, interval: float | None = None, draws: int = 200, seed: int = 0) -> pd.DataFrame:
        """Return one row per person and construct: person, construct, mean, sd, lower, upper, answered.

        ``lower`` and ``upper`` hold ``interval`` of the person's posterior; ``answered`` counts answers given
        to the items of the construct. Units and errors as in :meth:`scores`.
        """
        from medpsy.posterior.person_table import person_table

        found = person_table(self.result, interval=self._posterior(interval), draws=draws, seed=seed)
        return self.mark.on_table(found)

    def plausible_values(self, m: int = 20, *, seed: int = 0) -> pd.DataFrame:
        """Return ``m`` draws of the scores of everybody, for analyses elsewhere.

        Parameters
        ----------
        m, seed : int

        Returns
        -------
        DataFrame
            imputation, person, one column per construct; ``attrs["contains"]`` lists the variables that the
            model contains. Relations to others come out too weak.

        Raises
        ------
        SpecError
            An impossible number of sets.
        FitError
            The model has no constructs.
        """
        from medpsy.posterior.plausible import plausible_values

        return self.mark.on_table(plausible_values(self.result, m=m, seed=seed))

    def score_reliability(self, *, interval: float | None = None) -> pd.DataFrame:
        """Return the reliability of the person scores: marginal, of plausible values, empirical.

        See :func:`medpsy.posterior.information.precision`. :meth:`Fit.reliability` is about sum scores.
        """
        from medpsy.posterior.information import precision

        return self.mark.on_table(precision(self.result, interval=self._posterior(interval)))

    # Figures

    def plot(self, name: str, construct: str | None = None, **options: Any) -> Figure:
        """Draw a figure by its name.

        Parameters
        ----------
        name : str
            ``"categories"``, ``"boundaries"``, ``"expected"``, ``"information"``, ``"item_information"``,
            ``"wright"``, ``"sum_scores"``, ``"scores"``, ``"counts"``, ``"path"``, ``"effects"``,
            ``"ranks"``, ``"prior"`` ... : a wrong name is answered with the nearest.
        construct : str, optional
            For figures of one construct; may be left out where the model has only one.
        **options
            Those of the table that is drawn, such as ``interval`` or ``group``.

        Raises
        ------
        SpecError
            No such figure or construct.
        """
        from medpsy.api.figures import figures

        drawn = figures()
        if name in drawn:
            of = self._construct(construct) if drawn[name].construct else ""
            return self.mark.on_figure(drawn[name].draw(self, of, **options))
        methods = [method[5:] for method in dir(self) if method.startswith("plot_")]
        if name not in methods:
            raise SpecError(f"there is no figure '{name}'", hint=nearest(name, sorted([*drawn, *methods])))
        if name == "categories":
            construct = self._construct(construct)
        given = () if construct is None else (construct,)
        return getattr(self, f"plot_{name}")(*given, **options)

    # Helpers

    def _posterior(self, interval: float | None) -> float:
        return self.interval if interval is None else interval

    def _construct(self, name: str | None) -> str:
        """The construct that is meant; the only one where none is named."""
        names = list(dict.fromkeys(block.construct.name for block in self.result.data.blocks))
        if name is None and len(names) == 1:
            return names[0]
        if not names:
            raise SpecError("the model has no constructs", hint="This is a question about items.")
        if name is None:
            raise SpecError(
                f"the model has {len(names)} constructs: {', '.join(names)}", hint="Name one of them."
            )
        if name not in names:
            raise SpecError(f"the model has no construct '{name}'", hint=nearest(name, names))
        return name

    def _group(self, level: str | None) -> Result:
        """The whole result, or that of one group."""
        from medpsy.posterior.by_group import view

        groups = self.result.data.groups
        if level is None and groups is not None:
            raise SpecError(
                f"every group of '{groups.by}' has its own: {', '.join(groups.levels)}",
                hint=f"Name one: group={groups.levels[0]!r}.",
            )
        return self.result if level is None else view(self.result, level)
