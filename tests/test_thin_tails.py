"""Chains that agree but know too little of the ends of a heavy-tailed parameter are drawn for longer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from medpsy.inference.compiled_route import _thin_tails


def told(values: np.ndarray) -> str:
    density: Any = SimpleNamespace(space=SimpleNamespace(constrain=lambda u: {"x": u}))
    return _thin_tails(SimpleNamespace(u=values), density)  # type: ignore[arg-type]


def test_independent_draws_have_tails_enough() -> None:
    rng = np.random.default_rng(1)
    constant = np.ones((4, 1000, 1))  # as the diagonal of a correlation matrix
    assert told(np.concatenate([rng.standard_t(2, (4, 1000, 2)), constant], axis=2)) == ""


def test_slow_excursions_into_a_tail_are_noticed() -> None:
    """Half of the time in the middle, far out for long: the middle mixes well, the tail does not."""
    rng = np.random.default_rng(2)
    far = np.repeat(rng.random((4, 20)) < 0.12, 50, axis=1)
    values = np.where(far, 8.0, 0.0) + rng.normal(size=(4, 1000))
    words = told(values[..., None])
    assert words.startswith("smallest tail effective sample size")
    assert float(words.rsplit(" ", 1)[1]) < 400
