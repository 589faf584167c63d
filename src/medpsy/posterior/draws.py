"""Draws by name, thinned draws, and the distribution of the constructs that they imply."""

from __future__ import annotations

import numpy as np

from medpsy.bind import ModelData
from medpsy.dims import POSTERIOR
from medpsy.errors import SpecError
from medpsy.latent.base import Equations, system
from medpsy.ops import Numpy
from medpsy.result import Result

STANDARDISED = "standardised"


def group(result: Result, name: str = POSTERIOR) -> dict[str, np.ndarray]:
    """Variables (chain, draw, ...) of one group of the tree; nothing if the group is absent."""
    if name not in result.tree.children:
        return {}
    return {str(key): array.to_numpy() for key, array in result.tree[name].data_vars.items()}


def thinned(result: Result, most: int) -> dict[str, np.ndarray]:
    """Free parameters (draw, ...), chains joined, at most ``most`` draws at even distances.

    Raises
    ------
    SpecError
        ``most`` is no positive whole number.
    """
    check_count(most)
    values = result.values()
    flat = {name: value.reshape(-1, *value.shape[2:]) for name, value in values.items()}
    size = len(next(iter(flat.values())))
    keep = np.unique(np.linspace(0, size - 1, min(most, size)).round().astype(int))
    return {name: value[keep] for name, value in flat.items()}


def check_count(draws: int) -> None:
    """Refuse a number of draws below one.

    Raises
    ------
    SpecError
    """
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
        raise SpecError(f"draws = {draws!r} is no number of draws", hint="Ask for at least one, better 200.")


def at(values: dict[str, np.ndarray], draw: int) -> dict[str, np.ndarray]:
    """One draw of every parameter, as views."""
    return {name: value[draw] for name, value in values.items()}


def population(
    data: ModelData, p: dict[str, np.ndarray], nodes: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distribution of the constructs over the persons: a mixture of normals, one per design row.

    Parameters
    ----------
    data : ModelData
    p : dict of str to ndarray
        Free parameters (draw, ...).
    nodes : ndarray of int, optional
        Positions of other nodes than the constructs.

    Returns
    -------
    weight : ndarray, shape (row,)
        Share of the persons with that combination of covariates.
    location : ndarray, shape (draw, row, factor)
        Means of the constructs given the covariates, internal scale.
    spread : ndarray, shape (draw, factor)
        Their sd given the covariates.
    """
    if data.cells is not None:
        # Paths differ between the cells; so do the spreads, of which the root mean square is given.
        share = np.array([part.n_person for part in data.cells.parts]) / data.n_person
        made = [population(part, p) for part in data.cells.parts]
        spread = np.sqrt(sum(s * own[2] ** 2 for s, own in zip(share, made, strict=True)))
        weight = np.concatenate([s * own[0] for s, own in zip(share, made, strict=True)])
        return weight, np.concatenate([own[1] for own in made], axis=1), spread
    design, equations = _given(data, data.model.structure.equations(p, data.layout, Numpy))
    rows, count = np.unique(design, axis=0, return_counts=True)
    mean, chol = system(equations, data.layout, Numpy)
    factors = data.layout.factors if nodes is None else nodes
    size = max(len(value) for value in p.values())
    location = rows @ np.swapaxes(mean[..., factors, :], -1, -2)
    spread = np.sqrt((chol[..., factors, :] ** 2).sum(-1))
    if data.layout.products.size:
        # Not quite normal: the normal of the same mean and sd.
        from medpsy.posterior.product_scores import marginal_moments

        centre, spread = marginal_moments(data, p)
        location = location + (centre - mean[..., factors, 0])[:, None, :]
    return (
        count / count.sum(),
        np.broadcast_to(location, (size, len(rows), len(factors))),
        np.broadcast_to(spread, (size, len(factors))),
    )


def _given(data: ModelData, eq: Equations) -> tuple[np.ndarray, Equations]:
    """Design and equations in which variables without normal residuals that explain others are columns: what
    they are worth to others is their value, not their linear predictor."""
    layout = data.layout
    sources = {c.source for c in layout.coefficients if not c.from_column}
    known = [int(i) for i in layout.measured if i in sources and not layout.normal[i]]
    if not known:
        return data.design, eq
    width = data.design.shape[1]
    g = np.concatenate([eq.g, np.zeros((*eq.g.shape[:-1], len(known)))], axis=-1)
    b, d = eq.b.copy(), eq.d.copy()
    g[..., known, :], b[..., known, :], d[..., known] = 0.0, 0.0, 0.0
    g[..., known, width + np.arange(len(known))] = 1.0
    return np.column_stack([data.design, data.observed[:, known]]), Equations(b, g, d, eq.z)
