"""Sum scores, S-X2, infit, outfit, Q3 and two-way tables against enumeration, loops and a known program."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from medpsy.classical.item_fit import (
    Cells,
    given_score,
    join_cells,
    observed_tables,
    pearson,
    s_x2,
    score_tables,
)
from medpsy.classical.residuals import above_average, freeman_tukey, infit_outfit, moments, one_hot, q3
from medpsy.classical.sum_scores import rest_scores, sum_scores
from medpsy.survey.instrument import Instrument, Module
from medpsy.survey.read import read_survey


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(12)


def random_tables(rng: np.random.Generator, sizes: tuple[int, ...], nodes: int = 5) -> list[np.ndarray]:
    return [rng.dirichlet(np.ones(k), nodes).T for k in sizes]


def graded(slope: float, intercepts: list[float], theta: np.ndarray) -> np.ndarray:
    """Category probabilities (category, node) as differences of P(Y >= k)."""
    above = [np.ones_like(theta), *(expit(slope * theta + d) for d in intercepts), np.zeros_like(theta)]
    return np.array([a - b for a, b in itertools.pairwise(above)])


SIZES = (2, 4, 3, 3)


def test_sum_scores_equal_enumeration(rng: np.random.Generator) -> None:
    prob = random_tables(rng, SIZES)
    expected = np.zeros((sum(SIZES) - len(SIZES) + 1, 5))
    for answers in itertools.product(*map(range, SIZES)):
        expected[sum(answers)] += np.prod([p[k] for p, k in zip(prob, answers, strict=True)], axis=0)
    assert sum_scores(prob) == pytest.approx(expected, abs=1e-14)
    for j, rest in enumerate(rest_scores(prob)):
        others = [p for i, p in enumerate(prob) if i != j]
        assert rest == pytest.approx(sum_scores(others), abs=1e-14)


def test_joint_tables_of_score_and_answer_equal_enumeration(rng: np.random.Generator) -> None:
    prob, weight = random_tables(rng, SIZES), rng.dirichlet(np.ones(5))
    expected = [np.zeros((9, k)) for k in SIZES]
    for answers in itertools.product(*map(range, SIZES)):
        chance = weight @ np.prod([p[k] for p, k in zip(prob, answers, strict=True)], axis=0)
        for table, k in zip(expected, answers, strict=True):
            table[sum(answers), k] += chance
    for made, wanted in zip(score_tables(prob, weight), expected, strict=True):
        assert made == pytest.approx(wanted, abs=1e-14)
        assert given_score(made) == pytest.approx(wanted / wanted.sum(1, keepdims=True), abs=1e-13)


def test_observed_tables_count_persons(rng: np.random.Generator) -> None:
    codes = np.column_stack([rng.integers(0, k, 60) for k in SIZES])
    tables = observed_tables(codes, SIZES)
    for j, table in enumerate(tables):
        for r, k in itertools.product(range(9), range(SIZES[j])):
            assert table[r, k] == ((codes.sum(1) == r) & (codes[:, j] == k)).sum()


@pytest.mark.parametrize("k", [2, 3, 5])
def test_joined_cells_hold_a_person_each_and_cover_all_but_the_ends(k: int) -> None:
    rng = np.random.default_rng(k)
    theta = np.linspace(-5, 5, 41)
    weight = stats.norm.pdf(theta) / stats.norm.pdf(theta).sum()
    cuts = [sorted(rng.normal(0, 2, k - 1))[::-1] for _ in range(6)]
    prob = [graded(rng.uniform(0.5, 3), list(cut), theta) for cut in cuts]
    for n in (40, 400):
        for joint in score_tables(prob, weight):
            persons = rng.multinomial(n, joint.sum(1))
            expected = given_score(joint) * persons[:, None]
            cells = join_cells(expected, persons)
            inside = (np.arange(len(persons)) > 0) & (np.arange(len(persons)) < len(persons) - 1)
            assert ((cells.label >= 0).all(1) <= inside).all()
            assert (cells.label[inside & (persons > 0)] >= 0).all()
            assert cells.total(expected).min() >= 1 or cells.n_groups == 1
            assert set(cells.label[cells.label >= 0]) == set(range(cells.n_cells))
            # Categories are joined with their neighbours only.
            for row in cells.label[inside]:
                assert (np.diff(row[row >= 0]) >= 0).all()


def test_pearson_is_the_sum_over_cells() -> None:
    observed, proportion = np.array([[3.0, 1.0], [2.0, 4.0]]), np.array([[0.5, 0.5], [0.25, 0.75]])
    cells = Cells(np.array([[0, 1], [2, 3]]), 4, 2)
    by_hand = (3 - 2) ** 2 / 2 + (1 - 2) ** 2 / 2 + (2 - 1.5) ** 2 / 1.5 + (4 - 4.5) ** 2 / 4.5
    assert pearson(observed, proportion, cells) == pytest.approx(by_hand)


def test_s_x2_equals_that_of_mirt(shared: Path) -> None:
    held = json.loads((shared / "reference" / "science_attitudes.json").read_text())
    entries = {entry["id"]: entry["results"] for entry in held["entries"]}
    items = ("Comfort", "Work", "Future", "Benefit")
    survey = read_survey(
        shared / "data" / "science_attitudes" / "science.csv", Instrument((Module("f", items, (1, 2, 3, 4)),))
    )
    theta = np.linspace(-6, 6, 61)
    weight = stats.norm.pdf(theta) / stats.norm.pdf(theta).sum()
    estimates = [entries["irt.grm"]["slope_intercept"][item]["est"] for item in items]
    prob = [graded(slope, cuts, theta) for slope, *cuts in estimates]
    joint = score_tables(prob, weight)
    observed = observed_tables(survey.item_codes(items).astype(int), (4,) * 4)
    for j, row in enumerate(entries["irt.grm_itemfit"]):
        statistic, df, p = s_x2(observed[j], given_score(joint[j]), 4)
        assert (row["item"], row["df.S_X2"]) == (items[j], df)
        assert statistic == pytest.approx(row["S_X2"], rel=1e-6)
        assert p == pytest.approx(row["p.S_X2"], rel=1e-6)


def test_without_degrees_of_freedom_there_is_no_p() -> None:
    joint = np.array([[0.2, 0.0], [0.3, 0.3], [0.0, 0.2]])
    statistic, df, p = s_x2(np.array([[2, 0], [3, 4], [0, 2]]), given_score(joint), 2)
    assert df <= 0 and np.isnan(p) and statistic >= 0


def test_s_x2_follows_its_distribution_where_the_model_holds() -> None:
    rng = np.random.default_rng(5)
    theta = np.linspace(-5, 5, 41)
    weight = stats.norm.pdf(theta) / stats.norm.pdf(theta).sum()
    slopes, cuts = rng.uniform(0.8, 2, 8), np.sort(rng.normal(0, 1, (8, 2)))[:, ::-1]
    prob = [graded(a, list(d), theta) for a, d in zip(slopes, cuts, strict=True)]
    proportion = [given_score(joint) for joint in score_tables(prob, weight)]
    shares = []
    for _ in range(25):
        score = rng.normal(size=500)
        codes = np.column_stack(
            [
                (rng.logistic(size=500)[:, None] + a * score[:, None] + d > 0).sum(1)
                for a, d in zip(slopes, cuts, strict=True)
            ]
        )
        tables = observed_tables(codes, (3,) * 8)
        # Known parameters: none is estimated.
        shares += [s_x2(o, p, 0)[2] for o, p in zip(tables, proportion, strict=True)]
    assert stats.kstest(shares, "uniform").pvalue > 0.001
    assert 0.01 < np.mean(np.array(shares) < 0.05) < 0.12


def test_residual_statistics_equal_loops(rng: np.random.Generator) -> None:
    prob = rng.dirichlet(np.ones(4), (30, 5))
    mean, variance = moments(prob)
    codes = rng.integers(-1, 4, (30, 5))
    residual = np.where(codes < 0, np.nan, codes - mean)
    infit, outfit = infit_outfit(residual, variance)
    for j in range(5):
        e = [sum(k * prob[i, j, k] for k in range(4)) for i in range(30)]
        w = [sum((k - e[i]) ** 2 * prob[i, j, k] for k in range(4)) for i in range(30)]
        given = [i for i in range(30) if codes[i, j] >= 0]
        squares = {i: (codes[i, j] - e[i]) ** 2 for i in given}
        assert infit[j] == pytest.approx(sum(squares.values()) / sum(w[i] for i in given), abs=1e-10)
        assert outfit[j] == pytest.approx(np.mean([squares[i] / w[i] for i in given]), abs=1e-10)
    r = q3(residual)
    for a, b in itertools.combinations(range(5), 2):
        both = ~np.isnan(residual[:, [a, b]]).any(1)
        assert r[a, b] == pytest.approx(np.corrcoef(residual[both, a], residual[both, b])[0, 1], abs=1e-10)
        assert r[a, b] == r[b, a]
    off = [r[a, b] for a, b in itertools.combinations(range(5), 2)]
    assert above_average(r)[0, 1] == pytest.approx(r[0, 1] - np.mean(off))


def test_q3_of_items_that_nobody_answered_both_is_unknown() -> None:
    residual = np.array([[1.0, np.nan], [0.5, np.nan], [np.nan, 1.0], [0.1, 0.2]])
    assert np.isnan(q3(residual)[0, 1])


def test_freeman_tukey_distance_of_every_pair(rng: np.random.Generator) -> None:
    codes = np.column_stack([rng.integers(-1, k, 50) for k in (2, 3)])
    cells = one_hot(codes, [2, 3])
    counts = cells.T @ cells
    expected = np.full((5, 5), 4.0)
    distance = freeman_tukey(counts, expected, np.array([0, 2]))
    by_hand = 0.0
    for a, b in itertools.product(range(2), range(3)):
        n = ((codes[:, 0] == a) & (codes[:, 1] == b)).sum()
        by_hand += (np.sqrt(n) - 2) ** 2
    assert distance[0, 1] == pytest.approx(by_hand) and distance[1, 0] == pytest.approx(by_hand)
