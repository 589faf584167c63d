"""A fit with groups, group by group: each as an ordinary result, and tables of all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate

import numpy as np

from medpsy.derive import derived, standardised
from medpsy.dims import ANSWERS, CHAIN, DRAW, LATENT, LOG_LIKELIHOOD, OBSERVED, PERSON, POSTERIOR
from medpsy.errors import SpecError, nearest
from medpsy.result import Result

if TYPE_CHECKING:
    import pandas as pd

#: Stands for all groups where they share a row.
ALL = "(all)"


def views(result: Result) -> dict[str, Result]:
    """Every group of a fit as a result of its own, by level; nothing for a model without groups.

    Values, scores and everything derived are on the scale that the groups share.
    """
    groups = result.data.groups
    if groups is None:
        return {}
    return {level: _view(result, g) for g, level in enumerate(groups.levels)}


def view(result: Result, level: str) -> Result:
    """One group of a fit as a result of its own.

    Raises
    ------
    SpecError
        The model has no groups, or none of that name.
    """
    groups = result.data.groups
    if groups is None:
        raise SpecError("this model has no groups", hint='Fit one with groups: Model(..., groups="sex").')
    if level not in groups.levels:
        raise SpecError(f"there is no group '{level}' of '{groups.by}'", hint=nearest(level, groups.levels))
    return _view(result, groups.levels.index(level))


def joint_values(result: Result) -> dict[str, np.ndarray]:
    """Free parameters, and the sampled normals of the persons where there are any."""
    values = result.values()
    if "z" in result.tree[POSTERIOR].data_vars:
        values["z"] = result.tree[POSTERIOR]["z"].to_numpy()
    return values


def _view(result: Result, g: int) -> Result:
    import xarray as xr

    groups = result.data.groups
    assert groups is not None
    part, rows = groups.parts[g], groups.rows[g]
    joint = joint_values(result)
    values = groups.values(joint, g)
    lead = next(iter(joint.values())).shape[:2]
    named = {q.name: (q.dims, values[q.name], q.shape) for q in part.parameters if q.name in values}
    content: dict[str, Any] = {
        name: ((CHAIN, DRAW, *dims), np.broadcast_to(value, (*lead, *shape)))
        for name, (dims, value, shape) in named.items()
    }
    if "z" in values:
        content["z"] = ((CHAIN, DRAW, PERSON, LATENT), values["z"])
    for name, (dims, value) in derived(part, values).items():
        content.setdefault(name, ((CHAIN, DRAW, *dims), value))
    shared = [one.name for one in part.model.spec.definitions if one.name in result.tree[POSTERIOR].data_vars]
    for name in shared:  # over labels of several groups
        content.setdefault(name, result.tree[POSTERIOR][name].variable)
    ratio: dict[str, Any] = {
        name: ((CHAIN, DRAW, *dims), value) for name, (dims, value) in standardised(part, values).items()
    }
    old = result.tree
    for name in [name for name in shared if ratio and "standardised" in old.children]:
        ratio.setdefault(name, old["standardised"][name].variable)
    children = {POSTERIOR: xr.DataTree(xr.Dataset(content))}
    if ratio:
        children["standardised"] = xr.DataTree(xr.Dataset(ratio))
    if LOG_LIKELIHOOD in old.children:
        terms = old[LOG_LIKELIHOOD].to_dataset()[[ANSWERS]].isel({PERSON: rows})
        children[LOG_LIKELIHOOD] = xr.DataTree(terms)
        children[LOG_LIKELIHOOD].attrs = dict(old[LOG_LIKELIHOOD].attrs)
    if OBSERVED in old.children and PERSON in old[OBSERVED].sizes:
        children[OBSERVED] = xr.DataTree(old[OBSERVED].to_dataset().isel({PERSON: rows}))
    return Result(xr.DataTree(children=children), part, result.survey.take(rows), result.provenance)


def each_group[**P](
    table: Callable[Concatenate[Result, P], pd.DataFrame],
) -> Callable[Concatenate[Result, P], pd.DataFrame]:
    """Make a table of a fit with groups one of all groups, with a first column ``group``.

    Rows that are the same in every group stand there once, for ``(all)``.
    """

    @wraps(table)
    def inner(result: Result, *args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
        if result.data.groups is None:
            return table(result, *args, **kwargs)
        return joined({level: table(one, *args, **kwargs) for level, one in views(result).items()})

    return inner


def joined(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Stack the tables of the groups, row after row; what all groups share stands once."""
    import pandas as pd

    frames = list(tables.values())
    first = frames[0]
    if any(len(frame) != len(first) for frame in frames):
        stacked = [frame.assign(group=level) for level, frame in tables.items()]
        out = pd.concat(stacked, ignore_index=True)
    else:
        same = np.ones(len(first), dtype=bool)
        for frame in frames[1:]:
            equal = (frame.reset_index(drop=True) == first.reset_index(drop=True)) | (
                frame.isna().reset_index(drop=True) & first.isna().reset_index(drop=True)
            )
            same &= equal.all(axis=1).to_numpy()
        pieces = []
        for i in range(len(first)):
            if same[i]:
                pieces.append(first.iloc[[i]].assign(group=ALL))
            else:
                pieces += [frame.iloc[[i]].assign(group=level) for level, frame in tables.items()]
        out = pd.concat(pieces, ignore_index=True) if pieces else first.assign(group="")
    out.insert(0, "group", out.pop("group"))
    out.attrs |= first.attrs
    return out
