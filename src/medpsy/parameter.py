"""Free parameters as vectors with named entries, one prior per entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from medpsy.spec.priors import Prior


#: Probability of a category that an item does not have, where other items of its construct have it. Not zero,
#: so that logarithms and their derivatives stay finite and no density has to know about it.
NEVER = 1e-300


def zero_sum_basis(size: int) -> np.ndarray:
    """Orthonormal columns (size, size - 1) that each sum to zero: the Helmert contrasts."""
    out = np.zeros((size, size - 1))
    for k in range(1, size):
        out[:k, k - 1], out[k, k - 1] = -1.0 / k, 1.0
        out[:, k - 1] /= np.linalg.norm(out[:, k - 1])
    return out


@dataclass(frozen=True)
class Group:
    """Entries of a parameter that share a kind of prior: what a sampler sees as one random variable.

    ``index`` are positions in the flattened parameter, of simplexes the rows; ``args`` has one row per entry
    of ``index``, one column per argument; ``length`` is the size of each simplex, 0 for scalars.
    """

    name: str
    kind: str
    support: str
    index: np.ndarray
    args: np.ndarray
    length: int = 0


@dataclass(frozen=True)
class Scale:
    """Standard deviations that the entries of a parameter, standard normal a priori, are multiplied by.

    Given a sd s, the posterior sd of a product that the answers alone determine with an error e is about
    1 / sqrt(1 / s^2 + 1 / e^2). The compiled route walks in coordinates that are in units of it for every s,
    between entries (many answers) and products (few), so that neither end of s is a funnel (between both:
    Betancourt & Girolami, 2015, arXiv:1312.0906).

    Parameters
    ----------
    name : str
        A parameter of positive numbers.
    index : tuple of int
        Which of its entries, for every entry of the scaled parameter.
    error : tuple of float
        About how exactly the answers alone determine every product; infinite where they say nothing. Empty
        where that is to be measured at the mode (:mod:`medpsy.inference.products`).
    """

    name: str
    index: tuple[int, ...]
    error: tuple[float, ...] = ()


class Made(Protocol):
    """Computes parameters from others, and gradients back; leading axes are kept forwards."""

    def forward(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """The parameters that it makes, by name."""
        ...

    def reverse(self, p: dict[str, np.ndarray], d: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradient over those that it makes them from, given that over those that it makes."""
        ...


@dataclass(frozen=True)
class Parameter:
    """A named block of free quantities.

    Parameters
    ----------
    name : str
        Name in the posterior, for example ``"slope_meaning"``.
    dims : tuple of str
        Dimension names; scalars have one (entries) or two (entries of a row share their prior), simplexes
        two (entries, category), a correlation matrix two (factor, factor_2).
    coords : tuple of tuple of str
        Labels along each dimension.
    priors : tuple of Prior
        One per entry of the first dimension (a single one for a correlation matrix).
    lengths : tuple of int, optional
        How many entries each row of a two-dimensional parameter has, where rows differ; what lies beyond
        does not exist and holds ``fill``.
    scale : Scale, optional
        Of entries that are deviations in units of another parameter.
    copy_of : str
        Another parameter that this one is equal to, entry by entry: it is then not free itself.
    made : Made, optional
        What computes it from other parameters: it is then not free itself.
    """

    name: str
    dims: tuple[str, ...]
    coords: tuple[tuple[str, ...], ...]
    priors: tuple[Prior, ...]
    lengths: tuple[int, ...] | None = None
    scale: Scale | None = None
    copy_of: str = ""
    made: Made | None = None

    @property
    def free(self) -> bool:
        """Whether it is sampled, not taken from other parameters."""
        return not self.copy_of and self.made is None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the constrained value."""
        return tuple(len(labels) for labels in self.coords)

    @property
    def event(self) -> str:
        """``"scalar"``, ``"simplex"`` or ``"correlation"``."""
        support = self.priors[0].support
        return support if support in ("simplex", "correlation") else "scalar"

    @property
    def fill(self) -> float:
        """What cells hold that do not exist: ``NEVER`` in simplexes, otherwise zero."""
        return NEVER if self.event == "simplex" else 0.0

    @property
    def exists(self) -> np.ndarray:
        """Which cells there are: bool, of the shape of the parameter."""
        if self.lengths is None:
            return np.ones(self.shape, dtype=bool)
        return np.arange(self.shape[1]) < np.array(self.lengths)[:, None]

    def groups(self) -> tuple[Group, ...]:
        """Split scalars by kind of prior, simplexes by length, in order of first appearance."""
        simplex = self.event == "simplex"
        exists = self.exists.reshape(len(self.priors), -1)
        found: dict[tuple[str, int], list[int]] = {}
        rows: dict[tuple[str, int], list[int]] = {}
        for row, prior in enumerate(self.priors):
            key = (prior.kind, int(exists[row].sum()) if simplex else 0)
            own = [row] if simplex else (row * exists.shape[1] + np.flatnonzero(exists[row])).tolist()
            found.setdefault(key, []).extend(own)
            rows.setdefault(key, []).extend([row] * len(own))
        out = []
        for (kind, length), index in found.items():
            whole = len(found) == 1 and (simplex or bool(exists.all()))
            name = self.name if whole else f"{self.name}_{length or kind.lower()}"
            args = np.array([self.priors[row].args for row in rows[kind, length]], dtype=float)
            support = self.priors[rows[kind, length][0]].support
            out.append(Group(name, kind, support, np.array(index), args, length))
        return tuple(out)
