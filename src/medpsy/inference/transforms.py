"""Unconstrained coordinates of the free parameters: values, log-prior with Jacobian, and the reverse.

Coordinates are those of the PyMC model (log for positive entries, centred log-ratios for simplexes,
row-normalised triangles for correlation Cholesky factors), so that both routes can be compared point by
point. Additive constants are dropped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from medpsy.jit import jit
from medpsy.parameter import Parameter

KINDS = ("Normal", "StudentT", "LogNormal", "HalfNormal", "HalfStudentT", "Exponential", "Gamma")


@dataclass(frozen=True)
class Slot:
    """Where one PyMC value variable stands in the vector, and its name there."""

    name: str
    start: int
    stop: int
    shape: tuple[int, ...]


class Unconstrained:
    """Maps the vector ``u`` to named values and back to gradients.

    The vector holds the scalars of all parameters first, then the simplexes, then the triangles of the
    correlation factors.
    """

    def __init__(self, parameters: tuple[Parameter, ...]) -> None:
        self.parameters = parameters
        self.scalars = [p for p in parameters if p.event == "scalar"]
        self.simplexes = [p for p in parameters if p.event == "simplex"]
        self.correlations = [p for p in parameters if p.event == "correlation"]
        self.slots: list[Slot] = []
        kinds, args, where, at = [], [], [], 0
        offset = 0
        self._span: dict[str, slice] = {}
        for p in self.scalars:
            self._span[p.name] = slice(offset, offset + p.shape[0])
            for group in p.groups():
                size = len(group.index)
                suffix = "_log__" if group.support == "positive" else ""
                self.slots.append(Slot(group.name + suffix, at, at + size, (size,)))
                kinds += [KINDS.index(group.kind)] * size
                args += [[*row, *[0.0] * (3 - len(row))] for row in group.args]
                where += (offset + group.index).tolist()
                at += size
            offset += p.shape[0]
        self.n_scalar = at
        self._kinds = np.array(kinds, dtype=np.int64)
        self._args = np.array(args, dtype=float).reshape(at, 3)
        #: Position of each scalar coordinate among the concatenated parameters.
        self._where = np.array(where, dtype=np.int64)
        for p in self.simplexes:
            rows, cols = p.shape
            size = rows * (cols - 1)
            self.slots.append(Slot(p.name + "_simplex__", at, at + size, (rows, cols - 1)))
            at += size
        for p in self.correlations:
            n = p.shape[0]
            size = n * (n - 1) // 2
            self.slots.append(Slot(p.name + "_cholesky_corr__", at, at + size, (size,)))
            at += size
        self.size = at
        self._slots = {slot.name: slot for slot in self.slots}
        self._log_scale = self._kinds >= 2
        #: Positions of positive entries among the concatenated parameters.
        self._positive = self._where[self._log_scale]
        self._concentration = {
            p.name: np.array([prior.args[0] for prior in p.priors]) for p in self.simplexes
        }

    def _slot(self, name: str) -> Slot:
        return self._slots[name]

    def constrain(self, u: np.ndarray) -> dict[str, np.ndarray]:
        """Named values at ``u`` (..., size); leading axes are kept."""
        lead = u.shape[:-1]
        out: dict[str, np.ndarray] = {}
        raw = u[..., : self.n_scalar]
        flat = np.empty((*lead, self.n_scalar))
        flat[..., self._where] = raw
        flat[..., self._positive] = np.exp(flat[..., self._positive])
        for p in self.scalars:
            out[p.name] = flat[..., self._span[p.name]]
        for p in self.simplexes:
            slot = self._slot(p.name + "_simplex__")
            y = u[..., slot.start : slot.stop].reshape(*lead, *slot.shape)
            full = np.concatenate([y, -y.sum(-1, keepdims=True)], axis=-1)
            full = np.exp(full - full.max(-1, keepdims=True))
            out[p.name] = full / full.sum(-1, keepdims=True)
        for p in self.correlations:
            slot = self._slot(p.name + "_cholesky_corr__")
            out[p.name] = correlation_factor(u[..., slot.start : slot.stop], p.shape[0])
        return out

    def log_prior(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-prior plus log-Jacobian at ``u`` (size,), up to a constant, and its gradient."""
        gradient = np.zeros(self.size)
        total = jit(_scalar_prior)(u, self._kinds, self._args, gradient)
        for p in self.simplexes:
            slot = self._slot(p.name + "_simplex__")
            total += jit(_simplex_prior)(
                u[slot.start : slot.stop].reshape(slot.shape),
                self._concentration[p.name],
                gradient[slot.start : slot.stop].reshape(slot.shape),
            )
        for p in self.correlations:
            slot = self._slot(p.name + "_cholesky_corr__")
            total += _lkj_prior(u, slot, p.shape[0], p.priors[0].args[0], gradient)
        return total, gradient

    def pull_back(
        self, u: np.ndarray, values: dict[str, np.ndarray], d: dict[str, np.ndarray], out: np.ndarray
    ) -> None:
        """Add to ``out`` the gradient with respect to ``u`` given it with respect to the named values."""
        if self.n_scalar:
            flat_d = np.concatenate([d[p.name] for p in self.scalars])
            flat_v = np.concatenate([values[p.name] for p in self.scalars])
            flat_d[self._positive] *= flat_v[self._positive]
            out[: self.n_scalar] += flat_d[self._where]
        for p in self.simplexes:
            slot = self._slot(p.name + "_simplex__")
            prob, grad = values[p.name], d[p.name]
            ext = prob * (grad - (prob * grad).sum(-1, keepdims=True))
            out[slot.start : slot.stop] += (ext[:, :-1] - ext[:, -1:]).ravel()
        for p in self.correlations:
            slot = self._slot(p.name + "_cholesky_corr__")
            out[slot.start : slot.stop] += _factor_reverse(values[p.name], d[p.name])

    def labels(self) -> list[str]:
        """A name for every coordinate, for error messages."""
        return [f"{s.name}[{i}]" for s in self.slots for i in range(s.stop - s.start)]


