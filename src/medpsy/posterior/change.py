"""Change of persons between two occasions, with the probability that it is real.

Two fits, one per occasion, each put their own zero and their own unit: the difference of their scores says
nothing about change. Here the second answers are read with the item parameters of the first occasion, draw by
draw (the items are assumed to work alike on both), and the two scores of a person are drawn together:

    theta_2 = alpha + beta theta_1 + sigma e,   e ~ N(0, 1),

with theta_1 distributed as in the fitted model and alpha, beta, sigma learnt from all persons. So regression
to the mean, which differences of separate scores suffer from, is part of the model. The second answers do not
change the item parameters (a cut; Plummer, 2015, doi:10.1007/s11222-014-9503-z).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from medpsy.bind import ModelData, local
from medpsy.engines.quadrature import answer_sums
from medpsy.errors import DataError, SpecError
from medpsy.families.base import Block
from medpsy.ops import Numpy
from medpsy.posterior.draws import at, check_count, population, thinned
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.items_at import blocks_of
from medpsy.result import Result
from medpsy.survey.survey import Survey

#: Nodes and how far they reach in sds; sweeps before the first draw, and draws per set of item parameters.
NODES, REACH, FIRST, EACH = 97, 6.0, 40, 4
#: Prior: alpha, beta ~ N(0, WIDE^2 sigma^2); sigma^2 ~ inverse gamma (SHAPE, RATE), as if from 4 persons.
WIDE, SHAPE, RATE = 10.0, 2.0, 0.5
FEWEST = 10


@dataclass(frozen=True)
class Change:
    """What :func:`change` found.

    Parameters
    ----------
    persons : DataFrame
        Columns person, before, after, change (posterior means), sd, lower, upper (of the change), p_up and
        p_down (probability of a rise, a fall, by more than ``smallest``), verdict (``"up"`` or ``"down"``
        where that probability reaches ``level``, else empty). In sds of the construct over the persons of
        the first occasion.
    summary : DataFrame
        Columns quantity, mean, lower, upper: mean change of these persons, sd of their changes, correlation
        of the two occasions; number of persons up, down, and of these expected to be wrong.
    unmatched : int
        Persons who answered on one occasion only; they are left out.
    """

    persons: pd.DataFrame
    summary: pd.DataFrame
    unmatched: int


def change(
    result: Result,
    construct: str,
    after: Survey,
    *,
    smallest: float = 0.0,
    level: float = 0.95,
    interval: float = 0.95,
    draws: int = 200,
    seed: int = 0,
) -> Change:
    """Compare the persons of a fit with their own answers on a second occasion.

    Parameters
    ----------
    result : Result
        Fit of the first occasion.
    construct : str
    after : Survey
        Second occasion: the same items with the same codes, persons matched by their identifiers. Missing
        answers are allowed on both occasions.
    smallest : float
        Smallest change of interest, in sds of the construct.
    level : float
        Probability from which a change is called reliable.
    interval, draws, seed : float, int, int
        Posterior mass of intervals; posterior draws of the item parameters; seed.

    Raises
    ------
    SpecError
        An unknown construct, an impossible number.
    DataError
        Fewer than ten persons answered twice, an item is missing or was coded differently.
    """
    check_interval(interval)
    check_interval(level)
    check_count(draws)
    if isinstance(smallest, bool) or not isinstance(smallest, int | float) or not 0 <= smallest < np.inf:
        raise SpecError(
            f"smallest = {smallest!r} is no size of a change",
            hint="Give sds of the construct, for example 0.2.",
        )
    blocks = blocks_of(result, construct, categorical=False)
    first, second = _matched(result.survey.person, after.person)
    later = [_answered(result, block, after, second) for block in blocks]
    earlier = [replace(block, values=block.values[first]) for block in blocks]
    theta = _draw(result, first, earlier, later, draws, seed)
    unmatched = result.survey.n_person + after.n_person - 2 * len(first)
    persons = _person_table(result.survey.person[first], theta, smallest, level, interval)
    return Change(persons, _summary(persons, theta, interval), unmatched)


def _matched(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the persons who are in both surveys, in the order of the first."""
    place = {str(name): row for row, name in enumerate(after)}
    pairs = [(row, place[str(name)]) for row, name in enumerate(before) if str(name) in place]
    if len(pairs) < FEWEST:
        raise DataError(
            f"only {len(pairs)} persons are in both surveys; {FEWEST} are needed to compare occasions",
            hint="Check that both use the same identifiers of persons.",
        )
    first, second = np.array(pairs).T
    return first, second


def _answered(result: Result, block: Block, after: Survey, rows: np.ndarray) -> Block:
    """The block with the answers of the second occasion."""
    columns = []
    for j, item in enumerate(block.construct.items):
        if item not in result.survey.instrument.items:
            columns.append(after.variables[after.variable(item).name].astype(float) - block.centre[j])
            continue
        answers = after.item_codes([item])[:, 0]
        then, now = (s.instrument.module_of(item) for s in (result.survey, after))
        if then.codes != now.codes or then.turned(item) != now.turned(item):
            raise DataError(
                f"item '{item}' is coded {now.codes} on the second occasion, {then.codes} on the first"
                + ("" if then.codes != now.codes else ", and turned on one of them only"),
                hint="Read both files with the same instrument.",
            )
        values = answers.astype(float)
        columns.append(
            values if block.n_categories else np.where(values < 0, np.nan, values) - block.centre[j]
        )
    values = np.column_stack(columns)[rows]
    if block.n_categories:
        return replace(block, values=values.astype(np.int8))
    return replace(block, values=values / block.unit)


