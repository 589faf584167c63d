"""Items that measure several constructs at once: a confirmatory within-item multidimensional pattern.

The linear predictor of an item is slope * theta + sum of cross_slope * theta_other, compensatory (Reckase,
2009, doi:10.1007/978-0-387-89976-3). Cross-loadings with a small-variance prior, ``Normal(0, 0.1)``, say that
the pattern is simple but for trifles (Muthen & Asparouhov, 2012, doi:10.1037/a0026802). The composite that
the family sees has variance 1 where the constructs are independent; ``category_prob`` is the distribution of
the answers up to their correlation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.families.base import Block, ResponseFamily
from medpsy.families.composite import Composite, take_items
from medpsy.spec.model_spec import Construct
from medpsy.spec.parameters import ParameterRow
from medpsy.spec.priors import parse_prior


class Crossed(Composite):
    """A response family some of whose items also load on other constructs.

    Parameters
    ----------
    family : ResponseFamily
        Categorical, with one ``slope`` per item.
    construct : Construct
        Whose items they are.
    pairs : tuple of (str, str)
        Item and other construct, one per cross-loading.
    """

    def __init__(
        self, family: ResponseFamily, construct: Construct, pairs: tuple[tuple[str, str], ...]
    ) -> None:
        self.pairs = pairs
        members = np.array([construct.items.index(item) for item, _ in pairs])
        super().__init__(family, construct, "cross_slope", members, "items that load on other constructs")

    def entry_names(self, role: str) -> tuple[str, ...]:
        """Items, or cross-loadings as ``other=~item``."""
        if role == self.extra:
            return tuple(f"{other}=~{item}" for item, other in self.pairs)
        return self.construct.items

    def rows(self, construct: Construct) -> list[ParameterRow]:
        """Rows of the family, and one per cross-loading."""
        rows = self.family.rows(construct)
        for (item, other), name in zip(self.pairs, self.entry_names(self.extra), strict=True):
            target = f"cross_slope.{construct.name}.{name}"
            prior = parse_prior("StudentT(4, 0, 1)")
            rows.append(ParameterRow("Cross slopes", other, "=~", item, None, target, prior))
        return rows

    def start(self, block: Block) -> dict[str, np.ndarray]:
        """Values of the family, no cross-loadings."""
        return self.family.start(block) | {self.extra: np.zeros(len(self.pairs))}

    def table(self, theta: dict[str, Any], p: dict[str, Any], xp: Any) -> Any:
        """Log-probabilities of all items at points in the space of the constructs.

        Parameters
        ----------
        theta : dict of str to array, shape (node,)
            Value of every construct at each node; one left out is 0.
        p : dict
            Roles, with any leading axes.

        Returns
        -------
        array, shape (..., item, category, node)
        """
        values = self.total(p, xp)
        n_item = len(self.construct.items)
        predictor = p["slope"][..., None] * theta[self.construct.name]
        for entry, (item, other) in enumerate(self.pairs):
            if other in theta:
                here = np.zeros((n_item, 1))
                here[self.construct.items.index(item)] = 1.0
                predictor = (
                    predictor + p[self.extra][..., entry, None, None] * xp.constant(here) * theta[other]
                )
        where = np.arange(n_item)
        return self.family.log_prob(predictor / values["slope"][..., None], take_items(values, where), xp)

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category at values of the construct, the others at their means (0)."""
        return self.table({self.construct.name: theta}, p, xp)

    def draw_among(
        self, theta: dict[str, np.ndarray], p: dict[str, np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        """Draw codes (person, item) given the scores on all constructs, each (person,)."""
        predictor = theta[self.construct.name][:, None] * p["slope"]
        for entry, (item, other) in enumerate(self.pairs):
            predictor[:, self.construct.items.index(item)] += p[self.extra][entry] * theta[other]
        return self.draw_at(predictor, p, rng)

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item) with the other constructs at their means (0)."""
        others = {other: np.zeros(len(theta)) for _, other in self.pairs}
        return self.draw_among(others | {self.construct.name: theta}, p, rng)


def draw_answers(
    family: ResponseFamily,
    name: str,
    theta: dict[str, np.ndarray],
    p: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the answers to one construct given the scores on all of them, each (person,)."""
    if isinstance(family, Crossed):
        return family.draw_among(theta, p, rng)
    return family.draw(theta[name], p, rng)
