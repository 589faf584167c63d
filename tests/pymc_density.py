"""The log-density of a PyMC model as a plain function, evaluated without a compiler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import LikelihoodEngine
from medpsy.inference.density import Density
from medpsy.inference.transforms import Slot, Unconstrained
from numeric_cases import points

Function = Callable[[np.ndarray], tuple[float, np.ndarray]]


def density_function(model: Any, slots: Sequence[Slot], *, prior_only: bool = False) -> Function:
    """Log-density and gradient over the vector that ``slots`` cut into value variables.

    Parameters
    ----------
    model : pm.Model
    slots : sequence of Slot
        Name, place and shape of every value variable; together they are all free ones.
    prior_only : bool
        Leave the likelihood out.
    """
    import pytensor
    from pytensor.compile.mode import Mode

    variables = {variable.name: variable for variable in model.value_vars}
    assert set(variables) == {slot.name for slot in slots}
    order = [variables[slot.name] for slot in slots]
    log_density = model.logp(vars=model.free_RVs) if prior_only else model.logp()
    gradient = pytensor.grad(log_density, order)
    # The rewrites of FAST_COMPILE, run by the Python virtual machine.
    function = pytensor.function(order, [log_density, *gradient], mode=Mode("vm", "fast_compile"))

    def evaluate(u: np.ndarray) -> tuple[float, np.ndarray]:
        with np.errstate(all="ignore"):
            value, *parts = function(*(u[s.start : s.stop].reshape(s.shape) for s in slots))
        return float(value), np.concatenate([np.ravel(part) for part in parts])

    return evaluate


def check_one_density(data: ModelData, engine: LikelihoodEngine, settings: Any, *, floor: float) -> None:
    """Compiled and PyMC log-densities differ by a constant, and gradients agree, at 50 points.

    ``floor`` times the largest entry of a gradient is what its entries may be off beside 1e-6 of themselves.
    """
    from medpsy.inference.pymc_model import build

    density = Density(data, engine.compiled(data, settings))
    pymc = density_function(build(data, engine, settings), Unconstrained(data.parameters).slots)
    offsets, values = [], []
    for u in points(data.parameters, 50, 2):
        value, gradient = pymc(u)
        own, own_gradient = density.value_and_gradient(u)
        np.testing.assert_allclose(own_gradient, gradient, rtol=1e-6, atol=floor * np.abs(gradient).max())
        offsets.append(value - own)
        values.append(max(abs(value), 1.0))
    assert (np.abs(np.array(offsets) - offsets[0]) <= 1e-8 * np.maximum(values, values[0])).all()
