"""The groups of one model: from the parameters of the whole to the values of each group, and back.

A model with groups has one ordinary model per group. Its own parameters are those of the whole, beside them
what the groups have for themselves. The likelihood is the sum over the groups, so that every engine and
every family serves unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from medpsy.families.coordinates import Coordinates
from medpsy.groups.differences import Change, Placing
from medpsy.ops import Numpy


@dataclass(frozen=True)
class Grouping:
    """The groups of one model and one survey.

    Parameters
    ----------
    by : str
        The variable.
    levels : tuple of str
        Names of the groups, those that occur.
    reference : int
        Which one has means 0 and sds 1; -1 where none has (pooled).
    rows : tuple of ndarray
        Positions of the persons of every group.
    parts : tuple of ModelData
        One ordinary model per group; its constructs have ``group_mean`` and ``group_sd``.
    changes : tuple of Change
    mean, log_sd : Placing
    own : dict of str to tuple of str
        Parameters of the structure, and what each is called in every group.
    coordinates : dict of str to Coordinates
        By block.
    roles : dict of str to tuple of str
        By block.
    along : tuple of float
        Where every group stands, if items differ in proportion to that.
    """

    by: str
    levels: tuple[str, ...]
    reference: int
    rows: tuple[np.ndarray, ...]
    parts: tuple[Any, ...]
    changes: tuple[Change, ...]
    mean: Placing
    log_sd: Placing
    own: dict[str, tuple[str, ...]]
    coordinates: dict[str, Coordinates]
    roles: dict[str, tuple[str, ...]]
    along: tuple[float, ...] = ()

    @property
    def sizes(self) -> np.ndarray:
        """Persons in every group."""
        return np.array([len(rows) for rows in self.rows])

    @cached_property
    def order(self) -> np.ndarray:
        """Puts what is joined group by group into the order of the survey."""
        return np.argsort(np.concatenate(self.rows), kind="stable")

    @property
    def names(self) -> tuple[str, ...]:
        """Constructs, or the latent variables of a linear model."""
        return tuple(self.coordinates)

    @property
    def placed(self) -> np.ndarray:
        """Positions in ``names`` of those whose means differ between the groups."""
        return self.mean.free

    @property
    def shrunk(self) -> bool:
        """Whether some differences share a sd that is estimated with them."""
        held = [self.mean.held, self.log_sd.held, *(change.held for change in self.changes)]
        return any(one is not None and bool(one.spread) for one in held)

    def values(self, p: dict[str, Any], group: int, xp: Any = Numpy) -> dict[str, Any]:
        """Named values of one group's own model; leading axes are kept."""
        out = {name: p[called[group]] for name, called in self.own.items()}
        for block, roles in self.roles.items():
            own = {role: p[f"{role}_{block}"] for role in roles}
            if any(change.block == block for change in self.changes):
                own |= self.coordinates[block].back(self.item_coordinates(p, block, group, xp), xp)
            out |= {f"{role}_{block}": value for role, value in own.items()}
        out["group_mean"] = self.mean.of(p, group, xp)
        out["group_sd"] = xp.exp(self.log_sd.of(p, group, xp))
        if "z" in p:
            out["z"] = p["z"][..., self.rows[group], :]
        return out

    def item_coordinates(self, p: dict[str, Any], block: str, group: int, xp: Any = Numpy) -> dict[str, Any]:
        """Coordinates of the items of one block in one group, (..., item) or (..., item, cell)."""
        c = self.coordinates[block].to({role: p[f"{role}_{block}"] for role in self.roles[block]}, xp)
        for change, more in self._mores(p, block, group, xp):
            old = c[change.part.name]
            more = more if old.ndim == more.ndim else more[..., 0]
            c[change.part.name] = old * xp.exp(more) if change.part.multiply else old + more
        return c

    def _mores(self, p: dict[str, Any], block: str, group: int, xp: Any) -> Iterator[tuple[Change, Any]]:
        for change in self.changes:
            if change.block == block:
                yield change, change.of(p, group, xp)

    def tape(self, p: dict[str, np.ndarray]) -> Tape:
        """Values of all groups at one point, with what their gradients need to come back."""
        return Tape(self, p)


