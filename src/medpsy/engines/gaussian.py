"""Everything Gaussian: constructs integrated out in closed form (Joreskog, 1969, doi:10.1007/BF02289343).

y = nu + Lambda eta + e and eta = M w + L z give y | w ~ N(C w, S) with C = nu e_0' + Lambda M and
S = Lambda L L' Lambda' + Theta. Missing values: persons are grouped by what they answered (full
information maximum likelihood).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import Verdict, normal_density
from medpsy.latent.base import system

if TYPE_CHECKING:
    from medpsy.engines.gaussian_compiled import SufficientStatistics


class ClosedForm:
    """The engine ``gaussian``."""

    name = "gaussian"
    order = 1
    unit = "person"

    def accepts(self, data: ModelData) -> Verdict:
        """Every item and every explained variable is Gaussian."""
        for block in data.blocks:
            if data.model.families[block.name].name != "gaussian":
                return Verdict(False, f"'{block.name}' has ordinal or binary items")
        if data.layout.not_normal:
            return Verdict(False, f"{data.layout.not_normal}")
        return Verdict(True, "all variables are Gaussian: constructs integrated out in closed form")

    def person_normals(self, data: ModelData) -> int:
        """None: the persons are integrated out."""
        return 0

    def settings(self, data: ModelData, size: int | None = None) -> None:
        """Nothing is needed."""
        return None

    def compiles(self, data: ModelData) -> Verdict:
        """Always: sufficient statistics make the cost independent of the number of persons."""
        return Verdict(True, "sufficient statistics by pattern of missing values")

    def compiled(self, data: ModelData, settings: Any = None) -> SufficientStatistics:
        """The same density from sufficient statistics."""
        from medpsy.engines.gaussian_compiled import SufficientStatistics
        from medpsy.engines.linear_compiled import LinearStatistics

        linear = data.model.spec.linear is not None and not data.blocks
        return LinearStatistics(data) if linear else SufficientStatistics(data)

    def log_likelihood(self, data: ModelData, p: dict[str, Any], xp: Any, settings: Any = None) -> Any:
        """Log-density of every person's (z-scored) values, shape (person,)."""
        mean, covariance = moments(data, p, xp)
        pieces, rows = [], []
        for persons, columns in patterns(data):
            if columns.size == 0:
                pieces.append(xp.zeros((len(persons),)))
                rows.append(persons)
                continue
            y, w = values(data)[persons][:, columns], data.design[persons]
            pieces.append(normal_density(mean[columns], covariance[columns][:, columns], y, w, xp)[2])
            rows.append(persons)
        return xp.concatenate(pieces, axis=0)[np.argsort(np.concatenate(rows))]


def values(data: ModelData) -> np.ndarray:
    """All z-scored values (person, variable): items block by block, then explained variables."""
    observed = data.observed[:, data.layout.measured]
    return np.column_stack([*(block.values for block in data.blocks), observed])


def patterns(data: ModelData) -> list[tuple[np.ndarray, np.ndarray]]:
    """Persons grouped by the variables they answered: (persons, variables) pairs."""
    kinds, which = np.unique(~np.isnan(values(data)), axis=0, return_inverse=True)
    which = which.ravel()
    return [(np.flatnonzero(which == i), np.flatnonzero(kind)) for i, kind in enumerate(kinds)]


#: No further nodes.
NONE = np.empty(0, dtype=int)


def moments(data: ModelData, p: dict[str, Any], xp: Any, more: np.ndarray = NONE) -> tuple[Any, Any]:
    """C (variable, design) and S (variable, variable), z-scored units; the nodes ``more`` come last."""
    layout = data.layout
    mean, chol = system(data.model.structure.equations(p, layout, xp), layout, xp)
    weight = loading_matrix(data, p, xp, more)
    location = weight @ mean
    spread = weight @ chol
    zeros = xp.zeros((layout.measured.size + more.size,))
    nu = [*(p[f"intercept_{b.name}"] for b in data.blocks), zeros]
    residual = [*(p[f"residual_sd_{b.name}"] ** 2 for b in data.blocks), zeros]
    nu_all, residual_all = xp.concatenate(nu, axis=0), xp.concatenate(residual, axis=0)
    first = np.zeros(data.design.shape[1])
    first[0] = 1.0
    every = np.arange(sum(b.values.shape[1] for b in data.blocks) + layout.measured.size + more.size)
    theta = xp.place((every.size, every.size), every, every, residual_all)
    return location + nu_all[:, None] * xp.constant(first), spread @ xp.swapaxes(spread, 0, 1) + theta


def loading_matrix(data: ModelData, p: dict[str, Any], xp: Any, more: np.ndarray = NONE) -> Any:
    """Lambda (variable, node): loadings of items, ones for explained variables and the nodes ``more``."""
    rows, cols = loading_cells(data, more)
    ones = xp.zeros((data.layout.measured.size + more.size,)) + 1.0
    entries = [*(p[f"loading_{b.name}"] for b in data.blocks), ones]
    return xp.place((rows.size, len(data.layout.nodes)), rows, cols, xp.concatenate(entries, axis=0))


def loading_cells(data: ModelData, more: np.ndarray = NONE) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of every entry of Lambda."""
    factors = data.layout.factors
    columns = [np.full(b.values.shape[1], factors[b.factor]) for b in data.blocks]
    columns += [data.layout.measured, more]
    cols = np.concatenate(columns).astype(int)
    return np.arange(cols.size), cols


ENGINE = ClosedForm()
