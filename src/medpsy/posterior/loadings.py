"""Standardised loadings of every item: on its construct, other ones, specific factors, the second order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from medpsy.bind import local
from medpsy.errors import SpecError
from medpsy.families.base import Block, base_values
from medpsy.families.crossed import Crossed
from medpsy.families.nested import Nested
from medpsy.latent.base import system
from medpsy.ops import Numpy
from medpsy.posterior.by_group import each_group
from medpsy.posterior.draws import thinned
from medpsy.posterior.intervals import bounds, check_interval, direction
from medpsy.result import Result

COLUMNS = ["construct", "item", "factor", "kind", "mean", "sd", "lower", "upper", "p_direction", "p_relevant"]
NUMBERS = COLUMNS[4:]
#: Residual sd behind the answers: a logistic is closest to a normal ogive with 1.702.
RESIDUAL = {
    "graded": 1.702, "bernoulli": 1.702, "rasch": 1.702, "graded_rating_scale": 1.702, "graded_probit": 1.0,
}  # fmt: skip
#: Draws that are used at most, at even distances.
DRAWS = 1000

Row = tuple[str, str, str, np.ndarray]


@each_group
def loadings(result: Result, *, interval: float = 0.95, relevant: float = 0.3) -> pd.DataFrame:
    """Standardised loadings on the scale of the variables behind the answers.

    Parameters
    ----------
    result : Result
        A fit with constructs.
    interval : float
        Posterior mass of the equal-tailed intervals.
    relevant : float
        From this absolute size on a loading is relevant.

    Returns
    -------
    DataFrame
        construct, item, factor, kind, mean, sd, lower, upper, p_direction (of the more probable sign),
        p_relevant. Kinds: ``"own"`` (on the construct that the item belongs to), ``"cross"`` (on another
        one), ``"specific"`` (on a specific factor or testlet), ``"communality"`` (share of the item's
        variance that all factors explain; no probabilities). With a second-order construct also
        ``"second order"`` (the construct, named as item, on the higher one), ``"indirect"`` (the item on the
        higher construct, through its own) and ``"beyond"`` (the item on what its construct has beyond the
        higher one): the transformation of Schmid & Leiman (1957, doi:10.1007/BF02289209).
        ``attrs["left_out"]`` names
        constructs whose items have no loading of this kind.

    Raises
    ------
    SpecError
        No items with such loadings, paths that differ between persons, an impossible interval or size.

    Notes
    -----
    A slope a becomes a s / sqrt(v + 1.702^2), with s the sd of the factor over the persons, covariates
    included, and v the variance of all that the item measures (Takane & de Leeuw, 1987,
    doi:10.1007/BF02294363); probit items have 1 in the place of 1.702, numbers their residual sd.
    """
    check_interval(interval)
    if not 0 < relevant < 1:
        raise SpecError(f"relevant = {relevant!r} is no loading", hint="A size between 0 and 1, such as 0.3.")
    if result.data.cells is not None or result.data.layout.products.size:
        raise SpecError(
            "paths differ between persons, so that constructs have no single variance",
            hint="Ask the model without the products of constructs.",
        )
    rows, left_out = [], []
    people = _People(result)
    for block in result.data.blocks:
        if not _suited(block):
            left_out.append(block.name)
            continue
        for item, factor, kind, draws in _of_block(people, block):
            rows.append((block.name, item, factor, kind, *_summary(draws, kind, interval, relevant)))
    if not rows:
        raise SpecError(
            "the items of this model have no standardised loadings",
            hint=f"Families that have: {', '.join((*RESIDUAL, 'gaussian'))}.",
        )
    frame = pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, float))
    frame.attrs |= {"interval": float(interval), "relevant": float(relevant), "left_out": left_out}
    return frame


def several_factors(result: Result) -> bool:
    """Whether some item of the model measures more than its construct."""
    families = result.model.families.values()
    return result.model.spec.second_order is not None or any(
        isinstance(f, Crossed | Nested) for f in families
    )


def _summary(draws: np.ndarray, kind: str, interval: float, relevant: float) -> tuple[Any, ...]:
    lower, upper = bounds(draws, interval)
    share = kind == "communality"
    sign = np.nan if share else direction(draws)
    large = np.nan if share else (np.abs(draws) >= relevant).mean()
    return draws.mean(), draws.std(ddof=1), lower, upper, sign, large


class _People:
    """Draws, and the covariance of all latent variables over the persons."""

    def __init__(self, result: Result) -> None:
        self.result, self.data = result, result.data
        self.p = thinned(result, DRAWS)
        size = max(len(value) for value in self.p.values())
        layout = self.data.layout
        self.equations = self.data.model.structure.equations(self.p, layout, Numpy)
        mean, chol = system(self.equations, layout, Numpy)
        known = mean @ layout.covariance @ np.swapaxes(mean, -1, -2)
        covariance = known + chol @ np.swapaxes(chol, -1, -2)
        self.covariance = np.broadcast_to(covariance, (size, *covariance.shape[-2:]))

    def at(self, one: str, other: str) -> np.ndarray:
        """Covariance of two nodes, (draw,)."""
        nodes = self.data.layout.nodes
        return np.asarray(self.covariance[:, nodes.index(one), nodes.index(other)])

    def higher(self, construct: str) -> tuple[str, np.ndarray, np.ndarray] | None:
        """The second-order construct; loadings of a construct on it, and on what it has beyond it."""
        spec, layout = self.result.model.spec, self.data.layout
        if spec.second_order is None or construct not in spec.second_order.constructs:
            return None
        name, sd = spec.second_order.name, np.sqrt(self.at(construct, construct))
        if name in layout.nodes:
            gamma = self.equations.b[..., layout.nodes.index(construct), layout.nodes.index(name)]
            return name, gamma * np.sqrt(self.at(name, name)) / sd, 1.0 / sd
        structure: Any = self.data.model.structure
        loading = structure.loading(self.p, Numpy)[..., layout.nodes.index(construct)]
        return name, loading / sd, np.sqrt(1.0 - loading**2) / sd


def _suited(block: Block) -> bool:
    return block.n_categories == 0 or block.construct.family in RESIDUAL


def _of_block(people: _People, block: Block) -> Iterator[Row]:
    """Item, factor, kind and draws of every loading of one construct."""
    items, name = block.construct.items, block.name
    above = people.higher(name)
    if above is not None:
        yield name, above[0], "second order", above[1]
    family = people.data.model.families[name]
    own = local(people.data, block, people.p)
    first, noise = _slopes(family, own, len(items))
    for j, item in enumerate(items):
        parts = [(name, "own", first[:, j]), *_further(family, own, j)]
        within = [(factor, slope) for factor, kind, slope in parts if kind != "specific"]
        variance = sum(
            u * v * people.at(a, b) for a, u in within for b, v in within
        ) + sum(slope**2 for _, kind, slope in parts if kind == "specific")  # fmt: skip
        total = np.sqrt(variance + noise[:, j] ** 2)
        for factor, kind, slope in parts:
            sd = 1.0 if kind == "specific" else np.sqrt(people.at(factor, factor))
            standard = slope * sd / total
            yield item, factor, kind, standard
            if kind == "own" and above is not None:
                yield item, above[0], "indirect", standard * above[1]
                yield item, name, "beyond", standard * above[2]
        yield item, "", "communality", variance / total**2


def _slopes(family: Any, own: dict[str, np.ndarray], n_item: int) -> tuple[np.ndarray, np.ndarray]:
    """Slopes on the construct and residual sds, each (draw, item)."""
    if not family.categorical:
        return own["loading"], own["residual_sd"]
    values = own if "slope" in own else base_values(family, own, Numpy)
    slope = values["slope"] if "slope" in values else np.repeat(values["spread"], n_item, axis=-1)
    return slope, np.full(slope.shape, RESIDUAL[family.name])


def _further(family: Any, own: dict[str, np.ndarray], j: int) -> Iterator[tuple[str, str, np.ndarray]]:
    """Factor, kind and slope of what item ``j`` measures beside its construct."""
    if isinstance(family, Crossed):
        for entry, (item, other) in enumerate(family.pairs):
            if item == family.construct.items[j]:
                yield other, "cross", own[family.extra][:, entry]
    if isinstance(family, Nested):
        slopes = family.further_slopes(own)
        for at in np.flatnonzero(family.members == j):
            yield family.specific_names[family.owner[at]], "specific", slopes[:, at]
