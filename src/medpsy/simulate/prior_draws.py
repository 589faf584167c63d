"""Draws from the priors of the closed list."""

from __future__ import annotations

import numpy as np

from medpsy.ops import Numpy
from medpsy.parameter import Parameter


def draw_prior(
    parameters: tuple[Parameter, ...], rng: np.random.Generator, size: int
) -> dict[str, np.ndarray]:
    """Draw every parameter from its prior.

    Parameters
    ----------
    parameters : tuple of Parameter
        Those of a model (``ModelData.parameters``).
    rng : Generator
    size : int
        Number of draws.

    Returns
    -------
    dict of str to ndarray, shape (size, *shape of the parameter)
        A correlation matrix comes as its lower Cholesky factor.
    """
    out = {p.name: _draw(p, rng, size) for p in parameters if p.free}
    for p in parameters:
        if p.made is not None:
            out |= p.made.forward(out, Numpy)
    return {p.name: out[p.copy_of or p.name] for p in parameters}


def _draw(parameter: Parameter, rng: np.random.Generator, size: int) -> np.ndarray:
    if parameter.event == "correlation":
        return lkj_cholesky(parameter.shape[0], parameter.priors[0]["eta"], rng, size)
    out = np.full((size, *parameter.shape), parameter.fill)
    flat = out.reshape(size, -1)
    for group in parameter.groups():
        if group.kind == "Dirichlet":
            shape = (size, len(group.index), group.length)
            # Through logarithms: with a small concentration every gamma draw of a row may underflow.
            logs = _log_gamma(group.args[:, :1], shape, rng)
            weight = np.exp(logs - logs.max(axis=-1, keepdims=True))
            out[:, group.index, : group.length] = weight / weight.sum(axis=-1, keepdims=True)
        else:
            flat[:, group.index] = _univariate(group.kind, group.args.T, (size, len(group.index)), rng)
    return out


def _log_gamma(shape: np.ndarray, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Logarithms of Gamma(shape, 1) draws: log G(a) = log G(a + 1) + log(U) / a."""
    return np.log(rng.gamma(shape + 1.0, size=size)) + np.log(1.0 - rng.random(size)) / shape


def _univariate(kind: str, args: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw (size, entry); ``args`` holds one row per argument, one column per entry."""
    match kind:
        case "Normal":
            return rng.normal(args[0], args[1], size)
        case "HalfNormal":
            return np.abs(rng.normal(0.0, args[0], size))
        case "LogNormal":
            return rng.lognormal(args[0], args[1], size)
        case "StudentT":
            return args[1] + args[2] * rng.standard_t(args[0], size)
        case "HalfStudentT":
            return np.abs(args[1] * rng.standard_t(args[0], size))
        case "Exponential":
            return rng.exponential(1.0 / args[0], size)
        case "Gamma":
            return rng.gamma(args[0], 1.0 / args[1], size)
        case "Beta":
            return rng.beta(args[0], args[1], size)
    raise AssertionError(kind)


def lkj_cholesky(dim: int, eta: float, rng: np.random.Generator, size: int) -> np.ndarray:
    """Lower Cholesky factors of R ~ LKJ(eta), density proportional to det(R)^(eta - 1).

    The C-vine of Lewandowski, Kurowicka & Joe (2009, doi:10.1016/j.jmva.2009.04.008): the partial
    correlation of variable i with variable j given the j variables before them is 2 Beta(b, b) - 1 with
    b = eta + (dim - 2 - j) / 2, all independent.

    Parameters
    ----------
    dim : int
        Number of variables.
    eta : float
        Positive; 1 is uniform over correlation matrices.
    rng : Generator
    size : int
        Number of draws.

    Returns
    -------
    ndarray, shape (size, dim, dim)
    """
    out = np.zeros((size, dim, dim))
    left = np.ones((size, dim))
    for j in range(dim - 1):
        shape = eta + (dim - 2 - j) / 2
        partial = 2.0 * rng.beta(shape, shape, (size, dim - 1 - j)) - 1.0
        out[:, j, j] = np.sqrt(left[:, j])
        out[:, j + 1 :, j] = partial * np.sqrt(left[:, j + 1 :])
        left[:, j + 1 :] *= 1.0 - partial**2
    out[:, -1, -1] = np.sqrt(left[:, -1])
    return out
