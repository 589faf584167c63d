"""Unconstrained coordinates of the free parameters: values, log-prior with Jacobian, and the reverse.

Coordinates are those of the PyMC model (log for positive entries, log-odds for those between 0 and 1,
centred log-ratios for simplexes, row-normalised triangles for correlation Cholesky factors), so that both
routes can be compared point by point. Additive constants are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from medpsy.inference.transform_kernel import (
    factor,
    factor_reverse,
    scalars,
    simplexes,
    simplexes_reverse,
)
from medpsy.ops import Numpy
from medpsy.parameter import Parameter

KINDS = ("Normal", "StudentT", "LogNormal", "HalfNormal", "HalfStudentT", "Exponential", "Gamma", "Beta")
SUFFIX = {"real": "", "positive": "_log__", "unit": "_logodds__"}


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
    correlation factors. With ``products`` entries that have a scale are replaced by coordinates between them
    and their products with it (:class:`~medpsy.parameter.Scale`): the same density, easier to walk in.
    """

    def __init__(self, parameters: tuple[Parameter, ...], products: bool = False) -> None:
        self.parameters, self.products = parameters, products
        free = [p for p in parameters if p.free]
        self.made = tuple(dict.fromkeys(p.made for p in parameters if p.made is not None))
        self.copies = [p for p in parameters if p.copy_of]
        self.scalars = [p for p in free if p.event == "scalar"]
        self.simplexes = [p for p in free if p.event == "simplex"]
        self.correlations = [p for p in parameters if p.event == "correlation"]
        self.slots: list[Slot] = []
        kinds, args, where, at = [], [], [], 0
        offset = 0
        self._span: dict[str, slice] = {}
        for p in self.scalars:
            size = int(np.prod(p.shape))
            self._span[p.name] = slice(offset, offset + size)
            groups = p.groups()
            for group in groups:
                count = len(group.index)
                # A variable that is the whole parameter keeps its shape.
                shape = p.shape if len(groups) == 1 and count == size else (count,)
                self.slots.append(Slot(group.name + SUFFIX[group.support], at, at + count, shape))
                kinds += [KINDS.index(group.kind)] * count
                args += [[*row, *[0.0] * (3 - len(row))] for row in group.args]
                where += (offset + group.index).tolist()
                at += count
            offset += size
        self.n_scalar = at
        self._kinds = np.array(kinds, dtype=np.int64)
        self._args = np.array(args, dtype=float).reshape(at, 3)
        #: Position of each scalar coordinate among the concatenated parameters.
        self._where = np.array(where, dtype=np.int64)
        for p in self.simplexes:
            for group in p.groups():
                shape = (len(group.index), group.length - 1)
                self.slots.append(Slot(group.name + "_simplex__", at, at + shape[0] * shape[1], shape))
                at += shape[0] * shape[1]
        for p in self.correlations:
            n = p.shape[0]
            size = n * (n - 1) // 2
            self.slots.append(Slot(p.name + "_cholesky_corr__", at, at + size, (size,)))
            at += size
        self.size = at
        self._slots = {slot.name: slot for slot in self.slots}
        self._unit_scale = self._kinds == KINDS.index("Beta")
        self._log_scale = (self._kinds >= 2) & ~self._unit_scale
        #: Positions of positive entries, and of those between 0 and 1, among the concatenated parameters.
        self._positive, self._unit = self._where[self._log_scale], self._where[self._unit_scale]
        self._lay_out_flat(offset)
        self._scaled = self._products()

    def _products(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Coordinates with a scale, those of the logarithms of the scales, and the errors of the products."""
        entries: list[np.ndarray] = []
        scales: list[np.ndarray] = []
        errors: list[float] = []
        for p in self.scalars:
            if p.scale is None or not self.products or not p.scale.error:
                continue
            own, of = self.places_of(p)
            entries.append(own)
            scales.append(of)
            errors += p.scale.error
        none = [np.zeros(0, dtype=int)]
        return np.concatenate(entries or none), np.concatenate(scales or none), np.array(errors, dtype=float)

    def places_of(self, p: Parameter) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates of the entries of a parameter with a scale, and of the logarithms of their scales."""
        assert p.scale is not None
        # Entries with several kinds of prior have several slots.
        place = np.zeros(self._where.max() + 1, dtype=int)
        place[self._where] = np.arange(self.n_scalar)
        entries = self._span[p.name].start + np.arange(len(p.scale.index))
        return place[entries], place[self._span[p.scale.name].start + np.array(p.scale.index, dtype=int)]

    def stretch(self, u: np.ndarray) -> np.ndarray:
        """Entries per coordinate at ``u`` (size,), given their scales: one where there are no products."""
        out = np.ones(self.size)
        out[self._scaled[0]] = self._ratio(u)
        return out

    def _ratio(self, u: np.ndarray) -> np.ndarray:
        """What takes each scaled coordinate (..., entry) to its entry: 1 / sqrt(1 + (scale / error)^2)."""
        _, scales, errors = self._scaled
        return np.asarray(1.0 / np.sqrt(1.0 + (np.exp(u[..., scales]) / errors) ** 2))

    def to_plain(self, u: np.ndarray) -> np.ndarray:
        """The vector (..., size) with entries in place of their coordinates: that without products."""
        entries = self._scaled[0]
        if not entries.size:
            return u
        out = u.copy()
        out[..., entries] = u[..., entries] * self._ratio(u)
        return out

    def _lay_out_flat(self, offset: int) -> None:
        """Places of all values but the correlation factors in one flat vector."""
        self._flat = [(p, self._span[p.name]) for p in self.scalars]
        spans, concentrations = [], []
        for p in self.simplexes:
            rows, cols = p.shape
            for group in p.groups():
                start = self._slot(group.name + "_simplex__").start
                for i, row in enumerate(group.index):
                    spans.append([start + i * (group.length - 1), offset + row * cols, group.length])
                concentrations += group.args[:, 0].tolist()
            self._flat.append((p, slice(offset, offset + rows * cols)))
            offset += rows * cols
        spots = {p.name: span for p, span in self._flat}
        self._flat += [(p, spots[p.copy_of]) for p in self.copies]
        self._template = np.zeros(offset)
        for p, span in self._flat:
            self._template[span] = p.fill
        self._spans = np.array(spans, dtype=np.int64).reshape(-1, 3)
        self._concentrations = np.array(concentrations, dtype=float)
        self._triangles = [
            (p, self._slot(p.name + "_cholesky_corr__").start + triangle(p.shape[0]))
            for p in self.correlations
        ]

    def _slot(self, name: str) -> Slot:
        return self._slots[name]

    def constrain(self, u: np.ndarray) -> dict[str, np.ndarray]:
        """Named values at ``u`` (..., size); leading axes are kept."""
        lead, u = u.shape[:-1], self.to_plain(u)
        out: dict[str, np.ndarray] = {}
        raw = u[..., : self.n_scalar]
        flat = np.zeros((*lead, max((span.stop for span in self._span.values()), default=0)))
        flat[..., self._where] = raw
        flat[..., self._positive] = np.exp(flat[..., self._positive])
        flat[..., self._unit] = 1.0 / (1.0 + np.exp(-flat[..., self._unit]))
        for p in self.scalars:
            out[p.name] = flat[..., self._span[p.name]].reshape(*lead, *p.shape)
        for p in self.simplexes:
            out[p.name] = np.full((*lead, *p.shape), p.fill)
            for group in p.groups():
                slot = self._slot(group.name + "_simplex__")
                y = u[..., slot.start : slot.stop].reshape(*lead, *slot.shape)
                full = np.concatenate([y, -y.sum(-1, keepdims=True)], axis=-1)
                full = np.exp(full - full.max(-1, keepdims=True))
                out[p.name][..., group.index, : group.length] = full / full.sum(-1, keepdims=True)
        for p in self.correlations:
            slot = self._slot(p.name + "_cholesky_corr__")
            out[p.name] = correlation_factor(u[..., slot.start : slot.stop], p.shape[0])
        out |= {p.name: out[p.copy_of] for p in self.copies}
        for made in self.made:
            out |= made.forward(out, Numpy)
        return out

    def point(self, u: np.ndarray) -> tuple[dict[str, np.ndarray], float, np.ndarray]:
        """Named values at one point (size,), the log-prior with Jacobian there, and its gradient.

        The gradient is with respect to the entries, not to their coordinates, until ``pull_back``.
        """
        jacobian = float(np.log(self._ratio(u)).sum())
        u = self.to_plain(u)
        gradient = np.zeros(self.size)
        flat = self._template.copy()
        total = scalars(u, self._kinds, self._args, self._where, flat, gradient)
        total += simplexes(u, self._spans, self._concentrations, flat, gradient)
        values = {p.name: flat[span].reshape(p.shape) for p, span in self._flat}
        for p, place in self._triangles:
            chol = np.zeros(p.shape)
            total += factor(u, place, p.shape[0], p.priors[0].args[0], chol, gradient)
            values[p.name] = chol
        for made in self.made:
            values |= made.forward(values, Numpy)
        return values, total + jacobian, gradient

    def log_prior(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-prior plus log-Jacobian at ``u`` (size,), up to a constant, and its gradient."""
        _, total, gradient = self.point(u)
        self._to_products(self.to_plain(u), gradient)
        return total, gradient

    def from_plain(self, u: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A point (size,) and directions (size, n) at it, from the coordinates without products."""
        entries, scales, _ = self._scaled
        u, spread = u.copy(), spread.copy()
        ratio = self._ratio(u)
        share = u[entries] * (1.0 - ratio**2)
        spread[entries] = (spread[entries] + share[:, None] * spread[scales]) / ratio[:, None]
        u[entries] /= ratio
        return u, spread

    def _to_products(self, u: np.ndarray, gradient: np.ndarray) -> None:
        """Turn a gradient over entries, at the plain vector ``u``, into one over coordinates, in place."""
        entries, scales, _ = self._scaled
        if entries.size:
            ratio = self._ratio(u)
            np.add.at(gradient, scales, (1.0 - ratio**2) * (-gradient[entries] * u[entries] - 1.0))
            gradient[entries] *= ratio

    def pull_back(
        self, values: dict[str, np.ndarray], d: dict[str, np.ndarray], gradient: np.ndarray
    ) -> None:
        """Add to ``gradient`` that with respect to ``u``, given it with respect to the named values."""
        for made in reversed(self.made):
            back = made.reverse(values, d)
            d = d | {name: d.get(name, 0.0) + value for name, value in back.items()}
        flat, d_flat = np.empty(self._template.size), np.zeros(self._template.size)
        for p, span in self._flat:
            flat[span] = values[p.name].ravel()
            d_flat[span] += d[p.name].ravel()
        d_flat[self._positive] *= flat[self._positive]
        d_flat[self._unit] *= flat[self._unit] * (1.0 - flat[self._unit])
        gradient[: self.n_scalar] += d_flat[self._where]
        simplexes_reverse(self._spans, flat, d_flat, gradient)
        for p, place in self._triangles:
            factor_reverse(place, p.shape[0], values[p.name], d[p.name], gradient)
        entries, scales, errors = self._scaled
        if entries.size:
            ratio = 1.0 / np.sqrt(1.0 + (flat[self._where[scales]] / errors) ** 2)
            standard = flat[self._where[entries]]
            np.add.at(gradient, scales, (1.0 - ratio**2) * (-gradient[entries] * standard - 1.0))
            gradient[entries] *= ratio

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


def unconstrain_start(parameters: tuple[Parameter, ...], start: dict[str, np.ndarray]) -> np.ndarray:
    """Coordinates of named values: the inverse of `Unconstrained.constrain`, for starting points."""
    space = Unconstrained(parameters)
    u = np.zeros(space.size)
    flat = np.concatenate([start[p.name].ravel() for p in space.scalars]) if space.scalars else np.zeros(0)
    value = flat[space._where]
    u[: space.n_scalar] = value
    u[: space.n_scalar][space._log_scale] = np.log(value[space._log_scale])
    inside = value[space._unit_scale]
    u[: space.n_scalar][space._unit_scale] = np.log(inside) - np.log1p(-inside)
    for p in space.simplexes:
        for group in p.groups():
            slot = space._slot(group.name + "_simplex__")
            logs = np.log(start[p.name][group.index, : group.length])
            u[slot.start : slot.stop] = (logs - logs.mean(-1, keepdims=True))[:, :-1].ravel()
    for p in space.correlations:
        slot = space._slot(p.name + "_cholesky_corr__")
        chol = start[p.name]
        raw = chol / np.diag(chol)[:, None]
        out = np.empty(slot.stop - slot.start)
        out[triangle(p.shape[0])] = raw[np.tril_indices(p.shape[0], -1)]
        u[slot.start : slot.stop] = out
    return u
