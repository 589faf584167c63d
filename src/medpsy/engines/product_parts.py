"""The parts of the products engine: held constructs, and the normal distributions between constructs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.answer_tables import family_gradient, log_table
from medpsy.engines.product_plan import Plan, loadings
from medpsy.engines.quadrature import answer_sums
from medpsy.families.base import Block
from medpsy.latent.base import Equations
from medpsy.ops import Numpy


class Held:
    """The answers to a construct that is held at nodes."""

    def __init__(self, data: ModelData, block: Block, nodes: np.ndarray) -> None:
        self.data, self.block, self.nodes = data, block, nodes
        self.one_hot = None
        if block.n_categories:
            hot = block.values[:, :, None] == np.arange(block.n_categories)
            self.one_hot = hot.reshape(len(block.values), -1).astype(float)

    def fill(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-probability of everybody's answers (person, node)."""
        block = self.block
        if self.one_hot is None:
            return cast(
                np.ndarray, answer_sums(self.data, block, local(self.data, block, p), self.nodes, Numpy)
            )
        table = log_table(self.data, block, p, self.nodes)
        return self.one_hot @ table.reshape(self.one_hot.shape[1], -1)

    def reverse(self, p: dict[str, np.ndarray], share: np.ndarray) -> dict[str, np.ndarray]:
        """Gradients of the family from the shares (person, node)."""
        block = self.block
        if self.one_hot is not None:
            counts = (self.one_hot.T @ share).reshape(block.values.shape[1], block.n_categories, -1)
            found = family_gradient(self.data, block, p, self.nodes, np.ascontiguousarray(counts))
            return {f"{role}_{block.name}": grad for role, grad in found.items()}
        own = local(self.data, block, p)
        given = ~np.isnan(block.values)
        y = np.where(given, block.values, 0.0)
        # Sums over persons of share, share t, share t^2 and of the same times y and y^2, item by item.
        n, s1, s2 = (given.T @ (share @ self.nodes**power) for power in (0, 1, 2))
        y0, y1 = (((share @ self.nodes**power)[:, None] * y).sum(0) for power in (0, 1))
        yy = (share.sum(1)[:, None] * y**2).sum(0)
        lam, nu, sd = own["loading"], own["intercept"], own["residual_sd"]
        square = yy - 2 * nu * y0 - 2 * lam * y1 + n * nu**2 + 2 * nu * lam * s1 + lam**2 * s2
        name = block.name
        return {
            f"loading_{name}": (y1 - nu * s1 - lam * s2) / sd**2,
            f"intercept_{name}": (y0 - n * nu - lam * s1) / sd**2,
            f"residual_sd_{name}": square / sd**3 - n / sd,
        }


@dataclass
class State:
    """Reduced forms at every point c: inverse of I - B, M and S of the extended variables."""

    eq: Equations
    inverse: np.ndarray
    mean: np.ndarray
    chol: np.ndarray
    location: np.ndarray
    covariance: np.ndarray
    weight: np.ndarray


