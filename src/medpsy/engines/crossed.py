"""Items that measure several constructs: persons integrated out over the full grid.

p(y_i) = sum_q N(t_q; m_i, S) h^F prod_j P_j(y_ij | t_q) over all combinations of nodes. The cost of a step is
that of two products of persons x answers x nodes^F.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.base import Verdict, gaussian_given, observed_patterns
from medpsy.engines.grid import Grid, default_grid
from medpsy.engines.quadrature import MOST_FACTORS, Quadrature
from medpsy.families.crossed import Crossed
from medpsy.families.nested import Nested
from medpsy.latent.base import system

if TYPE_CHECKING:
    from medpsy.engines.crossed_compiled import CompiledCrossed


class FullGrid(Quadrature):
    """The engine ``crossed``: two or three constructs, some items loading on several."""

    name = "crossed"
    order = 5

    def accepts(self, data: ModelData) -> Verdict:
        """Two or three constructs with categorical items, some of which load on several."""
        families = [data.model.families[block.name] for block in data.blocks]
        if not any(isinstance(family, Crossed) for family in families):
            return Verdict(False, "no item loads on several constructs")
        if data.n_factor > MOST_FACTORS:
            return Verdict(False, f"{data.n_factor} constructs; the full grid takes two or {MOST_FACTORS}")
        if any(isinstance(family, Nested) or not family.categorical for family in families):
            return Verdict(False, "beside cross-loadings all items are categorical, without specific factors")
        if data.layout.not_normal:
            return Verdict(False, f"{data.layout.not_normal} and may depend on several constructs at once")
        return Verdict(True, f"{data.n_factor} constructs summed over a full grid")

    def settings(self, data: ModelData, size: int | None = None) -> Grid:
        """A grid over +-6 sds of every construct."""
        return default_grid(data.n_factor, size or {2: 31}.get(data.n_factor, 15))

    def compiles(self, data: ModelData) -> Verdict:
        """Families with kernels, and no explained observed variable."""
        if not data.layout.latent.all():
            return Verdict(False, "explained observed variables are conditioned on in the PyMC model only")
        for block in data.blocks:
            family = data.model.families[block.name]
            own = family.family if isinstance(family, Crossed) else family
            if getattr(own, "kernels", None) is None:
                return Verdict(False, f"family '{family.name}' has no compiled kernel")
        return Verdict(True, "every part has compiled kernels")

    def compiled(self, data: ModelData, settings: Grid) -> CompiledCrossed:  # type: ignore[override]
        """The same density by matrix products."""
        from medpsy.engines.crossed_compiled import CompiledCrossed

        return CompiledCrossed(data, settings)

    def log_likelihood(self, data: ModelData, p: dict[str, Any], xp: Any, settings: Grid) -> Any:
        """Marginal log-likelihood of every person, shape (person,)."""
        layout = data.layout
        mean, chol = system(data.model.structure.equations(p, layout, xp), layout, xp)
        covariance = chol @ xp.swapaxes(chol, 0, 1)
        sums = full_sums(data, p, settings, xp)
        points = np.stack(list(mesh(settings)), axis=1)
        pieces, rows = [], []
        for persons, nodes in observed_patterns(data):
            location, spread, term = gaussian_given(data, mean, covariance, persons, nodes, xp)
            root = xp.cholesky(spread)
            white = xp.solve(root, xp.constant(points.T))
            tilt = xp.swapaxes(xp.solve(root, xp.swapaxes(location, 0, 1)), 0, 1)
            log_prior = (
                tilt @ white
                - 0.5 * xp.sum(white**2, axis=0)
                - 0.5 * xp.sum(tilt**2, axis=1)[:, None]
                - xp.sum(xp.log(xp.diagonal(root)), axis=-1)
                + float(np.log(settings.spacing).sum() - 0.5 * data.n_factor * np.log(2 * np.pi))
            )
            pieces.append(xp.logsumexp(sums[persons] + log_prior, axis=1) + term)
            rows.append(persons)
        return xp.concatenate(pieces, axis=0)[np.argsort(np.concatenate(rows))]


def mesh(grid: Grid) -> tuple[np.ndarray, ...]:
    """Value of every construct at each combination of nodes, each (node,)."""
    return tuple(m.ravel() for m in np.meshgrid(*grid.nodes, indexing="ij"))


def one_hot(data: ModelData) -> np.ndarray:
    """Answers as indicators (person, item x category), block by block; rows of zeros where none."""
    found = [
        (block.values[:, :, None] == np.arange(block.n_categories)).reshape(data.n_person, -1)
        for block in data.blocks
    ]
    return np.concatenate(found, axis=1).astype(float)


def full_sums(data: ModelData, p: dict[str, Any], grid: Grid, xp: Any) -> Any:
    """Log-probability of all answers of a person at every combination of nodes, shape (person, node)."""
    points = mesh(grid)
    where = np.meshgrid(*(np.arange(len(t)) for t in grid.nodes), indexing="ij")
    theta = {block.name: xp.constant(points[block.factor]) for block in data.blocks}
    pieces = []
    for block in data.blocks:
        family, own = data.model.families[block.name], local(data, block, p)
        if isinstance(family, Crossed):
            table = family.table(theta, own, xp)
        else:
            table = family.log_prob(xp.constant(grid.nodes[block.factor]), own, xp)
            table = table[..., where[block.factor].ravel()]
        pieces.append(table.reshape((block.values.shape[1] * block.n_categories, -1)))
    return xp.constant(one_hot(data)) @ xp.concatenate(pieces, axis=0)


ENGINE = FullGrid()
