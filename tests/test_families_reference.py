"""Modes under flat priors, and their curvature, against maximum-likelihood fits of mirt 1.47."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpsy.bind import ModelData, bind, local
from medpsy.derive import derived
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.model import compose
from medpsy.spec.model_spec import Construct, ModelSpec
from numeric_cases import even_grid
from test_mode_and_reference import likelihood_mode, ordinal, reference

#: So flat that the posterior is the likelihood, in the coordinates of the search too.
FLAT = {"category_prob": "Dirichlet(0.000001)", "slope": "LogNormal(0, 1000)", "spread": "LogNormal(0, 1000)"}
LSAT = tuple(f"item{j}" for j in range(1, 6))
SCIENCE = ("Comfort", "Work", "Future", "Benefit")
STUDENTS = "mexmed_students/mexmed_students_clean.csv"


@dataclass(frozen=True)
class Peer:
    """A fit by marginal maximum likelihood. ``skip`` numbers stand in its rows before the intercepts."""

    family: str
    dataset: str
    entry: str
    file: str
    items: tuple[str, ...]
    codes: tuple[int, ...]
    skip: int


PEERS = [
    Peer("rasch", "lsat", "irt.lsat6.rasch", "lsat/lsat6.csv", LSAT, (0, 1), 1),
    Peer(
        "partial_credit", "science_attitudes", "irt.pcm", "science_attitudes/science.csv", SCIENCE,
        (1, 2, 3, 4), 6,
    ),
    Peer(
        "generalised_partial_credit", "mexmed_students", "irt.gpcm_phq", STUDENTS,
        tuple(f"phq{j}" for j in range(1, 10)), (0, 1, 2, 3), 6,
    ),
    Peer(
        "generalised_partial_credit", "mexmed_students", "irt.gpcm_gad", STUDENTS,
        tuple(f"gad{j}" for j in range(1, 8)), (0, 1, 2, 3), 6,
    ),
]  # fmt: skip


def slope_intercept(data: ModelData, values: dict[str, np.ndarray]) -> np.ndarray:
    """Slope, and intercepts as mirt states them, (item, 1 + step): d_k = -(sum of the first k thresholds)."""
    p = local(data, data.blocks[0], values)
    slope = p["slope"] if "slope" in p else p["spread"] + np.zeros(len(data.blocks[0].sizes))
    threshold = derived(data, values)["threshold_f"][1]
    return np.concatenate([slope[:, None], -np.cumsum(threshold, axis=1)], axis=1)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.entry)
def test_flat_priors_reproduce_the_maximum_likelihood_fit(peer: Peer, shared: Path) -> None:
    want = reference(shared, peer.dataset, peer.entry)
    answers = ordinal(shared / "data" / peer.file, peer.items, peer.codes)
    free = {"slope", "category_prob"} if "generalised" in peer.family else {"spread", "category_prob"}
    priors = tuple((name, FLAT[name]) for name in sorted(free))
    model = compose(ModelSpec((Construct("f", peer.items, peer.family),), priors=priors))
    data = bind(model, answers)
    density, mode = likelihood_mode(data, CompiledQuadrature(data, even_grid(1, 121, 7.0)))
    assert mode.converged
    values = density.space.constrain(mode.u)
    assert density.likelihood.value_and_gradient(values)[0] == pytest.approx(want["logLik"], abs=0.05)
    got = slope_intercept(data, values)
    steps = 1e-4 * mode.spread.T
    moved: Any = [
        slope_intercept(data, density.space.constrain(mode.u + s))
        - slope_intercept(data, density.space.constrain(mode.u - s))
        for s in steps
    ]
    sd = np.sqrt((np.array(moved) ** 2).sum(0)) / 2e-4
    for j, item in enumerate(peer.items):
        rows = want["slope_intercept"][item]
        last = peer.skip + len(peer.codes) - 1
        error = np.array(rows["se"][peer.skip : last], dtype=float)
        difference = got[j, 1:] - np.array(rows["est"][peer.skip : last])
        assert (np.abs(difference) < 0.3 * error).all(), (item, difference, error)
        assert np.abs(difference).max() < 0.02
        np.testing.assert_allclose(sd[j, 1:], error, rtol=0.15)
        if "generalised" in peer.family:
            assert got[j, 0] == pytest.approx(rows["est"][0], abs=0.3 * rows["se"][0])
            assert sd[j, 0] == pytest.approx(rows["se"][0], rel=0.15)
    if "generalised" not in peer.family:
        variance, error = (want["slope_intercept"]["GroupPars"][key][1] for key in ("est", "se"))
        assert got[0, 0] ** 2 == pytest.approx(variance, abs=0.1 * error)
        assert 2 * got[0, 0] * sd[0, 0] == pytest.approx(error, rel=0.15)
