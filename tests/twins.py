"""Slow, obvious twins of the numeric core: textbook formulas, node after node. They share no code with it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal, localcontext
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import expit, logsumexp

#: Digits in which the exact twins compute.
DIGITS = 80
SHRINK = Decimal("0.3457")


def exactly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run a function in 80-digit decimal arithmetic."""

    def wrapped(*args: Any) -> Any:
        with localcontext(Context(prec=DIGITS, Emax=999_999, Emin=-999_999)):
            return function(*args)

    return wrapped


@exactly
def thresholds(slope: Any, prob: Sequence[Any]) -> list[Decimal]:
    """-sqrt(1 + 0.3457 a^2) logit P(Y >= k) for k = 1..K-1, from category probabilities."""
    scale = (1 + SHRINK * Decimal(slope) ** 2).sqrt()
    share = [Decimal(p) for p in prob]
    return [-scale * (sum(share[k:]) / sum(share[:k])).ln() for k in range(1, len(share))]


@exactly
def graded_probabilities(slope: Any, threshold: Sequence[Any], theta: Any) -> list[Decimal]:
    """P(Y = k) as differences of P(Y >= k) = 1 / (1 + exp(threshold_k - a theta))."""
    location = Decimal(slope) * Decimal(theta)
    above = [1 / (1 + (Decimal(t) - location).exp()) for t in threshold]
    return [a - b for a, b in itertools.pairwise([Decimal(1), *above, Decimal(0)])]


@exactly
def graded_log_prob(slope: Any, prob: Sequence[Any], theta: Any) -> list[Decimal]:
    """Log-probability of every category at one score."""
    return [p.ln() for p in graded_probabilities(slope, thresholds(slope, prob), theta)]


@exactly
def graded_gradient(
    slope: float, prob: Sequence[float], theta: Sequence[float], counts: np.ndarray
) -> np.ndarray:
    """Gradient of sum(counts * log P) over slope and every category probability, as free arguments.

    Central differences with a step of 1e-25: at 80 digits their error is far below that of doubles.
    """
    step = Decimal("1e-25")
    point = [Decimal(slope), *map(Decimal, prob)]

    def total(values: list[Decimal]) -> Decimal:
        cut = thresholds(values[0], values[1:])
        out = Decimal(0)
        for q, t in enumerate(theta):
            for k, p in enumerate(graded_probabilities(values[0], cut, t)):
                out += Decimal(float(counts[k, q])) * p.ln()
        return out

    gradient = []
    for i, at in enumerate(point):
        ahead, behind = [*point], [*point]
        ahead[i], behind[i] = at + step * at, at - step * at
        gradient.append(float((total(ahead) - total(behind)) / (2 * step * at)))
    return np.array(gradient)


