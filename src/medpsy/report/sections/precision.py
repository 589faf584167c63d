"""How precisely the items measure, and where."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from medpsy.plots.information_curves import information_curves
from medpsy.plots.item_information import item_information
from medpsy.plots.numbers import fixed
from medpsy.posterior.information import information, precision
from medpsy.posterior.measurement import affordable, is_measurement, measured
from medpsy.report.blocks import Block, Section, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn, slug
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 64


def gather(result: Result, interval: float) -> dict[str, Any] | None:
    """Return the reliability of scores and the information of every construct of a measurement model."""
    if not is_measurement(result):
        return None
    curves = [
        information(one, name, interval=interval).assign_attrs(construct=title)
        for name, title, one in measured(result, categorical=False, independent=True)
    ]
    return {"reliability": precision(result, interval=interval, draws=affordable(result)), "curves": curves}


def build(context: Context) -> Section | None:
    """Return the reliability of the scores, test information with standard errors, item information."""
    part = context.parts.get("precision")
    if part is None:
        return None
    columns = {
        "group": ("Group", "text"), "construct": ("Construct", "text"),
        "coefficient": ("Reliability", "text"), "mean": ("Mean", "estimate"),
        "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"),
    }  # fmt: skip
    blocks: list[Block] = [
        table(
            f"Reliability of the scores of the persons, with {context.mass} intervals.",
            part["reliability"],
            columns,
            optional=("group",),
            notes=[
                "Marginal: the share of the variance of the construct that its own items determine, over the "
                "population. Plausible values: correlation of two plausible values of the same persons. "
                "Empirical: variance of the scores over that variance plus the mean squared standard error."
            ],
        )
    ]
    for at, curves in enumerate(part["curves"]):
        blocks += _construct(context, curves, at)
    return Section("Information and precision", "information-and-precision", blocks)


def _construct(context: Context, curves: xr.Dataset, at: int) -> list[Block]:
    name = str(curves.attrs["construct"])
    key = f"{at}-{slug(name)}"
    test = curves["test"].sel(bound="mean")
    theta = curves["theta"].to_numpy()
    peak = float(theta[int(np.argmax(test.to_numpy()))])
    share = curves["item"].sel(bound="mean").sum("theta")
    first = share.sortby(share, ascending=False)
    most = ", ".join(
        f"{item} {100 * value:.0f} %"
        for item, value in zip(first["item_name"].values[:3], (first / share.sum()).values[:3], strict=True)
    )
    if np.ptp(test.to_numpy()) < 1e-6 * float(test.max()):
        # Numbers with normal residuals inform alike wherever a person stands: there is no curve to draw.
        error = fixed(1 / np.sqrt(test.max()), 2)
        return [
            Text([
                f"{name} is measured equally precisely everywhere: the standard error of a "
                f"maximum-likelihood score is {error} standard deviations. Of the information most comes "
                f"from {most}."
            ])
        ]  # fmt: skip
    sentence = (
        f"{name} is measured most precisely at {fixed(peak, 1)} standard deviations from the mean, where the "
        f"standard error of a maximum-likelihood score is {fixed(1 / np.sqrt(test.max()), 2)}. Of the "
        "information "
        f"between {fixed(theta[0], 0)} and {fixed(theta[-1], 0)} standard deviations most comes from {most}."
    )
    return [
        Text([sentence]),
        drawn(
            information_curves(curves),
            name=f"information-{key}",
            caption=f"Information of the items of {name}, and standard errors of scores: posterior mean and "
            f"{context.mass} band.",
            alt=sentence,
        ),
        drawn(
            item_information(curves),
            name=f"item-information-{key}",
            caption=f"Information of each item of {name}: posterior mean and {context.mass} band.",
            alt=f"Information of each item as {name} rises. {sentence}",
        ),
    ]
