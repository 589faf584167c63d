"""Natural and controlled effects by simulation under do(): for interactions and logistic outcomes.

With Y(x, M(x')) the outcome under exposure x and the mediators as they would be under x', and expectations
over the persons' covariates and the residuals:

    natural direct     E Y(x1, M(x0)) - E Y(x0, M(x0))
    natural indirect   E Y(x1, M(x1)) - E Y(x1, M(x0))
    total              their sum, E Y(x1, M(x1)) - E Y(x0, M(x0))
    controlled direct  E Y(x1, m) - E Y(x0, m)

(Pearl, 2001, arXiv:1301.2300; Imai, Keele & Tingley, 2010, doi:10.1037/a0020761; VanderWeele, 2015, ISBN
9780199325870). Covariates are averaged over the persons of the data with Dirichlet weights, a new set in
every draw (the Bayesian bootstrap; Rubin, 1981, doi:10.1214/aos/1176345338). In a linear model without
interaction the natural indirect effect is the sum of the products of paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.observed.base import has_categories
from medpsy.ops import Numpy
from medpsy.posterior.conditional import numbers
from medpsy.posterior.draws import thinned
from medpsy.posterior.intervals import check_interval
from medpsy.posterior.pathways import Pathways, Value
from medpsy.result import Result


def natural(
    result: Result,
    *,
    low: Value | None = None,
    high: Value | None = None,
    mediators_at: Mapping[str, float] | None = None,
    at: Mapping[str, Value] | None = None,
    exposure: str | None = None,
    outcome: str | None = None,
    category: Value | None = None,
    interval: float = 0.95, draws: int = 500, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Natural direct and indirect, total and controlled direct effects.

    Parameters
    ----------
    result : Result
    low, high : float or str, optional
        Values of the exposure that are compared: for a number its mean and one unit more unless given, for a
        category its first and last level, for a construct 0 and 1 (residual sd).
    mediators_at : mapping of str to float, optional
        Value of every mediator for the controlled direct effect; their means (constructs, binary: 0; ordinal:
        the median) unless given.
    at : mapping of str to float or str, optional
        Covariates and moderators that everybody is given this value of, instead of averaging over them.
    exposure, outcome : str, optional
        Those of the mediation unless given.
    category : float or str, optional
        Of an ordinal outcome: the category (label or value) whose probability is compared, not the score.
    interval : float
    draws : int
        Posterior draws used, at even distances.
    seed : int

    Returns
    -------
    DataFrame
        effect, mean, median, sd, lower, upper, p_direction: differences of expected outcomes in the outcome's
        own units, of probabilities where it is binary, of expected counts, of expected scores (categories at
        distance 1) or of probabilities of a ``category`` where it is ordinal.
        ``attrs``: low, high, scale, category.

    Raises
    ------
    SpecError
        No mediation, an unknown value or category, a mediator that is none.
    """
    _refuse_levels(result)
    check_interval(interval)
    means, about = expected_outcomes(
        result, low=low, high=high, mediators_at=mediators_at, at=at, exposure=exposure, outcome=outcome,
        category=category, draws=draws, seed=seed,
    )  # fmt: skip
    found = {
        "natural direct": means["10"] - means["00"], "natural indirect": means["11"] - means["10"],
        "total": means["11"] - means["00"], "controlled direct": means["1m"] - means["0m"],
    }  # fmt: skip
    frame = pd.DataFrame([{"effect": name} | numbers(made, interval, "eti") for name, made in found.items()])
    frame.attrs |= about | {"interval": float(interval)}
    return frame


def _refuse_levels(result: Result) -> None:
    clusters = result.model.spec.clusters
    if clusters is not None and (clusters.between or clusters.random):
        raise SpecError(
            "paths differ between clusters or between levels: no single intervention is natural to all",
            hint="The averages over clusters, within and between them, stand in effects().",
        )


