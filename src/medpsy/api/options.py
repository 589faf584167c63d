"""Options of the sampler: known by name, possible in value, before anything starts."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from medpsy.errors import SpecError, nearest

_LOWEST = {"draws": 1, "tune": 1, "chains": 1, "seed": 0, "cores": 1, "nodes": 3}


def sampling_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are set.

    Raises
    ------
    SpecError
        An unknown option, with the nearest one that exists, or a number that is none.
    """
    from medpsy.fit import fit

    known = [p.name for p in inspect.signature(fit).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for key in options:
        if key not in known:
            raise SpecError(f"fitting has no option '{key}'", hint=nearest(key, known))
    chosen = {key: value for key, value in options.items() if value is not None}
    for key, lowest in _LOWEST.items():
        value = chosen.get(key, lowest)
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < lowest:
            raise SpecError(
                f"{key} is {value!r}, not a whole number from {lowest} up", hint=f"Say {key}={lowest + 1}."
            )
    accept = chosen.get("target_accept", 0.8)
    if isinstance(accept, bool) or not isinstance(accept, int | float) or not 0 < accept < 1:
        raise SpecError(f"target_accept is {accept!r}, not between 0 and 1", hint="Say target_accept=0.9.")
    return chosen
