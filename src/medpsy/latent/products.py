"""Products of variables as columns of the design, and the way back to the units of the variables.

Factors enter centred: ``y ~ x + w + x:w`` is fitted as y = i + b1 x' + b2 w' + b3 x' w' with x' and w' the
z-scored (or centred) values, and reported in raw units, where b1 is the effect of x at w = 0 (Aiken & West,
1991, ISBN 9780803936058). A product that holds an explained observed variable may stand in the design as
well: it enters equations below that variable only, whose density is conditional on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, product

import numpy as np

from medpsy.errors import DataError, SpecError
from medpsy.latent.base import Column, Layout
from medpsy.spec.model_spec import Path


def product_columns(
    paths: Iterable[Path],
    columns: tuple[Column, ...],
    values: np.ndarray,
    observed: Mapping[str, tuple[np.ndarray, float, float]],
    latent: Iterable[str],
) -> tuple[tuple[Column, ...], np.ndarray]:
    """Columns of all products of observed variables.

    Parameters
    ----------
    paths : iterable of Path
    columns, values : tuple of Column, ndarray (person, 1 + column)
        Those of the covariates, the constant in front.
    observed : mapping
        Explained observed variables: z-scored values (person,), centre and unit.
    latent : iterable of str
        Constructs; products with one have no column.

    Returns
    -------
    columns : tuple of Column
        One per product and combination of levels, in order of first mention.
    values : ndarray, shape (person, product)
        Products of the internal values, centred; NaN where a factor is missing.

    Raises
    ------
    DataError
        A product that has one value throughout.
    """
    known = {c.name: (values[:, i + 1], c.centre, c.unit) for i, c in enumerate(columns)} | dict(observed)
    held = set(latent)
    made: dict[frozenset[str], Column] = {}
    out: list[np.ndarray] = []
    for path in paths:
        if not path.by or held & set(path.variables):
            continue
        levels = [[c.name for c in columns if c.variable == v] or [v] for v in path.variables]
        for names in product(*levels):
            if frozenset(names) in made:
                continue
            parts = [known[name] for name in names]
            inner = np.prod([value for value, _, _ in parts], axis=0)
            raw = np.prod([value * unit + centre for value, centre, unit in parts], axis=0)
            if np.nanmax(raw) == np.nanmin(raw):
                raise DataError(
                    f"the product '{':'.join(names)}' has the same value for everybody",
                    hint="Its factors never occur together: leave the product out.",
                )
            unit = float(np.prod([unit for _, _, unit in parts]))
            centre = float(np.nanmean(raw))
            made[frozenset(names)] = Column(":".join(names), path.term, centre, unit, names)
            out.append(inner - np.nanmean(inner))
    return tuple(made.values()), np.column_stack(out) if out else np.empty((len(values), 0))


def multipliers(layout: Layout) -> tuple[int, ...]:
    """Constructs at whose values all products of constructs with other nodes are linear in the others."""
    terms = [layout.coefficients[i] for i in layout.products]
    return cover([(c.source, *c.times) for c in terms], set(map(int, layout.factors)))


def cover(products: list[tuple[int, ...]], latent: set[int]) -> tuple[int, ...]:
    """The smallest set of constructs that leaves at most one factor of every product outside.

    Of several the one that is in most products, then the first in the order of the nodes.
    """
    involved = sorted({f for factors in products for f in factors} & latent)
    for size in range(1, len(involved) + 1):
        fitting = [
            chosen for chosen in combinations(involved, size)
            if all(len(set(factors) - set(chosen)) <= 1 for factors in products)
        ]  # fmt: skip
        if fitting:
            uses = {f: sum(f in factors for factors in products) for f in involved}
            return max(fitting, key=lambda chosen: (sum(uses[f] for f in chosen), [-f for f in chosen]))
    return ()


def refreshed(layout: Layout, design: np.ndarray, observed: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The design (person, 1 + column) with products of explained variables made of new ``values``.

    Parameters
    ----------
    design, observed : ndarray
        As the model was bound: centred products keep what they were centred at.
    values : ndarray, shape (person, node)
        New values of the nodes, internal scale.
    """
    place = {name: i for i, name in enumerate(layout.nodes)}
    at = {column.name: i + 1 for i, column in enumerate(layout.columns)}
    out = design
    for i, column in enumerate(layout.columns):
        inside = [place[name] for name in column.factors if name in place]
        if inside:
            others = np.prod([design[:, at[name]] for name in column.factors if name in at], axis=0)
            centre = np.nanmean(others * observed[:, inside].prod(axis=1))
            out = out.copy() if out is design else out
            out[:, i + 1] = others * values[:, inside].prod(axis=1) - centre
    return out


