"""What a likelihood engine is, and how one is chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from medpsy.bind import ModelData
from medpsy.dims import PERSON
from medpsy.errors import SpecError, nearest
from medpsy.registry import parts


@dataclass(frozen=True)
class Verdict:
    """Whether an engine takes a model, and why. Declining is not an error."""

    accepted: bool
    reason: str


class CompiledLikelihood(Protocol):
    """A log-likelihood with its gradient in machine code, for one model and one survey."""

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        ...

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        ...

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> CompiledLikelihood:
        """The same likelihood, its numerics fitted to where the posterior lies."""
        ...

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Difference from the log-likelihood on numerics twice as fine."""
        ...

    def describe(self) -> str:
        """Its numerics in words, for the provenance."""
        ...


class LikelihoodEngine(Protocol):
    """Decides what happens to the person scores.

    ``order`` is the place in the queue. ``unit`` says what one log-likelihood term is: ``"person"``
    (scores integrated out) or ``"person, scores given"``.
    """

    name: str
    order: int
    unit: str

    def accepts(self, data: ModelData) -> Verdict:
        """Yes, or no with the reason."""
        ...

    def person_normals(self, data: ModelData) -> int:
        """How many standard normals per person have to be sampled (0 if integrated out)."""
        ...

    def log_likelihood(self, data: ModelData, p: dict[str, Any], xp: Any, settings: Any) -> Any:
        """Log-likelihood of every person, shape (person,), at parameter values ``p``."""
        ...

    def settings(self, data: ModelData, size: int | None = None) -> Any:
        """What ``log_likelihood`` needs beyond the data (a grid of ``size`` nodes), or None."""
        ...

    def compiles(self, data: ModelData) -> Verdict:
        """Whether the compiled route is open for this model, and why not."""
        ...

    def compiled(self, data: ModelData, settings: Any) -> CompiledLikelihood:
        """The compiled route; only where ``compiles`` accepts."""
        ...


def engines() -> dict[str, LikelihoodEngine]:
    """All registered engines, in the order in which they are asked."""
    known = parts("medpsy.engines", "ENGINE")
    return dict(sorted(known.items(), key=lambda pair: pair[1].order))


def choose(
    data: ModelData, name: str = "auto", pymc: bool = False
) -> tuple[LikelihoodEngine, list[tuple[str, str]]]:
    """Ask the engines in turn, or the named one; for PyMC only those that a PyMC model can hold.

    Returns
    -------
    engine : LikelihoodEngine
    verdicts : list of (engine name, reason)
        Every answer heard, for the provenance.

    Raises
    ------
    SpecError
        The named engine does not exist or declines.
    """
    if data.method is not None:
        return _around_method(data, name, pymc)
    if data.groups is not None:
        from medpsy.engines.grouped import Grouped

        inner, verdicts = choose(data.groups.parts[0], name, pymc)
        return Grouped(inner), [(n, f"for each of {len(data.groups.parts)} groups: {r}") for n, r in verdicts]
    if data.layout.levels is not None and name in ("auto", "two_level"):
        two_level: Any = engines()["two_level"]
        if (verdict := two_level.accepts(data)).accepted:
            return two_level.bound(data), [(two_level.name, verdict.reason)]
    if data.cells is not None and (name != "conditional" or data.layout.levels is not None):
        from medpsy.engines.grouped import Grouped

        inner, verdicts = choose(data.cells.parts[0], name, pymc)
        if inner.name != "conditional" or data.layout.levels is not None:
            return Grouped(inner), [
                (n, f"for {len(data.cells.parts)} sets of paths: {r}") for n, r in verdicts
            ]
    known = engines()
    if data.layout.moderated.size and data.layout.at is None and name != "conditional":
        return _sampled(data, name)
    if name != "auto":
        if name not in known:
            raise SpecError(f"there is no engine '{name}'", hint=nearest(name, [*known, "auto"]))
        verdict = judged(known[name], data, pymc)
        if not verdict.accepted:
            raise SpecError(
                f"engine '{name}' cannot take this model: {verdict.reason}", hint="Use engine 'auto'."
            )
        return known[name], [(name, f"asked for; {verdict.reason}")]
    verdicts = []
    for engine in known.values():
        verdict = judged(engine, data, pymc)
        verdicts.append((engine.name, verdict.reason))
        if verdict.accepted:
            return engine, verdicts
    raise SpecError("no engine takes this model", hint="; ".join(f"{n}: {r}" for n, r in verdicts))