def graded_log_prob_complex(slope: Any, prob: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """The same formula for complex arguments of moderate size: (category, node)."""
    above = np.cumsum(prob[::-1])[::-1][1:]
    below = np.cumsum(prob)[:-1]
    cut = -np.sqrt(1 + 0.3457 * slope**2) * np.log(above / below)
    upper = 1 / (1 + np.exp(cut[:, None] - slope * theta))
    ends = np.ones((1, theta.size))
    return np.log(np.concatenate([ends, upper]) - np.concatenate([upper, 0 * ends]))


def bernoulli_log_prob(slope: float, prob: np.ndarray, theta: float) -> tuple[float, float]:
    """Two-parameter logistic model with intercept sqrt(1 + 0.3457 a^2) log(p_1 / p_0)."""
    eta = slope * theta + np.sqrt(1 + 0.3457 * slope**2) * np.log(prob[1] / prob[0])
    return -float(np.logaddexp(0.0, eta)), -float(np.logaddexp(0.0, -eta))


def categorical_table(slope: float, cut: Sequence[float], theta: np.ndarray) -> np.ndarray:
    """log P(Y = k | theta), shape (category, *theta.shape), each difference from its smaller tail."""
    x = np.array([np.inf, *(np.inf for _ in cut), -np.inf])[:, None] * np.ones(theta.size)
    for k, t in enumerate(cut, start=1):
        x[k] = slope * theta.ravel() - float(t)
    upper, lower = expit(x), expit(-x)
    left = x[1:] > 0
    with np.errstate(divide="ignore"):
        table = np.log(np.where(left, lower[1:] - lower[:-1], upper[:-1] - upper[1:]))
    return table.reshape(-1, *theta.shape)


def answers_log_prob(
    family: str, p: Mapping[str, np.ndarray], answers: np.ndarray, theta: np.ndarray
) -> np.ndarray:
    """Log-probability of one person's answers to one construct at many scores; missing ones left out."""
    total = np.zeros(theta.shape)
    for j, answer in enumerate(answers):
        if np.isnan(answer) or (family != "gaussian" and answer < 0):
            continue
        if family == "gaussian":
            mean = p["intercept"][j] + p["loading"][j] * theta
            total += stats.norm.logpdf(answer, mean, p["residual_sd"][j])
        else:
            cut = [float(t) for t in thresholds(float(p["slope"][j]), p["category_prob"][j].tolist())]
            total += categorical_table(float(p["slope"][j]), cut, theta)[int(answer)]
    return total


def expectation(
    node: str,
    paths: Mapping[tuple[str, str], float],
    constants: Mapping[str, Any],
    value: Mapping[str, Any],
) -> Any:
    """What one node is expected to be, given the nodes before it; ``paths`` is keyed by (target, source)."""
    effects = [effect * value[source] for (target, source), effect in paths.items() if target == node]
    return constants.get(node, 0.0) + sum(effects)


def solve_nodes(
    nodes: Sequence[str],
    paths: Mapping[tuple[str, str], float],
    constants: Mapping[str, Any],
    noise: Mapping[str, Any],
) -> dict[str, Any]:
    """Values of all nodes, one after the other, causes first."""
    value: dict[str, Any] = {}
    for node in nodes:
        value[node] = expectation(node, paths, constants, value) + noise.get(node, 0.0)
    return value


def marginal_log_likelihood(
    structure: Mapping[str, Any],
    constants: Mapping[str, float],
    observed: Mapping[str, float],
    answers: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    size: int,
    reach: float = 8.0,
) -> float:
    """Log-likelihood of one person by the sum over a full grid of independent normals.

    Parameters
    ----------
    structure : mapping
        ``nodes`` in causal order, ``kinds`` (latent, gaussian, bernoulli), ``paths``, ``sd`` of the
        residuals and ``root``, any square root of the residual correlations of the constructs.
    constants : mapping
        Intercept plus covariate effects of every node.
    observed : mapping
        Values of explained variables; NaN is missing.
    answers : mapping
        For every construct the log-probability of this person's answers as a function of its score.
    size, reach
        Nodes per dimension, between -reach and reach.
    """
    nodes, kinds, sd = structure["nodes"], structure["kinds"], structure["sd"]
    latent = [n for n in nodes if kinds[n] == "latent"]
    sources = {source for _, source in structure["paths"]}
    unseen = [n for n in nodes if kinds[n] == "gaussian" and np.isnan(observed[n]) and n in sources]
    z = np.linspace(-reach, reach, size)
    mesh = np.meshgrid(*[z] * (len(latent) + len(unseen)), indexing="ij", sparse=True)
    noise: dict[str, Any] = {
        node: sum(structure["root"][i, j] * mesh[j] for j in np.flatnonzero(structure["root"][i]))
        for i, node in enumerate(latent)
    }
    noise |= {node: sd[node] * mesh[len(latent) + i] for i, node in enumerate(unseen)}
    log_weight = sum(stats.norm.logpdf(axis) for axis in mesh) + len(mesh) * np.log(z[1] - z[0])
    total: Any = 0.0
    value: dict[str, Any] = {}
    for node in nodes:
        value[node] = expectation(node, structure["paths"], constants, value) + noise.get(node, 0.0)
        if kinds[node] == "latent":
            total = total + answers[node](np.asarray(value[node]))
        elif not np.isnan(observed[node]):
            y, eta = observed[node], value[node]
            gaussian = kinds[node] == "gaussian"
            term = stats.norm.logpdf(y, eta, sd[node]) if gaussian else np.log(expit((2 * y - 1) * eta))
            total = total + term
            value[node] = y
    return float(logsumexp(total + log_weight))


def univariate_log_density(kind: str, args: Sequence[float], x: np.ndarray) -> np.ndarray:
    """Normalised log-density of a univariate prior of the closed list, by SciPy."""
    makers: dict[str, Callable[..., Any]] = {
        "Normal": lambda mu, sd: stats.norm(mu, sd),
        "StudentT": lambda nu, mu, sd: stats.t(nu, mu, sd),
        "LogNormal": lambda mu, sd: stats.lognorm(sd, scale=np.exp(mu)),
        "HalfNormal": lambda sd: stats.halfnorm(0, sd),
        "HalfStudentT": lambda nu, sd: stats.t(nu, 0, sd),
        "Exponential": lambda rate: stats.expon(scale=1 / rate),
        "Gamma": lambda shape, rate: stats.gamma(shape, scale=1 / rate),
        "Beta": lambda a, b: stats.beta(a, b),
    }
    log_density = makers[kind](*args).logpdf(x)
    return log_density + np.log(2) if kind == "HalfStudentT" else log_density


def dirichlet_log_density(concentration: float, prob: np.ndarray) -> float:
    """Symmetric Dirichlet, by SciPy."""
    return float(stats.dirichlet.logpdf(prob, np.full(prob.size, concentration)))


def lkj_log_density(eta: float, correlation: np.ndarray) -> float:
    """LKJ density of a correlation matrix, up to its constant: det(R)^(eta - 1)."""
    return (eta - 1) * float(np.linalg.slogdet(correlation)[1])


def log_volume(function: Callable[[np.ndarray], np.ndarray], at: np.ndarray) -> float:
    """log |det| of the Jacobian of a map between vectors of one size, by central differences."""
    return float(np.linalg.slogdet(jacobian(function, at))[1])


def jacobian(function: Callable[[np.ndarray], np.ndarray], at: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """Derivatives (output, input) by five-point differences, error of order step^4."""
    columns = []
    for i in range(at.size):
        unit = np.zeros(at.size)
        unit[i] = step
        near = np.asarray(function(at + unit)) - np.asarray(function(at - unit))
        far = np.asarray(function(at + 2 * unit)) - np.asarray(function(at - 2 * unit))
        columns.append((8 * near - far) / (12 * step))
    return np.stack(columns, axis=-1)
