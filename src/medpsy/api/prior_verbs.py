"""What a model says before any answer is seen."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from medpsy.bind import ModelData
    from medpsy.survey.survey import Survey


class PriorVerbs:
    """Verbs of :class:`medpsy.Model` about its priors, in the units of the questionnaire."""

    @abstractmethod
    def _survey(self, survey: Survey | None) -> Survey:
        """The answers meant: those given, else those that the model file names."""

    @abstractmethod
    def _data(self, survey: Survey | None) -> ModelData:
        """Model and answers together."""

    def prior_predictive(
        self, survey: Survey | None = None, *, draws: int = 500, seed: int = 0
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return what the priors expect before any answer is seen, in the units of the questionnaire.

        Parameters
        ----------
        survey : Survey, optional
            As in :meth:`fit`: gives the persons, their covariates and which answers are missing.
        draws : int
            Draws from the prior.
        seed : int

        Returns
        -------
        categories : DataFrame
            Counts by construct, item and category.
        scores : DataFrame
            Share of persons by construct and sum score.
        """
        from medpsy.posterior.predictive import prior_predictive

        answers = self._survey(survey)
        return prior_predictive(self._data(answers), survey=answers, draws=draws, seed=seed)

    def prior_reliability(
        self, survey: Survey | None = None, *, interval: float = 0.95, draws: int = 500, seed: int = 0
    ) -> pd.DataFrame:
        """Return what the priors say about the reliability of every sum score.

        Parameters
        ----------
        survey : Survey, optional
            As in :meth:`fit`.
        interval : float
            Prior mass of the intervals.
        draws, seed : int
            Draws from the prior.

        Returns
        -------
        DataFrame
            construct, mean, lower, median, upper, p_above_080.

        Raises
        ------
        SpecError
            An impossible interval or number of draws, or a model with groups.
        """
        from medpsy.posterior.prior_reliability import prior_reliability

        return prior_reliability(self._data(survey), interval=interval, draws=draws, seed=seed)
