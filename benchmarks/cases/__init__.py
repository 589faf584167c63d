"""One case a file: ``TITLE``, ``problem()``, and optionally ``RUNS`` and ``LIMITS`` by contestant.

``RUNS`` lowers the number of runs of a slow contestant, ``LIMITS`` gives its time limit in seconds. Files
are run in the order of their ``ORDER``.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import numpy as np


def cases() -> dict[str, ModuleType]:
    """All cases by name, in the order in which they are run."""
    found = {m.name: importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)}
    return dict(sorted(found.items(), key=lambda pair: pair[1].ORDER))


def mission_answers(n: int | None = None) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], np.ndarray]:
    """Factors and answers of ``models/mission.toml``, simulated from its truth for ``n`` persons."""
    import medpsy as mp
    from benchmarks.problem import ROOT

    model = mp.load_model(ROOT / "models" / "mission.toml")
    survey = model.simulate(n)
    factors = tuple((construct.name, tuple(construct.items)) for construct in model.spec.constructs)
    codes = survey.item_codes([item for _, items in factors for item in items])
    return factors, np.where(codes < 0, np.nan, codes.astype(float))
