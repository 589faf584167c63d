"""The quadrature engine for more than three constructs: an inner grid of three, the others held at nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.answer_tables import AnswerTables, log_table
from medpsy.engines.grid import Grid, fitted_windows
from medpsy.engines.layered_kernel import layered
from medpsy.engines.patterns import Patterns, collapse
from medpsy.engines.product_parts import Held
from medpsy.engines.quadrature_kernel import fill_weight, latent_forward, latent_reverse
from medpsy.engines.shares import shares, summed
from medpsy.latent.constructs import construct_system, construct_system_reverse
from medpsy.ops import Numpy

#: Constructs of the inner grid.
INNER = 3
#: Outer nodes of a person with less posterior probability at the mode are left out.
NEGLIGIBLE = 1e-9
#: Rows that the numerical error is estimated from, and outer nodes that two processors are worth.
PROBE, SHARED_NODES = 200, 20_000


@dataclass(frozen=True)
class Outer:
    """Nodes of the outer constructs, row by row.

    Parameters
    ----------
    factors : tuple of int
        The outer constructs; the others are inner.
    begin : ndarray of int, shape (row + 1,)
    at : ndarray of int, shape (outer node, outer construct)
        Place on the grid of each outer construct.
    """

    factors: tuple[int, ...]
    begin: np.ndarray
    at: np.ndarray

    @cached_property
    def row(self) -> np.ndarray:
        """The row of every outer node."""
        return np.repeat(np.arange(len(self.begin) - 1), np.diff(self.begin))

    def keep(self, wanted: np.ndarray) -> Outer:
        """Those where ``wanted``."""
        size = np.bincount(self.row[wanted], minlength=len(self.begin) - 1)
        return Outer(self.factors, np.concatenate([[0], np.cumsum(size)]), self.at[wanted])


class CompiledLayered:
    """Marginal log-likelihood of one model and survey; see :class:`CompiledQuadrature`.

    Without ``windows`` it knows only the grid and has to be adapted before it can be evaluated.
    """

    def __init__(
        self,
        data: ModelData,
        grid: Grid,
        windows: tuple[np.ndarray, np.ndarray] | None = None,
        patterns: Patterns | None = None,
        outer: Outer | None = None,
    ) -> None:
        self.data, self.grid, self.windows = data, grid, windows
        self.patterns = patterns or collapse(data)
        self.count, self.design = self.patterns.count, self.patterns.design
        if windows is None:
            return
        self.outer = outer or whole_windows(*windows)
        inner = self.inner = [d for d in range(data.n_factor) if d not in self.outer.factors]
        self.lo, self.hi = (np.ascontiguousarray(w[:, inner], dtype=np.int64) for w in windows)
        self.shares = shares(self.outer.begin, SHARED_NODES)
        ends = np.cumsum([block.values.shape[1] for block in data.blocks])
        own = {
            block.factor: (block, self.patterns.codes[:, end - block.values.shape[1] : end])
            for block, end in zip(data.blocks, ends, strict=True)
        }
        self.tables = AnswerTables(
            data, [own[d][0] for d in inner], range(INNER), Grid(tuple(grid.nodes[d] for d in inner))
        )
        self.codes = np.concatenate([own[d][1] for d in inner], axis=1)
        self.held = [
            Held(data, replace(own[d][0], values=own[d][1]), grid.nodes[d]) for d in self.outer.factors
        ]

    def _run(self, p: dict[str, np.ndarray]) -> dict[str, Any]:
        """Forward pass and E-step at ``p``."""
        data, n, n_row = self.data, self.data.n_factor, len(self.count)
        out, row, tables = list(self.outer.factors), self.outer.row, self.tables
        eq = data.model.structure.equations(p, data.layout, Numpy)
        mean, chol = construct_system(eq, data.layout)
        precision, location, tilt = np.empty((n, n)), np.zeros((n_row, n)), np.zeros((n_row, n))
        base, ell = np.empty(n_row), np.empty(n_row)
        half = latent_forward(mean, chol, self.design, precision, location, tilt, base)
        weight = np.empty((tables.sizes[0] + 1, tables.sizes[1], tables.widths[2]))
        fill_weight(np.ascontiguousarray(precision[np.ix_(self.inner, self.inner)]), tables.nodes, weight)
        points = np.stack([self.grid.nodes[d][self.outer.at[:, o]] for o, d in enumerate(out)], axis=1)
        share = base[row] + (points * (tilt[row][:, out] - 0.5 * points @ precision[np.ix_(out, out)])).sum(1)
        for o, held in enumerate(self.held):
            share += held.fill(p)[row, self.outer.at[:, o]]
        inner = tilt[row][:, self.inner] - points @ precision[np.ix_(out, self.inner)]
        given, first, second = np.zeros_like(inner), np.empty((n_row, INNER)), np.zeros((n_row, INNER, INNER))
        table = tables.fill(p)

        def one(rows: slice) -> np.ndarray:
            a, b = self.outer.begin[[rows.start, rows.stop]]
            counts = np.zeros_like(table)
            layered(
                self.codes[rows], tables.start, tables.factor, table, tables.sizes, tables.widths,
                tables.nodes, self.lo[rows], self.hi[rows], self.outer.begin[rows.start : rows.stop + 1] - a,
                inner[a:b], self.count[rows], weight, ell[rows], share[a:b], given[a:b], counts, first[rows],
                second[rows],
            )  # fmt: skip
            return counts

        counts = summed(one, self.shares)
        ell += half + np.log(self.grid.spacing).sum() - 0.5 * n * np.log(2 * np.pi)
        return {
            "eq": eq, "chol": chol, "precision": precision, "location": location, "ell": ell,
            "counts": counts, "share": share, "moments": self._joined(points, share, given, first, second),
        }  # fmt: skip

    def _joined(
        self, points: np.ndarray, share: np.ndarray, given: np.ndarray, first: np.ndarray, second: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Posterior means (row, factor) and second moments (row, factor, factor) of all constructs."""
        n, out = self.data.n_factor, list(self.outer.factors)
        mean, square = np.empty((len(first), n)), np.empty((len(first), n, n))
        mean[:, self.inner] = first
        square[np.ix_(range(len(first)), self.inner, self.inner)] = second
        start = self.outer.begin[:-1]
        for o, d in enumerate(out):
            own = share * points[:, o]
            mean[:, d] = np.add.reduceat(own, start)
            for c, e in enumerate(out):
                square[:, d, e] = np.add.reduceat(own * points[:, c], start)
            for c, e in enumerate(self.inner):
                square[:, d, e] = square[:, e, d] = np.add.reduceat(own * given[:, c], start)
        return mean, square

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        data, run = self.data, self._run(p)
        chol = run["chol"]
        d_mean, d_chol = np.zeros((len(chol), self.design.shape[1])), np.empty_like(chol)
        latent_reverse(
            chol, self.design, self.count, run["precision"], run["location"], *run["moments"], d_mean, d_chol
        )
        d_eq = construct_system_reverse(run["eq"], data.layout, d_mean, d_chol)
        gradient = data.model.structure.reverse(p, data.layout, d_eq)
        gradient |= self.tables.reverse(p, run["counts"])
        persons = self.count[self.outer.row] * run["share"]
        for o, held in enumerate(self.held):
            shape = (len(self.count), len(held.nodes))
            cell = np.ravel_multi_index((self.outer.row, self.outer.at[:, o]), shape)
            gradient |= held.reverse(p, np.bincount(cell, persons, shape[0] * shape[1]).reshape(shape))
        return float(self.count @ run["ell"]), gradient

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        return self._run(p)["ell"][self.patterns.inverse]

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> CompiledLayered:
        """Grid, windows and outer nodes fitted to the posteriors of the persons at ``p``.

        The constructs with the narrowest windows become the outer ones.
        """
        grid, windows = fitted_windows(*self._centres(p), fineness)
        made = CompiledLayered(self.data, grid, windows, self.patterns)
        share = made._run(p)["share"]
        return CompiledLayered(
            self.data, grid, windows, self.patterns, made.outer.keep(share > NEGLIGIBLE / fineness**4)
        )

    def _centres(self, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Posterior means and sds (row, factor); before there are windows, construct by construct."""
        if self.windows is not None:
            mean, square = self._run(p)["moments"]
            return mean, np.sqrt(np.diagonal(square, axis1=1, axis2=2) - mean**2)
        layout, at = self.data.layout, 0
        line, chol = construct_system(self.data.model.structure.equations(p, layout, Numpy), layout)
        prior, spread = self.design @ line.T, np.sqrt((chol**2).sum(1))
        mean, sd = np.empty((2, *prior.shape))
        for block in self.data.blocks:
            d, n_item = block.factor, block.values.shape[1]
            nodes = self.grid.nodes[d]
            table, codes = log_table(self.data, block, p, nodes), self.patterns.codes[:, at : at + n_item]
            log_mass = -0.5 * ((nodes - prior[:, [d]]) / spread[d]) ** 2
            for j in range(n_item):
                log_mass += np.where(codes[:, [j]] >= 0, table[j, codes[:, j]], 0.0)
            mass = np.exp(log_mass - log_mass.max(axis=1, keepdims=True))
            mass /= mass.sum(axis=1, keepdims=True)
            mean[:, d] = mass @ nodes
            sd[:, d] = np.sqrt(np.maximum(mass @ nodes**2 - mean[:, d] ** 2, np.diff(nodes[:2]) ** 2 / 12))
            at += n_item
        return mean, sd

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Log-likelihood minus that on half the spacing and wider windows, from a sample of the rows."""
        n_row = len(self.count)
        rows = np.arange(n_row)
        if n_row > PROBE:
            rows = np.sort(np.random.default_rng(n_row).choice(n_row, PROBE, replace=False))
        patterns = self.patterns.take(rows)
        assert self.windows is not None
        wanted = np.isin(self.outer.row, rows)
        size = np.diff(self.outer.begin)[rows]
        outer = replace(self.outer, begin=np.concatenate([[0], np.cumsum(size)]), at=self.outer.at[wanted])
        windows = self.windows[0][rows], self.windows[1][rows]
        own = CompiledLayered(self.data, self.grid, windows, patterns, outer)
        exact = own.adapted(p, 2.0)._run(p)["ell"]
        off = own._run(p)["ell"] - exact
        return float(self.count[rows] @ off) * self.count.sum() / self.count[rows].sum()

    def describe(self) -> str:
        """For the provenance."""
        cells = np.prod(self.hi - self.lo, axis=1) @ np.diff(self.outer.begin) / len(self.count)
        return f"{self.grid.describe()}; {cells:.0f} nodes per person on average"

    def person_moments(self, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean (person, factor) and covariance (person, factor, factor) of the scores."""
        mean, square = self._run(p)["moments"]
        covariance = square - mean[:, :, None] * mean[:, None, :]
        return mean[self.patterns.inverse], covariance[self.patterns.inverse]


def whole_windows(lo: np.ndarray, hi: np.ndarray) -> Outer:
    """All outer nodes inside the windows (row, factor); constructs with the narrowest windows are outer."""
    n = lo.shape[1] - INNER
    out = tuple(sorted(int(d) for d in np.argsort((hi - lo).mean(0), kind="stable")[:n]))
    width = (hi - lo)[:, out]
    size = width.prod(axis=1)
    begin = np.concatenate([[0], np.cumsum(size)])
    row = np.repeat(np.arange(len(lo)), size)
    rest, at = np.arange(begin[-1]) - begin[row], np.empty((begin[-1], n), dtype=np.int64)
    for o in range(n - 1, -1, -1):
        at[:, o] = lo[row, out[o]] + rest % width[row, o]
        rest //= width[row, o]
    return Outer(out, begin, at)
