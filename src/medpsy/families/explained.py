"""Items explained by their properties, and items whose parameters come from a common distribution.

The location of item j (the mean of its thresholds, in logits) is

    location_j = mean + sum_q effect_q x_jq + sum_c level_c[l_c(j)] + residual_j,   residual_j ~ N(0, sd)

with numbers x and categories c whose level effects sum to zero and have the sd ``location_level_sd``: the
linear logistic test model with error (Fischer, 1973, doi:10.1016/0001-6918(73)90003-6; De Boeck & Wilson,
2004, doi:10.1007/978-1-4757-3990-9), and with raters among the properties the many-facet model (Linacre,
1989, ISBN 9780941938027). Without properties it is the hierarchical prior over items, where slopes come from
a common distribution as well. Everything else about the items is that of the family.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.errors import SpecError
from medpsy.families.base import Block, ResponseFamily
from medpsy.families.categorical import Categorical, Role
from medpsy.families.coordinates import coordinates_of
from medpsy.families.item_design import ItemDesign
from medpsy.ops import Numpy
from medpsy.parameter import Parameter, Scale
from medpsy.spec.model_spec import Construct
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.priors import parse_prior

#: Coordinates that are no parameters of the family itself.
OWN = {
    "gap": Role("gap", "middle", "Thresholds", "gaps", "LogNormal(0.3, 0.6)", start=1.0),
    # Not called "step": that is the name of a dimension.
    "step": Role("rise", "middle", "Thresholds", "rises", "Normal(0, 1.5)", start=0.5),
}
_COORDINATE = {role.name: name for name, role in OWN.items()}
SLOPES = (
    Role("slope_mean", "construct", "Slopes", "mean of log slopes", "Normal(0.25, 0.5)", start=0.25),
    Role("slope_sd", "construct", "Slopes", "sd of log slopes", "HalfNormal(0.5)", start=0.3),
)
MEAN = Role("location_mean", "construct", "Item locations", "mean", "Normal(0, 2)")
SD = Role("location_sd", "construct", "Item locations", "sd", "HalfNormal(1)", start=0.5)
#: By how much about one answer alone would be off about the location of its item, and about its log slope.
LOCATION_ERROR, SLOPE_ERROR = 2.0, 3.0
#: About what an item adds to the location that its properties give.
USUAL_RESIDUAL = 0.3
#: Deviations in units of their sd.
STANDARD = parse_prior("Normal(0, 1)")


def has_locations(family: ResponseFamily) -> bool:
    """Whether the items of a family have a location that can be explained."""
    parts = [part.name for part in coordinates_of(family).parts]
    return family.categorical and hasattr(family, "coordinates") and "location" in parts


class Explained(Categorical):
    """A family of categorical items around which an explanation of the locations stands.

    Parameters
    ----------
    family : ResponseFamily
        Categorical, with a location in its coordinates.
    construct : Construct
        With ``properties``, or without where ``pooled``.
    pooled : bool
        Slopes come from a common distribution too.

    Raises
    ------
    SpecError
        A family without locations, properties that cannot be told apart.
    """

    #: Items are the same in all groups of persons.
    of_all_groups = True

    def __init__(self, family: ResponseFamily, construct: Construct, pooled: bool = False) -> None:
        self.family: Any = family
        self.coordinates_of_items = coordinates_of(family)
        parts = [part.name for part in self.coordinates_of_items.parts]
        if not has_locations(family):
            what = "properties of its items" if construct.properties else "a hierarchical prior"
            raise SpecError(
                f"'{construct.name}' has {what}, and family '{family.name}' has no location to explain",
                hint="Use 'graded', 'partial_credit', 'generalised_partial_credit', 'rating_scale', "
                "'graded_rating_scale', 'bernoulli' or 'rasch'.",
            )
        self.name, self.formula, self.reference = family.name, family.formula, family.reference
        self.construct, self.design = construct, ItemDesign(construct)
        self.pooled = pooled and "slope" in family.roles
        self.residual = construct.properties is None or construct.properties.residual
        self.declared = (*self._kept_roles(parts), *self._location_roles())
        self._plain = tuple(role.name for role in self.declared if role not in (*SLOPES, MEAN, SD))

    @property
    def reported(self) -> dict[str, tuple[str, ...]]:  # type: ignore[override]
        """What the family keeps of ``derived``, the locations, and slopes that follow from a distribution."""
        slopes: dict[str, tuple[str, ...]] = {"slope": ("item",)} if self.pooled else {}
        return {**self.family.reported, "location": ("item",), **slopes}

    @property
    def shown(self) -> dict[str, str]:  # type: ignore[override]
        """What stands in tables for a role that is not read itself."""
        own = {k: v for k, v in self.family.shown.items() if k != "category_prob"}
        own |= {role.name: "threshold" for role in OWN.values() if "threshold" in self.family.reported}
        return own | {"location": "location"} | ({"slope": "slope"} if self.pooled else {})

    def _kept_roles(self, parts: list[str]) -> list[Role]:
        """Roles of the family, and coordinates in the place of category probabilities."""
        roles = {role.name: role for role in self.family.declared}
        names = [name for name in roles if name not in ("category_prob", "location")]
        two = getattr(self.family, "max_categories", None) == 2
        names += [name for name in parts if name in OWN and name not in roles and not two]
        found = [roles.get(name, OWN.get(name)) for name in names]
        kept = [role for role in found if role is not None and not (self.pooled and role.name == "slope")]
        return [*kept, *(SLOPES if self.pooled else ())]

    def _location_roles(self) -> list[Role]:
        return [MEAN, *([SD] if self.residual else [])]

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of all parameters: those of the table, then effects and deviations."""
        more = ["location_effect"] * bool(self.design.numbers)
        more += ["location_level_sd", "location_level"] * bool(self.design.categories)
        more += ["location_residual"] * self.residual + ["slope_residual"] * self.pooled
        return (*(role.name for role in self.declared), *more)

    def rows(self, construct: Construct) -> list[ParameterRow]:
        """Rows of the family but its locations, then those of the explanation."""
        rows, name = super().rows(construct), construct.name
        for prop in self.design.numbers:
            target, prior = f"location_effect.{name}.{prop}", parse_prior("Normal(0, 1)")
            rows.append(ParameterRow("Item properties", name, "~", prop, None, target, prior, note="per sd"))
        for prop in self.design.categories:
            target, prior = f"location_level_sd.{name}.{prop}", parse_prior("HalfNormal(1)")
            rows.append(ParameterRow("Item properties", prop, "~~", prop, None, target, prior))
        source = "the item properties" if construct.properties else "the distribution of the items"
        for item in construct.items:
            place = ("Item locations", item, "|", "location", None, f"location.{name}.{item}", None)
            rows.append(ParameterRow(*place, free=False, note=f"follows from {source}", support="real"))
        for item in construct.items if self.pooled else ():
            place = ("Slopes", name, "=~", item, None, f"slope.{name}.{item}", None)
            note = "follows from the distribution of the items"
            rows.append(ParameterRow(*place, free=False, note=note, support="positive"))
        return rows

    def parameters(self, block: Block, table: ParameterTable) -> tuple[Parameter, ...]:
        """Free parameters of a block, in the order of the roles."""
        if len(set(block.sizes)) > 1:
            raise SpecError(
                f"the items of '{block.name}' have different numbers of categories",
                hint="Locations are explained for items with one answer scale: make constructs of one each.",
            )
        if block.n_categories == 2 and any(role in OWN.values() for role in self.declared):
            raise SpecError(
                f"the items of '{block.name}' have two categories", hint="Use family 'bernoulli' or 'rasch'."
            )
        made = [self._parameter(role, block, table) for role in self.declared]
        for role, names in self._vectors():
            targets = [f"{role}.{block.name}.{entry}" for entry in names]
            tabled = role in ("location_effect", "location_level_sd")
            priors = tuple(table.prior(t) if tabled else STANDARD for t in targets)
            dim = block.item_dim if role.endswith("residual") else f"entry_of_{role}_{block.name}"
            scale = self._scale(role, block)
            made.append(Parameter(f"{role}_{block.name}", (dim,), (names,), priors, scale=scale))
        return tuple(made)

    def _vectors(self) -> list[tuple[str, tuple[str, ...]]]:
        """Roles beside the declared ones, with the names of their entries."""
        names = {
            "location_effect": self.design.numbers, "location_level_sd": self.design.categories,
            "location_level": self.design.contrast_names, "location_residual": self.construct.items,
            "slope_residual": self.construct.items,
        }  # fmt: skip
        return [(role, names[role]) for role in self.roles if role in names]

    def _scale(self, role: str, block: Block) -> Scale | None:
        """What deviations are in units of, and how exactly the answers tell them by themselves."""
        answers = (block.values >= 0).sum(axis=0)
        if role == "location_level":
            size = np.array([len(self.design.levels[c]) for c in self.design.owner])
            residual = USUAL_RESIDUAL**2 * size / len(answers) if self.residual else 0.0
            error = np.sqrt(LOCATION_ERROR**2 * size / answers.sum() + residual)
            index = tuple(map(int, self.design.owner))
            return Scale(f"location_level_sd_{block.name}", index, tuple(map(float, error)))
        if role in ("location_residual", "slope_residual"):
            head = role.partition("_")[0]
            one = LOCATION_ERROR if head == "location" else SLOPE_ERROR
            error = np.where(answers > 0, one / np.sqrt(np.maximum(answers, 1)), np.inf)
            return Scale(f"{head}_sd_{block.name}", (0,) * len(answers), tuple(map(float, error)))
        return None

    @property
    def hidden(self) -> int:
        """How many free numbers have no row of their own: contrasts of levels, deviations of items."""
        tabled = ("location_effect", "location_level_sd")
        return sum(len(names) for role, names in self._vectors() if role not in tabled)

    def entries(self, role: str, n_categories: int) -> int:
        """How many free numbers one row of a role stands for."""
        return 1 if role.startswith("location") else super().entries(role, n_categories)

    def start(self, block: Block) -> dict[str, np.ndarray]:
        """Starts of the family's roles; the mean location from the answers, no effects."""
        out = super().start(block)
        codes = np.where(block.values < 0, np.nan, block.values.astype(float)) / (block.n_categories - 1)
        share = np.clip(np.nanmean(codes), 0.02, 0.98)
        out["location_mean"] = np.array([-1.3 * np.log(share / (1 - share))])
        for role, names in self._vectors():
            out[role] = np.full(len(names), 0.5 if role == "location_level_sd" else 0.0)
        return {role: out[role] for role in self.roles}

    def location(self, p: dict[str, Any], xp: Any) -> Any:
        """Location of every item (..., item), logits."""
        total = p["location_mean"] + xp.constant(np.zeros(len(self.construct.items)))
        if self.design.numbers:
            total = total + p["location_effect"] @ xp.constant(self.design.x.T)
        if self.design.categories:
            total = total + self.design.deviations(p) @ xp.constant(self.design.z.T)
        return total + p["location_sd"] * p["location_residual"] if self.residual else total

    def to_base(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Roles of the family itself."""
        return dict(self.coordinates_of_items.back(self._coordinates(p, xp), xp))

    def _coordinates(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        location = self.location(p, xp)
        c = {_COORDINATE.get(name, name): p[name] for name in self._plain}
        if self.pooled:
            c["slope"] = xp.exp(p["slope_mean"] + p["slope_sd"] * p["slope_residual"])
        for part in self.coordinates_of_items.parts:
            if part.name in OWN and part.name not in c:  # two categories have none
                c[part.name] = location[..., None][..., :0]
        return c | {"location": location}

    def reverse_base(self, p: dict[str, np.ndarray], d: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradient over the own roles, given that over those of the family."""
        c = self._coordinates(p, Numpy)
        d_c = self.coordinates_of_items.back_reverse(c, d)
        out = {name: d_c[_COORDINATE.get(name, name)] for name in self._plain}
        d_location = d_c["location"]
        out["location_mean"] = np.array([d_location.sum()])
        if self.design.numbers:
            out["location_effect"] = d_location @ self.design.x
        if self.design.categories:
            out |= self.design.reverse(p, d_location @ self.design.z)
        if self.residual:
            out["location_sd"] = np.array([d_location @ p["location_residual"]])
            out["location_residual"] = d_location * p["location_sd"]
        if self.pooled:
            d_log = d_c["slope"] * c["slope"]
            out["slope_mean"] = np.array([d_log.sum()])
            out["slope_sd"] = np.array([d_log @ p["slope_residual"]])
            out["slope_residual"] = d_log * p["slope_sd"]
        return out

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """What the family derives, and the locations."""
        base = self.to_base(p, xp)
        more = {"slope": base["slope"]} if self.pooled else {}
        return self.family.derived(base, xp) | {"location": self.location(p, xp)} | more

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category, (..., item, category, node)."""
        return self.family.log_prob(theta, self.to_base(p, xp), xp)

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item)."""
        drawn: np.ndarray = self.family.draw(theta, self.to_base(p, Numpy), rng)
        return drawn

    @property
    def kernels(self) -> tuple[Any, Any]:
        """Those of the family: the compiled route asks for ``to_base`` first."""
        kernels: tuple[Any, Any] = self.family.kernels
        return kernels