class Given:
    """Constructs of the inner grid given the held ones and the values of one pattern, at every point.

    Parameters
    ----------
    plan : Plan
    state : State
    number : int
        Of the pattern.
    points : ndarray, shape (point, held)
    """

    def __init__(self, plan: Plan, state: State, number: int, points: np.ndarray) -> None:
        pattern = plan.patterns[number]
        self.known = np.concatenate([plan.held, pattern.given]).astype(int)
        self.n_held, self.points, rest = len(plan.held), points, plan.rest
        self.values = plan.values[pattern.persons][:, pattern.given]
        self.covariates = plan.data.design[pattern.persons]
        s = state.covariance
        self.inner = s[:, self.known][:, :, self.known]
        self.precision = np.linalg.inv(self.inner)
        self.log_det = np.linalg.slogdet(self.inner)[1]
        self.m_known, self.m_rest = state.location[:, self.known], state.location[:, rest]
        if rest.size:
            cross = s[:, rest][:, :, self.known]
            self.gain = cross @ self.precision
            spread = s[:, rest][:, :, rest] - self.gain @ np.swapaxes(cross, 1, 2)
            self.chol = np.linalg.cholesky(spread)
            own = self.m_rest - self.gain @ self.m_known
            own[:, :, 0] += np.einsum("prh,ph->pr", self.gain[:, :, : self.n_held], points)
            self.mean = np.concatenate([own, self.gain[:, :, self.n_held :]], axis=2)

    def density(self, point: int, within: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (person, known) and log-density (person,) of what is known."""
        fixed = np.broadcast_to(self.points[point], (len(within), self.n_held))
        known = np.concatenate([fixed, self.values[within]], axis=1)
        off = known - self.covariates[within] @ self.m_known[point].T
        square = np.einsum("ij,jk,ik->i", off, self.precision[point], off)
        return off, -0.5 * (square + self.log_det[point] + self.known.size * np.log(2 * np.pi))


class Normal:
    """The linear models at all points."""

    def __init__(self, plan: Plan, points: np.ndarray) -> None:
        self.plan, self.points = plan, points
        self.factor = plan.multiplier(points)
        self.design = [
            np.ascontiguousarray(
                np.column_stack([plan.data.design[q.persons], plan.values[q.persons][:, q.given]])
            )
            for q in plan.patterns
        ]

    def state(self, p: dict[str, np.ndarray], eq: Equations) -> State:
        """Reduced forms at the parameters ``p``."""
        plan, data = self.plan, self.plan.data
        size = len(data.layout.nodes)
        coefficients = data.model.structure.coefficients(p, data.layout, Numpy)
        b = np.tile(eq.b, (len(self.points), 1, 1))
        for column, (i, target, source, _) in enumerate(plan.cells):
            b[:, target, source] += coefficients[i] * self.factor[:, column]
        inverse = np.linalg.inv(np.eye(size) - b)
        mean, chol = inverse @ eq.g, inverse @ (eq.d[:, None] * eq.z)
        weight, nu, theta = loadings(plan, p, Numpy)
        location = weight @ mean
        location[:, :, 0] += nu
        spread = weight @ chol
        covariance = spread @ np.swapaxes(spread, 1, 2)
        covariance[:, np.arange(plan.size), np.arange(plan.size)] += theta
        return State(eq, inverse, mean, chol, location, covariance, weight)

    def given(self, state: State, number: int) -> Given:
        """What one pattern needs."""
        return Given(self.plan, state, number, self.points)

    def reverse(self, state: State) -> Reverse:
        """Collects gradients."""
        return Reverse(self, state)


class Reverse:
    """Gradient of the log-likelihood with respect to the reduced forms, and from there to the parameters."""

    def __init__(self, normal: Normal, state: State) -> None:
        self.normal, self.state, self.plan = normal, state, normal.plan
        self.d_location = np.zeros_like(state.location)
        self.d_covariance = np.zeros_like(state.covariance)

    def add(
        self, k: int, given: Given, within: np.ndarray, share: np.ndarray, found: dict[str, Any], pad: int
    ) -> None:
        """Add the persons ``within`` a pattern at point ``k``, weighted with their shares."""
        known, rest = given.known, self.plan.rest
        precision, off = given.precision[k], found["off"]
        weighted = share[:, None] * off
        covariates = given.covariates[within]
        d_known = precision @ (weighted.T @ covariates)
        d_inner = 0.5 * (precision @ (weighted.T @ off) @ precision - share.sum() * precision)
        if rest.size:
            location, first = found["location"][:, pad:], found["first"][:, pad:]
            second, p_rest = found["second"][:, pad:, pad:], found["precision"][pad:, pad:]
            pull = share[:, None] * ((first - location) @ p_rest)
            cross = np.einsum("i,ij,ik->jk", share, location, first)
            scatter = np.einsum("i,ijk->jk", share, second) - cross - cross.T
            scatter += np.einsum("i,ij,ik->jk", share, location, location)
            d_spread = 0.5 * (p_rest @ scatter @ p_rest - share.sum() * p_rest)
            d_mean = pull.T @ covariates
            held = np.outer(d_mean[:, 0], given.points[k])
            d_gain = np.concatenate([held, pull.T @ given.values[within]], axis=1)
            d_gain -= d_mean @ given.m_known[k].T
            gain = given.gain[k]
            d_known -= gain.T @ d_mean
            d_cross = d_gain @ precision - 2.0 * d_spread @ gain
            d_inner += gain.T @ d_spread @ gain - gain.T @ d_gain @ precision
            self.d_location[k, rest] += d_mean
            self.d_covariance[k][np.ix_(rest, rest)] += d_spread
            self.d_covariance[k][np.ix_(rest, known)] += d_cross
        self.d_location[k, known] += d_known
        self.d_covariance[k][np.ix_(known, known)] += d_inner

    def finish(self, p: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradient of the structure's parameters and of Gaussian items."""
        plan, state, data = self.plan, self.state, self.plan.data
        weight, n = state.weight, len(data.layout.nodes)
        both = self.d_covariance + np.swapaxes(self.d_covariance, 1, 2)
        d_mean = weight.T @ self.d_location
        d_chol = weight.T @ both @ weight @ state.chol
        spread = state.eq.d[:, None] * state.eq.z
        transposed = np.swapaxes(state.inverse, 1, 2)
        d_a = d_mean @ state.eq.g.T + d_chol @ spread.T
        d_b = transposed @ d_a @ transposed
        d_spread = (transposed @ d_chol).sum(0)
        back = Equations(
            b=d_b.sum(0), g=(transposed @ d_mean).sum(0), d=(d_spread * state.eq.z).sum(-1),
            z=state.eq.d[:, None] * d_spread,
        )  # fmt: skip
        gradient = data.model.structure.reverse(p, data.layout, back)
        for column, (i, target, source, _) in enumerate(plan.cells):
            gradient["path"][i] += d_b[:, target, source] @ self.normal.factor[:, column]
        if plan.closed_blocks:
            self._items(gradient, p, both, n)
        return gradient

    def _items(
        self, gradient: dict[str, np.ndarray], p: dict[str, np.ndarray], both: np.ndarray, n: int
    ) -> None:
        """Loadings, intercepts and residual sds of items in closed form."""
        state, plan = self.state, self.plan
        covariance = state.chol @ np.swapaxes(state.chol, 1, 2)
        d_weight = (self.d_location @ np.swapaxes(state.mean, 1, 2)).sum(0)
        d_weight += (both @ state.weight @ covariance).sum(0)
        d_nu = self.d_location[:, :, 0].sum(0)
        d_theta = np.diagonal(self.d_covariance, axis1=1, axis2=2).sum(0)
        at = n
        for block in plan.closed_blocks:
            span = np.arange(at, at + block.values.shape[1])
            gradient[f"loading_{block.name}"] = d_weight[span, plan.item_node[span - n]]
            gradient[f"intercept_{block.name}"] = d_nu[span]
            gradient[f"residual_sd_{block.name}"] = 2.0 * d_theta[span] * p[f"residual_sd_{block.name}"]
            at = span[-1] + 1
