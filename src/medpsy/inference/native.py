"""Lays a model out for a C function of its log-density, where that is possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.gaussian_compiled import SufficientStatistics
from medpsy.engines.grouped import CompiledGroups
from medpsy.engines.linear_compiled import LinearStatistics
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.engines.quadrature_conditioned import ConditionedQuadrature
from medpsy.engines.two_level_compiled import ClusterStatistics
from medpsy.inference.density import Density
from medpsy.inference.trace import Held, Place, Tape, Traced, places
from medpsy.latent.base import Equations

if TYPE_CHECKING:
    from medpsy.inference.mode import Mode

#: Where the part of an engine is made.
MAKERS = {
    CompiledQuadrature: ("medpsy.inference.native_grid", "grid_part"),
    ConditionedQuadrature: ("medpsy.inference.native_traced", "conditioned_parts"),
    SufficientStatistics: ("medpsy.inference.native_gaussian", "gaussian_part"),
    LinearStatistics: ("medpsy.inference.native_traced", "linear_part"),
    ClusterStatistics: ("medpsy.inference.native_traced", "cluster_part"),
}

#: A point and its surroundings, where the C function is compared with the reference.
NEAR = 0.1


@dataclass(frozen=True)
class Native:
    """The C functions, the table they read, and what keeps its memory alive.

    ``order`` (addend, person) says which rows of all parts a person's term is the sum of; None where terms
    are not available.
    """

    density: Any
    terms: Any
    copy: Any
    table: np.ndarray
    keep: tuple[Any, ...]
    size: int
    n_row: int = 0
    order: np.ndarray | None = None

    def value_and_gradient(self, w: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-density and its gradient at ``w`` (size,); minus infinity and zeros where there is none."""
        gradient, value = np.empty(self.size), np.empty(1)
        code = self._call(self.density, (self.size,), w, gradient, value)
        return (float(value[0]), gradient) if code == 0 else (-np.inf, np.zeros(self.size))

    def terms_at(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-prior with Jacobian at points (point, size), and every person's log-likelihood (point, person).

        The interpreter is free meanwhile.
        """
        prior, rows = np.empty(len(w)), np.zeros((len(w), self.n_row))
        self._call(self.terms, rows.shape, w, prior, rows)
        assert self.order is not None
        return prior, np.asarray(sum(rows[:, own] for own in self.order))

    def _call(self, function: Any, sizes: tuple[int, ...], w: np.ndarray, *out: np.ndarray) -> int:
        from ctypes import CFUNCTYPE, c_int64, c_uint64, c_void_p

        arrays = np.ascontiguousarray(w, dtype=float), *out, self.table
        kind = CFUNCTYPE(c_int64, *[c_uint64] * len(sizes), *[c_void_p] * len(arrays))
        return int(kind(function.address)(*sizes, *(x.ctypes.data for x in arrays)))

    def whitened(self, mode: Mode) -> Native:
        """The same density over ``w`` where ``u = mode.place(w)``."""
        bend = np.zeros(self.size) if mode.bend is None else mode.bend
        arrays = [np.ascontiguousarray(x, dtype=float) for x in (mode.u, mode.spread, bend)]
        table = self.table.copy()
        table[[0, 1, 16]] = [_row(x) for x in arrays]
        return replace(self, table=table, keep=(*self.keep, *arrays))


@dataclass(frozen=True)
class Part:
    """What one engine adds: its C function, the names of the table's arrays, and those that are its own.

    ``design`` is None where the latent system is among the computed values; ``equations`` are those of the
    structure unless given. ``rows`` says which row every person of the part has, where the function fills
    terms, and ``persons`` who they are (all of the data unless given); ``constant`` belongs to every person.
    """

    function: Any
    names: tuple[str, ...]
    arrays: Mapping[str, np.ndarray]
    design: np.ndarray | None
    rows: np.ndarray | None = None
    constant: float = 0.0
    keep: tuple[Any, ...] = ()
    equations: Equations | None = None
    persons: np.ndarray | None = None


def native(density: Density, mode: Mode) -> Native | str:
    """The density in C, in whitened coordinates, or why not."""
    made = plain(density, mode.u)
    if isinstance(made, str):
        return made
    made = made.whitened(mode)
    w = np.random.default_rng(5).normal(0.0, 0.3, density.size)
    good = _agrees(made, w, density, mode)
    return made if good else "the C function disagrees with the reference"


def plain(density: Density, u: np.ndarray) -> Native | str:
    """The density in C, in its own coordinates, or why not; compared with the reference near ``u``."""
    if density.native is None:
        density.native = _laid_out(density)
        if isinstance(density.native, Native):
            at = u + NEAR * np.random.default_rng(5).standard_normal(density.size)
            if not _agrees(density.native, at, density):
                density.native = "the C function disagrees with the reference"
    found: Native | str = density.native
    return found


def quick(density: Density, u: np.ndarray) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Value and gradient of the density by the fastest way there is; ``u`` is where it will be asked."""
    made = "rows are shared out" if _shared(density) else plain(density, u)
    return density.value_and_gradient if isinstance(made, str) else made.value_and_gradient


def pointwise(density: Density, u: np.ndarray) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """What gives the log-prior with Jacobian at points (point, size) and every person's log-likelihood.

    The way is the fastest there is; ``u`` is where it will be asked.
    """
    made = "rows are shared out" if _shared(density) else plain(density, u)
    return density.terms_at if isinstance(made, str) or made.order is None else made.terms_at


def free(density: Density, u: np.ndarray) -> bool:
    """Whether `pointwise` leaves the interpreter to other threads."""
    return pointwise(density, u) != density.terms_at


def _shared(density: Density) -> bool:
    """Whether every evaluation already shares out its many rows among the processors."""
    return len(getattr(density.likelihood, "shares", ())) > 1


def _laid_out(density: Density) -> Native | str:
    """The tables of a density, or why there are none."""
    from medpsy.inference.native_kernel import COMMON, functions

    found = _pieces(density)
    if isinstance(found, str):
        return found
    tape, pieces = Parameters(density), []
    try:
        for made in density.space.made:
            tape.values |= made.forward(tape.values, Traced)
        for data, likelihood, values, spots in found:
            own = values(tape.values)
            module, name = MAKERS[type(likelihood)]
            parts: list[Part] | str = getattr(import_module(module), name)(data, likelihood, own, tape)
            if isinstance(parts, str):
                return parts
            pieces += [(part, _system(part, data, own, tape), spots) for part in parts]
    except TypeError as error:
        return f"the model computes with its parameters what has no C function: {error}"
    keep: list[Any] = []
    addresses, rows, first = [], [], 0
    for part, cells, spots in pieces:
        if isinstance(cells, str):
            return cells
        table = _table(part.names, {**cells, **part.arrays}, keep)
        keep += [table, *part.keep]
        addresses.append([part.function.address, table.ctypes.data, first])
        if part.rows is not None:
            persons = np.arange(len(part.rows)) if part.persons is None else part.persons
            rows.append((persons if spots is None else spots[persons], first + part.rows))
            first += int(part.rows.max()) + 1
    common = tape.common() | {"parts": np.array(addresses, dtype=np.int64)}
    table = _table(COMMON, common, keep)
    order = _order(rows) if len(rows) == len(pieces) else None
    return Native(*functions(), table, tuple(keep), density.size, first, order)


def _order(rows: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Which rows belong to a person (addend, person), from pairs of persons and their rows."""
    size, out = 1 + max(int(persons.max()) for persons, _ in rows), list[np.ndarray]()
    for persons, own in rows:
        free = next((one for one in out if (one[persons] < 0).all()), None)
        if free is None:
            free = np.full(size, -1)
            out.append(free)
        free[persons] = own
    assert all((one >= 0).all() for one in out)
    return np.stack(out)


#: Data, likelihood, the way from the parameters to its values, and the places of its persons among all.
Piece = tuple[ModelData, Any, Callable[[Any], Any], np.ndarray | None]


def _pieces(density: Density) -> list[Piece] | str:
    """What has a likelihood of its own, or why there is no C function."""
    data, likelihood = density.data, density.likelihood
    if isinstance(likelihood, CompiledGroups):
        whole = data.groups or data.cells
        assert whole is not None
        if not all(type(part) in MAKERS for part in likelihood.parts):
            return "this engine has no C function"

        def own(g: int) -> Callable[[Any], Any]:
            return lambda p: whole.values(p, g, Traced)

        ends = np.cumsum([part.n_person for part in whole.parts])[:-1]
        spots = np.split(np.argsort(whole.order), ends)
        pairs = zip(whole.parts, likelihood.parts, strict=True)
        return [(part, one, own(g), spots[g]) for g, (part, one) in enumerate(pairs)]
    if type(likelihood) not in MAKERS:
        return "this engine has no C function"
    return [(data, likelihood, lambda p: p, None)]


def _system(
    part: Part, data: ModelData, values: dict[str, Any], tape: Parameters
) -> dict[str, np.ndarray] | str:
    """What the table of a part says of the latent system."""
    if part.design is None:
        return {}
    eq = part.equations or data.model.structure.equations(values, data.layout, Traced)
    n = len(eq.d)
    inner = _cells(eq.b, np.zeros((n, n)), tape)
    if (inner[:, 1] >= inner[:, 0]).any():
        return "explained variables are not in order"
    real = {"constant": np.array([part.constant, n]), "design": part.design}
    whole = {
        "inner": inner,
        "outer": _cells(eq.g, np.zeros((n, part.design.shape[1])), tape),
        "corner": _cells(eq.z, np.eye(n), tape),
        "scale": _cells(eq.d, np.ones(n), tape),
    }
    return whole | {name: array.astype(float) for name, array in real.items()}


def _cells(array: Any, usual: np.ndarray, tape: Tape) -> np.ndarray:
    """Cells that do not hold the usual constant: (row, column, place) or (row, place)."""
    found = [
        (*index, tape.place(value))
        for index, value in np.ndenumerate(places(array))
        if isinstance(value, Place) or value != usual[index]
    ]
    return np.array(found, dtype=np.int64).reshape(-1, usual.ndim + 1)


class Parameters(Tape):
    """The parameters of a model as places, its correlation factors behind the rest.

    ``values`` maps names to arrays of places.
    """

    def __init__(self, density: Density) -> None:
        space = density.space
        size = space._template.size
        super().__init__(space._template.tolist())
        self.space = space
        flat = places([Held(value, i) for i, value in enumerate(self.template)])
        for i in space._where:
            flat[i] = Place(self, int(i))
        for _, to, n in space._spans:
            flat[to : to + n] = [Place(self, int(k)) for k in range(to, to + n)]
        self.values: dict[str, Any] = {p.name: flat[span].reshape(p.shape) for p, span in space._flat}
        for p, _ in space._triangles:
            n = p.shape[0]
            chol = places(np.eye(n))
            for i, j in zip(*np.tril_indices(n), strict=True):
                if i:
                    chol[i, j] = Place(self, size + int(i) * n + int(j))
            self.template += [0.0] * n**2
            self.values[p.name] = chol
            size += n**2

    def common(self) -> dict[str, np.ndarray]:
        """Arrays of the table that do not belong to any part; coordinates as they are, not whitened."""
        space, at, to = self.space, 0, self.space._template.size
        corners = []
        for p, place in space._triangles:
            corners.append([p.shape[0], at, to])
            at, to = at + len(place), to + p.shape[0] ** 2
        triangles = [place for _, place in space._triangles]
        whole = {
            "kinds": space._kinds, "where": space._where, "spans": space._spans,
            "positive": space._positive, "unit": space._unit,
            "places": np.concatenate(triangles) if triangles else np.zeros(0),
            "corners": np.array(corners).reshape(-1, 3),
            "program": np.array(self.program, dtype=np.int64).reshape(-1, 5),
        }  # fmt: skip
        real = {
            "mode": np.zeros(space.size), "spread": np.zeros((0, 0)), "bend": np.zeros(0),
            "args": space._args,
            "concentration": space._concentrations, "template": np.array(self.template),
            "products": np.column_stack(space._scaled),
            "etas": np.array([p.priors[0].args[0] for p, _ in space._triangles]),
        }  # fmt: skip
        return {k: v.astype(np.int64) for k, v in whole.items()} | {
            k: v.astype(float) for k, v in real.items()
        }


def _row(array: np.ndarray) -> list[int]:
    """Address and shape."""
    return [array.ctypes.data, array.shape[0], array.shape[1] if array.ndim == 2 else 1]


def _table(names: tuple[str, ...], values: Mapping[str, np.ndarray], keep: list[Any]) -> np.ndarray:
    """A table of addresses; what it points to is added to ``keep``."""
    arrays = [np.ascontiguousarray(values[name]) for name in names]
    keep += arrays
    return np.array([_row(array) for array in arrays], dtype=np.int64)


def _agrees(made: Native, w: np.ndarray, density: Density, mode: Mode | None = None) -> bool:
    """Whether both ways give one value and gradient at ``w``, whitened if there is a mode."""
    value, gradient = made.value_and_gradient(w)
    want, d_w = density.value_and_gradient(w) if mode is None else whitened(density, mode, w)
    if not np.isfinite(want):
        return True
    near = np.abs(gradient - d_w).max() <= 1e-6 * (1 + np.abs(d_w).max())
    return bool(near and abs(value - want) <= 1e-8 * abs(want))


def whitened(density: Density, mode: Mode, w: np.ndarray) -> tuple[float, np.ndarray]:
    """Log-density over whitened coordinates (size,), and its gradient."""
    straight, slope, d_log = mode.straight(w)
    value, gradient = density.value_and_gradient(mode.u + mode.spread @ straight)
    return value + float(np.log(slope).sum()), gradient @ mode.spread * slope + d_log
