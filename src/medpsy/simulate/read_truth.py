"""From a ``[truth]`` table to a :class:`~medpsy.simulate.truth.Truth`, every key checked.

::

    [truth]
    n_person = 321
    seed = 20250321
    note = "simulated stand-in"                          # the model's note unless given
    [truth.variables.gender]
    counts = { man = 115, woman = 206 }                   # or shares = {...}, or mean, sd, low, high
    [truth.paths]
    a = 0.45                                              # a label, or target~source, or with [level]
    "meaning~gender[woman]" = 0.2                         # what is not named is 0
    [truth.correlations]
    "f1~~f2" = 0.3                                        # exogenous constructs
    [truth.observed.y]
    mean = 50                                             # and sd; what else its family has
    [truth.items.meaning]
    slope = 1.8                                           # or a list, or a table by item
    mean = [3.8, 3.9]                                     # as printed; or category_prob = [[...], ...]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medpsy.errors import SpecError, nearest
from medpsy.families.composite import Composite
from medpsy.families.explained import Explained
from medpsy.model import ComposedModel
from medpsy.observed.base import ObservedFamily, Solved
from medpsy.simulate.clusters import read_clusters
from medpsy.simulate.margins import blurred, combine
from medpsy.simulate.read_explained import read_explained
from medpsy.simulate.read_items import Scores, read_items
from medpsy.simulate.read_linear import read_linear
from medpsy.simulate.read_nested import read_nested
from medpsy.simulate.read_paths import read_correlations, read_terms
from medpsy.simulate.read_variables import check_variable, observed_numbers, read_spread
from medpsy.simulate.spread import Spread
from medpsy.simulate.truth import Equation, Term, Truth
from medpsy.spec.toml_table import TomlTable
from medpsy.spec.toml_text import TomlText
from medpsy.survey.instrument import Instrument

_TOP = ("n_person", "seed", "note", "variables", "paths", "correlations", "observed", "items", "clusters")
_LINEAR = ("n_person", "seed", "note", "variables", "paths", "variances", "covariances", "means", "items")


def read_truth(
    model: ComposedModel, instrument: Instrument, mapping: Mapping[str, Any], source: TomlText | None = None
) -> Truth:
    """Read and solve a truth.

    Residual variances follow: each construct (and each explained number, z-scored) has variance 1 given the
    covariates. Thresholds follow: with the slopes and the distribution of the scores, expected shares of
    answers are those asked for.

    Parameters
    ----------
    model : ComposedModel
        What is simulated.
    instrument : Instrument
        How answers are printed.
    mapping : mapping
        The table ``[truth]`` of a model file.
    source : TomlText, optional
        The file, so that errors name their line (``ModelFile.source``).

    Returns
    -------
    Truth

    Raises
    ------
    SpecError
        An unknown key or name, a number missing or impossible, paths that explain all of a variance,
        correlations that no persons can have.
    """
    top = TomlTable(mapping, source or TomlText("", ""), ("truth",))
    try:
        return _read(top, model, instrument)
    except SpecError as error:
        if source is not None:
            raise
        raise SpecError(error.message, hint=error.hint, path=None) from None


def _read(top: TomlTable, model: ComposedModel, instrument: Instrument) -> Truth:
    linear = model.spec.linear is not None
    top.only(_LINEAR if linear else _TOP)
    if "n_person" not in top.values:
        raise top.fail("[truth] has no n_person", "Write n_person = 300, the number of persons.")
    n_person = top.whole("n_person", 1)
    variables = _variables(top.table("variables"), model, instrument, n_person)
    levels = {v.name: v.levels for v in instrument.variables if v.kind == "category"}
    seed = top.whole("seed", 0) if "seed" in top.values else 0
    note = _note(top.text("note") or model.spec.note, model.spec.name)
    if linear:
        equations, correlation = read_linear(top, model, variables, levels)
        items = _occasion_items(top.table("items"), model, instrument)
        return Truth(n_person, seed, note, variables, equations, correlation, items)
    terms = read_terms(top.table("paths"), model, levels)
    correlation = read_correlations(top.table("correlations"), model)
    equations, scores = _solve(top, model, instrument, variables, terms, correlation)
    tables = top.table("items")
    names = [construct.name for construct in model.constructs]
    _known(tables, names, "is no construct of the model")
    items = {}
    for construct in model.constructs:
        if construct.name not in tables.values:
            raise tables.fail(
                f"the items of '{construct.name}' have no truth", f"Write [truth.items.{construct.name}]."
            )
        family = model.families[construct.name]
        own, score = tables.table(construct.name), scores[construct.name]
        if isinstance(family, Explained):
            items[construct.name] = read_explained(own, construct, family, instrument)
        elif isinstance(family, Composite):
            items[construct.name] = read_nested(own, construct, family, instrument, score)
        else:
            items[construct.name] = read_items(own, construct, family, instrument, score)
    clusters = read_clusters(top.table("clusters"), model, levels)
    return Truth(n_person, seed, note, variables, equations, correlation, items, clusters=clusters)


def _occasion_items(
    tables: TomlTable, model: ComposedModel, instrument: Instrument
) -> dict[str, dict[str, np.ndarray]]:
    """Item parameters of the constructs of a linear model; later occasions may have those of the first."""
    _known(tables, [c.name for c in model.constructs], "is no construct of the model")
    scores = blurred(np.zeros(1), np.ones(1), 1.0)
    items: dict[str, dict[str, np.ndarray]] = {}
    later = {c.name: model.spec.same_as(c.name) for c in model.constructs}
    for construct in sorted(model.constructs, key=lambda c: later[c.name] is not None):
        same = later[construct.name]
        if construct.name in tables.values:
            own = tables.table(construct.name)
            items[construct.name] = read_items(
                own, construct, model.families[construct.name], instrument, scores
            )
        elif same is not None:
            items[construct.name] = items[same.other]
        else:
            raise tables.fail(
                f"the items of '{construct.name}' have no truth", f"Write [truth.items.{construct.name}]."
            )
    return items


def _note(text: str, name: str) -> str:
    """The sentence about the answers; it always says that they are simulated."""
    if not text:
        return f"simulated from the truth of model '{name}', not collected from persons"
    return text if "simulated" in text.casefold() else f"simulated, not collected from persons; {text}"


def _known(table: TomlTable, names: list[str], reason: str) -> None:
    for key in table.values:
        if key not in names:
            raise table.fail(f"[{'.'.join(table.keys)}]: '{key}' {reason}", nearest(key, names), key)


def _variables(
    table: TomlTable, model: ComposedModel, instrument: Instrument, n_person: int
) -> dict[str, Spread]:
    made_otherwise = {*model.sketch.nodes, *(item for c in model.constructs for item in c.items)}
    declared = {v.name: v for v in instrument.variables if v.name not in made_otherwise}
    _known(table, list(declared), "is no variable of the instrument that the model leaves unexplained")
    spreads = {name: read_spread(table.table(name), declared[name], n_person) for name in table.values}
    for name in model.covariates:
        if name not in declared:
            raise table.fail(
                f"'{name}' explains others but is no variable of the instrument", nearest(name, declared)
            )
        if name not in spreads:
            raise table.fail(
                f"covariate '{name}' has no distribution", f"Write [truth.variables.{name}] with its counts."
            )
        check_variable(table, spreads[name], name)
    return spreads


def _solve(
    top: TomlTable,
    model: ComposedModel,
    instrument: Instrument,
    variables: dict[str, Spread],
    terms: dict[str, tuple[Term, ...]],
    correlation: np.ndarray,
) -> tuple[tuple[Equation, ...], dict[str, Scores]]:
    """Residual sds and intercepts, and the distribution of every construct, node after node."""
    nodes = model.sketch.nodes
    observed = top.table("observed")
    families = dict(zip(nodes, model.sketch.families, strict=True))
    _known(observed, [n for n in nodes if families[n] != "latent"], "is no explained observed variable")
    chol = np.linalg.cholesky(correlation)
    normal: dict[str, np.ndarray] = {}
    outer: dict[str, dict[tuple[str, int | None], float]] = {}
    curved: dict[str, tuple[float, float]] = {}
    equations, scores = [], {}
    for row, node in zip(chol, nodes, strict=True):
        inner = np.zeros(len(nodes))
        own: dict[tuple[str, int | None], float] = {}
        mean = noise = 0.0
        for term in terms[node]:
            if term.by:  # met at the means of the moderators, where products are zero
                continue
            for column, weight in outer.get(term.source, {(term.source, term.level): 1.0}).items():
                own[column] = own.get(column, 0.0) + term.coefficient * weight
            inner = inner + term.coefficient * normal.get(term.source, np.zeros(len(nodes)))
            centre, variance = curved.get(term.source, (0.0, 0.0))
            mean, noise = mean + term.coefficient * centre, noise + term.coefficient**2 * variance
        points, mass = _shift(own, variables)
        family = model.sketch.observed[nodes.index(node)]
        solved, residual_sd = Solved({}), 0.0
        if family is not None:
            spread = blurred(points + mean, mass, float(np.sqrt(inner @ inner + noise)))
            solved = family.solve(observed_numbers(observed, node, family, instrument), *spread)
        if family is None or any(role.name == "residual_sd" for role in family.roles):
            residual_sd = _residual_sd(top, node, inner, row)
            inner = inner + residual_sd * row
            scores[node] = blurred(points, mass, 1.0)
        normal[node], outer[node] = inner, own
        if family is not None and not family.linear:
            slope, centre, variance = _straightened(family, solved, *spread)
            curved[node] = centre, variance
            normal[node] = slope * inner
            outer[node] = {column: slope * weight for column, weight in own.items()}
        equations.append(
            Equation(
                node, families[node], terms[node], residual_sd, solved.centre, solved.scale, solved.shift,
                {"residual_sd": residual_sd, **solved.own},
            )
        )  # fmt: skip
    return tuple(equations), scores


def _straightened(
    family: ObservedFamily, solved: Solved, points: np.ndarray, mass: np.ndarray
) -> tuple[float, float, float]:
    """Slope of the straight line of values on their linear predictor, their mean, and the variance around
    the line: what a binary variable or a count is worth to those that it explains."""
    eta, u = points + solved.shift, (np.arange(40) + 0.5) / 40
    values = np.stack([family.quantile(np.full(eta.shape, one), eta, solved.own) for one in u])
    expected = values.mean(axis=0)
    centre = float(mass @ expected)
    off = eta - mass @ eta
    variance = float(mass @ off**2)
    slope = float(mass @ (off * expected)) / variance if variance > 0 else 0.0
    whole = float(mass @ ((values - centre) ** 2).mean(axis=0))
    return slope, centre, max(whole - slope**2 * variance, 0.0)


def _shift(
    own: dict[tuple[str, int | None], float], variables: dict[str, Spread]
) -> tuple[np.ndarray, np.ndarray]:
    """Distribution of what the covariates add to one node."""
    parts = []
    for name in dict.fromkeys(name for name, _ in own):
        spread = variables[name]
        values = sum(
            weight * spread.standard(spread.values, level) for (n, level), weight in own.items() if n == name
        )
        parts.append((np.asarray(values), spread.mass))
    return combine(parts)


def _residual_sd(top: TomlTable, node: str, inner: np.ndarray, row: np.ndarray) -> float:
    """Residual sd that makes the variance of a node 1; its residual may correlate with what explains it."""
    explained, shared = float(inner @ inner), float(inner @ row)
    if explained >= 1 - 1e-9:
        raise top.table("paths").fail(
            f"the paths into '{node}' explain {explained:.0%} of its variance and leave nothing for the rest",
            "Make them smaller: every construct has variance 1 given the covariates.",
        )
    return float(-shared + np.sqrt(shared**2 + 1 - explained))
