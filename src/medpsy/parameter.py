"""Free parameters as vectors with named entries, one prior per entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from medpsy.spec.priors import Prior


@dataclass(frozen=True)
class Group:
    """Entries of a parameter that share a kind of prior: what a sampler sees as one random variable.

    ``index`` are positions in the parameter; ``args`` has one row per entry, one column per argument.
    """

    name: str
    kind: str
    support: str
    index: np.ndarray
    args: np.ndarray


@dataclass(frozen=True)
class Parameter:
    """A named block of free quantities.

    Parameters
    ----------
    name : str
        Name in the posterior, for example ``"slope_meaning"``.
    dims : tuple of str
        Dimension names; scalars have one (entries), simplexes two (entries, category), a correlation
        matrix two (factor, factor_2).
    coords : tuple of tuple of str
        Labels along each dimension.
    priors : tuple of Prior
        One per entry of the first dimension (a single one for a correlation matrix).
    """

    name: str
    dims: tuple[str, ...]
    coords: tuple[tuple[str, ...], ...]
    priors: tuple[Prior, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the constrained value."""
        return tuple(len(labels) for labels in self.coords)

    @property
    def event(self) -> str:
        """``"scalar"``, ``"simplex"`` or ``"correlation"``."""
        support = self.priors[0].support
        return support if support in ("simplex", "correlation") else "scalar"

    def groups(self) -> tuple[Group, ...]:
        """Split the entries by kind of prior, in order of first appearance."""
        kinds: dict[str, list[int]] = {}
        for i, prior in enumerate(self.priors):
            kinds.setdefault(prior.kind, []).append(i)
        out = []
        for kind, index in kinds.items():
            name = self.name if len(kinds) == 1 else f"{self.name}_{kind.lower()}"
            args = np.array([self.priors[i].args for i in index], dtype=float)
            out.append(Group(name, kind, self.priors[index[0]].support, np.array(index), args))
        return tuple(out)
