"""From the data of one model to the pooled levels in it: who has which, and a design column for each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from medpsy.groups.clusters import members
from medpsy.latent.base import Column
from medpsy.latent.levels import PooledLevels
from medpsy.survey.survey import Survey


def with_pooled(data: Any, survey: Survey) -> Any:
    """Return the data with a design column for every pooled level, and the parameters of the levels.

    Parameters
    ----------
    data : ModelData
        Bound as if there were no pooled levels.
    survey : Survey

    Raises
    ------
    DataError
        The variable is missing for someone, has one value only, or another one for every person.
    """
    layout, design, structure = data.layout, data.design, data.model.structure
    columns = list(layout.columns)
    found: dict[str, tuple[tuple[str, ...], np.ndarray, np.ndarray]] = {}
    for variable in dict.fromkeys(one.variable for one in data.model.spec.pooled):
        labels, index = members(variable, survey, "level")
        indicator = (index[:, None] == np.arange(len(labels))).astype(float)
        share = indicator.mean(axis=0)
        at = design.shape[1] + np.arange(len(labels))
        design = np.column_stack([design, indicator - share])
        names = zip(labels, share, strict=True)
        columns += [Column(f"{variable}[{label}]", variable, float(p)) for label, p in names]
        found[variable] = labels, at, np.bincount(index, minlength=len(labels))
    pooled = tuple(
        PooledLevels(layout.nodes.index(one.target), one.key, one.variable, *found[one.variable])
        for one in data.model.spec.pooled
    )
    own = {parameter.name for parameter in structure.parameters(layout, data.model.table)}
    covariance = np.atleast_2d(np.cov(design, rowvar=False, ddof=0))
    layout = replace(layout, columns=tuple(columns), covariance=covariance, pooled=pooled)
    rest = tuple(parameter for parameter in data.parameters if parameter.name not in own)
    parameters = (*structure.parameters(layout, data.model.table), *rest)
    return replace(data, layout=layout, design=design, parameters=parameters)