def expected_outcomes(
    result: Result,
    *,
    low: Value | None = None,
    high: Value | None = None,
    mediators_at: Mapping[str, float] | None = None,
    at: Mapping[str, Value] | None = None,
    exposure: str | None = None,
    outcome: str | None = None,
    category: Value | None = None,
    draws: int = 500,
    seed: int = 0,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Expected outcomes (draw,) in every world, parameters as in :func:`natural`.

    Returns
    -------
    means : dict
        ``"10"`` is E Y(x1, M(x0)), ``"1m"`` E Y(x1, m), and so on.
    about : dict
        exposure, outcome, low, high, scale, category, mediators_at.
    """
    worlds = _Worlds(result, draws, seed)
    for name, value in (at or {}).items():
        if name in worlds.layout.nodes:
            raise SpecError(
                f"'{name}' is explained by the model and cannot be set", hint="Set covariates only."
            )
        worlds.given |= worlds.set(name, value)
    x, y = worlds.ends(exposure, outcome)
    values = worlds.exposure_values(x, low, high)
    between = worlds.between(x, y)
    held = worlds.mediator_values(between, mediators_at)
    family = worlds.layout.observed[worlds.layout.nodes.index(y)]
    scale = "difference" if family is None else family.scale
    if category is not None:
        worlds.category, scale = worlds.place(y, category), "probability"
    about = {
        "exposure": x, "outcome": y, "low": values[0], "high": values[1], "mediators_at": dict(held),
        "scale": scale, "category": category,
    }  # fmt: skip
    return worlds.means(x, y, between, values, held), about


class _Worlds:
    """The equations of one fit, evaluated person by person under interventions."""

    def __init__(self, result: Result, draws: int, seed: int) -> None:
        self.result, self.data, self.layout = result, result.data, result.data.layout
        self.values = thinned(result, draws)
        self.along = Pathways(result, self.values)
        self.rng = np.random.default_rng(seed)
        self.size = len(next(iter(self.values.values())))
        self.terms = [self.layout.factors_of(c) for c in self.layout.coefficients]
        structure = self.result.model.structure
        self.internal = structure.coefficients(self.values, self.layout, Numpy)
        eq = structure.equations(self.values, self.layout, Numpy)
        # What no path carries: intercepts, and residuals with their correlations (of a saturated structure
        # the residuals are those that its paths leave over).
        self.intercept = np.broadcast_to(eq.g[..., 0], (self.size, len(self.layout.nodes)))
        spread = eq.d[..., :, None] * eq.z
        if structure.name == "correlated":
            diagonal = np.diagonal(spread, axis1=-2, axis2=-1)
            spread = diagonal[..., :, None] * np.eye(len(self.layout.nodes))
        self.spread = np.broadcast_to(spread, (self.size, *spread.shape[-2:]))
        self.given = {c.name: self.data.design[:, i + 1] for i, c in enumerate(self.layout.columns)}
        self.offset = self._offsets()
        #: Place of the category of the outcome that is asked about; None for expected values.
        self.category: int | None = None

    def ends(self, exposure: str | None, outcome: str | None) -> tuple[str, str]:
        design = self.result.model.spec.design
        if design is None and (exposure is None or outcome is None):
            raise SpecError("the model is no recognised mediation", hint="Name exposure= and outcome=.")
        x = exposure or design.exposure  # type: ignore[union-attr]
        y = outcome or design.outcome  # type: ignore[union-attr]
        if not any(len(way.stations) > 2 for way in self.along.ways(x, y)):
            raise SpecError(f"no mediator stands between '{x}' and '{y}'", hint="Look at the path diagram.")
        return x, y

    def place(self, y: str, category: Value) -> int:
        """Place of a category of the outcome, given by its label or its value."""
        node = self.layout.nodes.index(y)
        labels = self.layout.categories[node] if self.layout.categories else ()
        if not labels:
            raise SpecError(f"'{y}' has no categories in order", hint="Leave category out.")
        if isinstance(category, str) and category in labels:
            return labels.index(category)
        place = -1.0 if isinstance(category, str) else float(category) - float(self.layout.centre[node])
        if place not in range(len(labels)):
            raise SpecError(f"'{category}' is no category of '{y}'", hint=f"It has {', '.join(labels)}.")
        return int(place)

    def exposure_values(self, x: str, low: Value | None, high: Value | None) -> tuple[Value, Value]:
        levels = self.along.levels(x)
        if x in self.layout.nodes:
            latent = self.layout.families[self.layout.nodes.index(x)] == "latent"
            middle: Value = 0.0 if latent else float(self.layout.centre[self.layout.nodes.index(x)])
        else:
            numbers = self.along.numbers(x)
            middle = float(numbers.mean()) if np.unique(numbers).size > 2 else float(numbers.min())
        start: Value = (levels[0] if levels else middle) if low is None else low
        step = 1.0 if not levels and np.unique(self.along.numbers(x)).size != 2 else None
        if high is None:
            other = float(self.along.numbers(x).max()) if not levels else 0.0
            end: Value = levels[-1] if levels else (float(start) + step if step else other)
        else:
            end = high
        self.along.settings((x,), {x: [start, end]})  # refuses what is no value
        return start, end

    def between(self, x: str, y: str) -> tuple[str, ...]:
        """Nodes on a chain from exposure to outcome, in causal order."""
        on = {name for way in self.along.ways(x, y) for name in way.stations[1:-1]}
        return tuple(name for name in self.layout.nodes if name in on)

    def mediator_values(
        self, between: tuple[str, ...], given: Mapping[str, float] | None
    ) -> dict[str, float]:
        for name in given or {}:
            if name not in between:
                raise SpecError(f"'{name}' is no mediator here", hint=f"Mediators: {', '.join(between)}.")
        centre = dict(zip(self.layout.nodes, self.layout.centre, strict=True))
        for i, family in enumerate(self.layout.observed):
            if family is None or family.standardised or family.scale == "probability":
                continue
            middle = np.nanmedian if has_categories(family) else np.nanmean
            centre[self.layout.nodes[i]] += float(middle(self.data.observed[:, i]))
        return {name: float((given or {}).get(name, centre[name])) for name in between}

    def means(
        self, x: str, y: str, between: tuple[str, ...], values: tuple[Value, Value], held: Mapping[str, float]
    ) -> dict[str, np.ndarray]:
        """Expected outcomes in every world, draw by draw."""
        n = self.data.n_person
        out: dict[str, list[float]] = {"00": [], "10": [], "11": [], "0m": [], "1m": []}
        fixed = {name: self._inner(name, value) for name, value in held.items()}
        for draw in range(self.size):
            weight = self.rng.dirichlet(np.ones(n))
            noise = self._noise(draw)
            zero, one = (self.set(x, value) for value in values)
            m0 = self._run(draw, zero, noise, {})
            m1 = self._run(draw, one, noise, {})
            under = [{name: m[name] for name in between} for m in (m0, m1)]
            e00, e11 = (weight @ self._expected(draw, m, y, noise) for m in (m0, m1))
            e10 = weight @ self._expected(draw, self._run(draw, one, noise, under[0]), y, noise)
            flat = {name: np.full(n, value) for name, value in fixed.items()}
            cde = [
                weight @ self._expected(draw, self._run(draw, world, noise, flat), y, noise)
                for world in (zero, one)
            ]
            for name, value in zip(out, (e00, e10, e11, *cde), strict=True):
                out[name].append(float(value))
        return {name: np.array(made) for name, made in out.items()}

    def _noise(self, draw: int) -> np.ndarray:
        """What chance adds to every node (person, node): residuals, or uniform numbers for the quantiles."""
        shape = (self.data.n_person, len(self.layout.nodes))
        noise = self.rng.standard_normal(shape) @ self.spread[draw].T
        apart = np.array([one is not None and not one.normal for one in self.layout.observed])
        noise[:, apart] = self.rng.random((shape[0], int(apart.sum())))
        return noise

    def _own(self, draw: int, node: int) -> dict[str, np.ndarray]:
        return {name: value[draw] for name, value in self.layout.own(node, self.values).items()}

    def set(self, x: str, value: Value) -> dict[str, np.ndarray]:
        """The factors of a variable under an intervention, internal scale."""
        n = self.data.n_person
        if x in self.layout.nodes:
            return {x: np.full(n, self._inner(x, float(value)))}
        columns = {c.name: c for c in self.layout.columns}
        raw = self.along.at({x: value})
        return {name: np.full(n, (v - columns[name].centre) / columns[name].unit) for name, v in raw.items()}

    def _inner(self, name: str, value: float) -> float:
        i = self.layout.nodes.index(name)
        return (value - float(self.layout.centre[i])) / float(self.layout.unit[i])

    def _run(
        self, draw: int, world: Mapping[str, np.ndarray], noise: np.ndarray, held: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Values of all factors: those set by the world or held, the others from their equations."""
        value: dict[str, np.ndarray] = {**self.given, **world}
        for node, name in enumerate(self.layout.nodes):
            if name in held:
                value[name] = held[name]
            elif name not in world:
                linear, family = self._linear(draw, value, node), self.layout.observed[node]
                if family is None or family.normal:
                    value[name] = linear + noise[:, node]
                else:
                    value[name] = family.quantile(noise[:, node], linear, self._own(draw, node))
        return value

    def _linear(self, draw: int, value: Mapping[str, np.ndarray], node: int) -> np.ndarray:
        total = np.full(self.data.n_person, self.intercept[draw, node])
        for i, (c, terms) in enumerate(zip(self.layout.coefficients, self.terms, strict=True)):
            if c.target == node:
                product: Any = np.prod([value[t] for t in terms], axis=0)
                total = total + self.internal[draw, i] * (product - self.offset[i])
        return total

    def _expected(self, draw: int, value: Mapping[str, np.ndarray], y: str, noise: np.ndarray) -> np.ndarray:
        """Expected outcome of every person in its own units: a mean, a probability, a count, a score."""
        node = self.layout.nodes.index(y)
        expected, family = self._linear(draw, value, node), self.layout.observed[node]
        if self.category is not None:
            chances: Any = family
            return np.asarray(chances.probabilities(expected, self._own(draw, node))[..., self.category])
        if family is not None:
            expected = family.mean(expected, self._own(draw, node))
        return self.layout.centre[node] + self.layout.unit[node] * expected

    def _offsets(self) -> list[float]:
        """Means that product columns were centred with, internal scale."""
        observed = {
            name: self.data.observed[:, i]
            for i, name in enumerate(self.layout.nodes)
            if self.layout.families[i] != "latent"
        }
        known = self.given | observed
        out = []
        for c, terms in zip(self.layout.coefficients, self.terms, strict=True):
            centred = c.from_column and len(terms) > 1
            out.append(float(np.nanmean(np.prod([known[t] for t in terms], axis=0))) if centred else 0.0)
        return out
