"""Coordinates in which items are compared between groups.

The parameters that are sampled need not be those in which invariance is stated: equal thresholds are not
equal category probabilities when slopes differ. A family therefore says how its parameters and the
coordinates of measurement invariance turn into one another, forwards and for gradients. Families that do
not say so are compared in their own parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Coordinate:
    """One kind of number that an item has.

    Parameters
    ----------
    name : str
        ``"slope"``, ``"location"``, ``"gap"``, ``"loading"``, ``"intercept"``, ``"residual_sd"`` ...
    word : str
        The word of invariance it belongs to (``"loadings"``, ``"thresholds"`` ...).
    multiply : bool
        Groups differ by a factor (the difference is its logarithm) rather than by an addend.
    role : str
        ``"location"`` fixes where the construct stands, ``"scale"`` how wide it is, ``""`` neither.
    free : str
        Prior of a free difference.
    relevant : float
        Differences up to this one are negligible unless the user says otherwise.
    """

    name: str
    word: str
    multiply: bool
    role: str
    free: str
    relevant: float


class Coordinates(Protocol):
    """Parameters of a family to coordinates and back; arrays are (..., item) or (..., item, cell)."""

    parts: tuple[Coordinate, ...]

    def to(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Coordinates at parameter values ``p`` (by role)."""
        ...

    def back(self, c: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Parameter values (by role) at coordinates ``c``."""
        ...

    def to_reverse(self, p: dict[str, np.ndarray], d: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradient by role, given that by coordinate."""
        ...

    def back_reverse(self, c: dict[str, np.ndarray], d: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradient by coordinate, given that by role."""
        ...


#: Roles of families whose parameters are coordinates themselves.
_KNOWN = {
    "loading": Coordinate("loading", "loadings", False, "scale", "Normal(0, 0.5)", 0.1),
    "slope": Coordinate("slope", "loadings", True, "scale", "Normal(0, 0.7)", 0.3),
    "intercept": Coordinate("intercept", "intercepts", False, "location", "Normal(0, 1)", 0.2),
    "residual_sd": Coordinate("residual_sd", "residuals", True, "", "Normal(0, 0.5)", 0.3),
}


class OwnParameters:
    """The parameters of a family are its coordinates; what is not known by name belongs to the thresholds."""

    def __init__(self, roles: tuple[str, ...]) -> None:
        self.parts = tuple(
            _KNOWN.get(role, Coordinate(role, "thresholds", False, "location", "Normal(0, 1)", 0.43))
            for role in roles
        )

    def to(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Return the values themselves."""
        return dict(p)

    def back(self, c: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Return the values themselves."""
        return dict(c)

    def to_reverse(self, p: dict[str, np.ndarray], d: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the gradient itself."""
        return dict(d)

    def back_reverse(self, c: dict[str, np.ndarray], d: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the gradient itself."""
        return dict(d)


def coordinates_of(family: Any) -> Coordinates:
    """Return the coordinates of a family: those it declares, or its own parameters."""
    found: Coordinates | None = getattr(family, "coordinates", None)
    return found if found is not None else OwnParameters(family.roles)


def comparable(family: Any) -> bool:
    """Whether items of a family may differ between groups.

    Not where category probabilities are parameters and nothing says how they turn into thresholds: equal
    probabilities would then be something else than equal thresholds. Nor where what explains the items, or a
    distribution that they come from, is that of all groups.
    """
    if getattr(family, "of_all_groups", False):
        return False
    return hasattr(family, "coordinates") or "category_prob" not in family.roles