class Tape:
    """One evaluation: coordinates of the whole once, then those of every group; and the way back.

    Parameters
    ----------
    groups : Grouping
    p : dict of str to ndarray
        One value of every parameter.
    """

    def __init__(self, groups: Grouping, p: dict[str, np.ndarray]) -> None:
        self.groups, self.p = groups, p
        self.changed = {change.block for change in groups.changes}
        self.base = {block: groups.coordinates[block].to(self._own(block), Numpy) for block in self.changed}
        self.d_base = {b: {k: np.zeros_like(v) for k, v in c.items()} for b, c in self.base.items()}
        self.stretch: list[dict[str, dict[str, np.ndarray]]] = []
        self.each: list[dict[str, dict[str, np.ndarray]]] = []
        self.sds: list[np.ndarray] = []

    def _own(self, block: str) -> dict[str, np.ndarray]:
        return {role: self.p[f"{role}_{block}"] for role in self.groups.roles[block]}

    def values(self) -> list[dict[str, np.ndarray]]:
        """Named values of every group's own model."""
        groups, p, out = self.groups, self.p, []
        for g in range(len(groups.levels)):
            own = {name: p[called[g]] for name, called in groups.own.items()}
            self.each.append({})
            self.stretch.append({})
            for block, roles in groups.roles.items():
                values = self._own(block)
                if block in self.changed:
                    values |= groups.coordinates[block].back(self._coordinates(block, g), Numpy)
                own |= {f"{role}_{block}": values[role] for role in roles}
            self.sds.append(np.exp(groups.log_sd.of(p, g, Numpy)))
            own |= {"group_mean": groups.mean.of(p, g, Numpy), "group_sd": self.sds[-1]}
            out.append({name: np.ascontiguousarray(value) for name, value in own.items()})
        return out

    def _coordinates(self, block: str, g: int) -> dict[str, np.ndarray]:
        """Coordinates of one block in one group; keeps by what the multiplied ones were multiplied."""
        c = dict(self.base[block])
        stretch: dict[str, np.ndarray] = {}
        for change in self.groups.changes:
            if change.block != block:
                continue
            name = change.part.name
            more = change.of(self.p, g, Numpy).reshape(c[name].shape)
            if change.part.multiply:
                factor = np.exp(more)
                c[name] = c[name] * factor
                stretch[name] = stretch.get(name, 1.0) * factor
            else:
                c[name] = c[name] + more
        self.each[g][block], self.stretch[g][block] = c, stretch
        return c

    def gradient(
        self, gradients: list[dict[str, np.ndarray]], shapes: dict[str, tuple[int, ...]]
    ) -> dict[str, np.ndarray]:
        """Gradient over the parameters, given that over the named values of every group."""
        groups, p = self.groups, self.p
        out = {name: np.zeros(shape) for name, shape in shapes.items()}
        for g, d in enumerate(gradients):
            for name, called in groups.own.items():
                out[called[g]] += d[name]
            for block, roles in groups.roles.items():
                if block in self.changed:
                    self._reverse_block(block, g, {role: d[f"{role}_{block}"] for role in roles}, out)
                    continue
                for role in roles:
                    out[f"{role}_{block}"] += d[f"{role}_{block}"]
            groups.mean.reverse(p, g, d["group_mean"], out)
            groups.log_sd.reverse(p, g, d["group_sd"] * self.sds[g], out)
        for block in self.changed:
            back = groups.coordinates[block].to_reverse(self._own(block), self.d_base[block])
            for role in groups.roles[block]:
                out[f"{role}_{block}"] += back[role]
        return out

    def _reverse_block(
        self, block: str, g: int, d: dict[str, np.ndarray], out: dict[str, np.ndarray]
    ) -> None:
        """Add what one group says about the differences to ``out``, about the items to ``d_base``."""
        c = self.each[g][block]
        d_c = self.groups.coordinates[block].back_reverse(c, d)
        for change in self.groups.changes:
            if change.block == block:
                # No number has two differences, so that each sees the gradient over the final numbers.
                name = change.part.name
                d_more = d_c[name] * c[name] if change.part.multiply else d_c[name]
                change.reverse(self.p, g, d_more.reshape(change.shape), out)
        for name, value in d_c.items():
            self.d_base[block][name] += value * self.stretch[g][block].get(name, 1.0)
