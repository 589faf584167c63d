"""From whitened to unconstrained coordinates, bent where a posterior is skewed (`medpsy.inference.skew`)."""

from __future__ import annotations

import math

import numpy as np

from medpsy.jit import jit

#: By so much slopes of bent coordinates differ from one at most.
BENT = 0.8


@jit
def placed(mode, whiten, bend, w, u):
    """Fills u = mode + spread s(w); returns the logarithm of the derivative of s, summed."""
    total = 0.0
    if whiten.shape[0] == 0:
        for i in range(mode.size):
            u[i] = mode[i] + w[i]
        return total
    straight = np.empty(mode.size)
    for i in range(mode.size):
        x = bend[i] * w[i]
        root = math.sqrt(1.0 + (x / BENT) ** 2)
        straight[i] = w[i] * (1.0 + x / (1.0 + root))
        if x != 0.0:
            total += math.log(1.0 + x / root)
    for i in range(mode.size):
        more = 0.0
        for j in range(mode.size):
            more += whiten[i, j] * straight[j]
        u[i] = mode[i] + more
    return total


@jit
def whiten_reverse(whiten, bend, w, gradient, gradient_w):
    """From the gradient over u to that over w."""
    if whiten.shape[0] == 0:
        for i in range(w.size):
            gradient_w[i] = gradient[i]
        return
    for j in range(w.size):
        gradient_w[j] = 0.0
    for i in range(w.size):
        for j in range(w.size):
            gradient_w[j] += gradient[i] * whiten[i, j]
    for j in range(w.size):
        x = bend[j] * w[j]
        root = math.sqrt(1.0 + (x / BENT) ** 2)
        slope = 1.0 + x / root
        gradient_w[j] = gradient_w[j] * slope + bend[j] / (root * root * root * slope)
