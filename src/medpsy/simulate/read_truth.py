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
    mean = 50                                             # and sd; share for a binary variable
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
from medpsy.model import ComposedModel
from medpsy.simulate.margins import blurred, combine, solve_threshold
from medpsy.simulate.read_items import Scores, read_items, real
from medpsy.simulate.read_nested import read_nested
from medpsy.simulate.read_paths import read_correlations, read_terms
from medpsy.simulate.read_variables import check_variable, read_spread
from medpsy.simulate.spread import Spread
from medpsy.simulate.truth import Equation, Term, Truth
from medpsy.spec.toml_table import TomlTable
from medpsy.spec.toml_text import TomlText
from medpsy.survey.instrument import Instrument, Variable

_TOP = ("n_person", "seed", "note", "variables", "paths", "correlations", "observed", "items")


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
    top.only(_TOP)
    if "n_person" not in top.values:
        raise top.fail("[truth] has no n_person", "Write n_person = 300, the number of persons.")
    n_person = top.whole("n_person", 1)
    variables = _variables(top.table("variables"), model, instrument, n_person)
    levels = {v.name: v.levels for v in instrument.variables if v.kind == "category"}
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
        own = (tables.table(construct.name), construct, family, instrument, scores[construct.name])
        items[construct.name] = read_nested(*own) if isinstance(family, Composite) else read_items(*own)
    return Truth(
        n_person=n_person,
        seed=top.whole("seed", 0) if "seed" in top.values else 0,
        note=_note(top.text("note") or model.spec.note, model.spec.name),
        variables=variables,
        equations=equations,
        correlation=correlation,
        items=items,
    )


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
    equations, scores = [], {}
    for row, node in zip(chol, nodes, strict=True):
        inner = np.zeros(len(nodes))
        own: dict[tuple[str, int | None], float] = {}
        for term in terms[node]:
            if term.by:  # met at the means of the moderators, where products are zero
                continue
            for column, weight in outer.get(term.source, {(term.source, term.level): 1.0}).items():
                own[column] = own.get(column, 0.0) + term.coefficient * weight
            inner = inner + term.coefficient * normal.get(term.source, np.zeros(len(nodes)))
        points, mass = _shift(own, variables)
        if families[node] == "bernoulli":
            share = _share(observed.table(node), _declared(instrument, observed, node))
            spread = blurred(points, mass, float(np.sqrt(inner @ inner)))
            equation = Equation(node, "bernoulli", terms[node], 0.0, -solve_threshold(1.0, share, *spread))
        else:
            residual_sd = _residual_sd(top, node, inner, row)
            inner = inner + residual_sd * row
            scale = (0.0, 1.0)
            if families[node] == "gaussian":
                scale = _mean_sd(observed.table(node), _declared(instrument, observed, node))
            equation = Equation(node, families[node], terms[node], residual_sd, *scale)
            scores[node] = blurred(points, mass, 1.0)
        normal[node], outer[node] = inner, own
        equations.append(equation)
    return tuple(equations), scores


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


def _declared(instrument: Instrument, table: TomlTable, name: str) -> Variable:
    for variable in instrument.variables:
        if variable.name == name:
            return variable
    raise table.fail(
        f"'{name}' is no variable of the instrument", nearest(name, [v.name for v in instrument.variables])
    )


def _share(table: TomlTable, variable: Variable) -> float:
    """Share of ones of a binary variable."""
    table.only(("share",))
    if variable.kind == "category" and len(variable.levels) != 2:
        raise table.fail(
            f"binary '{variable.name}' has {len(variable.levels)} levels", "It needs exactly two levels."
        )
    return table.number("share", 0, 1, open_ends=True) if "share" in table.values else 0.5


def _mean_sd(table: TomlTable, variable: Variable) -> tuple[float, float]:
    """Mean of an explained number, and its sd given the covariates."""
    table.only(("mean", "sd"))
    if variable.kind == "category":
        raise table.fail(
            f"'{variable.name}' is a category and cannot be drawn as a number",
            "Give it the family 'bernoulli', or declare it as a number.",
        )
    mean = real(table, "mean") if "mean" in table.values else 0.0
    sd = real(table, "sd") if "sd" in table.values else 1.0
    if sd <= 0:
        raise table.fail(f"sd of '{variable.name}' is {sd:g}, not positive", "Write sd = 1.", "sd")
    return mean, sd
