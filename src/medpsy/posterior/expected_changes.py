"""What would change if a number that is fixed to zero were free: expected parameter change, with its
posterior.

At every posterior draw the score of a residual covariance or cross-loading, less what the free parameters
could take up of it, divided by its information given them (Saris, Satorra & Soerbom, 1987,
doi:10.2307/271030); the modification index is the squared score over the same information (Soerbom, 1989,
doi:10.1007/BF02294623). Change and information together are one step from each draw towards the posterior
that the number would have were it free under a flat prior: normal, with the information as its precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from medpsy.bind import ModelData
from medpsy.engines.gaussian import loading_matrix, moments
from medpsy.engines.gaussian_compiled import SufficientStatistics, moment_gradient
from medpsy.latent.base import system
from medpsy.ops import Numpy
from medpsy.posterior.by_group import each_group
from medpsy.posterior.draws import at, thinned
from medpsy.posterior.intervals import bounds, check_interval, direction
from medpsy.posterior.moments import check
from medpsy.result import Result

COLUMNS = ("lhs", "op", "rhs", "mi", "epc", "sd", "lower", "upper", "p_direction", "std_epc")
STEP = 1e-5
#: Draws of a change per posterior draw.
EACH = 20


@dataclass(frozen=True)
class Candidate:
    """A residual covariance of two variables, or a loading of a variable on a latent node."""

    lhs: str
    op: str
    rhs: str
    first: int
    second: int


@each_group
def expected_changes(
    result: Result, *, interval: float = 0.95, kind: str = "eti", draws: int = 100
) -> pd.DataFrame:
    """Expected change of every residual covariance and cross-loading of indicators that is fixed to zero.

    Parameters
    ----------
    result : Result
        Of a Gaussian model with indicators.
    interval : float
        Posterior mass between ``lower`` and ``upper``.
    kind : str
        ``"eti"`` or ``"hdi"``.
    draws : int
        Posterior draws, at even distances.

    Returns
    -------
    DataFrame
        lhs, op (``~~`` or ``=~``), rhs, mi (posterior median of the modification index, about chi-square
        with one degree of freedom where the zero is true), epc (posterior mean), sd, lower, upper in raw
        units (constructs with residual sd 1 where they have no other unit), p_direction, std_epc (epc as a
        correlation of residuals, or a fully standardised loading). The largest index comes first.

    Raises
    ------
    SpecError
        The model is not Gaussian, an impossible interval or number of draws.
    """
    check(result)
    check_interval(interval, kind)
    data = result.data
    found = candidates(data)
    if not found:
        return pd.DataFrame(columns=list(COLUMNS))
    p = thinned(result, draws)
    count = len(next(iter(p.values())))
    index, ratio = (np.full((count, len(found)), np.nan) for _ in range(2))
    drawn = np.full((count, EACH, len(found)), np.nan)
    rng = np.random.default_rng(1)
    statistics = SufficientStatistics(data).patterns
    for s in range(count):
        centre, spread, index[s], ratio[s] = _at_draw(data, at(p, s), found, statistics)
        drawn[s] = centre + spread * rng.standard_normal((EACH, len(found)))
    std = (drawn * ratio[:, None, :]).mean(axis=(0, 1))
    change = drawn.reshape(count * EACH, len(found))
    lower, upper = bounds(change.T, interval, kind)
    unit = _units(data)
    rows = []
    for k, c in enumerate(found):
        raw = unit[c.first] * (unit[c.second] if c.op == "~~" else 1.0 / _latent_unit(data, c.second))
        own = change[:, k] * raw
        rows.append(
            (c.lhs, c.op, c.rhs, float(np.median(index[:, k])), own.mean(), own.std(ddof=1),
             lower[k] * raw, upper[k] * raw, float(direction(own)), float(std[k]))
        )  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("mi", ascending=False, ignore_index=True)
    frame.attrs |= {"interval": float(interval), "kind": kind}
    return frame


def candidates(data: ModelData) -> list[Candidate]:
    """Residual covariances and cross-loadings that the model fixes to zero; positions among the variables."""
    layout, spec = data.layout, data.model.spec
    names = [item for block in data.blocks for item in block.construct.items]
    names += [layout.nodes[i] for i in layout.measured]
    sources = {name for path in spec.paths for name in path.variables}
    leaves = [item for block in data.blocks for item in block.construct.items]
    leaves += [p.target for p in spec.paths if p.measured and p.target not in {*spec.latents, *sources}]
    exact = {c.left for c in spec.covariances if c.left == c.right and c.value == 0}
    leaves = [name for name in dict.fromkeys(leaves) if name not in exact]
    free = {frozenset((c.left, c.right)) for c in spec.covariances if c.value is None or c.value != 0}
    place = {name: i for i, name in enumerate(names)}
    out = [
        Candidate(left, "~~", right, place[left], place[right])
        for left, right in combinations(leaves, 2)
        if frozenset((left, right)) not in free
    ]
    loads = {(c.name, item) for c in spec.constructs for item in (*c.items, *c.cross)}
    loads |= {(p.source, p.target) for p in spec.paths if p.measured}
    measures = [b.name for b in data.blocks] + [
        f for f in spec.latents if any(p.source == f and p.target in leaves for p in spec.paths)
    ]
    for latent in measures:
        node = layout.nodes.index(latent)
        out += [Candidate(latent, "=~", i, place[i], node) for i in leaves if (latent, i) not in loads]
    return out


def _at_draw(
    data: ModelData, p: dict[str, np.ndarray], found: list[Candidate], statistics: list[tuple]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Change, its sd, modification index, and what standardises the change, for every candidate."""
    mean, covariance = moments(data, p, Numpy)
    _, d_mean, d_cov = moment_gradient(statistics, mean, covariance)
    own = [_derivative(data, p, c) for c in found]
    every = [*own, *_free_derivatives(data, p, mean, covariance)]
    score = np.array([(d_cov * s).sum() + (d_mean * m).sum() for m, s in every])
    information = _information(statistics, covariance, every)
    k = len(own)
    solved = np.linalg.lstsq(information[k:, k:], information[k:, :k], rcond=1e-10)[0]
    left = np.diag(information)[:k] - (information[:k, k:] * solved.T).sum(axis=1)
    rest = score[:k] - solved.T @ score[k:]
    with np.errstate(divide="ignore", invalid="ignore"):
        usable = left > 1e-8 * np.diag(information)[:k]
        change, spread, index = (
            np.where(usable, value, np.nan) for value in (rest / left, 1.0 / np.sqrt(left), rest**2 / left)
        )
    return change, spread, index, _standard(data, p, covariance, found)


