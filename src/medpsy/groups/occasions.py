"""Constructs that are one construct at several occasions: item parameters of later ones from the first.

The items of a later occasion have the coordinates (slope, place and gaps of the thresholds) of the same
items at the first, but for those that are released: these have a free difference. Where an item's place is
tied, the mean of the construct is free; where its slope is tied, the sd (Wu & Estabrook, 2016,
doi:10.1007/s11336-016-9506-0; Liu et al., 2017, doi:10.1037/met0000075).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from medpsy.errors import DataError, SpecError
from medpsy.families.base import Block, ResponseFamily, family
from medpsy.families.coordinates import Coordinates, coordinates_of
from medpsy.groups.build import block_changes
from medpsy.groups.differences import Change
from medpsy.groups.rows import check_words, difference_rows, placed
from medpsy.ops import Numpy
from medpsy.spec.model_spec import Construct, Covariance, Intercept, ModelSpec
from medpsy.spec.parameters import ParameterRow
from medpsy.spec.same import Same


@dataclass(frozen=True, eq=False)
class Later:
    """Makes the item parameters of one occasion from those of another and their differences.

    Parameters
    ----------
    block, other : str
        The later construct and the one whose items it has.
    roles : tuple of str
        Of the family.
    coordinates : Coordinates
    changes : tuple of Change
        What differs, each with a parameter of its own.
    """

    block: str
    other: str
    roles: tuple[str, ...]
    coordinates: Coordinates
    changes: tuple[Change, ...]

    def forward(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Parameters of the later occasion by name; leading axes are kept."""
        c = self.coordinates.to(self._base(p), xp)
        for change, more in self._more(p, c, xp):
            name = change.part.name
            c[name] = c[name] * xp.exp(more) if change.part.multiply else c[name] + more
        made = self.coordinates.back(c, xp)
        return {f"{role}_{self.block}": made[role] for role in self.roles}

    def reverse(self, p: dict[str, np.ndarray], d: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradient over the parameters it is made from, given that over those it makes."""
        c, stretch = self.coordinates.to(self._base(p), Numpy), {}
        for change, more in self._more(p, c, Numpy):
            name = change.part.name
            if change.part.multiply:
                stretch[name] = np.exp(more)
                c[name] = c[name] * stretch[name]
            else:
                c[name] = c[name] + more
        d_c = self.coordinates.back_reverse(c, {role: d[f"{role}_{self.block}"] for role in self.roles})
        out: dict[str, np.ndarray] = {c.held.name: np.zeros_like(p[c.held.name]) for c in self.changes}
        for change in self.changes:
            name = change.part.name
            d_more = d_c[name] * c[name] if change.part.multiply else d_c[name]
            change.reverse(p, 1, d_more.reshape(change.shape), out)
        d_base = {name: value * stretch.get(name, 1.0) for name, value in d_c.items()}
        back = self.coordinates.to_reverse(self._base(p), d_base)
        return out | {f"{role}_{self.other}": back[role] for role in self.roles}

    def _base(self, p: dict[str, Any]) -> dict[str, Any]:
        return {role: p[f"{role}_{self.other}"] for role in self.roles}

    def _more(self, p: dict[str, Any], c: dict[str, Any], xp: Any) -> list[tuple[Change, Any]]:
        """What every change adds, in the shape of its coordinate."""
        found = []
        for change in self.changes:
            more = change.of(p, 1, xp)
            found.append((change, more if c[change.part.name].ndim == more.ndim else more[..., 0]))
        return found


def settled(spec: ModelSpec) -> ModelSpec:
    """Fix the means and sds of later occasions that no item ties to the first one.

    Raises
    ------
    SpecError
        The text frees one of these.
    """
    if spec.linear is None or not spec.linear.same:
        return spec
    known = {c.name: c for c in spec.constructs}
    means, variances = list(spec.linear.intercepts), list(spec.covariances)
    for same in spec.linear.same:
        if same.construct not in known:
            continue  # refused later
        construct = known[same.construct]
        own = family(construct.family)
        check_words(same.how, (construct,), {construct.name: own}, "same")
        if more := sorted({*same.equal} & {"regressions", "correlations", "residuals"}):
            raise SpecError(
                f"'{more[0]}' is nothing that items have at every occasion",
                hint="Say 'loadings' and 'thresholds'. Paths are made equal by labels.",
            )
        mean, sd = placed(same.how, construct.items, own)
        said = [i for i in means if i.target == construct.name]
        if not mean and any(i.value is None for i in said):
            raise SpecError(
                f"the mean of '{construct.name}' is free and so are the thresholds of all its items",
                hint=f"Leave '{construct.name} ~ 1' out, or let the thresholds of some items be equal.",
            )
        if not mean and not said:
            means.append(Intercept(construct.name, None, 0.0))
        if not sd and not any(c.left == c.right == construct.name for c in variances):
            variances.append(Covariance(construct.name, construct.name, None, 1.0))
    linear = replace(spec.linear, intercepts=tuple(means))
    return replace(spec, linear=linear, covariances=tuple(variances))


def occasion_rows(
    rows: Iterable[ParameterRow], construct: Construct, family: ResponseFamily, spec: ModelSpec
) -> list[ParameterRow]:
    """Rows of the items of a construct: not free where they are those of an earlier one, and differences.

    Raises
    ------
    SpecError
        Differences of a family that can only be equal.
    """
    same = spec.same_as(construct.name)
    if same is None or not same.equal:
        return list(rows)
    more = difference_rows(same.how, construct, family)
    moved = {row.lhs for row in more}
    told = {item: f"equal to the items of {same.other}" for item in construct.items}
    told |= {item: f"from the items of {same.other} and differences" for item in moved}
    whole = next(iter(told.values())) if not moved else f"from the items of {same.other} and differences"
    items = [next((i for i in construct.items if i in (row.lhs, row.rhs)), "") for row in rows]
    held = [
        replace(row, free=False, note=told.get(item, whole)) for row, item in zip(rows, items, strict=True)
    ]
    return [*held, *more]


def occasions(data: Any) -> Any:
    """The data of a model whose constructs are some of them others at later occasions.

    Raises
    ------
    DataError
        The items have other numbers of categories than those that they are to be equal to.
    """
    spec: ModelSpec = data.model.spec
    if spec.linear is None or not spec.linear.same:
        return data
    blocks = {block.name: block for block in data.blocks}
    own, later = list(data.parameters), []
    for same in spec.linear.same:
        if not same.equal:
            continue
        block, other = blocks[same.construct], blocks[same.other]
        _check_categories(block, other)
        roles = data.model.families[block.name].roles
        names = {f"{role}_{block.name}": f"{role}_{other.name}" for role in roles}
        mine = [q for q in own if q.name in names]
        own = [q for q in own if q.name not in names]
        found = list(block_changes(data, block, same.how, (other.name, block.name), 0, ()))
        if not found:
            later += [replace(q, copy_of=names[q.name]) for q in mine]
            continue
        own += [q for _, held in found for q in held]
        made = _maker(data, same, tuple(change for change, _ in found))
        later += [replace(q, made=made) for q in mine]
    return replace(data, parameters=(*own, *later))


def _maker(data: Any, same: Same, changes: tuple[Change, ...]) -> Later:
    own = data.model.families[same.construct]
    return Later(same.construct, same.other, own.roles, coordinates_of(own), changes)


def _check_categories(block: Block, other: Block) -> None:
    """Refuse items whose numbers of categories differ."""
    if (other.sizes != block.sizes).any():
        pairs = zip(block.construct.items, other.construct.items, block.sizes, other.sizes, strict=True)
        a, b, m, n = next(pair for pair in pairs if pair[2] != pair[3])
        raise DataError(
            f"item '{a}' has {m} categories and '{b}', which it is to be equal to, has {n}",
            hint="The same items, with the same categories, are needed in both constructs.",
        )
