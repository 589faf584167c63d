"""What an observed family is: the distribution of an explained variable that has no items.

The linear predictor eta is made of intercept, covariates and other nodes. A family says how a value comes
about from it. One file a family, found by :func:`observed_families`; nothing else names them.

Units: variables of a ``standardised`` family are z-scored before the model sees them; those of all others
stay as they are, and eta is on the scale of the family's link.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from medpsy.errors import SpecError, nearest
from medpsy.registry import parts

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Role:
    """One parameter that every variable of a family has.

    Parameters
    ----------
    name : str
        ``"intercept"``, ``"residual_sd"`` ...: the same name in two families is the same kind of parameter.
    prior : str
        Default prior, on z-scored values or on the scale of the link.
    section, op, rhs : str
        Where the parameter stands in tables; an empty ``rhs`` stands for the variable itself.
    in_units : bool
        Whether the parameter is in units of the variable (reported times its sd).
    per_category : bool
        Whether the variable has a value for each of its categories (K,), and so needs categories.
    """

    name: str
    prior: str
    section: str
    op: str = "~~"
    rhs: str = ""
    in_units: bool = False
    per_category: bool = False


def intercept(prior: str) -> Role:
    """The intercept, which families without categories have."""
    return Role("intercept", prior, "Intercepts", "~", "1", in_units=True)


@dataclass(frozen=True)
class Solved:
    """A truth of one variable in numbers: values are centre + scale * (a draw at ``shift`` + terms)."""

    own: Mapping[str, Any]
    shift: float = 0.0
    centre: float = 0.0
    scale: float = 1.0


class ObservedFamily(Protocol):
    """Distribution of an explained observed variable.

    ``p`` maps the names of its roles, but for the intercept, which eta holds, to values that broadcast with
    eta, those per category with one more axis at the end; ``xp`` is the array namespace of :mod:`medpsy.ops`.
    """

    name: str
    #: In a sentence: ``"a number"``, ``"binary"``, ``"a count"``.
    what: str
    #: What its log densities can be compared with: ``"a number"``, ``"categorical"``, ``"a count"``.
    kind: str
    #: Residuals are normal, so that constructs can be integrated out in closed form.
    normal: bool
    #: The expected value is eta itself, so that products of paths are indirect effects.
    linear: bool
    standardised: bool
    #: What differences of expected values are: ``"difference"``, ``"probability"``, ``"count"``, ``"score"``.
    scale: str
    roles: tuple[Role, ...]
    #: What the linear predictor, and so every path into the variable, is counted in where that is not the
    #: unit of its values: ``"logits of the latent response"``; else nothing.
    units: str
    #: In plain text with ``{name}`` and ``{terms}``; and whom to cite.
    formula: str
    reference: str
    #: Keys of ``[truth.observed.NAME]``: default, lowest and highest value (both excluded); a family with
    #: categories has ``shares`` besides, one number a category.
    truth: Mapping[str, tuple[float, float, float]]

    def check(self, name: str, values: np.ndarray) -> None:
        """Refuse values (person,), NaN where missing, that the family cannot have (DataError)."""
        ...

    def log_prob(self, y: Any, eta: Any, p: Mapping[str, Any], xp: Any) -> Any:
        """Log density or probability of internal values ``y``, shape of ``eta``."""
        ...

    def reverse(
        self, y: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Derivatives of every term of ``log_prob`` with respect to eta and to the parameters."""
        ...

    def mean(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Expected internal value."""
        ...

    def quantile(self, u: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Internal value at probability ``u``: a draw where ``u`` is uniform, one world where it is kept."""
        ...

    def link_variance(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Residual variance on the scale of eta beside ``residual_sd`` squared, for standardised effects."""
        ...

    def solve(self, given: Mapping[str, float], points: np.ndarray, mass: np.ndarray) -> Solved:
        """Numbers of a truth whose terms are distributed over ``points`` with ``mass``."""
        ...


def has_categories(family: ObservedFamily) -> bool:
    """Whether values are categories in order, counted from 0."""
    return any(role.per_category for role in family.roles)


def observed_families() -> dict[str, ObservedFamily]:
    """All registered families of observed variables by name."""
    return parts("medpsy.observed", "OBSERVED")


def observed_family(name: str) -> ObservedFamily:
    """Return the family called ``name`` or raise SpecError naming the nearest."""
    known = observed_families()
    if name not in known:
        raise SpecError(f"there is no family '{name}' of observed variables", hint=nearest(name, known))
    return known[name]
