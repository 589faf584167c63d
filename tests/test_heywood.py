"""Heywood cases: flagged with their probability; and what is not a table of answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hand_made
import medpsy as mp
from medpsy.diagnostics.evidence import Evidence
from medpsy.diagnostics.heywood import CHECK
from medpsy.posterior.judging.reliability import heywood_notes
from medpsy.result import Result


def gaussian(residual: np.ndarray) -> Result:
    """One factor of n1 to n3 with loadings of .8; residual sds (draw, item) are given."""
    values = {"loading_f": np.full(3, 0.8), "residual_sd_f": residual[None]}
    return hand_made.result(
        "f =~ n1..n3",
        values,
        families={"f": "gaussian"},
        chains=1,
        draws=len(residual),
        answers=hand_made.survey(30),
    )


def test_probability_is_the_share_of_draws_below_two_percent() -> None:
    residual = np.full((100, 3), 0.6)
    residual[:30, 1] = 0.1  # 0.01 / (0.64 + 0.01) is below .02
    (found,) = CHECK.run(Evidence(gaussian(residual)))
    assert found.passed is None and found.value == pytest.approx(0.30)
    assert "n2 (0.30)" in found.text and "repeats another" in found.cure


def test_items_with_variance_of_their_own_pass() -> None:
    (found,) = CHECK.run(Evidence(gaussian(np.full((50, 3), 0.6))))
    assert found.passed is True and found.value == 0.0


def test_ordinal_models_are_not_asked() -> None:
    assert CHECK.run(Evidence(hand_made.result("x =~ x1..x3", draws=20))) == ()


def test_notes_name_items_and_probability() -> None:
    left = np.full((100, 2), 0.5)
    left[:20, 0] = 0.01
    (note,) = heywood_notes("mood", ("a", "b"), left)
    assert "a (0.20)" in note and "b (" not in note
    assert heywood_notes("mood", ("a", "b"), np.full((100, 2), 0.5)) == []


def test_a_matrix_of_covariances_is_no_table_of_answers() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 4)), columns=list("abcd"))
    for verb in (mp.reliability, mp.describe, mp.factorability, mp.polychoric):
        for matrix in (frame.cov(), frame.corr().to_numpy()):
            with pytest.raises(mp.DataError, match="matrix of covariances or correlations of 4 items"):
                verb(matrix)
    mp.describe(frame.iloc[:4])  # as many persons as items are still answers


def test_items_that_nobody_answered_together_are_named() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).integers(0, 4, (60, 3)).astype(float), columns=list("abc"))
    frame.loc[:30, "a"] = np.nan
    frame.loc[30:, "b"] = np.nan
    with pytest.raises(mp.DataError, match="only 0 persons answered 'a' and 'b'"):
        mp.reliability(frame)


def test_a_judgement_leaves_constant_items_out_and_says_so() -> None:
    rng = np.random.default_rng(1)
    score = rng.normal(size=(150, 1))
    frame = pd.DataFrame(np.digitize(score + rng.normal(size=(150, 4)), (-1, 0, 1)), columns=list("abcd"))
    found = mp.judge(frame.assign(e=2), loo=False, repetitions=20)
    assert any("do not vary: e." in note for note in found["describe"].notes)
    assert set(found["describe"]["items"]["item"]) == set("abcde")
    assert len(found["reliability"].table) and len(found["efa"]["loadings"]) == 4
