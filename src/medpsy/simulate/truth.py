"""The truth of a simulation: every number that is needed to make a survey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from medpsy.simulate.spread import Spread

if TYPE_CHECKING:
    from medpsy.simulate.clusters import TrueClusters


@dataclass(frozen=True)
class Term:
    """One regression term: ``coefficient`` per unit of ``source`` (per level against the others).

    ``name`` is ``target~source`` or ``target~source[level]``, as in the posterior; ``level`` is the index of
    the level of a categorical covariate, else None; ``label`` is the label of the path, if it has one. ``by``
    holds the other factors of a product, each with its level.
    """

    name: str
    target: str
    source: str
    level: int | None
    coefficient: float
    label: str | None = None
    by: tuple[tuple[str, int | None], ...] = ()


@dataclass(frozen=True)
class Equation:
    """How one node comes about: intercept + scale * (shift + terms + residual_sd * e), e ~ N(0, 1).

    Constructs have intercept and shift 0 and scale 1. A variable whose family has no normal residuals is
    intercept + scale * (a draw of the family at the linear predictor shift + terms, with its ``own``
    parameters).
    """

    node: str
    family: str
    terms: tuple[Term, ...]
    residual_sd: float
    intercept: float = 0.0
    scale: float = 1.0
    shift: float = 0.0
    own: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Truth:
    """Everything needed to make a survey.

    Scale: every construct (and every explained number, z-scored) has variance 1 given the covariates, and
    mean 0 over the persons. Covariates enter z-scored, categories as indicators less their share. Paths are
    therefore those of the model's structural part where that keeps the same scale, and standardised given
    the covariates everywhere. Products multiply these values; with them the variances, and the margins of the
    items, are met at the means of the moderators.

    Parameters
    ----------
    n_person : int
        Persons of the study.
    seed : int
        Seed of the published simulation.
    note : str
        The sentence that every output of a simulated survey carries.
    variables : dict of str to Spread
        Distribution of each person variable that is not explained.
    equations : tuple of Equation
        One per node of the model, in topological order.
    correlation : ndarray, shape (node, node)
        Correlations of the normal residuals (identity but for exogenous constructs and declared pairs).
    items : dict of str to dict of str to ndarray
        By construct and role: the parameters of its family, in the order of the construct's items. Those of
        continuous items are in raw units.
    clusters : TrueClusters, optional
        What differs between clusters. Variances of 1 are then those within clusters.
    """

    n_person: int
    seed: int
    note: str
    variables: dict[str, Spread]
    equations: tuple[Equation, ...]
    correlation: np.ndarray
    items: dict[str, dict[str, np.ndarray]]
    clusters: TrueClusters | None = None

    @property
    def paths(self) -> dict[str, float]:
        """Every coefficient by name, zeros included."""
        return {term.name: term.coefficient for eq in self.equations for term in eq.terms}

    @property
    def labels(self) -> dict[str, float]:
        """Coefficients by label, for defined effects."""
        terms = [term for eq in self.equations for term in eq.terms]
        return {term.label: term.coefficient for term in terms if term.label is not None}
