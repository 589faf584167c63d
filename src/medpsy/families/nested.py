"""Bifactor and testlet models: items that see a specific factor beside their construct.

The linear predictor of item j is a_j g + c_j u_s(j), with the general factor g and the specific factors u
independent and u ~ N(0, 1) (Gibbons & Hedeker, 1992, doi:10.1007/BF02295430). In a testlet model
c_j = sd_s a_j (Bradlow, Wainer & Wang, 1999, doi:10.1007/BF02294533). The response family is asked at the
composite t = (a_j g + c_j u) / A_j with slope A_j = sqrt(a_j^2 + c_j^2): t has variance 1 where g has, so
that ``category_prob`` keeps its meaning as the distribution of the answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.errors import SpecError
from medpsy.families.base import Block, CompiledFamily, ResponseFamily
from medpsy.ops import Numpy
from medpsy.parameter import Parameter
from medpsy.spec.model_spec import Construct
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.priors import Prior, parse_prior

#: Nodes of a specific factor where nobody says otherwise: equally spaced, with their weights.
NODES = np.linspace(-6.0, 6.0, 31)


def node_weights(nodes: np.ndarray) -> np.ndarray:
    """Log-weights of equally spaced nodes for a standard normal, shape (node,)."""
    return -0.5 * nodes**2 - 0.5 * np.log(2 * np.pi) + np.log(nodes[1] - nodes[0])


class Nested:
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
        shared = any(
            role.per not in ("item", "category", "middle") for role in getattr(family, "declared", ())
        )
        if not family.categorical or "slope" not in family.roles or shared:
            raise SpecError(
                f"'{construct.name}' has specific factors, which family '{family.name}' cannot take",
                hint="Use a family of categorical items with a slope each, such as 'graded'.",
            )
        self.family, self.construct = family, construct
        self.name = family.name
        self.formula, self.reference = family.formula, family.reference
        self.categorical = True
        self.extra = "testlet_sd" if construct.testlets else "specific_slope"
        self.roles: tuple[str, ...] = (*family.roles, self.extra)
        #: What stands in tables for a role that is not read itself.
        self.shown: dict[str, str] = getattr(family, "shown", {})
        place = {item: j for j, item in enumerate(construct.items)}
        #: Positions of the items of every specific factor.
        self.groups = tuple(np.array([place[item] for item in s.items]) for s in construct.specific)
        self.members = np.concatenate(self.groups)
        self.alone = np.setdiff1d(np.arange(len(construct.items)), self.members)
        #: Which specific factor each entry of ``members`` belongs to.
        self.owner = np.repeat(np.arange(len(self.groups)), [len(g) for g in self.groups])

    @property
    def specific_names(self) -> tuple[str, ...]:
        """Names of the specific factors."""
        return tuple(s.name for s in self.construct.specific)

    @property
    def base_kernels(self) -> tuple[Any, Any] | None:
        """Compiled functions of the family itself, for the engine that sums specific factors out."""
        base: CompiledFamily | ResponseFamily = self.family
        return getattr(base, "kernels", None)

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

    def parameters(self, block: Block, table: ParameterTable) -> tuple[Parameter, ...]:
        """Parameters of the family, and ``specific_slope`` (member,) or ``testlet_sd`` (testlet,)."""
        own = self.family.parameters(block, table)
        names = self.entry_names(self.extra)
        priors: tuple[Prior, ...] = tuple(table.prior(f"{self.extra}.{block.name}.{n}") for n in names)
        dim = "testlet" if block.construct.testlets else "specific_item"
        extra = Parameter(f"{self.extra}_{block.name}", (f"{dim}_{block.name}",), (names,), priors)
        return (*own, extra)

    def entries(self, role: str, n_categories: int) -> int:
        """How many free numbers one row of a role stands for."""
        return 1 if role == self.extra else self.family.entries(role, n_categories)  # type: ignore[attr-defined]

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

    def specific_slopes(self, p: dict[str, Any]) -> Any:
        """Slopes on the specific factors (..., member), in the order of ``members``."""
        if self.extra == "specific_slope":
            return p["specific_slope"]
        return p["testlet_sd"][..., self.owner] * p["slope"][..., self.members]

    def total(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Roles of the family with the composite's slope A in place of ``slope``."""
        size = self.members.size
        # Each member's square is added at its item.
        spread = np.zeros((size, len(self.construct.items)))
        spread[np.arange(size), self.members] = 1.0
        added = self.specific_slopes(p) ** 2 @ xp.constant(spread)
        values = {role: p[role] for role in self.family.roles if role in p}
        if not self.alone.size:
            return values | {"slope": xp.sqrt(p["slope"] ** 2 + added)}
        # The sign of an item without a specific factor stays.
        sign = np.zeros(len(self.construct.items))
        sign[self.alone] = 1.0
        member = xp.sqrt(p["slope"] ** 2 + added + xp.constant(sign)) * xp.constant(1.0 - sign)
        return values | {"slope": member + p["slope"] * xp.constant(sign)}

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """What the family derives (thresholds ...), at the composite's slope."""
        return self.family.derived(self.total(p, xp), xp)

    def kept(self, block: Block, p: dict[str, Any], xp: Any) -> dict[str, tuple[tuple[str, ...], Any]]:
        """What the family keeps of ``derived``, at the composite's slope."""
        return self.family.kept(block, self.total(p, xp), xp)

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
        own = self.specific_slopes(p)[..., np.flatnonzero(self.owner == group)]
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
        values, own = self.total(p, Numpy), self.specific_slopes(p)
        predictor = theta[:, None] * p["slope"]
        predictor[:, self.members] += own * u[:, self.owner]
        columns = []
        for j in range(len(self.construct.items)):
            composite = predictor[:, j] / values["slope"][j]
            columns.append(self.family.draw(composite, take_items(values, np.array([j])), rng)[:, 0])
        return np.column_stack(columns)


def take_items(p: dict[str, Any], where: np.ndarray) -> dict[str, Any]:
    """Roles of some items; the item axis is the one that ``slope`` ends with."""
    lead = p["slope"].ndim - 1
    return {role: value[(slice(None),) * lead + (where,)] for role, value in p.items()}
