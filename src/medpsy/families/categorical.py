"""What families of categorical items have in common: declared roles become rows, parameters and starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from medpsy.dims import CATEGORY
from medpsy.errors import SpecError
from medpsy.families.base import Block, keying
from medpsy.parameter import NEVER, Parameter
from medpsy.spec.model_spec import Construct
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.priors import Prior, parse_prior


@dataclass(frozen=True)
class Role:
    """One kind of parameter.

    Parameters
    ----------
    name : str
    per : str
        What has one: ``"item"``, ``"construct"``, ``"category"`` (a simplex for each item), ``"middle"``
        (each item and each of its categories but the first and last), ``"inner"`` (each of K - 2 numbers
        that the items share).
    section, text : str
        Heading and right-hand side of its rows in the parameter table.
    prior : str
    either : str
        Prior where the sign is free: all items but the first, unless the construct is declared positive.
    start : float
        Where the search for the mode begins; slopes begin at the item's keying, probabilities at the shares.
    """

    name: str
    per: str
    section: str
    text: str
    prior: str
    either: str = ""
    start: float = 0.0


SLOPE = Role("slope", "item", "Slopes", "", "LogNormal(0.25, 0.6)", "StudentT(4, 1, 1)", 1.0)
SPREAD = Role("spread", "construct", "Slopes", "every item", "HalfNormal(1.5)", start=1.0)
SHARES = Role("category_prob", "category", "Thresholds", "categories", "Dirichlet(1)")


def entry_priors(table: ParameterTable, role: str, construct: Construct) -> tuple[Prior, ...]:
    """Priors of one role, one per item, looked up in the parameter table."""
    return tuple(table.prior(f"{role}.{construct.name}.{item}") for item in construct.items)


class Categorical:
    """Base of the families of categorical items.

    A family declares its roles and states ``log_prob``, ``derived`` and ``draw``. ``reported`` names what of
    ``derived`` is kept with the draws, by its dimensions (``"item"``, ``"step"``, ``"category"``), ``shown``
    which of them stands in tables for a role that is not read itself.
    """

    name = ""
    categorical = True
    formula = ""
    reference = ""
    declared: tuple[Role, ...] = ()
    min_categories = 2
    #: True where the items share their steps and therefore need equally many categories.
    one_scale = False
    #: True where thresholds part a category from the one below it alone.
    adjacent = False
    reported: ClassVar[dict[str, tuple[str, ...]]] = {"threshold": ("item", "step")}
    shown: ClassVar[dict[str, str]] = {"category_prob": "threshold"}

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of the roles, in the order of the kernels' arguments."""
        return tuple(role.name for role in self.declared)

    def rows(self, construct: Construct) -> list[ParameterRow]:
        """Rows of the parameter table, role by role."""
        rows = []
        for role in self.declared:
            if role.per in ("construct", "inner"):
                target, prior = f"{role.name}.{construct.name}", parse_prior(role.prior)
                op = "=~" if role.section == "Slopes" else "|"
                rows.append(ParameterRow(role.section, construct.name, op, role.text, None, target, prior))
                continue
            for position, item in enumerate(construct.items):
                target = f"{role.name}.{construct.name}.{item}"
                free = role.either and not (construct.positive or position == 0)
                prior = parse_prior(role.either if free else role.prior)
                place = (item, "|", role.text) if role.text else (construct.name, "=~", item)
                rows.append(ParameterRow(role.section, *place, None, target, prior))
        return rows

    def parameters(self, block: Block, table: ParameterTable) -> tuple[Parameter, ...]:
        """Free parameters of a block, in the order of the roles."""
        return tuple(self._parameter(role, block, table) for role in self.declared)

    def _parameter(self, role: Role, block: Block, table: ParameterTable) -> Parameter:
        construct, sizes, most = block.construct, block.sizes, block.n_categories
        name, item = f"{role.name}_{block.name}", (block.item_dim, construct.items)
        inner = (f"inner_{block.name}", tuple(str(k) for k in range(1, most - 1)))
        if role.per in ("construct", "inner"):
            dim, labels = inner if role.per == "inner" else (f"construct_{block.name}", (block.name,))
            prior = table.prior(f"{role.name}.{block.name}")
            return Parameter(name, (dim,), (labels,), (prior,) * len(labels))
        priors = entry_priors(table, role.name, construct)
        if role.per == "item":
            return Parameter(name, (item[0],), (item[1],), priors)
        spare = 0 if role.per == "category" else 2
        category = (f"{CATEGORY}_{block.name}", tuple(str(k) for k in range(most)))
        last = category if role.per == "category" else inner
        lengths = None if (sizes == most).all() else tuple(int(k) - spare for k in sizes)
        return Parameter(name, (item[0], last[0]), (item[1], last[1]), priors, lengths)

    def entries(self, role: str, n_categories: int) -> int:
        """How many free numbers one row of a role stands for, with that many categories."""
        per = next(r.per for r in self.declared if r.name == role)
        spare = {"category": 1, "middle": 2, "inner": 2}
        return n_categories - spare[per] if per in spare else 1

    def start(self, block: Block) -> dict[str, np.ndarray]:
        """Slopes of one in the direction of the first component, observed category shares."""
        categories = np.arange(block.n_categories)
        counts = np.where(
            categories < block.sizes[:, None], (block.values[:, :, None] == categories).sum(0) + 0.5, 0.0
        )
        share = counts / counts.sum(-1, keepdims=True)
        sign = keying(block) if any(role.either for role in self.declared) else np.ones(len(share))
        positive = [block.construct.positive or j == 0 for j in range(sign.size)]
        size = {"item": len(share), "construct": 1, "inner": block.n_categories - 2}
        out: dict[str, np.ndarray] = {}
        for role in self.declared:
            if role.per == "category":
                out[role.name] = np.where(categories < block.sizes[:, None], share, NEVER)
            elif role.per == "middle":
                out[role.name] = np.full((len(share), block.n_categories - 2), role.start)
            else:
                out[role.name] = np.full(size[role.per], role.start)
            if role.either:
                out[role.name] = out[role.name] * np.where(positive, 1.0, sign)
        return out

    def kept(self, block: Block, p: dict[str, Any], xp: Any) -> dict[str, tuple[tuple[str, ...], Any]]:
        """What of ``derived`` is kept with the draws: dimensions and values, by name.

        Cells of categories that an item does not have are NaN.
        """
        values = self.derived(p, xp)
        dims = {"item": block.item_dim, "step": f"step_{block.name}", "category": f"{CATEGORY}_{block.name}"}
        out = {}
        for name, over in self.reported.items():
            value = values[name]
            if len(over) == 2 and (block.sizes < block.n_categories).any():
                width = block.n_categories - (over[1] == "step")
                absent = np.arange(width) >= (block.sizes - (over[1] == "step"))[:, None]
                value = value + xp.constant(np.where(absent, np.nan, 0.0))
            out[name] = (tuple(dims[d] for d in over), value)
        return out

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Nothing beyond the parameters."""
        return {}

    def internal(self, given: dict[str, np.ndarray], sizes: np.ndarray) -> dict[str, np.ndarray]:
        """Roles other than the category probabilities from a stated truth.

        Parameters
        ----------
        given : dict of str to ndarray
            By role, or by what is shown for it: (item,), (1,) for a construct, (K-1,) for shared steps,
            (item, category) for scores.
        sizes : ndarray, shape (item,)
            Number of categories of every item.

        Raises
        ------
        SpecError
            Values that no such item can have.
        """
        check_truth(given, positive=("spread",), shares=("guessing", "upper"))
        return given


def check_truth(
    given: dict[str, np.ndarray], *, positive: tuple[str, ...] = (), shares: tuple[str, ...] = ()
) -> None:
    """Refuse values that are not positive, or not between 0 and 1.

    Raises
    ------
    SpecError
    """
    for name in positive:
        if name in given and (given[name] <= 0).any():
            raise SpecError(f"{name} is {given[name].min():g}, not positive", hint=f"Write {name} = 1.2.")
    for name in shares:
        if name in given and not ((given[name] > 0) & (given[name] < 1)).all():
            raise SpecError(f"{name} does not lie between 0 and 1", hint=f"Write {name} = 0.2.")


def from_log_odds(predictor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw categories whose log-probabilities are ``predictor`` (..., category) up to a constant.

    By the largest of the predictors with independent Gumbel noise, which needs no normalising.
    """
    return (predictor + rng.gumbel(size=predictor.shape)).argmax(-1).astype(np.int8)
