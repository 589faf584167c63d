"""Calibration of posterior predictive checks: posteriors of answers that follow the model, or do not."""

from __future__ import annotations

import numpy as np
import pytest

import medpsy as mp
from medpsy.posterior.item_fit import item_fit
from medpsy.posterior.local_dependence import local_dependence
from medpsy.posterior.person_fit import person_fit
from medpsy.posterior.replicates import Replicates
from medpsy.posterior.score_distribution import score_distribution
from test_fit_of_answers import simulated, survey_of


def made(codes: np.ndarray, seed: int) -> Replicates:
    """150 draws of a fitted graded model."""
    model = mp.Model("x =~ q1..q8", positive=["x"])
    options = {"draws": 200, "tune": 300, "chains": 2, "cores": 1, "progress": False}
    return Replicates(model.fit(survey_of(codes), seed=seed, **options).result, 150, seed)


@pytest.mark.slow
def test_true_models_are_flagged_no_more_often_than_the_level_says() -> None:
    items, persons, pairs, scores = [], [], [], []
    for seed in range(10):
        one = made(simulated(300, 50 + seed)[1], seed)
        items.append(item_fit(one.result, made=one))
        persons.append(person_fit(one.result, made=one))
        pairs.append(local_dependence(one.result, made=one))
        scores.append(score_distribution(one.result, made=one).attrs["ppp"]["x"])
    # Parameters are estimated from the same answers: p values gather about one half, if anything.
    for column in ("s_x2_ppp", "infit_ppp", "outfit_ppp"):
        values = np.concatenate([table[column] for table in items])
        assert np.mean(values < 0.05) < 0.1 and abs(values.mean() - 0.5) < 0.12
    assert np.mean([table["flag"].mean() for table in persons]) < 0.07
    assert np.mean([(table["table_ppp"] < 0.05).mean() for table in pairs]) < 0.09
    assert np.mean([(table["flag"].str.contains("Q3")).sum() for table in pairs]) < 0.5
    assert np.min(scores) > 0.01
    classical = np.concatenate([table["p"] for table in items])
    assert np.mean(classical < 0.05) < 0.12


@pytest.mark.slow
def test_false_models_are_found() -> None:
    found = 0
    for seed in range(4):
        codes = simulated(300, 80 + seed)[1]
        rng = np.random.default_rng(seed)
        codes[:, 1] = np.where(rng.random(300) < 0.5, codes[:, 0], codes[:, 1])
        codes[:15] = rng.integers(0, 4, (15, 8))
        one = made(codes, seed)
        worst = local_dependence(one.result, made=one).iloc[0]
        found += {worst["item_1"], worst["item_2"]} == {"q1", "q2"} and "table" in worst["flag"]
        persons = person_fit(one.result, made=one)
        assert persons["flag"].iloc[:15].mean() > 3 * persons["flag"].iloc[15:].mean()
    assert found == 4
