"""Observed variables alone, with any families: no person has a score, so that nothing is integrated.

Every explained variable is a regression of its own, given what explains it. The engine takes what is not all
normal: robust and logistic regression, counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import Verdict
from medpsy.latent.base import Equations
from medpsy.ops import Numpy


class SeparateEquations:
    """The engine ``equations``."""

    name = "equations"
    order = 2
    unit = "person"

    def accepts(self, data: ModelData) -> Verdict:
        """No constructs, independent residuals, and every source of a path complete."""
        layout = data.layout
        if data.n_factor:
            return Verdict(False, "there are constructs")
        if layout.cliques:
            return Verdict(False, "residuals of observed variables correlate")
        for c in layout.coefficients:
            if not c.from_column and np.isnan(data.observed[:, c.source]).any():
                who = f"'{layout.nodes[c.source]}' explains another variable"
                missing = int(np.isnan(data.observed[:, c.source]).sum())
                return Verdict(False, f"{who} and is missing for {missing} persons")
        return Verdict(True, "observed variables only: every equation a regression")

    def person_normals(self, data: ModelData) -> int:
        """None: persons have no scores."""
        return 0

    def settings(self, data: ModelData, size: int | None = None) -> None:
        """Nothing is needed."""
        return None

    def compiles(self, data: ModelData) -> Verdict:
        """Always: every family has its derivatives."""
        return Verdict(True, "every equation has its derivatives")

    def compiled(self, data: ModelData, settings: Any = None) -> Regressions:
        """The same density with its gradient."""
        return Regressions(data)

    def log_likelihood(self, data: ModelData, p: dict[str, Any], xp: Any, settings: Any = None) -> Any:
        """Log-density of the explained variables of every person, shape (person,)."""
        eq = data.model.structure.equations(p, data.layout, xp)
        total = xp.zeros((data.n_person,))
        design, sources = xp.constant(data.design), xp.constant(np.nan_to_num(data.observed))
        for node, family in enumerate(data.layout.observed):
            assert family is not None
            given = ~np.isnan(data.observed[:, node])
            eta = design @ eq.g[node] + sources @ eq.b[node]
            term = family.log_prob(sources[:, node], eta, data.layout.own(node, p), xp)
            total = total + xp.constant(given.astype(float)) * term
        return total


@dataclass(frozen=True)
class Regressions:
    """Log-likelihood and gradient of every equation."""

    data: ModelData

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        data, layout = self.data, self.data.layout
        eq = data.model.structure.equations(p, layout, Numpy)
        sources = np.nan_to_num(data.observed)
        total, d_b, d_g = 0.0, np.zeros(eq.b.shape), np.zeros(eq.g.shape)
        own = {name: np.zeros_like(p[name]) for name in layout.roles}
        for node, family in enumerate(layout.observed):
            assert family is not None
            given = ~np.isnan(data.observed[:, node])
            design, known, y = data.design[given], sources[given], sources[given, node]
            eta, values = design @ eq.g[node] + known @ eq.b[node], layout.own(node, p)
            total += float(np.sum(family.log_prob(y, eta, values, Numpy)))
            d_eta, d_own = family.reverse(y, eta, values)
            d_g[node], d_b[node] = d_eta @ design, d_eta @ known
            for name, d in d_own.items():
                own[name][layout.cell(name, node)] = d.sum(axis=0)
        zero = Equations(d_b, d_g, np.zeros(len(layout.nodes)), np.zeros_like(d_b))
        gradient = data.model.structure.reverse(p, layout, zero)
        return total, gradient | {name: d for name, d in own.items() if name != "intercept"}

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        return np.asarray(ENGINE.log_likelihood(self.data, p, Numpy))

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> Regressions:
        """Itself: nothing depends on where the posterior lies."""
        return self

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Zero: nothing is integrated."""
        return 0.0

    def describe(self) -> str:
        """For the provenance."""
        return f"{len(self.data.layout.nodes)} regression(s)"


ENGINE = SeparateEquations()
