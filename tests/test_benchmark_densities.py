"""The rivals' models written by hand have the density that medpsy's priors and likelihood say."""

from __future__ import annotations

import os
import sys
from typing import Any

# Read by PyTensor when it is first imported: no C compiler is needed to evaluate a graph once.
os.environ.setdefault("PYTENSOR_FLAGS", "cxx=")

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from source_tree import ROOT

sys.path.insert(0, str(ROOT))

from benchmarks.problem import Problem

FACTORS = (("x", ("x1", "x2", "x3")), ("m", ("m1", "m2")), ("y", ("y1", "y2")))


def slow_density(problem: Problem, point: dict[str, np.ndarray]) -> float:
    """Priors and likelihood given the person scores, answer by answer."""
    chol, z = point["chol"], point["z"]
    theta, factor = z @ chol.T, problem.factor_of
    size = len(chol)
    total = sum((size - k - 1 + 2 * (2 - 1)) * np.log(chol[k, k]) for k in range(1, size))
    total += stats.norm.logpdf(z).sum()
    graded = problem.family == "graded"
    slope = point["slope" if graded else "loading"]
    first, other = slope[problem.firsts], np.delete(slope, problem.firsts)
    if not graded:
        total += stats.lognorm(0.6, scale=np.exp(-0.5)).logpdf(first).sum()
        total += stats.norm(0.6, 0.6).logpdf(other).sum()
        total += (
            stats.norm.logpdf(point["intercept"]).sum() + stats.halfnorm.logpdf(point["residual_sd"]).sum()
        )
        mean = point["intercept"] + slope * theta[:, factor]
        return float(total + stats.norm(mean, point["residual_sd"]).logpdf(problem.scaled).sum())
    total += stats.lognorm(0.6, scale=np.exp(0.25)).logpdf(first).sum()
    total += stats.t(4, 1, 1).logpdf(other).sum()
    prob, n = point["category_prob"], problem.n_categories
    for i, row in enumerate(problem.answers):
        for j, answer in enumerate(row):
            if np.isnan(answer):
                continue
            scale = np.sqrt(1 + 0.3457 * slope[j] ** 2)
            cut = [scale * np.log(prob[j, :k].sum() / prob[j, k:].sum()) for k in range(1, n)]
            above = [1.0, *expit(slope[j] * theta[i, factor[j]] - np.array(cut)), 0.0]
            total += np.log(above[int(answer)] - above[int(answer) + 1])
    return float(total)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["graded", "gaussian"])
def test_the_pymc_model_with_persons_has_that_density(family: str) -> None:
    from benchmarks.contestants import pymc_persons

    rng = np.random.default_rng(2)
    shape = (8, sum(len(items) for _, items in FACTORS))
    answers = rng.integers(0, 4, shape).astype(float) if family == "graded" else rng.normal(2, 3, shape)
    if family == "graded":
        answers[2, 3] = np.nan
    problem = Problem("made_up", "", family, FACTORS, False, 4 if family == "graded" else 0, answers)
    model: Any = getattr(pymc_persons, family)(problem)
    own = ["slope", "category_prob"] if family == "graded" else ["loading", "intercept", "residual_sd"]
    names = [*own, "chol", "z"]
    density = model.compile_logp(jacobian=False, mode="FAST_COMPILE")
    values = model.compile_fn(
        model.replace_rvs_by_values([model[name] for name in names]), inputs=model.value_vars,
        mode="FAST_COMPILE", on_unused_input="ignore",
    )  # fmt: skip
    start = model.initial_point()
    differences = []
    for _ in range(3):
        point = {name: value + rng.normal(0, 0.3, np.shape(value)) for name, value in start.items()}
        known = dict(zip(names, values(point), strict=True))
        differences.append(float(density(point)) - slow_density(problem, known))
    # Normalising constants of the Dirichlet and the LKJ prior are left out above.
    np.testing.assert_allclose(differences, differences[0], rtol=0, atol=1e-8)
