"""The Gaussian engine from sufficient statistics: the cost does not grow with complete persons."""

from __future__ import annotations

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.gaussian import NONE, loading_cells, loading_matrix, moments, patterns, values
from medpsy.latent.base import system, system_reverse
from medpsy.ops import Numpy


class SufficientStatistics:
    """Log-likelihood and gradient from the cross-products of every pattern of missing values.

    With T the cross-products of (y, w) in a pattern of n persons,
    ell = -[n v log 2 pi + n log|S| + tr(S^-1 R)] / 2, R = T_yy - C T_wy - T_yw C' + C T_ww C'.
    """

    def __init__(self, data: ModelData) -> None:
        self.data = data
        y = values(data)
        self.patterns = []
        self.answers = []
        for persons, columns in patterns(data):
            if columns.size:
                answers = np.ascontiguousarray(y[persons][:, columns])
                design = np.ascontiguousarray(data.design[persons])
                self.patterns.append(
                    (len(persons), columns, answers.T @ answers, answers.T @ design, design.T @ design)
                )
                self.answers.append((persons, columns, answers, design))

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        mean, covariance = moments(self.data, p, Numpy)
        total, d_mean, d_covariance = moment_gradient(self.patterns, mean, covariance)
        return total, moments_reverse(self.data, p, d_mean, d_covariance)

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> SufficientStatistics:
        """Itself: nothing depends on where the posterior lies."""
        return self

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Zero: the integral is in closed form."""
        return 0.0

    def describe(self) -> str:
        """For the provenance."""
        return f"closed form over {len(self.patterns)} pattern(s) of missing values"

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        mean, covariance = moments(self.data, p, Numpy)
        return person_terms(self.answers, mean, covariance, self.data.n_person)


def moment_gradient(
    patterns: list[tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]],
    mean: np.ndarray,
    covariance: np.ndarray,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log-likelihood of the patterns at C and S, and its gradient with respect to both."""
    d_mean, d_cov, total = np.zeros_like(mean), np.zeros_like(covariance), 0.0
    for n, columns, yy, yw, ww in patterns:
        block = np.ix_(columns, columns)
        s, c = covariance[block], mean[columns]
        inverse = np.linalg.inv(s)
        through = c @ ww
        cross = yw @ c.T
        solved = inverse @ (yy - cross - cross.T + through @ c.T)
        sign, log_det = np.linalg.slogdet(s)
        if sign <= 0:
            raise np.linalg.LinAlgError("Matrix is not positive definite")
        total -= 0.5 * (n * (columns.size * np.log(2 * np.pi) + log_det) + solved.trace())
        d_cov[block] += 0.5 * (solved @ inverse - n * inverse)
        d_mean[columns] += inverse @ (yw - through)
    return float(total), d_mean, d_cov


def person_terms(
    answers: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]],
    mean: np.ndarray,
    covariance: np.ndarray,
    n_person: int,
) -> np.ndarray:
    """Log-density of every person's numbers (person,), from persons, variables, answers and design of every
    pattern.
    """
    out = np.zeros(n_person)
    for persons, columns, y, design in answers:
        inverse = np.linalg.inv(np.linalg.cholesky(covariance[np.ix_(columns, columns)]))
        white = (y - design @ mean[columns].T) @ inverse.T
        constant = np.log(np.diag(inverse)).sum() - 0.5 * columns.size * np.log(2 * np.pi)
        out[persons] = constant - 0.5 * np.einsum("ij,ij->i", white, white)
    return out


def moments_reverse(
    data: ModelData,
    p: dict[str, np.ndarray],
    d_mean: np.ndarray,
    d_covariance: np.ndarray,
    more: np.ndarray = NONE,
) -> dict[str, np.ndarray]:
    """From the moments, and a symmetric gradient over the covariance, back to the parameters."""
    eq = data.model.structure.equations(p, data.layout, Numpy)
    mean, chol = system(eq, data.layout, Numpy)
    weight = loading_matrix(data, p, Numpy, more)
    spread = weight @ chol
    d_spread = 2.0 * d_covariance @ spread
    d_weight = d_mean @ mean.T + d_spread @ chol.T
    d_eq = system_reverse(eq, weight.T @ d_mean, np.tril(weight.T @ d_spread))
    gradient = data.model.structure.reverse(p, data.layout, d_eq)
    d_loading = d_weight[loading_cells(data, more)]
    d_theta = np.diag(d_covariance)
    at = 0
    for block in data.blocks:
        span = slice(at, at + block.values.shape[1])
        gradient[f"loading_{block.name}"] = d_loading[span]
        gradient[f"intercept_{block.name}"] = d_mean[span, 0]
        gradient[f"residual_sd_{block.name}"] = 2.0 * d_theta[span] * p[f"residual_sd_{block.name}"]
        at = span.stop
    return gradient
