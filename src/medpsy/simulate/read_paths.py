"""The structural part of a truth: coefficients by label or name, and residual correlations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from medpsy.errors import nearest
from medpsy.model import ComposedModel
from medpsy.simulate.read_items import real
from medpsy.simulate.truth import Term
from medpsy.spec.model_spec import Path
from medpsy.spec.pooled import Pooled
from medpsy.spec.toml_table import TomlTable


def read_terms(
    table: TomlTable, model: ComposedModel, levels: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[Term, ...]]:
    """Terms of every node from ``[truth.paths]``; what is not named is 0.

    Parameters
    ----------
    table : TomlTable
        Coefficients by label, ``target~source`` or ``target~source[level]``; of pooled levels the effect of
        every level.
    model : ComposedModel
        Whose paths.
    levels : mapping
        Levels of every categorical variable, the reference first.

    Raises
    ------
    SpecError
        A name that is no coefficient, a reference level, one coefficient twice.
    """
    pooled = [term for one in model.spec.pooled for term in _of_levels(one, levels)]
    by_name = read_coefficients(table, model.spec.paths, model, levels, pooled)
    return {node: tuple(t for t in by_name.values() if t.target == node) for node in model.sketch.nodes}


def read_coefficients(
    table: TomlTable,
    paths: tuple[Path, ...],
    model: ComposedModel,
    levels: Mapping[str, tuple[str, ...]],
    others: Sequence[Term] = (),
) -> dict[str, Term]:
    """Terms of paths by name, with what a table says of them by label or name; others are 0.

    Raises
    ------
    SpecError
        As :func:`read_terms`.
    """
    terms = [term for path in paths for term in _expand(path, model, levels)]
    terms += others
    by_name = {term.name: term for term in terms}
    names = {term.name: [term.name] for term in terms}
    for path in paths:
        own = [term.name for term in _expand(path, model, levels)]
        names |= {path.key: own} | ({path.label: own} if path.label else {})
    given: dict[str, str] = {}
    for key in table.values:
        name = _resolve(table, key, names, levels)
        if name in given:
            raise table.fail(f"'{given[name]}' and '{key}' are the same coefficient", "Remove one.", key)
        given[name] = key
        by_name[name] = replace(by_name[name], coefficient=real(table, key))
    return by_name


def _expand(path: Path, model: ComposedModel, levels: Mapping[str, tuple[str, ...]]) -> list[Term]:
    """One term, or one per level but the first of a category (and per combination, of a product)."""
    factors = []
    for name in path.variables:
        plain = name in model.sketch.nodes or name not in levels
        own = [(name, None)] if plain else [(f"{name}[{t}]", k) for k, t in enumerate(levels[name])][1:]
        factors.append([(text, name, level) for text, level in own])
    every = list(product(*factors))
    label = path.label if len(every) == 1 else None
    return [
        Term(
            f"{path.target}~{':'.join(text for text, *_ in parts)}", path.target, path.source, parts[0][2],
            0.0, label, tuple((name, level) for _, name, level in parts[1:]),
        )
        for parts in every
    ]  # fmt: skip


def _of_levels(one: Pooled, levels: Mapping[str, tuple[str, ...]]) -> list[Term]:
    """One term for every pooled level; none for a variable whose levels are numbers."""
    return [
        Term(f"{one.key}[{text}]", one.target, one.variable, k, 0.0)
        for k, text in enumerate(levels.get(one.variable, ()))
    ]


def _resolve(
    table: TomlTable, key: str, names: Mapping[str, list[str]], levels: Mapping[str, tuple[str, ...]]
) -> str:
    found = names.get(key, [])
    if len(found) == 1:
        return found[0]
    if found:
        raise table.fail(
            f"'{key}' stands for {len(found)} coefficients", f"Name one: {', '.join(found)}.", key
        )
    source, bracket, level = key.partition("~")[2].partition("[")
    if bracket and source in levels and level == f"{levels[source][0]}]":
        raise table.fail(
            f"'{key}': '{levels[source][0]}' is the reference level of '{source}'",
            "The other levels are compared with it; name one of them.",
            key,
        )
    raise table.fail(f"the model has no path '{key}'", nearest(key, names), key)


def read_correlations(table: TomlTable, model: ComposedModel) -> np.ndarray:
    """Correlations of the residuals (node, node) from ``[truth.correlations]``.

    Exogenous constructs may correlate, and constructs for which the model declares a residual covariance.

    Raises
    ------
    SpecError
        A pair that is not free, a number outside (-1, 1), correlations that contradict each other.
    """
    nodes = model.sketch.nodes
    explained = {path.target for path in model.spec.paths if path.source in nodes}
    outside = [c.name for c in model.constructs if c.name not in explained]
    free = [frozenset((u, v)) for u in outside for v in outside if u != v]
    free += [frozenset((c.left, c.right)) for c in model.spec.covariances]
    pairs = {f"{u}~~{v}": (u, v) for u in nodes for v in nodes if frozenset((u, v)) in free and u != v}
    matrix = np.eye(len(nodes))
    for key in table.values:
        pair = "~~".join(part.strip() for part in key.split("~~"))
        if pair not in pairs:
            hint = nearest(pair, pairs) if pairs else "No two constructs of this model are exogenous."
            raise table.fail(f"'{key}' is no free correlation: exogenous constructs have one", hint, key)
        i, j = (nodes.index(name) for name in pairs[pair])
        if matrix[i, j] != 0:
            raise table.fail(f"the correlation '{key}' is given twice", "Remove one of the two.", key)
        matrix[i, j] = matrix[j, i] = table.number(key, -1, 1, open_ends=True)
    if np.linalg.eigvalsh(matrix).min() < 1e-9:
        raise table.fail(
            "no persons can have these correlations: they contradict each other",
            "Make the strongest of them weaker.",
        )
    return matrix