def _draw(
    result: Result, rows: np.ndarray, earlier: list[Block], later: list[Block], draws: int, seed: int
) -> np.ndarray:
    """Scores (draw, occasion, person) on the standardised scale of the first occasion."""
    data = result.data
    rng = np.random.default_rng(seed)
    p = thinned(result, draws)
    weight, location, spread = population(data, p)
    factor = earlier[0].factor
    centre = location[..., factor] @ weight
    between = ((location[..., factor] - centre[:, None]) ** 2) @ weight
    sd = np.sqrt(between + spread[:, factor] ** 2)
    member = np.unique(data.design, axis=0, return_inverse=True)[1].ravel()[rows]
    nodes = np.linspace(-REACH, REACH, NODES)
    line = np.array([0.0, 1.0, 0.5])  # alpha, beta, sigma
    kept = []
    for s in range(len(sd)):
        inner = centre[s] + sd[s] * nodes
        sums = [_sums(data, blocks, at(p, s), inner) for blocks in (earlier, later)]
        place = (location[s, member, factor] - centre[s]) / sd[s]
        sums[0] = sums[0] - 0.5 * ((nodes - place[:, None]) * sd[s] / spread[s, factor]) ** 2
        masses = [np.exp(x - x.max(axis=1, keepdims=True)) for x in sums]
        for sweep in range(EACH + (FIRST if s == 0 else 0)):
            theta = _pair(masses[0], masses[1], nodes, line, rng)
            line = _line(theta, rng)
            if sweep >= (FIRST if s == 0 else 0):
                kept.append(theta)
    return np.stack(kept)


def _sums(data: ModelData, blocks: list[Block], p: dict[str, np.ndarray], theta: np.ndarray) -> np.ndarray:
    """Log-probability (person, node) of the answers on one occasion."""
    total = 0.0
    for block in blocks:
        total = total + answer_sums(data, block, local(data, block, p), theta, Numpy)
    return np.asarray(total)


def _pair(
    before: np.ndarray, after: np.ndarray, nodes: np.ndarray, line: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw both scores (occasion, person) of everybody from their joint distribution on the grid."""
    alpha, beta, sigma = line
    step = np.exp(-0.5 * ((nodes - alpha - beta * nodes[:, None]) / sigma) ** 2)  # (theta_1, theta_2)
    first = _pick(before * (after @ step.T), rng)
    second = _pick(after * step[first], rng)
    width = nodes[1] - nodes[0]
    jitter = width * (rng.random((2, len(before))) - 0.5)
    return np.stack([nodes[first], nodes[second]]) + jitter


def _pick(mass: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A node for every row, with probability proportional to its mass."""
    cumulative = np.cumsum(mass, axis=1)
    u = rng.random((len(mass), 1)) * cumulative[:, -1:]
    return np.minimum((cumulative < u).sum(axis=1), mass.shape[1] - 1)


def _line(theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw alpha, beta, sigma given both scores: conjugate regression."""
    x = np.column_stack([np.ones(theta.shape[1]), theta[0]])
    precision = x.T @ x + np.eye(2) / WIDE**2
    mean = np.linalg.solve(precision, x.T @ theta[1])
    rest = theta[1] @ theta[1] - mean @ precision @ mean
    variance = (RATE + 0.5 * rest) / rng.gamma(SHAPE + 0.5 * theta.shape[1])
    noise = np.linalg.solve(np.linalg.cholesky(precision).T, rng.standard_normal(2))
    return np.append(mean + np.sqrt(variance) * noise, np.sqrt(variance))


def _person_table(
    person: np.ndarray, theta: np.ndarray, smallest: float, level: float, interval: float
) -> pd.DataFrame:
    moved = theta[:, 1] - theta[:, 0]
    lower, upper = bounds(moved.T, interval)
    up, down = (moved > smallest).mean(axis=0), (moved < -smallest).mean(axis=0)
    return pd.DataFrame(
        {
            "person": person.astype(str),
            "before": theta[:, 0].mean(axis=0),
            "after": theta[:, 1].mean(axis=0),
            "change": moved.mean(axis=0),
            "sd": moved.std(axis=0, ddof=1),
            "lower": lower,
            "upper": upper,
            "p_up": up,
            "p_down": down,
            "verdict": np.where(up >= level, "up", np.where(down >= level, "down", "")),
        }
    )


def _summary(persons: pd.DataFrame, theta: np.ndarray, interval: float) -> pd.DataFrame:
    moved = theta[:, 1] - theta[:, 0]
    off = theta - theta.mean(axis=2, keepdims=True)
    together = (off[:, 0] * off[:, 1]).sum(1) / np.sqrt((off[:, 0] ** 2).sum(1) * (off[:, 1] ** 2).sum(1))
    rows: list[tuple[str, float, float, float]] = []
    for name, draws in (
        ("mean change", moved.mean(axis=1)),
        ("sd of the changes", moved.std(axis=1)),
        ("correlation of the occasions", together),
    ):
        lower, upper = bounds(draws, interval)
        rows.append((name, float(draws.mean()), float(lower), float(upper)))
    for verdict, probability in (("up", "p_up"), ("down", "p_down")):
        chosen = persons.loc[persons["verdict"] == verdict, probability]
        rows.append((f"persons reliably {verdict}", float(len(chosen)), np.nan, np.nan))
        rows.append((f"of these expected to be wrong ({verdict})", float((1 - chosen).sum()), np.nan, np.nan))
    return pd.DataFrame(rows, columns=["quantity", "mean", "lower", "upper"])
