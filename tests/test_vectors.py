"""The loops written as LLVM code against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from medpsy.engines.window_kernel import add_rows, contract_nodes, multiply_rows, posterior_moments
from medpsy.jit import jit
from medpsy.vector_kernel import LANES, exponentials, logistic_curves

EXTREME = np.array([0.0, -0.0, 1.0, -1.0, 300.0, -300.0, 700.0, -700.0])


def exp_of(x, out):
    exponentials(x.ctypes.data, out.ctypes.data, x.size)


def curves_of(slope, shift, nodes, out):
    logistic_curves(
        slope, shift, nodes.ctypes.data, out.ctypes.data, out.ctypes.data + 8 * nodes.size, nodes.size
    )


def product_of(table, starts, out):
    return multiply_rows(table.ctypes.data, starts.ctypes.data, starts.size, out.ctypes.data, out.size)


def add_to(table, starts, values):
    add_rows(table.ctypes.data, starts.ctypes.data, starts.size, values.ctypes.data, values.size)


def contracted(weight, zero, one, two, nodes, out0, out1, out2, cross):
    contract_nodes(
        weight.ctypes.data, weight.shape[1] * weight.shape[2], weight.shape[2], zero.shape[1], one.shape[1],
        two.size, zero.ctypes.data, one.ctypes.data, two.ctypes.data, nodes.ctypes.data, out0.ctypes.data,
        out1.ctypes.data, out2.ctypes.data, cross.ctypes.data,
    )  # fmt: skip


def moments_of(mass, nodes, scale, count, out):
    posterior_moments(mass.ctypes.data, nodes.ctypes.data, scale, count, mass.size, out.ctypes.data)


def test_exponentials_are_right_to_the_last_digits() -> None:
    x = np.concatenate([np.random.default_rng(0).uniform(-700, 700, 4000), EXTREME])
    out = np.empty_like(x)
    jit(exp_of)(x, out)
    np.testing.assert_allclose(out, np.exp(x), rtol=1e-13, atol=0)
    near = np.linspace(-40, 0, 4000)
    jit(exp_of)(near, out[:4000])
    np.testing.assert_allclose(out[:4000], np.exp(near), rtol=4e-15, atol=0)


def test_exponentials_end_where_doubles_do() -> None:
    out = np.empty(4)
    jit(exp_of)(np.array([-1e300, 1e300, np.nan, -np.inf]), out)
    assert 0.0 < out[0] < 1e-300
    assert 1e300 < out[1] < np.inf
    assert np.isnan(out[2])
    assert 0.0 < out[3] < 1e-300


@pytest.mark.parametrize(("slope", "shift"), [(0.0, 0.3), (1.7, -2.0), (40.0, 11.0)])
def test_logistic_curves_keep_both_tails(slope: float, shift: float) -> None:
    nodes, out = np.linspace(-6, 6, 24), np.empty((2, 24))
    jit(curves_of)(slope, shift, nodes, out)
    x = slope * nodes - shift
    np.testing.assert_allclose(out, expit([x, -x]), rtol=1e-13, atol=0)


def test_rows_are_multiplied_and_the_largest_value_is_told() -> None:
    rng = np.random.default_rng(1)
    table, starts = rng.random(200), np.array([0, 7, 31, 150])
    out = first = rng.random(12)
    expected = first * np.prod([table[s : s + 12] for s in starts], axis=0)
    top = jit(product_of)(table, starts, out)
    np.testing.assert_allclose(out, expected, rtol=1e-14)
    assert top == out.max()


def test_values_are_added_to_rows_that_overlap() -> None:
    rng = np.random.default_rng(2)
    table, starts, values = rng.random(64), np.array([0, 3, 3, 40]), rng.random(8)
    expected = table.copy()
    for s in starts:
        expected[s : s + 8] += values
    jit(add_to)(table, starts, values)
    np.testing.assert_allclose(table, expected, rtol=1e-14)


def test_the_contraction_is_the_sum_over_all_nodes() -> None:
    rng = np.random.default_rng(3)
    weight = rng.random((7, 6, 16))
    s, t = ([rng.random(n) for n in (4, 5, 8)] for _ in range(2))
    zero, one = (np.stack([s[d], s[d] * t[d]]) for d in (0, 1))
    out0, out1, out2, cross = np.zeros((4, LANES)), np.zeros((5, LANES)), np.empty(8), np.empty((3, LANES))
    jit(contracted)(weight, zero, one, s[2], t[2], out0, out1, out2, cross)
    joint = weight[:4, :5, :8] * s[0][:, None, None] * s[1][:, None] * s[2]
    np.testing.assert_allclose(s[0] * out0.sum(1), joint.sum((1, 2)), rtol=1e-13)
    np.testing.assert_allclose(s[1] * out1.sum(1), joint.sum((0, 2)), rtol=1e-13)
    np.testing.assert_allclose(out2, joint.sum((0, 1)), rtol=1e-13)
    for pair, found in zip(((0, 1), (0, 2), (1, 2)), cross.sum(1), strict=True):
        moment = np.einsum("abc,{},{}->".format(*("abc"[d] for d in pair)), joint, t[pair[0]], t[pair[1]])
        np.testing.assert_allclose(found, moment, rtol=1e-13)


def test_moments_leave_the_expected_persons_behind() -> None:
    rng = np.random.default_rng(4)
    mass, nodes, out = rng.random(12), rng.normal(size=12), np.empty((2, LANES))
    before = mass.copy()
    jit(moments_of)(mass, nodes, 0.25, 3.0, out)
    np.testing.assert_allclose(out.sum(1), [0.25 * before @ nodes, 0.25 * before @ nodes**2], rtol=1e-13)
    np.testing.assert_allclose(mass, 0.75 * before, rtol=1e-15)
