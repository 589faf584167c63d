"""The outcomes engine over every person's own window of nodes, with the gradient of its E-step.

Every person is summed over a box of nodes. Persons with boxes of about the same size make a chunk, whose
terms are arrays (person, node, ...) with a length of 1 along each construct that they do not depend on. The
gradient of a marginal log-likelihood is the mean of that of the complete one over the posterior of a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.grid import Grid, fitted_windows, windows_over
from medpsy.engines.outcomes import along, plain_sources, products_of
from medpsy.engines.product_parts import Held
from medpsy.latent.base import Equations
from medpsy.ops import Numpy

#: Cells of a chunk: few enough for the processor's cache.
CELLS = 16_000


@dataclass(frozen=True)
class Chunk:
    """Persons (index), and the nodes of their windows by construct: (person, width) each."""

    persons: np.ndarray
    nodes: tuple[np.ndarray, ...]


class CompiledOutcomes:
    """Marginal log-likelihood of one model and survey on one grid.

    Parameters
    ----------
    data : ModelData
    grid : Grid
    windows : pair of ndarray, optional
        First and one-past-last node (person, factor); the whole grid unless given.
    """

    def __init__(
        self, data: ModelData, grid: Grid, windows: tuple[np.ndarray, np.ndarray] | None = None
    ) -> None:
        self.data, self.grid, self.size = data, grid, data.n_factor
        counts = np.array([len(t) for t in grid.nodes])
        if windows is None:
            shape = (data.n_person, self.size)
            windows = np.zeros(shape, dtype=int), np.broadcast_to(counts, shape)
        self.lo, self.hi = windows
        self.held = [Held(data, block, t) for block, t in zip(data.blocks, grid.nodes, strict=True)]
        self.chunks = _chunks(self.lo, self.hi, counts)
        self._constant = float(np.log(grid.spacing).sum() - 0.5 * self.size * np.log(2 * np.pi))
        layout = data.layout
        self._sources = [plain_sources(layout, node) for node in range(len(layout.nodes))]
        self._products = [products_of(layout, node) for node in range(len(layout.nodes))]
        self._given = ~np.isnan(data.observed)
        self._known = np.nan_to_num(data.observed)

    # Forward

    def _prepared(self, p: dict[str, np.ndarray]) -> dict[str, Any]:
        """What is the same for all chunks at ``p``."""
        layout = self.data.layout
        eq = self.data.model.structure.equations(p, layout, Numpy)
        factors = layout.factors
        spread = eq.d[factors][:, None] * eq.z[np.ix_(factors, factors)]
        own = {int(node): layout.own(node, p) for node in layout.measured}
        return {
            "p": p, "eq": eq, "base": self.data.design @ eq.g.T, "own": own, "spread": spread,
            "inverse": np.linalg.inv(spread), "sums": [held.fill(p) for held in self.held],
            "constant": self._constant - float(np.log(np.diag(spread)).sum()),
        }  # fmt: skip

    def _chunk(self, run: dict[str, Any], chunk: Chunk) -> Terms:
        """Log-terms of some persons at their nodes."""
        layout, who = self.data.layout, chunk.persons
        values: dict[int, np.ndarray] = {int(j): self._column(self._known[who, j]) for j in layout.measured}
        for d, node in enumerate(layout.factors):
            theta = self.grid.nodes[d][chunk.nodes[d]]
            values[int(node)] = along(theta, d, self.size)
        shape = (len(who), *(at.shape[1] for at in chunk.nodes))
        total = np.zeros(shape)
        residuals, etas = [], {}
        for node, family in enumerate(layout.observed):
            eta = self._column(run["base"][who, node])
            for source in self._sources[node]:
                eta = eta + run["eq"].b[node, source] * values[source]
            for i, factors in self._products[node]:
                eta = eta + run["p"]["path"][i] * reduce(mul, (values[f] for f in factors))
            etas[node] = eta
            if family is None:
                residuals.append(values[node] - eta)
                continue
            term = family.log_prob(values[node], eta, run["own"][node], Numpy)
            given = self._given[who, node]
            total += term if given.all() else np.where(self._column(given), term, 0.0)
        half = run["inverse"] * np.sqrt(0.5)
        for a in range(self.size):
            parts = [half[a, b] * residuals[b] for b in range(a + 1) if half[a, b] != 0.0]
            white = reduce(np.add, parts)
            white *= white
            total -= white
        for d, sums in enumerate(run["sums"]):
            total += along(np.take_along_axis(sums[who], chunk.nodes[d], axis=1), d, self.size)
        flat = total.reshape(len(who), -1)
        top = flat.max(axis=1)
        total -= self._column(top)
        np.exp(total, out=total)
        mass = flat.sum(axis=1)
        total /= self._column(mass)
        return Terms(chunk, total, run["constant"] + top + np.log(mass), values, etas, residuals)

    def _column(self, values: np.ndarray) -> np.ndarray:
        return values[(slice(None), *([None] * self.size))]

    # Backward

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        run, data = self._prepared(p), self.data
        layout = data.layout
        back = _Back(self, run)
        total = 0.0
        for chunk in self.chunks:
            terms = self._chunk(run, chunk)
            total += float(terms.ell.sum())
            back.add(terms)
        zero = Equations(back.b, back.d_base.T @ data.design, *back.spread())
        gradient = data.model.structure.reverse(p, layout, zero)
        for i, value in back.products.items():
            gradient["path"][i] += value
        gradient |= {name: value for name, value in back.own.items() if name != "intercept"}
        for held, share in zip(self.held, back.shares, strict=True):
            gradient |= held.reverse(p, share)
        return total, gradient

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        run, out = self._prepared(p), np.empty(self.data.n_person)
        for chunk in self.chunks:
            out[chunk.persons] = self._chunk(run, chunk).ell
        return out

    # Numerics

    def person_moments(self, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean and sd (person, factor) of the constructs."""
        run = self._prepared(p)
        mean, sd = np.empty((2, self.data.n_person, self.size))
        for chunk in self.chunks:
            terms = self._chunk(run, chunk)
            for d in range(self.size):
                theta, share = self.grid.nodes[d][chunk.nodes[d]], terms.marginal((d,))
                first = (share * theta).sum(1)
                mean[chunk.persons, d] = first
                sd[chunk.persons, d] = np.sqrt((share * (theta - first[:, None]) ** 2).sum(1))
        return mean, np.maximum(sd, 1e-3)

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> CompiledOutcomes:
        """Grid and windows fitted to the posteriors of the persons at ``p``, as in the quadrature engine."""
        mean, sd = self.person_moments(p)
        # On a grid that is too coarse for a person the sd seen may be far too small.
        sd = np.maximum(sd, 0.4 * self.grid.spacing)
        return CompiledOutcomes(self.data, *fitted_windows(mean, sd, fineness))

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Log-likelihood minus that on half the spacing, over windows half as wide again."""
        low = np.stack([t[self.lo[:, d]] for d, t in enumerate(self.grid.nodes)], axis=1)
        high = np.stack([t[self.hi[:, d] - 1] for d, t in enumerate(self.grid.nodes)], axis=1)
        more, grid = 0.25 * (high - low), self.grid.refined()
        exact = CompiledOutcomes(self.data, grid, windows_over(grid, low - more, high + more))
        return float((self.per_person(p) - exact.per_person(p)).sum())

    def describe(self) -> str:
        """For the provenance."""
        cells = np.prod(self.hi - self.lo, axis=1)
        return f"{self.grid.describe()}; {np.mean(cells):.0f} nodes per person on average"


@dataclass
class Terms:
    """Persons of a chunk at their nodes: posterior weights (person, node, ...), log-likelihoods (person,),
    and values, predictors and residuals of the nodes of the model."""

    chunk: Chunk
    weight: np.ndarray
    ell: np.ndarray
    values: dict[int, np.ndarray]
    etas: dict[int, np.ndarray]
    residuals: list[np.ndarray]

    def __post_init__(self) -> None:
        self._marginals: dict[tuple[int, ...], np.ndarray] = {}

    def marginal(self, dims: tuple[int, ...]) -> np.ndarray:
        """Weights summed over all constructs but ``dims``, shape (person, node, ...)."""
        if dims not in self._marginals:
            gone = tuple(d + 1 for d in range(self.weight.ndim - 1) if d not in dims)
            self._marginals[dims] = self.weight.sum(axis=gone) if gone else self.weight
        return self._marginals[dims]

    def weighted(self, values: np.ndarray) -> np.ndarray:
        """Values times the weights that belong to them, (person, ...) with lengths of 1 as in ``values``."""
        dims = tuple(d for d in range(self.weight.ndim - 1) if values.shape[d + 1] > 1)
        shape = (len(self.weight), *values.shape[1 : self.weight.ndim])
        return self.marginal(dims).reshape(shape) * values


class _Back:
    """Collects gradients, chunk by chunk."""

    def __init__(self, engine: CompiledOutcomes, run: dict[str, Any]) -> None:
        self.engine, self.run = engine, run
        data = engine.data
        n, size = len(data.layout.nodes), engine.size
        self.b, self.d_base = np.zeros((n, n)), np.zeros((data.n_person, n))
        self.products: dict[int, float] = {}
        self.own = {name: np.zeros_like(run["p"][name]) for name in data.layout.roles}
        self.scatter = np.zeros((size, size))
        self.shares = [np.zeros((data.n_person, len(t))) for t in engine.grid.nodes]
        self.precision = run["inverse"].T @ run["inverse"]

    def add(self, terms: Terms) -> None:
        """Add one chunk."""
        engine, layout = self.engine, self.engine.data.layout
        who = terms.chunk.persons
        for d, (share, at) in enumerate(zip(self.shares, terms.chunk.nodes, strict=True)):
            share[who[:, None], at] = terms.marginal((d,))
        for a in range(engine.size):
            for b in range(a + 1):
                self.scatter[a, b] += terms.weighted(terms.residuals[a] * terms.residuals[b]).sum()
                self.scatter[b, a] = self.scatter[a, b]
        place = {int(node): d for d, node in enumerate(layout.factors)}
        for node, family in enumerate(layout.observed):
            if family is None:
                row = self.precision[place[node]]
                parts = [row[b] * terms.residuals[b] for b in range(engine.size) if row[b] != 0.0]
                slope = reduce(np.add, parts)
            else:
                slope = self._outcome(terms, node, family)
            self._equation(terms, node, slope)

    def _outcome(self, terms: Terms, node: int, family: Any) -> np.ndarray:
        """Derivative of an observed variable's term with respect to its predictor; that of its parameters."""
        engine, layout = self.engine, self.engine.data.layout
        given = engine._column(engine._given[terms.chunk.persons, node])
        slope, own = family.reverse(terms.values[node], terms.etas[node], self.run["own"][node])
        whole = bool(given.all())
        for name, d in own.items():
            wide = (*given.shape, 1) if name in layout.by_category else given.shape
            d = d if whole else np.where(given.reshape(wide), d, 0.0)
            if name in layout.by_category:
                part = np.array([terms.weighted(d[..., k]).sum() for k in range(d.shape[-1])])
            else:
                part = terms.weighted(np.broadcast_to(d, terms.etas[node].shape)).sum()
            self.own[name][layout.cell(name, node)] += part
        return slope if whole else np.where(given, slope, 0.0)

    def _equation(self, terms: Terms, node: int, slope: np.ndarray) -> None:
        """Gradient of the coefficients of one equation from that of its predictor."""
        engine = self.engine
        weighted = terms.weighted(slope)
        people = tuple(range(1, weighted.ndim))
        self.d_base[terms.chunk.persons, node] = weighted.sum(axis=people)
        for source in engine._sources[node]:
            # Observed sources are the same at all nodes; of a construct its own nodes are enough.
            value = terms.values[source]
            gone = tuple(d for d in people if value.shape[d] == 1 and weighted.shape[d] > 1)
            kept = weighted.sum(axis=gone, keepdims=True) if gone else weighted
            self.b[node, source] += float(np.vdot(np.broadcast_to(value, kept.shape), kept))
        for i, factors in engine._products[node]:
            value = (weighted * reduce(mul, (terms.values[f] for f in factors))).sum()
            self.products[i] = self.products.get(i, 0.0) + float(value)

    def spread(self) -> tuple[np.ndarray, np.ndarray]:
        """Gradient with respect to D and Z of the constructs."""
        data, eq, inverse = self.engine.data, self.run["eq"], self.run["inverse"]
        factors, n = data.layout.factors, len(data.layout.nodes)
        inner = inverse @ self.scatter @ inverse.T - data.n_person * np.eye(len(factors))
        whole = np.zeros((n, n))
        whole[np.ix_(factors, factors)] = inverse.T @ inner
        return (whole * eq.z).sum(-1), eq.d[:, None] * whole


def _chunks(lo: np.ndarray, hi: np.ndarray, counts: np.ndarray) -> list[Chunk]:
    """Persons in chunks of at most so many cells, those with small windows first."""
    width = hi - lo
    order = np.lexsort(width.T)
    order = order[np.argsort(width[order].prod(axis=1), kind="stable")]
    chunks, at = [], 0
    while at < len(order):
        most = width[order[at]]
        stop = at
        while stop < len(order):
            wider = np.maximum(most, width[order[stop]])
            if stop > at and int(wider.prod()) * (stop - at + 1) > CELLS:
                break
            most, stop = wider, stop + 1
        who = order[at:stop]
        # Windows of one chunk are equally wide; those at the end of the grid begin earlier.
        first = np.minimum(lo[who], counts - most)
        chunks.append(Chunk(who, tuple(first[:, d, None] + np.arange(w) for d, w in enumerate(most))))
        at = stop
    return chunks