def _around_method(data: ModelData, name: str, pymc: bool) -> tuple[LikelihoodEngine, list[tuple[str, str]]]:
    """The grid of the constructs, inside a sum over a method factor."""
    from medpsy.engines.method import WithMethod

    plain, grid = replace(data, method=None), engines()["quadrature"]
    asked = grid.name if name == "auto" and judged(grid, plain).accepted else name
    inner, verdicts = choose(plain, asked, pymc)
    if inner.name != grid.name:
        raise SpecError(
            "a method factor beside ordinal items is for one to three constructs on a grid",
            hint="Leave out clusters and products, or take the answers as numbers.",
        )
    return WithMethod(inner), [(n, f"for each value of a method factor: {r}") for n, r in verdicts]


def _sampled(data: ModelData, name: str) -> tuple[LikelihoodEngine, list[tuple[str, str]]]:
    """The engine of models in which every person may have paths of their own: persons are sampled."""
    engine, _ = choose(data, "conditional")
    if name != "auto":
        raise SpecError(
            f"engine '{name}' cannot take this model: the paths of its constructs take too many values",
            hint="Use engine 'auto'.",
        )
    if data.cells is not None:
        return engine, choose(data.cells.parts[0])[1]
    return engine, [(engine.name, "paths of constructs change with many values: persons sampled")]


def judged(engine: LikelihoodEngine, data: ModelData, pymc: bool = False) -> Verdict:
    """What an engine says to a model; few can multiply constructs with each other."""
    if pymc and getattr(engine, "compiled_only", False):
        return Verdict(False, "compiled route only")
    if data.layout.products.size and not getattr(engine, "products", False):
        return Verdict(False, "constructs are multiplied with each other")
    return engine.accepts(data)


def without_integrated(data: ModelData, engine: LikelihoodEngine) -> ModelData:
    """The data without the parameters that the engine integrates out and draws afterwards."""
    gone = engine.integrated(data) if hasattr(engine, "integrated") else ()
    if not gone:
        return data
    return replace(data, parameters=tuple(q for q in data.parameters if q.name not in gone))


def terms_of(data: ModelData, engine: LikelihoodEngine) -> tuple[str, np.ndarray]:
    """Dimension and names of the log-likelihood terms: persons, or clusters."""
    if engine.name == "two_level" and data.layout.levels is not None:
        return "cluster", np.array(data.layout.levels.labels)
    return PERSON, data.person.astype(str)


def observed_patterns(data: ModelData) -> list[tuple[np.ndarray, np.ndarray]]:
    """Persons grouped by which Gaussian observed nodes they answered: (persons, nodes) pairs."""
    given = ~np.isnan(data.observed) & data.layout.normal
    patterns, which = np.unique(given, axis=0, return_inverse=True)
    which = which.ravel()
    return [(np.flatnonzero(which == i), np.flatnonzero(pattern)) for i, pattern in enumerate(patterns)]


def gaussian_given(
    data: ModelData, mean: Any, covariance: Any, persons: np.ndarray, nodes: np.ndarray, xp: Any
) -> tuple[Any, Any, Any]:
    """Constructs given the observed nodes of one pattern.

    Parameters
    ----------
    mean : array (node, design)
        M of the reduced form.
    covariance : array (node, node)
        L L'.

    Returns
    -------
    location : array (person, factor)
        Conditional means of the constructs.
    spread : array (factor, factor)
        Conditional covariance.
    term : array (person,) or float
        Log-density of the observed nodes themselves (z-scored units).
    """
    y = data.observed[persons][:, nodes]
    return normal_given(mean, covariance, data.layout.factors, nodes, y, data.design[persons], xp)


def normal_given(
    mean: Any,
    covariance: Any,
    constructs: np.ndarray,
    numbers: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    xp: Any,
) -> tuple[Any, Any, Any]:
    """The same for any variables with these moments: ``numbers`` have the values y at the design w."""
    design = xp.constant(w)
    location = design @ xp.swapaxes(mean[constructs], 0, 1)
    spread = covariance[constructs][:, constructs]
    if numbers.size == 0:
        return location, spread, 0.0
    chol, white, term = normal_density(mean[numbers], covariance[numbers][:, numbers], y, w, xp)
    gain = xp.solve(chol, covariance[numbers][:, constructs])
    return location + xp.swapaxes(white, 0, 1) @ gain, spread - xp.swapaxes(gain, 0, 1) @ gain, term


def normal_density(mean: Any, covariance: Any, y: np.ndarray, w: np.ndarray, xp: Any) -> tuple[Any, Any, Any]:
    """Of variables with these moments: Cholesky factor, whitened values (variable, person), log-density."""
    chol = xp.cholesky(covariance)
    off = xp.constant(y) - xp.constant(w) @ xp.swapaxes(mean, 0, 1)
    white = xp.solve(chol, xp.swapaxes(off, 0, 1))
    term = (
        -0.5 * xp.sum(white**2, axis=0)
        - xp.sum(xp.log(xp.diagonal(chol)), axis=-1)
        - 0.5 * y.shape[1] * np.log(2 * np.pi)
    )
    return chol, white, term