@cache
def triangle(n: int) -> np.ndarray:
    """Place of each coordinate in the strict lower triangle (row-major), in the spiral order of PyMC."""
    m = n * (n - 1) // 2
    x = np.arange(m)
    square = np.concatenate([x[n - 1 :], x[::-1]]).reshape(n - 1, n - 1)
    return square[np.tril_indices(n - 1)]


def correlation_factor(x: np.ndarray, n: int) -> np.ndarray:
    """Cholesky factor (..., n, n) of a correlation matrix: unit diagonal, rows scaled to length one."""
    raw = np.zeros((*x.shape[:-1], n, n))
    raw[..., np.arange(n), np.arange(n)] = 1.0
    rows, cols = np.tril_indices(n, -1)
    raw[..., rows, cols] = x[..., triangle(n)]
    return raw / np.sqrt((raw**2).sum(-1, keepdims=True))


def _factor_reverse(chol: np.ndarray, d_chol: np.ndarray) -> np.ndarray:
    """Gradient with respect to the triangle coordinates."""
    n = chol.shape[0]
    scale = np.diag(chol)[:, None]
    d_raw = scale * (d_chol - chol * (d_chol * chol).sum(-1, keepdims=True))
    out = np.empty(n * (n - 1) // 2)
    out[triangle(n)] = d_raw[np.tril_indices(n, -1)]
    return out


def _lkj_prior(u: np.ndarray, slot: Slot, n: int, eta: float, gradient: np.ndarray) -> float:
    """LKJ density of the factor (exponent 2 eta - 2 + n - i) plus Jacobian (exponent i + 1), i = 2..n."""
    chol = correlation_factor(u[slot.start : slot.stop], n)
    i = np.arange(1, n + 1)
    exponent = np.where(i > 1, 2 * eta - 2 + n - i + i + 1, 0.0)
    log_diagonal = np.log(np.diag(chol))
    d_chol = np.diag(exponent / np.diag(chol))
    gradient[slot.start : slot.stop] += _factor_reverse(chol, d_chol)
    return float((exponent * log_diagonal).sum())


def _scalar_prior(u, kinds, args, gradient):
    """Univariate priors in unconstrained coordinates; writes the gradient, returns the sum."""
    total = 0.0
    for i in range(kinds.size):
        kind, x = kinds[i], u[i]
        if kind == 0 or kind == 2:
            z = (x - args[i, 0]) / args[i, 1]
            total -= 0.5 * z * z
            gradient[i] = -z / args[i, 1]
        elif kind == 1:
            nu = args[i, 0]
            z = (x - args[i, 1]) / args[i, 2]
            total -= 0.5 * (nu + 1.0) * math.log1p(z * z / nu)
            gradient[i] = -(nu + 1.0) * z / ((nu + z * z) * args[i, 2])
        elif kind == 3:
            r = math.exp(2.0 * x) / (args[i, 0] * args[i, 0])
            total += x - 0.5 * r
            gradient[i] = 1.0 - r
        elif kind == 4:
            nu = args[i, 0]
            r = math.exp(2.0 * x) / (nu * args[i, 1] * args[i, 1])
            total += x - 0.5 * (nu + 1.0) * math.log1p(r)
            gradient[i] = 1.0 - (nu + 1.0) * r / (1.0 + r)
        elif kind == 5:
            r = args[i, 0] * math.exp(x)
            total += x - r
            gradient[i] = 1.0 - r
        else:
            r = args[i, 1] * math.exp(x)
            total += args[i, 0] * x - r
            gradient[i] = args[i, 0] - r
    return total


def _simplex_prior(y, concentration, gradient):
    """Symmetric Dirichlet plus Jacobian for every row; writes the gradient, returns the sum.

    With c the concentration the sum over categories of c log p is the whole of it, up to a constant.
    """
    rows, cols = y.shape
    total = 0.0
    for j in range(rows):
        last = 0.0
        top = -1e300
        for k in range(cols):
            last -= y[j, k]
            top = max(top, y[j, k])
        top = max(top, last)
        norm = math.exp(last - top)
        for k in range(cols):
            norm += math.exp(y[j, k] - top)
        log_norm = top + math.log(norm)
        c = concentration[j]
        n = cols + 1
        # The coordinates with the last one sum to zero, so only the normaliser remains.
        total -= c * n * log_norm
        p_last = math.exp(last - log_norm)
        for k in range(cols):
            gradient[j, k] = -c * n * (math.exp(y[j, k] - log_norm) - p_last)
    return total


def unconstrain_start(parameters: tuple[Parameter, ...], start: dict[str, np.ndarray]) -> np.ndarray:
    """Coordinates of named values: the inverse of `Unconstrained.constrain`, for starting points."""
    space = Unconstrained(parameters)
    u = np.zeros(space.size)
    flat = np.concatenate([start[p.name] for p in space.scalars]) if space.scalars else np.zeros(0)
    value = flat[space._where]
    u[: space.n_scalar] = value
    u[: space.n_scalar][space._log_scale] = np.log(value[space._log_scale])
    for p in space.simplexes:
        slot = space._slot(p.name + "_simplex__")
        logs = np.log(start[p.name])
        u[slot.start : slot.stop] = (logs - logs.mean(-1, keepdims=True))[:, :-1].ravel()
    for p in space.correlations:
        slot = space._slot(p.name + "_cholesky_corr__")
        chol = start[p.name]
        raw = chol / np.diag(chol)[:, None]
        out = np.empty(slot.stop - slot.start)
        out[triangle(p.shape[0])] = raw[np.tril_indices(p.shape[0], -1)]
        u[slot.start : slot.stop] = out
    return u
