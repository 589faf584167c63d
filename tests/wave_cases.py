"""Ordinal items of one construct at several occasions: a separate simulator for the tests of waves."""

from __future__ import annotations

import numpy as np

from medpsy.survey.instrument import Instrument, Module
from medpsy.survey.survey import Survey

CUTS = np.array([-1.8, -0.5, 0.6, 1.9])
CODES = (1, 2, 3, 4, 5)


def two_waves(
    n: int = 500,
    *,
    waves: int = 2,
    items: int = 5,
    change: float = 0.4,
    sd: float = 1.2,
    stability: float = 0.6,
    drift: float = 0.0,
    seed: int = 1,
) -> Survey:
    """Modules a, b (and c): the construct rises by ``change`` and has sd ``sd`` after the first wave; the
    thresholds of the last item rise by ``drift`` there."""
    rng = np.random.default_rng(seed)
    gap = np.abs(np.subtract.outer(np.arange(waves), np.arange(waves)))
    sds = np.array([1.0, *[sd] * (waves - 1)])
    mean = np.array([0.0, *[change] * (waves - 1)])
    score = rng.multivariate_normal(mean, stability**gap * np.outer(sds, sds), n)
    slope, place = np.linspace(1.2, 2.2, items), np.linspace(-0.6, 0.6, items)
    modules, codes = [], []
    for wave, name in enumerate("abc"[:waves]):
        cuts = place[:, None] + CUTS
        cuts[-1] += drift * (wave > 0)
        latent = score[:, [wave]] * slope + rng.logistic(size=(n, items))
        codes.append((latent[:, :, None] > cuts).sum(-1))
        modules.append(Module(name, tuple(f"{name}{j + 1}" for j in range(items)), CODES))
    person = np.array([f"p{i}" for i in range(n)])
    return Survey(Instrument(tuple(modules), ()), person, np.column_stack(codes).astype(np.int8), {})
