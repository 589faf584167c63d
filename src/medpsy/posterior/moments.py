"""Means and covariances of Gaussian models: what was observed, what each draw implies, and how far off.

Everything is given the covariates: moments are those of the residuals of the regression on them, and the
unrestricted model has a regression of its own for every variable. Units are those of the fit (z-scored);
discrepancies do not depend on units.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.gaussian import ENGINE, moments, values
from medpsy.errors import DataError, SpecError
from medpsy.ops import Numpy
from medpsy.posterior.by_group import views
from medpsy.posterior.draws import at, thinned
from medpsy.posterior.loo import MARGINAL, level
from medpsy.posterior.unrestricted import Pattern, estimate, log_likelihood, patterns
from medpsy.result import Result

INSTEAD = (
    "Use item_fit(), local_dependence(), score_distribution() and compare(), which are for such answers."
)


@dataclass(frozen=True)
class Sample:
    """The unrestricted model of one group: regressions on the design, and residual covariances.

    Parameters
    ----------
    group : str
        Empty for a model without groups.
    names : tuple of str
        Items, then explained variables.
    y : ndarray, shape (person, variable)
        NaN where there is no value.
    design : ndarray, shape (person, column)
        A one, then the covariates, without what repeats others.
    coefficient : ndarray, shape (variable, column)
        Maximum likelihood: least squares where all values are there.
    covariance : ndarray, shape (variable, variable)
        Of the residuals, maximum likelihood.
    """

    group: str
    names: tuple[str, ...]
    y: np.ndarray
    design: np.ndarray
    coefficient: np.ndarray
    covariance: np.ndarray

    @property
    def n(self) -> int:
        """Persons."""
        return len(self.y)

    @property
    def columns(self) -> int:
        """Columns of the design."""
        return self.design.shape[1]

    @property
    def p(self) -> int:
        """Moments: covariances and regression coefficients."""
        v = len(self.names)
        return v * (v + 1) // 2 + v * self.columns

    @property
    def complete(self) -> bool:
        """Whether no value is missing."""
        return not np.isnan(self.y).any()

    @cached_property
    def patterns(self) -> tuple[Pattern, ...]:
        """Cross-products of the values, by pattern of missing ones."""
        return patterns(self.y, self.design)

    @cached_property
    def best(self) -> float:
        """Log-likelihood of the unrestricted model."""
        return log_likelihood(self.patterns, self.coefficient, self.covariance)

    def discrepancy(self, mean: np.ndarray, covariance: np.ndarray) -> float:
        """2 (ell of the unrestricted model - ell) at C (variable, column of the design) and S."""
        return 2.0 * (self.best - log_likelihood(self.patterns, mean, covariance))


@dataclass(frozen=True)
class Compared:
    """One group: the sample, and at every draw the implied moments and the discrepancy.

    Parameters
    ----------
    sample : Sample
    mean : ndarray, shape (draw, variable, column)
    implied : ndarray, shape (draw, variable, variable)
    d : ndarray, shape (draw,)
    """

    sample: Sample
    mean: np.ndarray
    implied: np.ndarray
    d: np.ndarray


def compared(result: Result, draws: int) -> list[Compared]:
    """Return every group of a Gaussian model (one where there are none) at ``draws`` posterior draws.

    Raises
    ------
    SpecError
        The model is none of a covariance matrix (see :func:`check`), an impossible number of draws.
    DataError
        Too few persons for an unrestricted covariance matrix, variables that follow from others.
    """
    check(result)
    parts = views(result) or {"": result}
    samples = {group: sample(part.data, group) for group, part in parts.items()}
    return [_at_draws(part, samples[group], draws) for group, part in parts.items()]


def _at_draws(result: Result, own: Sample, draws: int) -> Compared:
    p = thinned(result, draws)
    means, implied, d = [], [], []
    for s in range(len(next(iter(p.values())))):
        mean, covariance = moments(result.data, at(p, s), Numpy)
        # A column that repeats others would leave the unrestricted regression open: its part goes to them.
        mean = _onto(result.data, own, mean)
        means.append(mean)
        implied.append(covariance)
        d.append(own.discrepancy(mean, covariance))
    return Compared(own, np.stack(means), np.stack(implied), np.array(d))


def _onto(data: ModelData, own: Sample, mean: np.ndarray) -> np.ndarray:
    """Coefficients on the columns that were kept, with the same expected values."""
    if own.columns == data.design.shape[1]:
        return mean
    design = data.design[_somebody(data)]
    return np.asarray(np.linalg.lstsq(own.design, design @ mean.T, rcond=None)[0].T)


def _somebody(data: ModelData) -> np.ndarray:
    """Who has any value; the others are no part of the sample."""
    return np.asarray(~np.isnan(values(data)).all(axis=1))


def check(result: Result) -> None:
    """Refuse models that are none of one mean vector and one covariance matrix a group, given covariates.

    Raises
    ------
    SpecError
    """
    data = result.data
    part = data.groups.parts[0] if data.groups is not None else data
    verdict = ENGINE.accepts(part)
    if not verdict.accepted:
        raise SpecError(
            f"RMSEA, CFI and their kin are about covariance matrices of numbers: {verdict.reason}",
            hint=INSTEAD,
        )
    if part.layout.levels is not None:
        raise SpecError(
            f"persons of the same {part.layout.levels.by} are alike: one covariance matrix does not "
            "describe them",
            hint="Compare models with the same clusters by leaving clusters out: fit.compare(other).",
        )
    if level(result) != MARGINAL:
        raise SpecError(
            "the scores of the persons were sampled, so that this fit has no likelihood of covariances",
            hint="Fit with engine='auto', which integrates the scores out.",
        )
    if part.cells is not None or part.layout.moderated.size or part.layout.products.size:
        raise SpecError(
            "the paths of constructs change with a variable: the persons share no covariance matrix",
            hint="Compare with the model without these products: fit.compare(other).",
        )
    for column in part.layout.columns:
        inside = [name for name in column.factors if name in part.layout.nodes]
        if inside:
            raise SpecError(
                f"'{column.name}' is a product with the explained variable '{inside[0]}': given the "
                "covariates, the variables have no normal distribution to compare with",
                hint="Compare with the model without the product: fit.compare(other).",
            )


def sample(data: ModelData, group: str = "") -> Sample:
    """The unrestricted model of the persons of ``data`` who have any value.

    Raises
    ------
    DataError
        Too few persons, or variables that follow from others.
    """
    somebody = _somebody(data)
    y, design = values(data)[somebody], data.design[somebody]
    explained = [data.layout.nodes[i] for i in data.layout.measured]
    names = (*(item for block in data.blocks for item in block.construct.items), *explained)
    design = design[:, _independent(design)]
    where = f" in group '{group}'" if group else ""
    problem = DataError(
        f"{len(y)} persons{where} give no invertible covariance matrix of {len(names)} variables",
        hint="A variable follows from others (a sum beside its items?), or there are too few persons.",
    )
    answered = ~np.isnan(y)
    together = answered.astype(int).T @ answered.astype(int)
    if len(y) <= len(names) + design.shape[1] or together.min() <= design.shape[1] + 1:
        raise problem
    start = np.zeros((len(names), design.shape[1])), np.diag(np.nanvar(y, axis=0))
    try:
        coefficient, covariance = estimate(patterns(y, design), *start)
    except np.linalg.LinAlgError:
        raise problem from None
    if np.linalg.eigvalsh(covariance)[0] < 1e-10:
        raise problem
    return Sample(group, names, y, design, coefficient, covariance)


def _independent(design: np.ndarray) -> np.ndarray:
    """Columns that do not follow from those before them (within a group an indicator may be constant)."""
    keep: list[int] = []
    for c in range(design.shape[1]):
        if np.linalg.matrix_rank(design[:, [*keep, c]]) == len(keep) + 1:
            keep.append(c)
    return np.array(keep)