def raw_map(layout: Layout) -> np.ndarray:
    """Matrix that takes the coefficients from the internal scale to raw units (coefficient, coefficient).

    A product of centred factors is a sum over all ways to leave factors out: the coefficient of x'w' adds
    -mean(w) times itself to that of x.
    """
    place = {(c.target, frozenset(layout.factors_of(c))): i for i, c in enumerate(layout.coefficients)}
    scale = dict(zip(layout.nodes, zip(layout.centre, layout.unit, strict=True), strict=True))
    scale |= {column.name: (column.centre, column.unit) for column in layout.columns}
    out = np.zeros((len(layout.coefficients),) * 2)
    for k, c in enumerate(layout.coefficients):
        names = layout.factors_of(c)
        ratio = layout.unit[c.target] / np.prod([scale[name][1] for name in names])
        for kept in _subsets(names):
            left = [-scale[name][0] for name in names if name not in kept]
            out[place[c.target, frozenset(kept)], k] += ratio * np.prod(left)
        if c.by is not None:
            # The product of its moderators was centred; the source multiplies what is left.
            off = product_mean(layout, c.by) * layout.unit[c.target] / layout.unit[c.source]
            out[place[c.target, frozenset(names[:1])], k] -= off
    return out


def product_mean(layout: Layout, column: int) -> float:
    """Mean over the persons of what a product column multiplies, before it was centred; 0 of others.

    All factors have mean 0, so that it is the covariance of one of them with the (product of the) others.
    """
    names = layout.columns[column - 1].factors
    place = {frozenset(c.factors or (c.name,)): i + 1 for i, c in enumerate(layout.columns)}
    if len(names) < 2:
        return 0.0
    return float(layout.covariance[place[frozenset(names[:1])], place[frozenset(names[1:])]])


def _subsets(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for size in range(1, len(names) + 1):
        yield from combinations(names, size)


def level_names(layout: Layout) -> dict[str, tuple[str, ...]]:
    """Columns that the coefficients of each label stand for: none unless a category has several levels.

    Raises
    ------
    SpecError
        One label on a product of two variables with several levels each.
    """
    by_label: dict[str, list[tuple[str, ...]]] = {}
    firsts: dict[str, str] = {}  # a label on several paths makes them equal
    for c in (*layout.coefficients, *layout.between):
        if c.label and c.path.key == firsts.setdefault(c.label, c.path.key):
            by_label.setdefault(c.label, []).append(layout.factors_of(c))
    out = {}
    for label, terms in by_label.items():
        common = set(terms[0]).intersection(*terms)
        varying = tuple(name for term in terms for name in term if name not in common)
        if len(terms) > 1 and len(varying) != len(terms):
            raise SpecError(
                f"'{label}' labels {len(terms)} coefficients of a product of two categories",
                hint="Recode one of the two categories to two levels.",
            )
        out[label] = varying if len(terms) > 1 else ()
    return out


def level_dim(layout: Layout, names: tuple[str, ...]) -> str:
    """Name of the dimension over the levels of a category."""
    return "level_" + next(column.variable for column in layout.columns if column.name == names[0])
