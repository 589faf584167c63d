"""Person scores from their exact conditional posterior, given posterior draws of the parameters.

For each of a thinned set of draws the scores of every person are drawn from p(theta | answers, parameters):
in closed form where everything is Gaussian, by inverting the distribution function on a fine grid for one
construct, and by Gibbs sweeps over such draws for several (given their own items, constructs depend on one
another only through their prior correlation, so that a few sweeps forget the start). The draws are plausible
values (Mislevy, 1991, doi:10.1007/BF02294457) of the model that contains the covariates and the outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.dims import FACTOR, PERSON
from medpsy.engines.base import gaussian_given, observed_patterns
from medpsy.engines.quadrature import answer_sums
from medpsy.errors import FitError, SpecError
from medpsy.families.crossed import Crossed
from medpsy.latent.base import system
from medpsy.ops import Numpy
from medpsy.posterior.by_group import views
from medpsy.posterior.draws import at, thinned
from medpsy.posterior.further_scores import further_names, further_scores
from medpsy.posterior.joint_scores import JointDraws
from medpsy.posterior.product_scores import ProductDraws
from medpsy.result import Result

if TYPE_CHECKING:
    import xarray as xr

#: Nodes per construct to draw from, and how far they reach in sds.
FINE, REACH = 121, 6.0
#: Gibbs sweeps before the first draw, and between draws.
FIRST, BETWEEN = 30, 3


def scores(result: Result, *, draws: int = 100, seed: int = 0) -> xr.Dataset:
    """Scores of every person on every construct.

    Parameters
    ----------
    result : Result
    draws : int
        Posterior draws of the parameters that one set of scores is drawn for, evenly spaced.
    seed : int

    Returns
    -------
    xarray.Dataset
        ``draw`` (sample, person, factor): plausible values; ``mean`` and ``sd`` (person, factor): posterior
        mean and sd; specific factors and a second-order construct follow the constructs. Persons are aligned
        with the survey, all-missing ones included. Unit: the residual sd of the construct given what explains
        it (``path``), or its sd given the covariates (``correlated``).

    Raises
    ------
    FitError, SpecError
        The model has no constructs, or a method factor beside them.
    """
    import xarray as xr

    data = result.data
    _check(data)
    if data.groups is not None:
        # On the scale that the groups share, each with its own prior.
        parts = [scores(one, draws=draws, seed=seed + g) for g, one in enumerate(views(result).values())]
        return xr.concat(parts, PERSON).isel({PERSON: data.groups.order})
    if data.cells is not None and "z" not in result.tree["posterior"].data_vars:
        cells = [replace(result, data=part) for part in data.cells.parts]
        parts = [scores(one, draws=draws, seed=seed + k) for k, one in enumerate(cells)]
        return xr.concat(parts, PERSON).isel({PERSON: data.cells.order})
    rng = np.random.default_rng(seed)
    p = thinned(result, draws)
    if "z" in result.tree["posterior"].data_vars:
        drawn = _sampled(result, draws)
        mean, sd = drawn.mean(0), drawn.std(0, ddof=1)
    else:
        crossed = any(isinstance(family, Crossed) for family in data.model.families.values())
        chain: JointDraws | ProductDraws | _Chain = JointDraws(data, rng) if crossed else _Chain(data, rng)
        if data.layout.products.size or data.layout.not_normal:
            chain = ProductDraws(data, rng)
        drawn = np.stack([chain.draw(at(p, s)) for s in range(len(next(iter(p.values()))))])
        mean, sd = chain.moments()
    names = [*(block.name for block in data.blocks), *further_names(data)]
    if len(names) > data.n_factor:
        pairs = zip((drawn, mean, sd), further_scores(data, p, drawn, rng), strict=True)
        drawn, mean, sd = (np.concatenate(pair, axis=-1) for pair in pairs)
    return xr.Dataset(
        {
            "draw": (("sample", PERSON, FACTOR), drawn),
            "mean": ((PERSON, FACTOR), mean),
            "sd": ((PERSON, FACTOR), sd),
        },
        {PERSON: data.person.astype(str), FACTOR: names},
    )


def _check(data: ModelData) -> None:
    """Refuse models without scores, and with a method factor, which is not among those that are drawn."""
    if not data.blocks:
        raise FitError("the model has no constructs, so persons have no scores", hint="Use observed values.")
    if data.method is not None:
        raise SpecError(
            "scores and simulated answers are not for a model with a method factor",
            hint="Ask the fit of the constructs alone.",
        )


def _sampled(result: Result, draws: int) -> np.ndarray:
    """Scores (sample, person, factor) from the sampled normals of the conditional engine."""
    from medpsy.engines.conditional import node_values

    posterior = result.tree["posterior"]
    z = posterior["z"].to_numpy()
    z = z.reshape(-1, *z.shape[2:])
    p = thinned(result, draws)
    # The same rows that `thinned` keeps of the parameters.
    keep = np.unique(np.linspace(0, len(z) - 1, min(draws, len(z))).round().astype(int))
    return np.stack([node_values(result.data, z[row], at(p, s)) for s, row in enumerate(keep)])


@dataclass
class _Prior:
    """Normal distribution of the constructs of some persons, before their items."""

    persons: np.ndarray
    location: np.ndarray
    spread: np.ndarray

    def given_others(self, theta: np.ndarray, d: int) -> tuple[np.ndarray, float]:
        """Mean (person,) and variance of construct ``d`` given the others at ``theta``."""
        rest = [e for e in range(len(self.spread)) if e != d]
        gain = np.linalg.solve(self.spread[np.ix_(rest, rest)], self.spread[rest, d]) if rest else np.zeros(0)
        mean = self.location[:, d] + (theta[:, rest] - self.location[:, rest]) @ gain
        return mean, float(self.spread[d, d] - gain @ self.spread[rest, d])


class _Chain:
    """Draws scores for one set of parameters after the other, and averages conditional moments."""

    def __init__(self, data: ModelData, rng: np.random.Generator) -> None:
        self.data, self.rng = data, rng
        self.theta: np.ndarray | None = None
        self.sums = np.zeros((3, data.n_person, data.n_factor))
        self.count = 0
        self.closed = all(not block.n_categories for block in data.blocks)

    def draw(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """One set of scores (person, factor) given the parameters."""
        data = self.data
        mean, chol = system(data.model.structure.equations(p, data.layout, Numpy), data.layout, Numpy)
        priors = []
        for persons, nodes in observed_patterns(data):
            location, spread, _ = gaussian_given(data, mean, chol @ chol.T, persons, nodes, Numpy)
            priors.append(_Prior(persons, location, spread))
        if self.closed:
            return self._closed_form(p, priors)
        sweeps = BETWEEN
        if self.theta is None:
            self.theta = np.empty((data.n_person, data.n_factor))
            for prior in priors:
                self.theta[prior.persons] = prior.location
            sweeps = FIRST
        if data.n_factor == 1:
            sweeps = 1
        grids, sums = self._tables(p, priors)
        for sweep in range(sweeps):
            for prior in priors:
                # The first half of the opening sweeps only forgets the start.
                self._sweep(prior, grids, sums, keep=sweeps != FIRST or sweep >= FIRST // 2)
            self.count += int(sweeps != FIRST or sweep >= FIRST // 2)
        return self.theta.copy()

    def _tables(
        self, p: dict[str, np.ndarray], priors: list[_Prior]
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Nodes per construct, and log-probabilities of the answers there (person, node)."""
        low = np.min([q.location.min(0) - REACH * np.sqrt(np.diag(q.spread)) for q in priors], axis=0)
        high = np.max([q.location.max(0) + REACH * np.sqrt(np.diag(q.spread)) for q in priors], axis=0)
        grids = [np.linspace(a, b, FINE) for a, b in zip(low, high, strict=True)]
        sums = [
            answer_sums(self.data, block, local(self.data, block, p), grids[block.factor], Numpy)
            for block in self.data.blocks
        ]
        return grids, sums

    def _sweep(self, prior: _Prior, grids: list[np.ndarray], sums: list[np.ndarray], *, keep: bool) -> None:
        """Draw every construct given the others, for the persons of one prior."""
        who = prior.persons
        assert self.theta is not None
        for d, nodes in enumerate(grids):
            centre, variance = prior.given_others(self.theta[who], d)
            log_density = sums[d][who] - 0.5 * (nodes - centre[:, None]) ** 2 / variance
            mass = np.exp(log_density - log_density.max(axis=1, keepdims=True))
            mass /= mass.sum(axis=1, keepdims=True)
            if keep:
                mean = mass @ nodes
                self.sums[:, who, d] += [mean, mean**2, mass @ nodes**2 - mean**2]
            # Each node stands for the interval around it; within it the draw is uniform.
            u = self.rng.random((len(who), 1))
            cumulative = np.cumsum(mass, axis=1)
            node = np.minimum((cumulative < u).sum(axis=1), len(nodes) - 1)
            offset = self.rng.random(len(who)) - 0.5
            self.theta[who, d] = nodes[node] + offset * (nodes[1] - nodes[0])

    def _closed_form(self, p: dict[str, np.ndarray], priors: list[_Prior]) -> np.ndarray:
        """Normal posterior: precision S^-1 + Lambda' Theta^-1 Lambda over the items that were answered."""
        data = self.data
        out = np.empty((data.n_person, data.n_factor))
        for prior in priors:
            inverse = np.linalg.inv(prior.spread)
            precision = np.tile(inverse, (len(prior.persons), 1, 1))
            linear = prior.location @ inverse
            for block in data.blocks:
                own = local(data, block, p)
                y = block.values[prior.persons]
                given = ~np.isnan(y)
                weight = own["loading"] / own["residual_sd"] ** 2
                precision[:, block.factor, block.factor] += given @ (own["loading"] * weight)
                linear[:, block.factor] += np.where(given, y - own["intercept"], 0.0) @ weight
            covariance = np.linalg.inv(precision)
            mean = np.einsum("ijk,ik->ij", covariance, linear)
            variance = np.diagonal(covariance, axis1=1, axis2=2)
            self.sums[:, prior.persons] += [mean, mean**2, variance]
            noise = self.rng.standard_normal(mean.shape)
            out[prior.persons] = mean + np.einsum("ijk,ik->ij", np.linalg.cholesky(covariance), noise)
        self.count += 1
        return out

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean and sd (person, factor), from conditional means and variances."""
        mean, square, variance = self.sums / self.count
        return mean, np.sqrt(np.maximum(square - mean**2, 0.0) + variance)
