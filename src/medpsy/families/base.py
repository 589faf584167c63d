"""What a response family is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from medpsy.errors import SpecError, nearest
from medpsy.parameter import Parameter
from medpsy.registry import parts
from medpsy.spec.model_spec import Construct
from medpsy.spec.parameters import ParameterRow, ParameterTable


@dataclass(frozen=True)
class Block:
    """The answers to the items of one construct.

    Parameters
    ----------
    construct : Construct
        Name, items, family.
    factor : int
        Which latent variable the items load on.
    values : ndarray, shape (person, item)
        Categorical: int8 codes 0..K-1, -1 where no answer. Continuous: float, z-scored, NaN missing.
    n_categories : int
        K, the most that an item has; 0 for continuous items.
    labels : tuple of tuple of str
        Labels of the categories, turned as the codes are, item by item.
    centre, unit : ndarray, shape (item,)
        Mean and standard deviation that continuous items were z-scored with (0 and 1 for categorical).
    """

    construct: Construct
    factor: int
    values: np.ndarray
    n_categories: int
    labels: tuple[tuple[str, ...], ...]
    centre: np.ndarray
    unit: np.ndarray

    @property
    def name(self) -> str:
        """Name of the construct."""
        return self.construct.name

    @property
    def item_dim(self) -> str:
        """Name of the item dimension of this block."""
        return f"item_{self.name}"

    @property
    def sizes(self) -> np.ndarray:
        """Number of categories of every item, shape (item,); 0 for continuous items."""
        if not self.n_categories:
            return np.zeros(self.values.shape[1], dtype=int)
        return np.array([len(labels) for labels in self.labels])


class ResponseFamily(Protocol):
    """Turns person scores into log-probabilities (or log-densities) of answers.

    A family knows nothing of engines. ``p`` maps its role names (``"slope"`` ...) to arrays that may
    carry leading axes; ``xp`` is the array namespace.
    """

    name: str
    categorical: bool
    #: Measurement equation in plain text, with ``{item}`` and ``{name}`` (of the construct) to be filled in.
    formula: str
    #: Whom to cite.
    reference: str

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of its parameters, in the order of the kernels' arguments."""
        ...

    def rows(self, construct: Construct) -> list[ParameterRow]:
        """Rows of the parameter table, with default priors."""
        ...

    def parameters(self, block: Block, table: ParameterTable) -> tuple[Parameter, ...]:
        """Free parameters of a block, in the order of ``roles``."""
        ...

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Quantities that follow from the parameters (thresholds ...)."""
        ...

    def kept(self, block: Block, p: dict[str, Any], xp: Any) -> dict[str, tuple[tuple[str, ...], Any]]:
        """What of ``derived`` is kept with the draws: dimensions and values, by name."""
        ...

    def start(self, block: Block) -> dict[str, np.ndarray]:
        """Sensible values of every role to start the search for the mode from."""
        ...

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Categorical families: theta (node,) -> (..., item, category, node) log-probabilities."""
        ...

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw answers (person, item) given scores (person,)."""
        ...


class CompiledFamily(Protocol):
    """A family that also offers its table and the reverse of it to the compiled route."""

    #: ``forward(*roles, nodes, out)`` fills log-probabilities (item, category, node) and
    #: ``reverse(*roles, nodes, counts, *gradients)`` adds the gradient of their sum weighted by ``counts``; a
    #: third, where it is cheaper than exponentiating, fills the probabilities.
    kernels: tuple[Callable[..., Any], ...]


def base_values(family: ResponseFamily, own: dict[str, Any], xp: Any) -> dict[str, Any]:
    """Roles that a family's ``log_prob`` and kernels are written in, from its own parameters."""
    change = getattr(family, "to_base", None)
    return own if change is None else change(own, xp)


def unsuited(family: ResponseFamily, construct: Construct, sizes: Sequence[int]) -> SpecError | None:
    """Why a family cannot take items with these numbers of categories, or None."""
    own = getattr(family, "family", family)  # that of the items, where specific factors stand around it
    most, least = getattr(own, "max_categories", None), getattr(own, "min_categories", 2)
    who = f"family '{construct.family}' of '{construct.name}'"
    advice = getattr(own, "advice", "Use family 'graded' for Likert items.")
    if most is not None and max(sizes) > most:
        return SpecError(f"{who} is for two categories; its items have {max(sizes)}", hint=advice)
    if max(sizes) < least:
        return SpecError(f"{who} needs items with at least {least} categories", hint=advice)
    if getattr(own, "one_scale", False) and len(set(sizes)) > 1:
        counts = ", ".join(map(str, sorted(set(sizes))))
        return SpecError(
            f"{who} shares its steps among the items, which have different numbers of categories: {counts}",
            hint="Use 'graded' or 'partial_credit', or give other scales a construct of their own.",
        )
    return None


def a_number(construct: Construct, item: str) -> SpecError:
    """Why a categorical family cannot take an item that is a number."""
    return SpecError(
        f"item '{item}' of '{construct.name}' is a number; family '{construct.family}' is for answers in "
        "categories",
        hint="Use family 'gaussian' for numbers.",
    )


def keying(block: Block) -> np.ndarray:
    """Sign of every item relative to the first one: of the first principal component's weights."""
    values = block.values.astype(float)
    values = np.where(values < 0, np.nan, values) if block.n_categories else values
    off = values - np.nanmean(values, axis=0)
    filled = np.where(np.isnan(off), 0.0, off)
    weights = np.linalg.eigh(filled.T @ filled)[1][:, -1]
    return np.where(weights * weights[0] < 0, -1.0, 1.0)


def families() -> dict[str, ResponseFamily]:
    """All registered families by name."""
    return parts("medpsy.families", "FAMILY")


def family(name: str) -> ResponseFamily:
    """Return the family called ``name`` or raise SpecError naming the nearest."""
    known = families()
    if name not in known:
        raise SpecError(f"there is no response family '{name}'", hint=nearest(name, known))
    return known[name]
