"""New answers at given parameters for the persons of a survey: posterior predictive draws, calibration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.errors import SpecError
from medpsy.families.crossed import draw_answers
from medpsy.latent.products import refreshed
from medpsy.ops import Numpy
from medpsy.survey.survey import NO_ANSWER


def simulate_from(
    data: ModelData, p: dict[str, np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draw new scores and answers at one parameter value.

    Covariates are those of the data, and what is missing there is missing here. Explained observed
    variables are drawn anew; :func:`replicate` keeps them.

    Parameters
    ----------
    data : ModelData
        Model, covariates and missing pattern.
    p : dict of str to ndarray
        One value of every free parameter, without leading axes.
    rng : Generator

    Returns
    -------
    scores : ndarray, shape (person, factor)
        On the model's own scale.
    answers : list of ndarray, shape (person, item)
        One per block, like ``Block.values``: int8 codes with -1, or z-scored values with NaN.
    """
    if data.method is not None:
        raise SpecError(
            "scores and simulated answers are not for a model with a method factor",
            hint="Ask the fit of the constructs alone.",
        )
    if _split(data) is not None:
        made = [simulate_from(part, own, rng) for part, own in _by_group(data, p)]
        order = _split(data).order
        answers = zip(*(blocks for _, blocks in made), strict=True)
        return (
            np.concatenate([scores for scores, _ in made])[order],
            [np.concatenate(blocks)[order] for blocks in answers],
        )
    return _scores_and_answers(data, p, _nodes(data, p, rng), rng)


def _by_group(data: ModelData, p: dict[str, np.ndarray]) -> Iterator[tuple[ModelData, dict[str, np.ndarray]]]:
    """The ordinary model of every group with the data as they are now, and its values."""
    groups = _split(data)
    assert groups is not None
    for g, (part, rows) in enumerate(zip(groups.parts, groups.rows, strict=True)):
        blocks = tuple(replace(block, values=block.values[rows]) for block in data.blocks)
        now = replace(part, blocks=blocks, design=data.design[rows], observed=data.observed[rows])
        yield now, groups.values(p, g)


def _split(data: ModelData) -> Any:
    """What the persons are split by: groups, or values that paths of constructs change with."""
    return data.groups or data.cells


def replicate(data: ModelData, p: dict[str, np.ndarray], rng: np.random.Generator) -> ModelData:
    """Return the data with everything that the model explains drawn anew at one parameter value.

    Parameters
    ----------
    data, p, rng
        As in :func:`simulate_from`.

    Returns
    -------
    ModelData
        Same persons, covariates, missing pattern and units; new answers and new observed variables.
    """
    if _split(data) is not None:
        made = [replicate(part, own, rng) for part, own in _by_group(data, p)]
        order = _split(data).order
        blocks = tuple(
            replace(block, values=np.concatenate([part.blocks[d].values for part in made])[order])
            for d, block in enumerate(data.blocks)
        )
        return replace(data, blocks=blocks, observed=np.concatenate([part.observed for part in made])[order])
    nodes = _nodes(data, p, rng)
    _, answers = _scores_and_answers(data, p, nodes, rng)
    blocks = tuple(replace(b, values=values) for b, values in zip(data.blocks, answers, strict=True))
    return replace(data, blocks=blocks, observed=np.where(np.isnan(data.observed), np.nan, nodes))


def _nodes(data: ModelData, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Values of all nodes (person, node): each equation in turn, sources before targets."""
    layout = data.layout
    equations = data.model.structure.equations(p, layout, Numpy)
    noise = rng.standard_normal((data.n_person, len(layout.nodes)))
    values = np.zeros_like(noise)
    for node, family in enumerate(layout.observed):
        design = refreshed(layout, data.design, data.observed, values)
        expected = design @ equations.g[node] + values @ equations.b[node]
        if layout.at is None:
            for i in layout.moderated:
                c = layout.coefficients[i]
                if c.target == node:
                    expected = expected + p["path"][i] * design[:, c.by] * values[:, c.source]
        for i in layout.products:
            c = layout.coefficients[i]
            if c.target == node:
                factors = values[:, [c.source, *c.times]]
                expected = expected + p["path"][i] * factors.prod(axis=1)
        if family is not None and not family.normal:
            values[:, node] = family.quantile(rng.random(data.n_person), expected, layout.own(node, p))
        else:
            values[:, node] = expected + equations.d[node] * (noise @ equations.z[node])
    return values


def _scores_and_answers(
    data: ModelData, p: dict[str, np.ndarray], nodes: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray]]:
    scores = nodes[:, data.layout.factors]
    theta = {data.layout.nodes[node]: nodes[:, node] for node in data.layout.factors}
    answers = []
    for block in data.blocks:
        family = data.model.families[block.name]
        drawn = draw_answers(family, block.construct.name, theta, local(data, block, p), rng)
        if family.categorical:
            answers.append(np.where(block.values == NO_ANSWER, NO_ANSWER, drawn).astype(np.int8))
        else:
            answers.append(np.where(np.isnan(block.values), np.nan, drawn))
    return scores, answers
