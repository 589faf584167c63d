"""Values, log-prior with Jacobian and gradients for one point, over flat arrays."""

from __future__ import annotations

import math

import numpy as np

from medpsy.jit import jit


@jit
def scalars(u, kinds, args, where, values, gradient):
    """Univariate priors in unconstrained coordinates: fills values and gradient, returns the sum."""
    total = 0.0
    for i in range(kinds.size):
        kind, x = kinds[i], u[i]
        values[where[i]] = x
        if kind == 7:
            values[where[i]] = 1.0 / (1.0 + math.exp(-x))
        elif kind >= 2:
            values[where[i]] = math.exp(x)
        if kind == 0 or kind == 2:
            z = (x - args[i, 0]) / args[i, 1]
            total -= 0.5 * z * z
            gradient[i] = -z / args[i, 1]
        elif kind == 1:
            nu = args[i, 0]
            z = (x - args[i, 1]) / args[i, 2]
            total -= 0.5 * (nu + 1.0) * math.log1p(z * z / nu)
            gradient[i] = -(nu + 1.0) * z / ((nu + z * z) * args[i, 2])
        elif kind == 3:
            r = math.exp(2.0 * x) / (args[i, 0] * args[i, 0])
            total += x - 0.5 * r
            gradient[i] = 1.0 - r
        elif kind == 4:
            nu = args[i, 0]
            r = math.exp(2.0 * x) / (nu * args[i, 1] * args[i, 1])
            total += x - 0.5 * (nu + 1.0) * math.log1p(r)
            gradient[i] = 1.0 - (nu + 1.0) * r / (1.0 + r)
        elif kind == 5:
            r = args[i, 0] * math.exp(x)
            total += x - r
            gradient[i] = 1.0 - r
        elif kind == 6:
            r = args[i, 1] * math.exp(x)
            total += args[i, 0] * x - r
            gradient[i] = args[i, 0] - r
        else:
            a, b = args[i, 0], args[i, 1]
            below = -math.log1p(math.exp(-abs(x)))
            total += a * (below + min(x, 0.0)) + b * (below - max(x, 0.0))
            gradient[i] = a - (a + b) / (1.0 + math.exp(-x))
    return total


@jit
def simplexes(u, spans, concentration, values, gradient):
    """Symmetric Dirichlets with Jacobian: with c the concentration, c times the sum of log p."""
    total = 0.0
    for r in range(spans.shape[0]):
        at, to, n = spans[r, 0], spans[r, 1], spans[r, 2]
        last = 0.0
        top = -1e300
        for k in range(n - 1):
            last -= u[at + k]
            top = max(top, u[at + k])
        top = max(top, last)
        norm = math.exp(last - top)
        for k in range(n - 1):
            norm += math.exp(u[at + k] - top)
        log_norm = top + math.log(norm)
        c = concentration[r]
        # The n log-ratios sum to zero, so only the normaliser remains.
        total -= c * n * log_norm
        final = math.exp(last - log_norm)
        values[to + n - 1] = final
        for k in range(n - 1):
            p = math.exp(u[at + k] - log_norm)
            values[to + k] = p
            gradient[at + k] = -c * n * (p - final)
    return total


@jit
def simplexes_reverse(spans, values, d_values, gradient):
    """Add the gradient of the likelihood with respect to the log-ratios."""
    for r in range(spans.shape[0]):
        at, to, n = spans[r, 0], spans[r, 1], spans[r, 2]
        mean = 0.0
        for k in range(n):
            mean += values[to + k] * d_values[to + k]
        final = values[to + n - 1] * (d_values[to + n - 1] - mean)
        for k in range(n - 1):
            gradient[at + k] += values[to + k] * (d_values[to + k] - mean) - final


@jit
def factor(u, place, n, eta, chol, gradient):
    """Cholesky factor of a correlation matrix from its triangle; LKJ density with Jacobian.

    Exponents of the diagonal: 2 eta - 2 + n - i from the density (i counts from one), i + 1 from the
    Jacobian.
    """
    total = 0.0
    d_chol = np.zeros((n, n))
    at = 0
    chol[0, 0] = 1.0
    for i in range(1, n):
        square = 1.0
        for j in range(i):
            square += u[place[at + j]] ** 2
        scale = 1.0 / math.sqrt(square)
        for j in range(i):
            chol[i, j] = u[place[at + j]] * scale
        chol[i, i] = scale
        exponent = 2.0 * eta - 2.0 + n + 1.0
        total += exponent * math.log(scale)
        d_chol[i, i] = exponent / scale
        at += i
    factor_reverse(place, n, chol, d_chol, gradient)
    return total


@jit
def factor_reverse(place, n, chol, d_chol, gradient):
    """Add the gradient with respect to the triangle coordinates."""
    at = 0
    for i in range(1, n):
        inner = 0.0
        for j in range(i + 1):
            inner += d_chol[i, j] * chol[i, j]
        for j in range(i):
            gradient[place[at + j]] += chol[i, i] * (d_chol[i, j] - chol[i, j] * inner)
        at += i