def _derivative(data: ModelData, p: dict[str, np.ndarray], c: Candidate) -> tuple[np.ndarray, np.ndarray]:
    """Derivative of both moments with respect to a candidate."""
    mean, chol = system(data.model.structure.equations(p, data.layout, Numpy), data.layout, Numpy)
    weight = loading_matrix(data, p, Numpy)
    size = len(weight)
    d_mean, d_cov = np.zeros((size, mean.shape[1])), np.zeros((size, size))
    if c.op == "~~":
        d_cov[c.first, c.second] = d_cov[c.second, c.first] = 1.0
    else:
        with_all = (weight @ chol) @ chol[c.second]
        d_cov[c.first] += with_all
        d_cov[:, c.first] += with_all
        d_mean[c.first] = mean[c.second]
    return d_mean, d_cov


def _free_derivatives(
    data: ModelData, p: dict[str, np.ndarray], mean: np.ndarray, covariance: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Derivatives of both moments with respect to every free number, by differences."""
    for parameter in data.parameters:
        value = p[parameter.name]
        if parameter.event == "correlation":
            matrix = value @ value.T
            moved = []
            for i, j in zip(*np.tril_indices(len(matrix), -1), strict=True):
                other = matrix.copy()
                other[i, j] = other[j, i] = matrix[i, j] + STEP
                moved.append(np.linalg.cholesky(other))
        else:
            steps = STEP * np.eye(value.size).reshape(value.size, *value.shape)
            moved = [value + step for step in steps]
        for other in moved:
            new_mean, new_covariance = moments(data, {**p, parameter.name: other}, Numpy)
            yield (new_mean - mean) / STEP, (new_covariance - covariance) / STEP


def _information(
    statistics: list[tuple], covariance: np.ndarray, every: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Expected information of all numbers, summed over patterns of missing values."""
    total = np.zeros((len(every), len(every)))
    d_means, d_covs = np.stack([m for m, _ in every]), np.stack([s for _, s in every])
    for n, columns, _, _, ww in statistics:
        root = np.linalg.inv(np.linalg.cholesky(covariance[np.ix_(columns, columns)]))
        inner = root @ d_covs[:, columns[:, None], columns] @ root.T
        flat = inner.reshape(len(every), -1)
        total += 0.5 * n * flat @ flat.T
        spread = np.linalg.cholesky(ww + 1e-12 * n * np.eye(len(ww)))
        outer = (root @ d_means[:, columns] @ spread).reshape(len(every), -1)
        total += outer @ outer.T
    return total


def _standard(
    data: ModelData, p: dict[str, np.ndarray], covariance: np.ndarray, found: list[Candidate]
) -> np.ndarray:
    """Factor that makes a covariance a residual correlation, a loading a standardised one."""
    eq = data.model.structure.equations(p, data.layout, Numpy)
    _, chol = system(eq, data.layout, Numpy)
    residual = [p[f"residual_sd_{b.name}"] for b in data.blocks] + [np.abs(eq.d[data.layout.measured])]
    sd, total = np.concatenate(residual), np.sqrt(np.diag(covariance))
    latent = np.sqrt((chol**2).sum(axis=1))
    with np.errstate(divide="ignore"):
        return np.array(
            [
                1 / (sd[c.first] * sd[c.second]) if c.op == "~~" else latent[c.second] / total[c.first]
                for c in found
            ]
        )


def _units(data: ModelData) -> np.ndarray:
    return np.concatenate([*(b.unit for b in data.blocks), data.layout.unit[data.layout.measured]])


def _latent_unit(data: ModelData, node: int) -> float:
    return float(data.layout.unit[node])
