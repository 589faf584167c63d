"""What can be asked of a fitted linear model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from medpsy.api.verbs import Verbs

if TYPE_CHECKING:
    import pandas as pd


class LinearVerbs(Verbs):
    """Verbs of a fit that are about linear models."""

    def expected_changes(self, *, interval: float | None = None, draws: int = 100) -> pd.DataFrame:
        """Return what residual covariances and cross-loadings that are fixed to zero would be, largest first.

        The Bayesian counterpart of lavaan's ``modindices``: columns lhs, op, rhs, mi (posterior median of the
        modification index), epc (posterior mean), sd, lower, upper, p_direction, std_epc. See
        :func:`medpsy.posterior.expected_changes.expected_changes`.

        Parameters
        ----------
        interval : float, optional
            Posterior mass between ``lower`` and ``upper``.
        draws : int
            Posterior draws to use.

        Raises
        ------
        SpecError
            The model is not Gaussian.
        """
        from medpsy.posterior.expected_changes import expected_changes

        mass = self.interval if interval is None else interval
        return self.mark.on_table(expected_changes(self.result, interval=mass, draws=draws))

    def standard_solution(self, *, interval: float | None = None) -> pd.DataFrame:
        """Return the completely standardised solution of a linear model, lavaan's ``std.all`` with R-squared.

        Columns lhs, op, rhs, label, mean, sd, lower, upper, p_direction; ``r2`` rows are shares of variance
        explained.

        Raises
        ------
        SpecError
            The model is no linear one.
        """
        from medpsy.posterior.standard_solution import standard_solution

        mass = self.interval if interval is None else interval
        return self.mark.on_table(standard_solution(self.result, interval=mass))

    def continuous_time(
        self,
        intervals: float | Iterable[float],
        *,
        lag: float | Iterable[float] = 1.0,
        interval: float | None = None,
    ) -> pd.DataFrame:
        """Return the paths of a cross-lagged model over other intervals than those between its waves.

        Parameters
        ----------
        intervals : float or iterable of float
            The intervals asked for.
        lag : float or iterable of float
            Time between the waves, in the same unit: one number, or one for every interval between waves.
        interval : float, optional
            Posterior mass between ``lower`` and ``upper``.

        Returns
        -------
        DataFrame
            from_lag, interval, source, target, mean, sd, lower, upper, p_direction, share_of_draws.

        Raises
        ------
        SpecError
            The model has no paths from wave to wave, or an interval is not positive.
        """
        from medpsy.posterior.continuous_time import continuous_time

        mass = self.interval if interval is None else interval
        return self.mark.on_table(continuous_time(self.result, intervals, lag=lag, interval=mass))
