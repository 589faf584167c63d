"""Effects along the paths of a fitted model, at chosen values of what they change with.

A path from x to y with a product x:w is, in draw s, b_s + b_ws * w; an effect through mediators multiplies
such slopes along a chain and adds chains up (Preacher, Rucker & Hayes, 2007,
doi:10.1080/00273170701341316). Exact for linear equations; logistic outcomes are on the logit scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from medpsy.derive import raw_coefficients
from medpsy.errors import SpecError, nearest
from medpsy.latent.base import system, total_sd
from medpsy.latent.clustered import ClusteredStructure
from medpsy.ops import Numpy
from medpsy.result import Result

#: A value of a moderator: a number in its own units, or the name of a level.
Value = float | str
#: Percentiles at which a number is probed unless values are named (Hayes, 2022, ISBN 9781462549030).
PROBED = (16, 50, 84)


@dataclass(frozen=True)
class Way:
    """A chain of variables from an exposure (a level of it, where it is a category) to an outcome."""

    stations: tuple[str, ...]

    @property
    def text(self) -> str:
        """``x -> m -> y``."""
        return " -> ".join(self.stations)


class Pathways:
    """The slopes between the variables of one fit.

    Parameters
    ----------
    result : Result
    values : mapping, optional
        Free parameters (..., shape) on the internal scale; the posterior's, chains joined, unless given.
    """

    def __init__(self, result: Result, values: Mapping[str, np.ndarray] | None = None) -> None:
        self.result = result
        self.layout = result.data.layout
        joined = {k: v.reshape(-1, *v.shape[2:]) for k, v in result.values().items()}
        self.values = dict(joined if values is None else values)
        self.structure: Any = result.model.structure
        self.level, self.of = "", "persons"
        self.steps = self.layout.coefficients
        self._terms = [self.layout.factors_of(c) for c in self.steps]

    @cached_property
    def coefficients(self) -> np.ndarray:
        """Coefficients (draw, coefficient) in raw units."""
        found = raw_coefficients(self.result.data, self.values)
        if found is None:
            raise SpecError("the model has no paths", hint="Effects are made of paths: write 'y ~ x'.")
        return found

    # Who is there

    def factors(self, variable: str) -> tuple[str, ...]:
        """Names under which a variable enters: itself, or its levels but the reference.

        Raises
        ------
        SpecError
            The model has no such variable.
        """
        if variable in self.layout.nodes:
            return (variable,)
        found = tuple(c.name for c in self.layout.columns if c.variable == variable and not c.factors)
        if not found:
            known = [*self.layout.nodes, *self.result.model.covariates]
            raise SpecError(f"the model has no variable '{variable}'", hint=nearest(variable, known))
        return found

    def ways(self, exposure: str, outcome: str) -> list[Way]:
        """All chains from (the levels of) an exposure to an outcome, short ones first."""
        nodes = self.layout.nodes
        if outcome not in nodes:
            raise SpecError(f"nothing explains '{outcome}' in this model", hint=nearest(outcome, nodes))
        out = [w for start in self.factors(exposure) for w in self._from(start, outcome)]
        return sorted(out, key=lambda way: len(way.stations))

    def _from(self, start: str, outcome: str) -> Iterator[Way]:
        front: list[tuple[str, ...]] = [(start,)]
        while front:
            yield from (Way(way) for way in front if way[-1] == outcome and len(way) > 1)
            steps = ((way, node) for way in front for node in self._children(way[-1]))
            front = [(*way, node) for way, node in steps if node == outcome or node not in self._beside]

    @cached_property
    def _beside(self) -> frozenset[str]:
        """Moderators of the design: what they share with the exposure is no effect that runs through them."""
        design = self.result.model.spec.design
        if design is None:
            return frozenset()
        return frozenset(design.moderators) - {*design.exposures, *design.mediators, *design.outcomes}

    def _children(self, name: str) -> list[str]:
        found = {c.target for c, t in zip(self.steps, self._terms, strict=True) if t == (name,)}
        return [self.layout.nodes[i] for i in sorted(found)]

    def moderators(self, ways: Sequence[Way]) -> tuple[str, ...]:
        """Variables that any step of the chains changes with."""
        variable = {c.name: c.variable for c in self.layout.columns}
        found: dict[str, None] = {}
        for way in ways:
            for source, target in zip(way.stations[:-1], way.stations[1:], strict=True):
                for terms in self._of(target):
                    if source in terms and len(terms) > 1:
                        found |= dict.fromkeys(variable.get(t, t) for t in terms if t != source)
        return tuple(found)

    def _of(self, target: str) -> list[tuple[str, ...]]:
        place = self.layout.nodes.index(target)
        pairs = zip(self.steps, self._terms, strict=True)
        return [terms for c, terms in pairs if c.target == place]

    def joined(self, source: str, target: str) -> bool:
        """Whether one variable (every level of it) has a path into another."""
        own = self._of(target) if target in self.layout.nodes else []
        return all((factor,) in own for factor in self.factors(source))

    def refuse_curved(self, ways: Sequence[Way]) -> None:
        """Refuse chains whose slopes do not multiply to an effect.

        Raises
        ------
        SpecError
            A station between the ends is binary or a count.
        """
        for way in ways:
            for name in way.stations[1:-1]:
                family = self.layout.observed[self.layout.nodes.index(name)]
                if family is not None and not family.linear:
                    raise SpecError(
                        f"'{name}' is {family.what}: the product of paths along '{way.text}' is "
                        "no indirect effect",
                        hint="natural_effects() gives the natural indirect effect, by simulation under do().",
                    )

    # Slopes and effects

    def slope(self, source: str, target: str, at: Mapping[str, float]) -> np.ndarray:
        """Slope (draw,) of one step at ``at`` (value by factor), raw units."""
        place = self.layout.nodes.index(target)
        total = np.zeros(len(self.coefficients))
        for i, (c, terms) in enumerate(zip(self.steps, self._terms, strict=True)):
            if c.target == place and source in terms:
                total = total + self.coefficients[:, i] * np.prod([at[t] for t in terms if t != source])
        return total

    def effect(self, way: Way, at: Mapping[str, float]) -> np.ndarray:
        """Effect (draw,) along one chain, raw units; the average over clusters where slopes differ."""
        steps = list(zip(way.stations[:-1], way.stations[1:], strict=True))
        parts = [
            (self.slope(source, target, at), self._differing(source, target)) for source, target in steps
        ]
        return np.asarray(self._average(parts) + np.zeros(len(self.coefficients)))

    @property
    def random(self) -> bool:
        """Whether slopes differ between clusters."""
        return isinstance(self.structure, ClusteredStructure) and "cluster_sd" in self.values

    @cached_property
    def _covariances(self) -> dict[frozenset[str], np.ndarray]:
        """Covariances (draw,) over clusters of every pair of slopes that differ, raw units."""
        if not self.random:
            return {}
        found = self.structure.labels(self.values, self.layout)
        return {frozenset(pair): found[n] for n, pair in self.structure.clusters.covariances.items()}

    def _differing(self, source: str, target: str) -> str:
        """Name of the slope of a step among those that differ between clusters, or nothing."""
        place = self.layout.nodes.index(target)
        names = self.structure.clusters.random if self.random else ()
        for c, terms in zip(self.steps, self._terms, strict=True):
            if c.target == place and terms == (source,):
                return next((name for name in (c.label, c.path.key) if name and name in names), "")
        return ""

    def _average(self, parts: list[tuple[np.ndarray, str]]) -> Any:
        """Mean over clusters of a product of slopes: all ways to pair some of them (Isserlis, 1918,
        doi:10.2307/2331932)."""
        if not parts:
            return 1.0
        (first, name), *rest = parts
        total = first * self._average(rest)
        for i, (_, other) in enumerate(rest):
            covariance = self._covariances.get(frozenset((name, other)))
            if covariance is not None:
                total = total + covariance * self._average(rest[:i] + rest[i + 1 :])
        return total

    def predicted(self, target: str, at: Mapping[str, float]) -> np.ndarray:
        """Expected value (draw,) of a variable at ``at`` (value by factor), all other factors at their means.

        Raw units; of a binary or counted variable the logit or log.
        """
        node = self.layout.nodes.index(target)
        eq = self.result.model.structure.equations(self.values, self.layout, Numpy)
        total = self.layout.centre[node] + self.layout.unit[node] * eq.g[..., node, 0]
        centre = dict(zip(self.layout.nodes, self.layout.centre, strict=True))
        centre |= {column.name: column.centre for column in self.layout.columns}
        for i, (c, terms) in enumerate(zip(self.steps, self._terms, strict=True)):
            if c.target == node:
                mean = self.layout.columns[c.source - 1].centre if c.from_column else 0.0
                if not c.from_column and c.by is None and not c.times:
                    mean = centre[terms[0]]
                value = np.prod([at.get(t, centre[t]) for t in terms])
                total = total + self.coefficients[:, i] * (value - mean)
        return np.broadcast_to(total, (len(self.coefficients),))

    def ratio(self, source: str, target: str) -> np.ndarray:
        """What turns a raw effect of source on target (draw,) into a standardised one: sd over sd.

        A category counts 1. Sds are those that the model implies, interactions left out.
        """
        return self.sd(source) / self.sd(target)

    def sd(self, name: str) -> np.ndarray:
        """Sd (draw,) of a variable that the model implies, raw units."""
        if name in self.layout.nodes:
            i = self.layout.nodes.index(name)
            eq = self.result.model.structure.equations(self.values, self.layout, Numpy)
            sd = total_sd(*system(eq, self.layout, Numpy), self.layout, self.values)
            return sd[..., i] * self.layout.unit[i]
        column = next(c for c in self.layout.columns if c.name == name)
        return np.full(len(self.coefficients), column.unit)

    def residuals(self) -> np.ndarray:
        """By what independent normals act on what paths leave over of every node (draw, node, normal),
        internal scale."""
        eq = self.structure.equations(self.values, self.layout, Numpy)
        return np.asarray(eq.d[..., :, None] * eq.z)

    # Values of moderators

    def settings(self, moderators: Sequence[str], at: Mapping[str, object] | None) -> list[dict[str, Value]]:
        """All combinations of the values at which the moderators are probed.

        Parameters
        ----------
        moderators : sequence of str
        at : mapping, optional
            Value or values by moderator; the others at every level, or at three percentiles.

        Raises
        ------
        SpecError
            A variable that nothing changes with, a level or number that is none.
        """
        named = dict(at or {})
        for name in named:
            if name not in moderators:
                raise SpecError(
                    f"no effect asked for changes with '{name}'",
                    hint=nearest(name, moderators) if moderators else "The model has no products.",
                )
        lists = [self._probed(name, named.get(name)) for name in moderators]
        return [dict(zip(moderators, values, strict=True)) for values in product(*lists)]

    def _probed(self, name: str, given: object) -> list[Value]:
        levels = self.levels(name)
        if given is None:
            return list(levels) if levels else probes(self.numbers(name))
        alone = isinstance(given, str | int | float | np.number)
        values: list[Any] = [given] if alone else list(given)  # type: ignore[call-overload]
        for value in values:
            if levels and value not in levels:
                raise SpecError(
                    f"'{value}' is no level of '{name}' that occurs", hint=nearest(str(value), levels)
                )
            if not levels and (isinstance(value, str | bool) or not np.isfinite(value)):
                raise SpecError(f"'{value}' is no value of the number '{name}'", hint="Give a number.")
        return list(values)

    def levels(self, name: str) -> tuple[str, ...]:
        """Levels that occur of a category, the reference first; nothing for a number or construct."""
        survey = self.result.survey
        if name not in survey.variables or survey.variable(name).kind != "category":
            return ()
        codes = survey.variables[name]
        return tuple(text for k, text in enumerate(survey.variable(name).levels) if (codes == k).any())

    def numbers(self, name: str) -> np.ndarray:
        """Observed values of a number; of a construct, quantiles of its distribution over the persons."""
        if name in self.result.survey.variables:
            values = np.asarray(self.result.survey.variables[name], dtype=float)
            return values[~np.isnan(values)]
        from scipy.stats import norm

        return float(self.sd(name).mean()) * norm.ppf(np.linspace(0.005, 0.995, 199))

    def at(self, setting: Mapping[str, Value]) -> dict[str, float]:
        """A setting as the value of every factor: 0 and 1 for the levels of a category."""
        out: dict[str, float] = {}
        for name, value in setting.items():
            if isinstance(value, str):
                out |= {factor: float(factor == f"{name}[{value}]") for factor in self._level_names(name)}
            else:
                out[name] = float(value)
        return out

    def _level_names(self, name: str) -> tuple[str, ...]:
        return (name,) if name in self.layout.nodes else self.factors(name)


def probes(values: np.ndarray) -> list[Value]:
    """Values at which a number is probed: all of at most two, else the 16th, 50th and 84th percentile."""
    distinct = np.unique(values)
    if distinct.size <= 2:
        return [float(v) for v in distinct]
    return sorted({float(v) for v in np.percentile(values, PROBED)})
