"""Items that a method factor moves: the places of their thresholds at a value of it, and the way back.

The predictor of an item is slope * theta + sign * method_slope * m, so that its thresholds stand
sign * method_slope * m lower; slopes and gaps are those of the items. Families whose coordinates have a place
on the scale of the predictor can be moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.errors import SpecError
from medpsy.families.base import Block, ResponseFamily
from medpsy.families.coordinates import Coordinates, coordinates_of
from medpsy.parameter import Parameter
from medpsy.spec.method import EQUAL, FIRST, SMALL, Method
from medpsy.spec.model_spec import Construct
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.priors import parse_prior

#: Name of the parameter.
SLOPE = "method_slope"


def method_rows(method: Method, constructs: tuple[Construct, ...]) -> list[ParameterRow]:
    """One row for all items, or one for each."""
    if method.loadings == "equal":
        return [_row(method.name, "all items", SLOPE, EQUAL)]
    items = [item for construct in constructs for item in construct.items]
    return [
        _row(method.name, item, f"{SLOPE}.{item}", FIRST if j == 0 else SMALL) for j, item in enumerate(items)
    ]


def _row(name: str, rhs: str, target: str, prior: str) -> ParameterRow:
    return ParameterRow("Method slopes", name, "=~", rhs, None, target, parse_prior(prior))


@dataclass(frozen=True, eq=False)
class Moved:
    """The blocks of one model, and how a method factor moves them.

    Parameters
    ----------
    sign : dict of str to ndarray
        By block: 1 or -1 for every item.
    entry : dict of str to ndarray of int
        By block: which entry of the parameter every item has.
    roles : dict of str to tuple of str
    coordinates : dict of str to Coordinates
    """

    sign: dict[str, np.ndarray]
    entry: dict[str, np.ndarray]
    roles: dict[str, tuple[str, ...]]
    coordinates: dict[str, Coordinates]

    def base(self, p: dict[str, Any], xp: Any) -> dict[str, dict[str, Any]]:
        """Coordinates of every block where the method factor is 0."""
        return {
            b: self.coordinates[b].to({role: p[f"{role}_{b}"] for role in roles}, xp)
            for b, roles in self.roles.items()
        }

    def at(self, p: dict[str, Any], base: dict[str, dict[str, Any]], node: float, xp: Any) -> dict[str, Any]:
        """All named values where the method factor is ``node``; leading axes are kept."""
        out = dict(p)
        for b, c in base.items():
            made = self.coordinates[b].back(self.moved(p, b, c, node, xp), xp)
            out |= {f"{role}_{b}": made[role] for role in self.roles[b]}
        return out

    def moved(self, p: dict[str, Any], block: str, c: dict[str, Any], node: float, xp: Any) -> dict[str, Any]:
        """Coordinates of one block there."""
        off = xp.constant(self.sign[block] * node) * p[SLOPE][..., self.entry[block]]
        return c | {"location": c["location"] - off}

    def reverse(
        self, p: dict[str, np.ndarray], block: str, d: dict[str, np.ndarray], node: float, out: np.ndarray
    ) -> None:
        """Add to ``out`` the gradient over the slopes, given that over the moved coordinates."""
        np.add.at(out, self.entry[block], -self.sign[block] * node * d["location"])


def moved_by(
    method: Method, blocks: tuple[Block, ...], families: dict[str, ResponseFamily], table: ParameterTable
) -> tuple[Moved, Parameter]:
    """How the blocks are moved, and the parameter.

    Raises
    ------
    SpecError
        A family whose items have no place to be moved.
    """
    items = [item for block in blocks for item in block.construct.items]
    sign: dict[str, np.ndarray] = {}
    entry: dict[str, np.ndarray] = {}
    for block in blocks:
        family = families[block.name]
        parts = {part.name for part in coordinates_of(family).parts}
        if "location" not in parts or not hasattr(family, "coordinates"):
            raise SpecError(
                f"a method factor cannot move the items of '{block.name}' (family '{family.name}')",
                hint="Use family 'graded', or take the answers as numbers.",
            )
        own = block.construct.items
        sign[block.name] = np.array([-1.0 if item in method.turned else 1.0 for item in own])
        entry[block.name] = np.array([items.index(item) if method.loadings == "small" else 0 for item in own])
    names = tuple(items) if method.loadings == "small" else (method.name,)
    targets = [f"{SLOPE}.{item}" for item in items] if method.loadings == "small" else [SLOPE]
    priors = tuple(table.prior(target) for target in targets)
    roles = {block.name: tuple(families[block.name].roles) for block in blocks}
    coordinates = {block.name: coordinates_of(families[block.name]) for block in blocks}
    parameter = Parameter(SLOPE, (f"{SLOPE}_of",), (names,), priors)
    return Moved(sign, entry, roles, coordinates), parameter
