"""The posterior mode and the curvature there: where sampling starts, and in which coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from medpsy.errors import FitError
from medpsy.inference.density import Density
from medpsy.inference.native import quick
from medpsy.inference.whiten_kernel import BENT


@dataclass(frozen=True)
class Mode:
    """A local maximum of the log-density in unconstrained coordinates.

    Parameters
    ----------
    u : ndarray, shape (size,)
    value : float
        Log-density there, up to a constant.
    spread : ndarray, shape (size, size)
        W with W W' the inverse of the negative Hessian; ``u + W w`` whitens.
    evaluations : int
        Gradients used by the search.
    converged : bool
        The search ended at a stationary point and the curvature is positive definite.
    damped : int
        How many directions had no curvature of their own and were given some.
    bend : ndarray, shape (size,), optional
        How far each whitened coordinate is bent (`medpsy.inference.skew`); none is unless given.
    """

    u: np.ndarray
    value: float
    spread: np.ndarray
    evaluations: int
    converged: bool
    damped: int
    bend: np.ndarray | None = None

    def place(self, w: np.ndarray) -> np.ndarray:
        """Unconstrained coordinates (..., size) of bent whitened ones."""
        return self.u + self.straight(w)[0] @ self.spread.T

    def straight(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Whitened coordinates (..., size) before they were bent; their derivative over ``w``, and that of
        its logarithm."""
        if self.bend is None:
            return w, np.ones_like(w), np.zeros_like(w)
        b = np.where(self.bend == 0.0, 1.0, self.bend)
        x = self.bend * w
        root = np.sqrt(1.0 + (x / BENT) ** 2)
        # Not a difference of numbers that are all but equal: root - 1 = (x / c)^2 / (1 + root).
        slope = 1.0 + x / root
        return w + x**2 / b / (1.0 + root), slope, self.bend / root**3 / slope


def climb(
    density: Density, start: np.ndarray, spread: np.ndarray | None = None
) -> tuple[np.ndarray, int, bool]:
    """Quasi-Newton search (L-BFGS) from ``start``: the point, gradients used, whether it converged.

    ``spread`` (size, size), a guess of the posterior's Cholesky factor, makes the search much shorter.
    """
    density.check_start(start)
    spread = np.eye(density.size) if spread is None else spread
    evaluate = quick(density, start)

    def negative(w: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = evaluate(start + spread @ w)
        return (-value, -gradient @ spread) if np.isfinite(value) else (1e10, np.zeros(density.size))

    result = minimize(
        negative, np.zeros(density.size), jac=True, method="L-BFGS-B",
        options={"maxiter": 500, "maxcor": 30, "ftol": 1e-12, "gtol": 1e-4},
    )  # fmt: skip
    return start + spread @ result.x, int(result.nfev), bool(np.max(np.abs(result.jac)) < 0.5)


def hessian(gradient: Callable[[np.ndarray], np.ndarray], u: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """Symmetric matrix of second derivatives from central differences of the gradient."""
    out = np.empty((u.size, u.size))
    for i in range(u.size):
        ahead, behind = u.copy(), u.copy()
        ahead[i] += step
        behind[i] -= step
        out[i] = (gradient(ahead) - gradient(behind)) / (2 * step)
    return 0.5 * (out + out.T)


def find_mode(density: Density, start: np.ndarray, spread: np.ndarray | None = None) -> Mode:
    """Climb from ``start`` and measure the curvature at the top; ``spread`` as in `climb`.

    Directions whose curvature is not positive (or below a thousandth of the prior's unit scale) are damped,
    which leaves the posterior unchanged: the whitening only sets the coordinates that NUTS moves in.
    """
    u, evaluations, converged = climb(density, start, spread)
    evaluate = quick(density, u)
    value = evaluate(u)[0]
    curvature = -hessian(lambda x: evaluate(x)[1], u)
    if not np.isfinite(curvature).all():
        raise FitError(
            "the curvature at the mode is not a number",
            hint="The model may not be identified: check for copied items or a prior that is far too wide.",
        )
    values, vectors = np.linalg.eigh(curvature)
    floor = 1e-3
    damped = int((values < floor).sum())
    covariance = (vectors / np.maximum(values, floor)) @ vectors.T
    spread = np.linalg.cholesky(0.5 * (covariance + covariance.T))
    return Mode(u, value, spread, evaluations, converged and damped == 0, damped)
