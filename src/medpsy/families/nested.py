"""Bifactor and testlet models: items that see a specific factor beside their construct.

The linear predictor of item j is a_j g + c_j u_s(j), with the general factor g and the specific factors u
independent and u ~ N(0, 1) (Gibbons & Hedeker, 1992, doi:10.1007/BF02295430). In a testlet model
c_j = sd_s a_j (Bradlow, Wainer & Wang, 1999, doi:10.1007/BF02294533).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.families.base import Block, ResponseFamily
from medpsy.families.composite import Composite, take_items
from medpsy.spec.model_spec import Construct
from medpsy.spec.parameters import ParameterRow
from medpsy.spec.priors import parse_prior

#: Nodes of a specific factor where nobody says otherwise: equally spaced, with their weights.
NODES = np.linspace(-6.0, 6.0, 31)


def node_weights(nodes: np.ndarray) -> np.ndarray:
    """Log-weights of equally spaced nodes for a standard normal, shape (node,)."""
    return -0.5 * nodes**2 - 0.5 * np.log(2 * np.pi) + np.log(nodes[1] - nodes[0])


class Nested(Composite):
    """A response family whose items also see specific factors.

    To whoever asks for ``log_prob`` at values of the construct it is an ordinary family: the specific factors
    are integrated out item by item. Engines use ``joint`` and integrate them out jointly.

    Parameters
    ----------
    family : ResponseFamily
        Categorical, with one ``slope`` per item.
    construct : Construct
        With specific factors.

    Raises
    ------
    SpecError
        A family without slopes, or whose items share parameters.
    """

    def __init__(self, family: ResponseFamily, construct: Construct) -> None:
        place = {item: j for j, item in enumerate(construct.items)}
        #: Positions of the items of every specific factor.
        self.groups = tuple(np.array([place[item] for item in s.items]) for s in construct.specific)
        extra = "testlet_sd" if construct.testlets else "specific_slope"
        super().__init__(family, construct, extra, np.concatenate(self.groups), "specific factors")
        #: Which specific factor each entry of ``members`` belongs to.
        self.owner = np.repeat(np.arange(len(self.groups)), [len(g) for g in self.groups])

    @property
    def specific_names(self) -> tuple[str, ...]:
        """Names of the specific factors."""
        return tuple(s.name for s in self.construct.specific)

    def rows(self, construct: Construct) -> list[ParameterRow]:
        """Rows of the family, and one per specific slope or testlet."""
        rows = self.family.rows(construct)
        if construct.testlets:
            for s in construct.specific:
                target = f"testlet_sd.{construct.name}.{s.name}"
                prior = parse_prior("HalfNormal(1)")
                note = f"sd in units of '{construct.name}'"
                rows.append(ParameterRow("Testlets", s.name, "~~", s.name, None, target, prior, note=note))
            return rows
        for s in construct.specific:
            for position, item in enumerate(s.items):
                # The first slope fixes the sign of the specific factor.
                positive = construct.positive or position == 0
                prior = parse_prior("LogNormal(-0.25, 0.6)" if positive else "Normal(0.75, 0.75)")
                target = f"specific_slope.{construct.name}.{item}"
                rows.append(ParameterRow("Specific slopes", s.name, "=~", item, None, target, prior))
        return rows

    def entry_names(self, role: str) -> tuple[str, ...]:
        """Names of the first dimension of a role: items, those in a specific factor, or testlets."""
        if role == "testlet_sd":
            return self.specific_names
        where = self.members if role == "specific_slope" else range(len(self.construct.items))
        return tuple(self.construct.items[j] for j in where)

    def start(self, block: Block) -> dict[str, np.ndarray]:
        """Values of the family; specific slopes of a half in the direction of the item."""
        values = self.family.start(block)
        if block.construct.testlets:
            return values | {self.extra: np.full(len(self.groups), 0.5)}
        out = np.empty(len(self.members))
        for s, group in enumerate(self.groups):
            sign = np.sign(values["slope"][group])
            out[self.owner == s] = 0.5 if block.construct.positive else 0.5 * sign * sign[0]
        return values | {self.extra: out}

    def further_slopes(self, p: dict[str, Any]) -> Any:
        """Slopes on the specific factors (..., member), in the order of ``members``."""
        if self.extra == "specific_slope":
            return p["specific_slope"]
        return p["testlet_sd"][..., self.owner] * p["slope"][..., self.members]

    def joint(self, theta: Any, u: Any, p: dict[str, Any], group: int, xp: Any) -> Any:
        """Log-probabilities of the items of one specific factor over both factors.

        Parameters
        ----------
        theta : array, shape (node,)
            Values of the construct.
        u : array, shape (specific node,)
            Values of the specific factor.
        p : dict
            Roles, with any leading axes.
        group : int
            Which specific factor.

        Returns
        -------
        array, shape (..., item of the group, category, node * specific node)
        """
        where, values = self.groups[group], self.total(p, xp)
        own = self.further_slopes(p)[..., np.flatnonzero(self.owner == group)]
        length = values["slope"][..., where]
        first = (p["slope"][..., where] / length)[..., None] * xp.constant(np.repeat(theta, len(u)))
        second = (own / length)[..., None] * xp.constant(np.tile(u, len(theta)))
        return self.family.log_prob(first + second, take_items(values, where), xp)

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category given the construct alone, (..., item, category, node).

        Specific factors are integrated out, item by item.
        """
        theta = np.asarray(theta)
        values = self.total(p, xp)
        order = np.concatenate([self.alone, self.members])
        weights = xp.constant(node_weights(NODES))
        pieces = []
        if self.alone.size:
            pieces.append(self.family.log_prob(xp.constant(theta), take_items(values, self.alone), xp))
        for s in range(len(self.groups)):
            table = self.joint(theta, NODES, p, s, xp)
            table = table.reshape((*(table.shape[i] for i in range(table.ndim - 1)), theta.size, NODES.size))
            pieces.append(xp.logsumexp(table + weights, axis=-1))
        return xp.concatenate(pieces, axis=-3)[..., np.argsort(order), :, :]

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item), the specific factors drawn anew."""
        u = rng.standard_normal((len(theta), len(self.groups)))
        predictor = theta[:, None] * p["slope"]
        predictor[:, self.members] += self.further_slopes(p) * u[:, self.owner]
        return self.draw_at(predictor, p, rng)
