"""Leave-one-out by cluster: the density of all answers of a cluster that the model has not seen.

Effects of clusters that were sampled are integrated out again, by importance sampling: for every cluster,
points from a normal fitted to its posterior draws, mixed with the prior, are weighted with the exact density
(Vehtari, Mononen, Tolvanen, Sivula & Winther, 2016, Journal of Machine Learning Research, 17(103), 1-38, on
leaving out with latent values integrated).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from medpsy.dims import ANSWERS, CHAIN, DRAW, LOG_LIKELIHOOD, PERSON, POSTERIOR
from medpsy.engines.base import choose, terms_of, without_integrated
from medpsy.inference.prepare import opened
from medpsy.latent.clustered import EFFECTS
from medpsy.ops import Numpy
from medpsy.result import Result

#: What one term is when clusters are left out.
CLUSTER = "cluster"
#: Draws that are kept where effects have to be integrated, and points for each of them.
MOST_DRAWS, POINTS = 400, 32
#: Share of the prior in what points are drawn from.
PRIOR_SHARE = 0.2


def by_cluster(result: Result) -> Result:
    """The result with one log-likelihood term per cluster, under the name of persons.

    Results without clusters, and those whose person scores were sampled, come back as they are.
    """
    import xarray as xr

    levels = result.data.layout.levels
    if levels is None or LOG_LIKELIHOOD not in result.tree.children:
        return result
    kind = str(result.tree[LOG_LIKELIHOOD].attrs["level"])
    if kind.startswith("person, scores given"):
        return result
    posterior = result.tree[POSTERIOR].to_dataset()
    if kind == CLUSTER:
        terms = result.tree[LOG_LIKELIHOOD][ANSWERS].to_numpy()
    else:
        size = posterior.sizes[DRAW]
        most = max(1, MOST_DRAWS // posterior.sizes[CHAIN])
        keep = np.unique(np.linspace(0, size - 1, min(most, size)).round().astype(int))
        posterior = posterior.isel({DRAW: keep})
        terms = _integrated(result, {k: v[:, keep] for k, v in result.values().items()})
    coords = {CHAIN: posterior[CHAIN], DRAW: posterior[DRAW], PERSON: np.array(levels.labels)}
    made = xr.Dataset({ANSWERS: ((CHAIN, DRAW, PERSON), terms)}, coords)
    made.attrs["level"] = CLUSTER
    tree = xr.DataTree(children={POSTERIOR: xr.DataTree(posterior), LOG_LIKELIHOOD: xr.DataTree(made)})
    return replace(result, tree=tree)


def _integrated(result: Result, values: dict[str, np.ndarray]) -> np.ndarray:
    """Terms (chain, draw, cluster) with all sampled effects of the clusters integrated out."""
    levels = result.data.layout.levels
    assert levels is not None
    evaluate, names = _likelihood(result, values)
    widths = [values[name].shape[-1] for name in names]
    drawn = np.concatenate([values[name] for name in names], axis=-1)
    made = Proposal.of(drawn.reshape(-1, *drawn.shape[2:]))
    rng = np.random.default_rng(0)
    chains, draws = drawn.shape[:2]
    out = np.empty((chains, draws, len(levels.labels)))
    for chain in range(chains):
        for draw in range(draws):
            p = {name: value[chain, draw] for name, value in values.items()}
            z, log_weight = made.points(POINTS, rng)
            pieces = np.split(z, np.cumsum(widths)[:-1], axis=-1)
            each = np.empty((POINTS, len(levels.labels)))
            for k in range(POINTS):
                each[k] = evaluate(p | {n: piece[k] for n, piece in zip(names, pieces, strict=True)})
            out[chain, draw] = np.logaddexp.reduce(each + log_weight, axis=0) - np.log(POINTS)
    return out


@dataclass(frozen=True)
class Proposal:
    """Where points for the normals of every cluster come from: a normal fitted to draws, and the prior.

    Parameters
    ----------
    mean : ndarray, shape (cluster, effect)
    root : ndarray, shape (cluster, effect, effect)
        Cholesky factor, its covariance half as large again as that of the draws.
    """

    mean: np.ndarray
    root: np.ndarray

    @classmethod
    def of(cls, drawn: np.ndarray) -> Proposal:
        """Fit to draws (draw, cluster, effect)."""
        off = drawn - drawn.mean(0)
        spread = np.einsum("sce,scf->cef", off, off) / max(len(drawn) - 1, 1) * 1.5
        return cls(drawn.mean(0), np.linalg.cholesky(spread + 1e-4 * np.eye(drawn.shape[-1])))

    def points(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Points (point, cluster, effect), and log of prior over proposal density there (point, cluster)."""
        noise = rng.standard_normal((count, *self.mean.shape))
        wide = np.arange(count) < round(PRIOR_SHARE * count)
        near = self.mean + np.einsum("cef,pcf->pce", self.root, noise)
        z = np.where(wide[:, None, None], noise, near)
        white = np.linalg.solve(self.root, (z - self.mean)[..., None])[..., 0]
        scale = np.log(np.diagonal(self.root, axis1=1, axis2=2)).sum(-1)
        fitted = -0.5 * (white**2).sum(-1) - scale
        prior = -0.5 * (z**2).sum(-1)
        share = float(wide.mean())
        mixed = np.logaddexp(np.log1p(-share) + fitted, np.log(share) + prior) if share else fitted
        return z, prior - mixed


def _likelihood(
    result: Result, values: dict[str, np.ndarray]
) -> tuple[Callable[[dict[str, np.ndarray]], np.ndarray], list[str]]:
    """Log-likelihood of every cluster given its effects, and which effects it is given."""
    engine, _ = choose(result.data, str(result.provenance["engine"]["name"]))
    data = without_integrated(result.data, engine)
    names = [name for name in EFFECTS if any(q.name == name for q in data.parameters)]
    centre = {name: value.mean((0, 1)) for name, value in values.items()}
    levels = result.data.layout.levels
    assert levels is not None
    if engine.compiles(data).accepted:
        made: Any = opened(data, engine, None).adapted(centre, 2.0).adapted(centre, 1.0)
        each = made.per_person
    else:
        settings = engine.settings(data)

        def each(p: dict[str, np.ndarray]) -> np.ndarray:
            return np.asarray(engine.log_likelihood(data, p, Numpy, settings))

    if terms_of(data, engine)[0] == CLUSTER:
        return each, names
    size = len(levels.labels)
    return lambda p: np.bincount(levels.index, weights=each(p), minlength=size), names
