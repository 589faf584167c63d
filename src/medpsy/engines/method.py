"""A method factor summed out: log p(y) = log sum_m w_m p(y | m), the constructs inside over their own grid.

At each value m of the method factor the thresholds of all items stand elsewhere and the model is an ordinary
one, so that the sum is as exact as its Gauss-Hermite nodes are many.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import CompiledLikelihood, LikelihoodEngine, Verdict
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.families.method import SLOPE
from medpsy.ops import Numpy

#: Nodes of the method factor to begin with, on either side of zero.
HALF = 3


def nodes_and_weights(half: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Hermite nodes of a standard normal, and the logarithms of their weights."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(2 * half + 1)
    return nodes, np.log(weights / weights.sum())


class WithMethod:
    """The engine ``quadrature`` inside a sum over a method factor."""

    def __init__(self, inner: LikelihoodEngine) -> None:
        self.inner = inner
        self.name, self.order, self.unit = inner.name, inner.order, inner.unit

    def accepts(self, data: ModelData) -> Verdict:
        """As for the constructs alone."""
        verdict = self.inner.accepts(data)
        return Verdict(verdict.accepted, f"{verdict.reason}, for each value of a method factor")

    def person_normals(self, data: ModelData) -> int:
        """None: the persons are integrated out."""
        return 0

    def settings(self, data: ModelData, size: int | None = None) -> Any:
        """Those of the constructs."""
        return self.inner.settings(data, size)

    def compiles(self, data: ModelData) -> Verdict:
        """As for the constructs alone."""
        return self.inner.compiles(data)

    def compiled(self, data: ModelData, settings: Any) -> CompiledMethod:
        """The same density in machine code."""
        parts = tuple(_quadrature(self.inner.compiled(data, settings)) for _ in range(2 * HALF + 1))
        return CompiledMethod(data, parts)

    def log_likelihood(self, data: ModelData, p: dict[str, Any], xp: Any, settings: Any) -> Any:
        """Log-likelihood of every person, shape (person,)."""
        moved = data.method
        assert moved is not None
        base = moved.base(p, xp)
        terms = [
            self.inner.log_likelihood(data, moved.at(p, base, float(node), xp), xp, settings) + float(weight)
            for node, weight in zip(*nodes_and_weights(HALF), strict=True)
        ]
        return xp.logsumexp(xp.stack(terms, axis=0), axis=0)


def _quadrature(found: CompiledLikelihood) -> CompiledQuadrature:
    assert isinstance(found, CompiledQuadrature)
    return found


class CompiledMethod:
    """One compiled likelihood for each node of the method factor, on rows that they share.

    Parameters
    ----------
    data : ModelData
    parts : tuple of CompiledQuadrature
        Numerics of the constructs at each node.
    """

    def __init__(self, data: ModelData, parts: tuple[CompiledQuadrature, ...]) -> None:
        assert data.method is not None
        self.data, self.parts, self.moved = data, parts, data.method
        self.nodes, self.log_weights = nodes_and_weights(len(parts) // 2)
        self.patterns = parts[0].patterns

    def _terms(self, values: list[dict[str, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        """Log-likelihood of every row, and the probability of every node given it (node, row)."""
        each = np.stack([part._run(own)["ell"] for part, own in zip(self.parts, values, strict=True)])
        each += self.log_weights[:, None]
        total = Numpy.logsumexp(each, axis=0)
        return total, np.exp(each - total)

    def _values(self, p: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
        base = self.moved.base(p, Numpy)
        return [self.moved.at(p, base, node, Numpy) for node in self.nodes]

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value (Fisher's identity)."""
        values = self._values(p)
        total, share = self._terms(values)
        base = self.moved.base(p, Numpy)
        d_base = {b: {k: np.zeros_like(v) for k, v in c.items()} for b, c in base.items()}
        out = {q.name: np.zeros(q.shape) for q in self.data.parameters}
        roles = {f"{role}_{b}" for b, own in self.moved.roles.items() for role in own}
        for part, own, node, mine in zip(self.parts, values, self.nodes, share, strict=True):
            part.count = self.patterns.count * mine
            _, gradient = part.value_and_gradient(own)
            part.count = self.patterns.count
            for name, d in gradient.items():
                if name not in roles:
                    out[name] += d
            for b, c in base.items():
                d = {role: gradient[f"{role}_{b}"] for role in self.moved.roles[b]}
                d_c = self.moved.coordinates[b].back_reverse(self.moved.moved(p, b, c, node, Numpy), d)
                self.moved.reverse(p, b, d_c, node, out[SLOPE])
                for k, value in d_c.items():
                    d_base[b][k] += value
        for b, own_roles in self.moved.roles.items():
            back = self.moved.coordinates[b].to_reverse({r: p[f"{r}_{b}"] for r in own_roles}, d_base[b])
            out |= {f"{role}_{b}": back[role] for role in own_roles}
        return float(self.patterns.count @ total), out

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        return self._terms(self._values(p))[0][self.patterns.inverse]

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> CompiledMethod:
        """Grid and windows of every node fitted to the posteriors of the persons there."""
        half = int(np.ceil(HALF * fineness))
        base = self.moved.base(p, Numpy)
        parts = tuple(
            self.parts[0].adapted(self.moved.at(p, base, node, Numpy), fineness)
            for node in nodes_and_weights(half)[0]
        )
        return CompiledMethod(self.data, parts)

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Difference from twice as many nodes, and the error of the constructs' own numerics."""
        middle = self.parts[len(self.parts) // 2]
        finer = CompiledMethod(self.data, (middle,) * (4 * (len(self.parts) // 2) + 1))
        wide = CompiledMethod(self.data, (middle,) * len(self.parts))
        count = self.patterns.count
        gap = count @ wide._terms(wide._values(p))[0] - count @ finer._terms(finer._values(p))[0]
        return float(gap) + middle.numerical_error(p)

    def describe(self) -> str:
        """For the provenance."""
        middle = self.parts[len(self.parts) // 2]
        return f"{len(self.parts)} values of a method factor, each on {middle.describe()}"
