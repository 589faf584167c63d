"""A method factor summed out: log p(y) = log sum_m w_m p(y | m), the constructs inside over their own grid.

At each value m of the method factor the thresholds of all items stand elsewhere and the model is an ordinary
one. The nodes are equally spaced, as those of the constructs are: exact where the spacing is that of the
narrowest posterior of a person or less.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import CompiledLikelihood, LikelihoodEngine, Verdict
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.families.method import SLOPE
from medpsy.ops import Numpy

#: Nodes of the definition, and those that the search for the mode begins with.
NODES, FIRST = np.linspace(-4.2, 4.2, 15), np.linspace(-3.9, 3.9, 7)

#: Rows whose posteriors at all nodes are held together.
ROWS = 1000


def log_weights(nodes: np.ndarray) -> np.ndarray:
    """Logarithms of the standard normal mass of equally spaced nodes."""
    return -0.5 * nodes**2 + float(np.log((nodes[1] - nodes[0]) / np.sqrt(2 * np.pi)))


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
        """As for the constructs alone, without explained observed variables."""
        if data.layout.measured.size:
            return Verdict(False, "explained observed variables stand beside a method factor")
        return self.inner.compiles(data)

    def compiled(self, data: ModelData, settings: Any) -> CompiledMethod:
        """The same density in machine code."""
        part = _quadrature(self.inner.compiled(data, settings))
        return CompiledMethod(data, (part,) * len(FIRST), FIRST)

    def log_likelihood(self, data: ModelData, p: dict[str, Any], xp: Any, settings: Any) -> Any:
        """Log-likelihood of every person, shape (person,)."""
        moved = data.method
        assert moved is not None
        base = moved.base(p, xp)
        terms = [
            self.inner.log_likelihood(data, moved.at(p, base, float(node), xp), xp, settings) + float(weight)
            for node, weight in zip(NODES, log_weights(NODES), strict=True)
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
    nodes : ndarray, shape (node,)
        Values of the method factor, equally spaced.
    fineness : float
        Of these, and of the nodes.
    """

    #: An evaluation takes so long that the posterior is first tried by resampling at its mode.
    dear = True

    def __init__(
        self,
        data: ModelData,
        parts: tuple[CompiledQuadrature, ...],
        nodes: np.ndarray,
        fineness: float = 1.0,
    ) -> None:
        assert data.method is not None
        self.fineness = fineness
        self.data, self.parts, self.moved = data, parts, data.method
        self.nodes, self.log_weights = nodes, log_weights(nodes)
        self.patterns = parts[0].patterns

    def _terms(self, each: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Log-likelihood of rows, and the probability of every node given it (node, row)."""
        terms = np.stack(each) + self.log_weights[:, None]
        total = Numpy.logsumexp(terms, axis=0)
        return total, np.exp(terms - total)

    def _at(self, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The same of all rows at ``p``."""
        pairs = zip(self.parts, self._values(p), strict=True)
        return self._terms([part.rows(own) for part, own in pairs])

    def _values(self, p: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
        base = self.moved.base(p, Numpy)
        return [self.moved.at(p, base, node, Numpy) for node in self.nodes]

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value (Fisher's identity)."""
        values, count = self._values(p), self.patterns.count
        runs = [part.begun(own) for part, own in zip(self.parts, values, strict=True)]
        total, share = np.empty(len(count)), np.empty((len(runs), len(count)))
        for begin in range(0, len(count), ROWS):
            rows = slice(begin, begin + ROWS)
            held = [part.masses(run, rows) for part, run in zip(self.parts, runs, strict=True)]
            total[rows], share[:, rows] = self._terms([run["ell"][rows] for run in runs])
            for part, run, mass, mine in zip(self.parts, runs, held, share, strict=True):
                part.weigh(run, rows, mass, (count * mine)[rows])
        gradients = (
            part.gradient(own, run, count * mine)
            for part, own, run, mine in zip(self.parts, values, runs, share, strict=True)
        )
        return float(count @ total), self._back(p, gradients)

    def _back(
        self, p: dict[str, np.ndarray], gradients: Iterable[dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """Gradient over the values of the model, from those over the moved values of every node."""
        base = self.moved.base(p, Numpy)
        d_base = {b: {k: np.zeros_like(v) for k, v in c.items()} for b, c in base.items()}
        out = {q.name: np.zeros(q.shape) for q in self.data.parameters}
        roles = {f"{role}_{b}" for b, own in self.moved.roles.items() for role in own}
        for node, gradient in zip(self.nodes, gradients, strict=True):
            for name, value in gradient.items():
                if name not in roles:
                    out[name] += value
            for b, c in base.items():
                d_own = {role: gradient[f"{role}_{b}"] for role in self.moved.roles[b]}
                d_c = self.moved.coordinates[b].back_reverse(self.moved.moved(p, b, c, node, Numpy), d_own)
                self.moved.reverse(p, b, d_c, node, out[SLOPE])
                for k, value in d_c.items():
                    d_base[b][k] += value
        for b, own_roles in self.moved.roles.items():
            back = self.moved.coordinates[b].to_reverse({r: p[f"{r}_{b}"] for r in own_roles}, d_base[b])
            out |= {f"{role}_{b}": back[role] for role in own_roles}
        return out

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        return self._at(p)[0][self.patterns.inverse]

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> CompiledMethod:
        """Nodes fitted to the posteriors of the persons at ``p``, and grid and windows to those at each node.

        Spacing and reach as for the constructs; see ``CompiledQuadrature.adapted``.
        """
        _, share = self._at(p)
        mean = self.nodes @ share
        # A posterior between two nodes shows no spread.
        least = 0.3 * (self.nodes[1] - self.nodes[0])
        sd = np.sqrt(np.maximum(self.nodes**2 @ share - mean**2, least**2))
        reach = 4.0 * fineness**0.5 * sd
        low, high = (mean - reach).min(), (mean + reach).max()
        spacing = 1.6 * np.quantile(sd, 0.02) / fineness
        nodes = np.linspace(low, high, int(np.ceil((high - low) / spacing)) + 1)
        base = self.moved.base(p, Numpy)
        parts = tuple(self.parts[0].adapted(self.moved.at(p, base, at, Numpy), fineness) for at in nodes)
        return CompiledMethod(self.data, parts, nodes, fineness)

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Log-likelihood minus that on numerics twice as fine, of method factor and constructs."""
        finer = self.adapted(p, 2.0 * self.fineness)
        totals = [one._at(p)[0] for one in (self, finer)]
        return float(self.patterns.count @ (totals[0] - totals[1]))

    def describe(self) -> str:
        """For the provenance."""
        middle = self.parts[len(self.parts) // 2]
        return f"{len(self.parts)} values of a method factor, each on {middle.describe()}"
