"""The products engine with the gradient of its E-step, on the kernels of the quadrature engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.answer_tables import AnswerTables
from medpsy.engines.grid import fitted_grid
from medpsy.engines.product_parts import Held, Normal
from medpsy.engines.product_plan import Plan, ProductGrid
from medpsy.engines.quadrature_kernel import fill_weight, integrate, latent_forward, room
from medpsy.ops import Numpy

#: Responsibilities below this add nothing to a gradient.
NOTHING = 1e-9


@dataclass
class Rows:
    """Persons of one pattern that are summed at one point.

    Parameters
    ----------
    pattern : int
        Position in the plan.
    person : ndarray of int
    within : ndarray of int
        The same persons by their place in the pattern.
    """

    pattern: int
    person: np.ndarray
    within: np.ndarray


class CompiledProducts:
    """Marginal log-likelihood of one model and survey on one pair of grids.

    Parameters
    ----------
    data : ModelData
    grid : ProductGrid
    windows : pair of ndarray, optional
        First and one-past-last node (person, held + rest); the whole grid unless given.
    """

    def __init__(
        self, data: ModelData, grid: ProductGrid, windows: tuple[np.ndarray, np.ndarray] | None = None
    ) -> None:
        self.data, self.grid, self.plan = data, grid, Plan(data)
        sizes = np.array([len(t) for t in (*grid.held.nodes, *grid.rest.nodes)])
        if windows is None:
            shape = (data.n_person, sizes.size)
            windows = np.zeros(shape, dtype=np.int64), np.tile(sizes, (data.n_person, 1))
        self.lo, self.hi = windows
        rest = self.plan.rest_blocks
        self.tables = AnswerTables(data, rest, range(len(rest)), grid.rest)
        codes = [block.values for block in rest] or [np.empty((data.n_person, 0))]
        self.codes = np.ascontiguousarray(np.concatenate(codes, axis=1).astype(np.int8))
        self.held = [Held(data, b, t) for b, t in zip(self.plan.held_blocks, grid.held.nodes, strict=True)]
        self.normal = Normal(self.plan, grid.points)
        n_held, pad = len(self.plan.held), self.tables.pad
        self._lo = np.zeros((data.n_person, 3), dtype=np.int64)
        self._hi = np.ones((data.n_person, 3), dtype=np.int64)
        self._lo[:, pad:], self._hi[:, pad:] = self.lo[:, n_held:], self.hi[:, n_held:]
        inside = (grid.places >= self.lo[:, None, :n_held]) & (grid.places < self.hi[:, None, :n_held])
        self.inside = inside.all(axis=2)
        self.rows = [self._rows(self.inside[:, k]) for k in range(len(grid.points))]
        spacing = np.concatenate([grid.held.spacing, grid.rest.spacing])
        self._constant = float(np.log(spacing).sum() - 0.5 * len(self.plan.rest) * np.log(2 * np.pi))

    def _rows(self, inside: np.ndarray) -> list[Rows]:
        out = []
        for number, pattern in enumerate(self.plan.patterns):
            within = np.flatnonzero(inside[pattern.persons])
            if within.size:
                out.append(Rows(number, pattern.persons[within], within))
        return out

    # One point

    def _sum(
        self, number: int, rows: Rows, count: np.ndarray, table: np.ndarray, counts: np.ndarray, given: Any
    ) -> dict[str, np.ndarray]:
        """Log of p(v | c) E[p_R] of some persons at one point; expected counts with their weights."""
        design = self.normal.design[rows.pattern][rows.within]
        off, term = given.density(number, rows.within)
        n = len(rows.person)
        out = {"off": off, "ell": term}
        if not self.plan.rest.size:
            return out
        mean, chol = given.mean[number], given.chol[number]
        precision, location, tilt = np.empty((3, 3)), np.zeros((n, 3)), np.zeros((n, 3))
        base, first, second = np.empty(n), np.empty((n, 3)), np.empty((n, 3, 3))
        half = latent_forward(mean, chol, design, precision, location, tilt, base)
        tables = self.tables
        weight = np.empty((tables.sizes[0] + 1, tables.sizes[1], tables.widths[2]))
        fill_weight(precision, tables.nodes, weight)
        integrate(
            self.codes[rows.person], tables.start, tables.factor, table, tables.sizes, tables.widths,
            tables.nodes, self._lo[rows.person], self._hi[rows.person], tilt, count, weight, base, counts,
            first, second, room(1, tables.nodes),
        )  # fmt: skip
        out["ell"] = term + base + half
        return out | {"precision": precision, "location": location, "first": first, "second": second}

    def _forward(self, p: dict[str, np.ndarray]) -> dict[str, Any]:
        """Log-terms of every person and point, and what the reverse needs."""
        data, plan = self.data, self.plan
        eq = data.model.structure.equations(p, data.layout, Numpy)
        state = self.normal.state(p, eq)
        given = [self.normal.given(state, k) for k in range(len(plan.patterns))]
        table = self.tables.fill(p)
        counts = np.zeros_like(table)
        terms = np.full((data.n_person, len(self.grid.points)), -np.inf)
        sums = [held.fill(p) for held in self.held]
        for k, rows in enumerate(self.rows):
            for part in rows:
                found = self._sum(k, part, np.zeros(len(part.person)), table, counts, given[part.pattern])
                terms[part.person, k] = found["ell"]
        for d, own in enumerate(sums):
            terms += own[:, self.grid.places[:, d]]
        top = terms.max(axis=1, keepdims=True)
        mass = np.exp(terms - top)
        total = mass.sum(axis=1, keepdims=True)
        return {
            "state": state, "given": given, "table": table, "eq": eq,
            "ell": (top + np.log(total))[:, 0] + self._constant, "share": mass / total,
        }  # fmt: skip

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        run = self._forward(p)
        counts = np.zeros_like(run["table"])
        back = self.normal.reverse(run["state"])
        for k, rows in enumerate(self.rows):
            for part in rows:
                share = run["share"][part.person, k]
                keep = share > NOTHING
                if not keep.any():
                    continue
                some = Rows(part.pattern, part.person[keep], part.within[keep])
                given = run["given"][part.pattern]
                found = self._sum(k, some, share[keep], run["table"], counts, given)
                back.add(k, given, some.within, share[keep], found, self.tables.pad)
        gradient = back.finish(p)
        gradient |= self.tables.reverse(p, counts)
        for d, held in enumerate(self.held):
            by_node = np.zeros((self.data.n_person, len(held.nodes)))
            np.add.at(by_node.T, self.grid.places[:, d], run["share"].T)
            gradient |= held.reverse(p, by_node)
        return float(run["ell"].sum()), gradient

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        return cast(np.ndarray, self._forward(p)["ell"])

    # Numerics

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> CompiledProducts:
        """Grids and windows fitted to the posteriors of the persons at ``p``, as in the quadrature engine."""
        mean, sd = self.person_moments(p)
        reach = 4.0 * fineness**0.5 * sd
        low, high = mean - reach, mean + reach
        a, b, s = low.min(0), high.max(0), np.quantile(sd, 0.02, axis=0)
        n_held, ratio = len(self.held), 1.6 / fineness
        held = fitted_grid(a[:n_held], b[:n_held], s[:n_held], ratio)
        rest = fitted_grid(a[n_held:], b[n_held:], s[n_held:], ratio)
        return CompiledProducts(
            self.data, ProductGrid(held, rest), _windows(ProductGrid(held, rest), low, high)
        )

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Log-likelihood minus that on half the spacing, over windows half as wide again."""
        nodes = (*self.grid.held.nodes, *self.grid.rest.nodes)
        low = np.stack([t[self.lo[:, d]] for d, t in enumerate(nodes)], axis=1)
        high = np.stack([t[self.hi[:, d] - 1] for d, t in enumerate(nodes)], axis=1)
        more = 0.25 * (high - low)
        grid = self.grid.refined()
        exact = CompiledProducts(self.data, grid, _windows(grid, low - more, high + more))
        return float((self.per_person(p) - exact.per_person(p)).sum())

    def person_moments(self, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean and sd (person, held + rest) of the constructs on the grids."""
        run = self._forward(p)
        share, n_held = run["share"], len(self.held)
        first = np.zeros((self.data.n_person, n_held + len(self.plan.rest)))
        square = np.zeros_like(first)
        first[:, :n_held] = share @ self.grid.points
        square[:, :n_held] = share @ self.grid.points**2
        counts, pad = np.zeros_like(run["table"]), self.tables.pad
        for k, rows in enumerate(self.rows if self.plan.rest.size else []):
            for part in rows:
                nothing = np.zeros(len(part.person))
                found = self._sum(k, part, nothing, run["table"], counts, run["given"][part.pattern])
                own = share[part.person, k][:, None]
                first[part.person, n_held:] += own * found["first"][:, pad:]
                diagonal = np.diagonal(found["second"], axis1=1, axis2=2)[:, pad:]
                square[part.person, n_held:] += own * diagonal
        return first, np.sqrt(np.maximum(square - first**2, 1e-12))

    def describe(self) -> str:
        """For the provenance."""
        cells = np.prod(self.hi - self.lo, axis=1)
        return f"{self.grid.describe()}; {np.mean(cells):.0f} nodes per person on average"


def _windows(grid: ProductGrid, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and one-past-last node of every person that cover [low, high]."""
    first, last = np.empty(low.shape, dtype=np.int64), np.empty(low.shape, dtype=np.int64)
    for d, t in enumerate((*grid.held.nodes, *grid.rest.nodes)):
        first[:, d] = np.clip(np.searchsorted(t, low[:, d]) - 1, 0, len(t) - 1)
        last[:, d] = np.minimum(np.searchsorted(t, high[:, d]) + 1, len(t))
    return first, last
