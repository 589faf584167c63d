"""The array namespace of `medpsy.ops` on PyTensor graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt


class Tensor:
    """Same names as `medpsy.ops.Numpy`; no leading axes are needed here."""

    exp = staticmethod(pt.exp)
    log = staticmethod(pt.log)
    log1p = staticmethod(pt.log1p)
    sqrt = staticmethod(pt.sqrt)
    sinh = staticmethod(pt.sinh)
    arcsinh = staticmethod(pt.arcsinh)
    absolute = staticmethod(pt.abs)
    minimum = staticmethod(pt.minimum)
    maximum = staticmethod(pt.maximum)
    where = staticmethod(pt.where)
    concatenate = staticmethod(pt.concatenate)
    stack = staticmethod(pt.stack)
    swapaxes = staticmethod(pt.swapaxes)
    zeros = staticmethod(pt.zeros)
    softplus = staticmethod(pt.softplus)
    log1mexp = staticmethod(pt.log1mexp)
    gammaln = staticmethod(pt.gammaln)
    constant = staticmethod(pt.as_tensor)

    @staticmethod
    def log_ndtr(x: Any) -> Any:
        """Logarithm of the standard normal distribution function."""
        # Each branch sees arguments from its own side, so that neither yields a NaN where it is not taken.
        left, right = pt.minimum(x, -1.0), pt.maximum(x, -1.0)
        tail = pt.log(0.5 * pt.erfcx(-left / np.sqrt(2.0))) - 0.5 * left**2
        return pt.where(x < -1.0, tail, pt.log1p(-0.5 * pt.erfc(right / np.sqrt(2.0))))

    @staticmethod
    def sum(x: Any, axis: int = -1) -> Any:
        """Sum over one axis."""
        return pt.sum(x, axis=axis)

    @staticmethod
    def cumsum(x: Any) -> Any:
        """Cumulative sum over the last axis."""
        return pt.cumsum(x, axis=-1)

    @staticmethod
    def logsumexp(x: Any, axis: int = -1) -> Any:
        """log(sum(exp(x))) over one axis."""
        return pt.logsumexp(x, axis=axis)

    @staticmethod
    def place(shape: tuple[int, int], rows: Any, columns: Any, values: Any) -> Any:
        """Matrix of zeros with ``values`` (n,) at (rows[n], columns[n])."""
        if len(rows) == 0:
            return pt.zeros(shape)
        return pt.zeros(shape)[rows, columns].set(values)

    @staticmethod
    def solve(a: Any, b: Any) -> Any:
        """Solve a x = b for a matrix b."""
        return pt.linalg.solve(a, b)

    @staticmethod
    def cholesky(a: Any) -> Any:
        """Lower Cholesky factor."""
        return pt.linalg.cholesky(a)

    @staticmethod
    def diagonal(a: Any) -> Any:
        """Diagonal of a matrix."""
        return pt.diagonal(a, axis1=-2, axis2=-1)

    @staticmethod
    def length(a: Any) -> int:
        """Size of the last axis, which the graph must know."""
        return int(a.type.shape[-1])
