"""Items whose linear predictor adds up several latent variables.

A response family is asked at the composite t = predictor / A with slope A, the root of the sum of the squared
slopes of the item: where the latent variables are independent with variance 1, so has t, and whatever the
family ties to its slope (``category_prob`` as the distribution of the answers) keeps its meaning.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.errors import SpecError
from medpsy.families.base import Block, CompiledFamily, ResponseFamily
from medpsy.parameter import Parameter
from medpsy.spec.model_spec import Construct
from medpsy.spec.parameters import ParameterTable
from medpsy.spec.priors import Prior


class Composite:
    """A response family around which further slopes stand; items are the same in all groups of persons.

    Parameters
    ----------
    family : ResponseFamily
        Categorical, with one ``slope`` per item.
    construct : Construct
    extra : str
        Role of the further slopes, or of what they follow from.
    members : ndarray of int
        Position of the item that each further slope belongs to.
    what : str
        What the construct has, for the error.

    Raises
    ------
    SpecError
        A family without slopes, or whose items share parameters.
    """

    of_all_groups = True

    def __init__(
        self, family: ResponseFamily, construct: Construct, extra: str, members: np.ndarray, what: str
    ) -> None:
        declared = getattr(family, "declared", ())
        shared = any(role.per not in ("item", "category", "middle") for role in declared)
        if not family.categorical or "slope" not in family.roles or shared:
            raise SpecError(
                f"'{construct.name}' has {what}, which family '{family.name}' cannot take",
                hint="Use a family of categorical items with a slope each, such as 'graded'.",
            )
        self.family, self.construct, self.extra, self.members = family, construct, extra, members
        self.name = family.name
        self.formula, self.reference = family.formula, family.reference
        self.categorical = True
        self.roles: tuple[str, ...] = (*family.roles, extra)
        #: What stands in tables for a role that is not read itself.
        self.shown: dict[str, str] = getattr(family, "shown", {})
        self.alone = np.setdiff1d(np.arange(len(construct.items)), members)

    def further_slopes(self, p: dict[str, Any]) -> Any:
        """Slopes (..., member) on the further latent variables."""
        return p[self.extra]

    def entry_names(self, role: str) -> tuple[str, ...]:
        """Names of the first dimension of a role."""
        return self.construct.items

    @property
    def base_kernels(self) -> tuple[Any, Any] | None:
        """Compiled functions of the family itself."""
        base: CompiledFamily | ResponseFamily = self.family
        return getattr(base, "kernels", None)

    def parameters(self, block: Block, table: ParameterTable) -> tuple[Parameter, ...]:
        """Parameters of the family, and those of the further slopes."""
        names = self.entry_names(self.extra)
        priors: tuple[Prior, ...] = tuple(table.prior(f"{self.extra}.{block.name}.{n}") for n in names)
        name = f"{self.extra}_{block.name}"
        further = Parameter(name, (f"entry_of_{name}",), (names,), priors)
        return (*self.family.parameters(block, table), further)

    def entries(self, role: str, n_categories: int) -> int:
        """How many free numbers one row of a role stands for."""
        return 1 if role == self.extra else self.family.entries(role, n_categories)  # type: ignore[attr-defined]

    def total(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Roles of the family with the composite's slope A in place of ``slope``."""
        # Each square is added at its item.
        spread = np.zeros((self.members.size, len(self.construct.items)))
        spread[np.arange(self.members.size), self.members] = 1.0
        added = self.further_slopes(p) ** 2 @ xp.constant(spread)
        values = {role: p[role] for role in self.family.roles if role in p}
        if not self.alone.size:
            return values | {"slope": xp.sqrt(p["slope"] ** 2 + added)}
        # An item without further slopes keeps the sign of its own.
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

    def draw_at(
        self, predictor: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        """Draw codes (person, item) given the linear predictors (person, item)."""
        from medpsy.ops import Numpy

        values = self.total(p, Numpy)
        columns = []
        for j in range(len(self.construct.items)):
            composite = predictor[:, j] / values["slope"][j]
            columns.append(self.family.draw(composite, take_items(values, np.array([j])), rng)[:, 0])
        return np.column_stack(columns)


def take_items(p: dict[str, Any], where: np.ndarray) -> dict[str, Any]:
    """Roles of some items; the item axis is the one that ``slope`` ends with."""
    lead = p["slope"].ndim - 1
    return {role: value[(slice(None),) * lead + (where,)] for role, value in p.items()}
