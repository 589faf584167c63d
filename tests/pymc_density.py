"""The log-density of a PyMC model as a plain function, evaluated without a compiler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from medpsy.inference.transforms import Slot

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
