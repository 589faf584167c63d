"""The log-likelihood of a Gaussian model from sufficient statistics, as a C function.

The steps are those of `medpsy.engines.gaussian_compiled`.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numba import carray

from medpsy.inference.native_kernel import (
    PART,
    cells,
    floats,
    integers,
    part_function,
    pointer,
    system,
    system_reverse,
)
from medpsy.jit import jit
from medpsy.linear_kernel import product, product_right

#: Arrays of the table, in order; `medpsy.inference.native_gaussian` fills it. ``rows`` has for every variable
#: its node and the places of loading, intercept and residual sd among the flat values (-1: one, none, none);
#: ``patterns`` persons, first column, number of columns, where the cross-products start, the addresses of the
#: persons' answers and design, and the first of their rows.
TABLE = (*PART, "rows", "patterns", "columns", "yy", "yw", "ww")

#: The same where the moments are computed values: ``about`` has the places of mean (variable, column) and
#: covariance, and the sizes of the mean.
MOMENTS = ("about", *TABLE[len(PART) + 1 :])


@jit
def invert(s, inverse):
    """Inverse of a positive definite matrix, and the log-determinant; NaN if it is not one."""
    n = s.shape[0]
    low, half = np.zeros((n, n)), np.zeros((n, n))
    log_det = 0.0
    for j in range(n):
        pivot = s[j, j]
        for k in range(j):
            pivot -= low[j, k] * low[j, k]
        if not pivot > 0.0:
            return np.nan
        low[j, j] = math.sqrt(pivot)
        log_det += math.log(pivot)
        for i in range(j + 1, n):
            x = s[i, j]
            for k in range(j):
                x -= low[i, k] * low[j, k]
            low[i, j] = x / low[j, j]
    for i in range(n):
        half[i, i] = 1.0 / low[i, i]
        for j in range(i):
            x = 0.0
            for k in range(j, i):
                x -= low[i, k] * half[k, j]
            half[i, j] = x / low[i, i]
    for i in range(n):
        for j in range(i + 1):
            x = 0.0
            for k in range(i, n):
                x += half[k, i] * half[k, j]
            inverse[i, j] = x
            inverse[j, i] = x
    return log_det


@jit
def pattern_term(pattern, columns, yy_all, yw_all, ww_all, mean, covariance, d_mean, d_covariance, rows_):
    """Log-likelihood of the persons with one pattern of missing values; adds to both gradients.

    Fills the terms of its persons unless ``rows_`` is 0.
    """
    n, first, v, at_yy, at_yw, at_ww = pattern[0], pattern[1], pattern[2], pattern[3], pattern[4], pattern[5]
    c = mean.shape[1]
    own = columns[first : first + v]
    yy = yy_all[at_yy : at_yy + v * v].reshape((v, v))
    yw = yw_all[at_yw : at_yw + v * c].reshape((v, c))
    ww = ww_all[at_ww : at_ww + c * c].reshape((c, c))
    s, part = np.empty((v, v)), np.empty((v, c))
    for i in range(v):
        for j in range(v):
            s[i, j] = covariance[own[i], own[j]]
        for j in range(c):
            part[i, j] = mean[own[i], j]
    inverse = np.empty((v, v))
    log_det = invert(s, inverse)
    level = v * math.log(2.0 * math.pi) + log_det
    if rows_:
        answers = carray(pointer(pattern[6]), (n, v), np.float64)
        design = carray(pointer(pattern[7]), (n, c), np.float64)
        terms = carray(pointer(rows_ + 8 * pattern[8]), (n,), np.float64)
        person_terms(answers, design, part, inverse, level, terms)
    cross, fitted = product_right(yw, part), product_right(product(part, ww), part)
    scatter = np.empty((v, v))
    for i in range(v):
        for j in range(v):
            scatter[i, j] = yy[i, j] - cross[i, j] - cross[j, i] + fitted[i, j]
    solved = product(inverse, scatter)
    trace = 0.0
    for i in range(v):
        trace += solved[i, i]
    d_s, rest = product(solved, inverse), product(part, ww)
    for i in range(v):
        for j in range(c):
            rest[i, j] = yw[i, j] - rest[i, j]
    d_part = product(inverse, rest)
    for i in range(v):
        for j in range(v):
            d_covariance[own[i], own[j]] += 0.5 * (d_s[i, j] - n * inverse[i, j])
        for j in range(c):
            d_mean[own[i], j] += d_part[i, j]
    return -0.5 * (n * level + trace)


@jit
def person_terms(answers, design, mean, inverse, level, terms):
    """Log-density of every person of a pattern; ``level`` is what all have in common."""
    residual = np.empty(mean.shape[0])
    for r in range(terms.size):
        square = 0.0
        for i in range(residual.size):
            residual[i] = answers[r, i]
            for j in range(mean.shape[1]):
                residual[i] -= mean[i, j] * design[r, j]
            half = 0.5 * inverse[i, i] * residual[i]
            for j in range(i):
                half += inverse[i, j] * residual[j]
            square += 2.0 * half * residual[i]
        terms[r] = -0.5 * (level + square)


@jit
def log_likelihood(t, x, d_x, rows_):
    """Log-likelihood of the persons of a part at the values ``x``; adds to the gradient, fills the rows."""
    rows, patterns, columns = cells(t, 6), cells(t, 7), integers(t, 8)
    yy, yw, ww = floats(t, 9), floats(t, 10), floats(t, 11)
    a, g, d, z = system(t, x)
    total = 0.0
    n, v, c = d.size, rows.shape[0], g.shape[1]
    scaled = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            scaled[i, j] = d[i] * z[i, j]
    node_mean, chol = product(a, g), product(a, scaled)
    mean, spread = np.empty((v, c)), np.empty((v, n))
    for i in range(v):
        loading = x[rows[i, 1]] if rows[i, 1] >= 0 else 1.0
        for j in range(c):
            mean[i, j] = loading * node_mean[rows[i, 0], j]
        for j in range(n):
            spread[i, j] = loading * chol[rows[i, 0], j]
        if rows[i, 2] >= 0:
            mean[i, 0] += x[rows[i, 2]]
    covariance = product_right(spread, spread)
    for i in range(v):
        if rows[i, 3] >= 0:
            covariance[i, i] += x[rows[i, 3]] ** 2
    d_mean, d_covariance = np.zeros((v, c)), np.zeros((v, v))
    for k in range(patterns.shape[0]):
        total += pattern_term(patterns[k], columns, yy, yw, ww, mean, covariance, d_mean, d_covariance, rows_)
    d_spread = product(d_covariance, spread)
    d_node, d_chol = np.zeros((n, c)), np.zeros((n, n))
    for i in range(v):
        node, place = rows[i, 0], rows[i, 1]
        loading = x[place] if place >= 0 else 1.0
        d_loading = 0.0
        for j in range(c):
            d_node[node, j] += loading * d_mean[i, j]
            d_loading += d_mean[i, j] * node_mean[node, j]
        for j in range(n):
            d_loading += 2.0 * d_spread[i, j] * chol[node, j]
        for j in range(node + 1):
            d_chol[node, j] += 2.0 * loading * d_spread[i, j]
        if place >= 0:
            d_x[place] += d_loading
        if rows[i, 2] >= 0:
            d_x[rows[i, 2]] += d_mean[i, 0]
        if rows[i, 3] >= 0:
            d_x[rows[i, 3]] += 2.0 * d_covariance[i, i] * x[rows[i, 3]]
    system_reverse(t, a, g, d, z, d_node, d_chol, d_x)
    return total


def _part(table_, x_, d_x_, n_value, value_, rows_):
    t = carray(pointer(table_), (12, 3), np.int64)
    x = carray(pointer(x_), (n_value,), np.float64)
    d_x, value = carray(pointer(d_x_), (n_value,), np.float64), carray(pointer(value_), (1,), np.float64)
    value[0] = log_likelihood(t, x, d_x, rows_)


def _moments_part(table_, x_, d_x_, n_value, value_, rows_):
    t = carray(pointer(table_), (6, 3), np.int64)
    about, patterns, columns = integers(t, 0), cells(t, 1), integers(t, 2)
    yy, yw, ww = floats(t, 3), floats(t, 4), floats(t, 5)
    v, c = about[2], about[3]
    mean = carray(pointer(x_ + 8 * about[0]), (v, c), np.float64)
    covariance = carray(pointer(x_ + 8 * about[1]), (v, v), np.float64)
    d_mean = carray(pointer(d_x_ + 8 * about[0]), (v, c), np.float64)
    d_covariance = carray(pointer(d_x_ + 8 * about[1]), (v, v), np.float64)
    value = carray(pointer(value_), (1,), np.float64)
    value[0] = 0.0
    for k in range(patterns.shape[0]):
        value[0] += pattern_term(
            patterns[k], columns, yy, yw, ww, mean, covariance, d_mean, d_covariance, rows_
        )


@cache
def part() -> Any:
    """The C function of a part."""
    return part_function(_part)


@cache
def moments_part() -> Any:
    """The C function of a part whose moments are computed values."""
    return part_function(_moments_part)
