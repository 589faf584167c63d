"""What the design cannot say: the other causal orders, and the assumptions behind the hypothesised one."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import numpy as np
import pandas as pd

from medpsy.dims import POSTERIOR
from medpsy.errors import SpecError
from medpsy.model import ComposedModel
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.pathways import Pathways
from medpsy.posterior.stability import simple_variables
from medpsy.posterior.within import Within
from medpsy.result import Result
from medpsy.spec.model_spec import Design


def orders(result: Result, *, interval: float = 0.95) -> pd.DataFrame | None:
    """Indirect effect in all six orders of the three constructs of a mediation.

    In every order the structural part is saturated: the six models are the same correlation matrix read
    differently, with the same likelihood (and here the same prior).

    Parameters
    ----------
    result : Result
    interval : float
        Posterior mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame or None
        Columns order, exposure, mediator, outcome, indirect_mean, lower, upper, hypothesised; the
        hypothesised order first. Effects are standardised, given the covariates:
        r_xm (r_my - r_xm r_xy) / (1 - r_xm^2). None unless the model is a recognised simple mediation of
        three constructs whose paths follow from their correlations.

    Raises
    ------
    SpecError
        An impossible interval.

    Notes
    -----
    On equivalent models: MacCallum, Wegener, Uchino & Fabrigar (1993), doi:10.1037/0033-2909.114.1.185.
    """
    check_interval(interval)
    model = result.model
    design = model.spec.design
    if design is None or design.kind != "simple" or model.structure.name != "correlated":
        return None
    names = (design.exposure, design.mediators[0], design.outcome)
    variable = result.tree[POSTERIOR]["correlation"]
    nodes = [str(name) for name in variable["factor"].to_numpy()]
    correlation = variable.to_numpy().reshape(-1, len(nodes), len(nodes))
    rows = []
    for x, m, y in permutations(names):
        i, j, k = nodes.index(x), nodes.index(m), nodes.index(y)
        draws = indirect(correlation[:, i, j], correlation[:, j, k], correlation[:, i, k])
        lower, upper = bounds(draws, interval)
        rows.append((f"{x} -> {m} -> {y}", x, m, y, draws.mean(), lower, upper, (x, m, y) == names))
    columns = ["order", "exposure", "mediator", "outcome", "indirect_mean", "lower", "upper", "hypothesised"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype(dict.fromkeys(["indirect_mean", "lower", "upper"], float))


def orders_within(
    result: Result, *, at: Mapping[str, object] | None = None, interval: float = 0.95
) -> pd.DataFrame | None:
    """Indirect effects in all six orders of a moderated simple mediation, setting by setting.

    At one setting of the moderators the three variables have correlations, and those can be read in any
    order.

    Returns
    -------
    DataFrame or None
        Columns order, one per moderator, indirect_mean, lower, upper, hypothesised. None for other models.
    """
    check_interval(interval)
    design = result.model.spec.design
    if design is None or not design.moderation:
        return None
    try:
        x, m, y = names = simple_variables(result)
    except SpecError:
        return None
    along = Pathways(result)
    within = Within(along)
    rows = []
    for setting in along.settings(along.moderators(along.ways(x, y)), at):
        r = within.correlations(x, [m, y], setting)
        for i, j, k in permutations(range(3)):
            draws = indirect(r[..., i, j], r[..., j, k], r[..., i, k])
            lower, upper = bounds(draws, interval)
            row = {"order": f"{names[i]} -> {names[j]} -> {names[k]}", **setting}
            row |= {"indirect_mean": float(draws.mean()), "lower": float(lower), "upper": float(upper)}
            rows.append(row | {"hypothesised": (i, j, k) == (0, 1, 2)})
    return pd.DataFrame(rows)


def indirect(r_xm: np.ndarray, r_my: np.ndarray, r_xy: np.ndarray) -> np.ndarray:
    """Standardised indirect effect a*b that three correlations imply."""
    return r_xm * (r_my - r_xm * r_xy) / (1.0 - r_xm**2)


def assumptions(result: Result) -> list[str]:
    """What must be true for the paths to be read as effects, in plain words, with the variables' names.

    Returns
    -------
    list of str
        For a recognised mediation the four assumptions of no confounding (VanderWeele, 2015,
        ISBN 9780199325870, ch. 2), measurement, linearity, one occasion (Maxwell & Cole, 2007,
        doi:10.1037/1082-989X.12.1.23) and equivalent orders. For other paths the same, equation by
        equation. Nothing for a model without paths between variables.
    """
    model = result.model
    design = model.spec.design
    if design is not None and design.mediators:
        out = [*_no_confounding(design), *_measurement(model), _straight_lines(design), _occasion(design)]
        return [*out, *_equivalence(model, design)]
    given = set(model.covariates)
    structural = [path for path in model.spec.paths if path.source not in given and not path.measured]
    if not structural:
        return []
    out = []
    for target in dict.fromkeys(path.target for path in structural):
        sources = [path.source for path in model.spec.paths if path.target == target and not path.measured]
        out.append(
            f"Nothing outside the model affects both {target} and any of {', '.join(sources)} beyond what "
            "these explain of each other."
        )
    first = structural[0]
    return [
        *out,
        *_measurement(model),
        f"The arrows point the way they are drawn: {first.target} does not affect {first.source}, and so on. "
        "Answers of one occasion cannot show that.",
    ]


def _no_confounding(design: Design) -> list[str]:
    x, m, y = (_any(names) for names in (design.exposures, design.mediators, design.outcomes))
    alike = ", ".join(design.covariates)
    given = f", among persons alike in {alike}" if alike else "; the model adjusts for no covariate"
    both = ", ".join((*design.covariates, *design.exposures))
    return [
        f"Nothing unmeasured affects both {x} and {y}{given}.",
        f"Nothing unmeasured affects both {m} and {y} among persons alike in "
        f"{both if not alike else f'{alike} and {", ".join(design.exposures)}'}.",
        f"Nothing unmeasured affects both {x} and {m}{given}.",
        f"Nothing that {x} changes affects both {m} and {y}, other than "
        f"{f'{m} itself' if len(design.mediators) == 1 else 'the mediators themselves'}.",
        *_between(design),
    ]


def _between(design: Design) -> list[str]:
    """Several mediators: what the paths among them take for granted."""
    if len(design.mediators) < 2:
        return []
    names = ", ".join(design.mediators)
    if design.kind == "parallel":
        return [f"None of {names} affects another: what they share beyond the exposure is taken as given."]
    return [f"The mediators act in the order {names}, and nothing unmeasured affects two of them."]


def _any(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"any of {', '.join(names)}"


def _measurement(model: ComposedModel) -> list[str]:
    out = []
    latent = [c.name for c in model.constructs]
    paths = model.spec.paths
    involved = {path.target for path in paths} | {path.source for path in paths}
    measured = [name for name in latent if name in involved]
    if measured:
        out.append(
            f"The items of {', '.join(measured)} measure one thing each, in the same way in everybody: equal "
            "scores mean equally probable answers, whatever else differs between persons."
        )
    exact = [path.source for path in paths if path.label and path.source in model.covariates]
    exact = list(dict.fromkeys(exact + [o.name for o in model.spec.observed]))
    if exact:
        out.append(
            f"Measured without error: {', '.join(exact)}. Errors of measurement there bias the paths "
            "and every effect made of them."
        )
    return out


def _straight_lines(design: Design) -> str:
    x, m, y = (_any(names) for names in (design.exposures, design.mediators, design.outcomes))
    if any(set(names) & set(design.exposures) for stage, *names in design.moderation if stage == "second"):
        return "Relations are straight lines at every level of what they change with."
    return f"Relations are straight lines, and the path from {m} to {y} is the same at every level of {x}."


def _occasion(design: Design) -> str:
    x, m, y = (_any(names) for names in (design.exposures, design.mediators, design.outcomes))
    return (
        f"In time, {x} comes before {m}, and {m} before {y}. If all were asked on one occasion, the indirect "
        "effect can differ in size and in sign from the one that unfolds over time, even with nothing "
        "confounded (Maxwell & Cole, 2007)."
    )


def _equivalence(model: ComposedModel, design: Design) -> list[str]:
    """Which other orders have the same likelihood: residuals that are not normal rule it out."""
    several = design.kind != "simple" or design.other_exposures or design.other_outcomes
    if several or design.moderation:
        return []
    x, m, y = design.exposure, design.mediators[0], design.outcome
    sketch = model.sketch
    normal = dict(zip(sketch.nodes, sketch.normal | sketch.latent, strict=True))
    free = [bool(normal.get(name, False)) for name in (x, m, y)]
    if all(free):
        return [
            f"All six orders of {x}, {m} and {y} have exactly the same likelihood: these answers cannot tell "
            f"{x} -> {m} -> {y} from any other order."
        ]
    if free[1] and free[2]:
        return [
            f"{x} -> {y} -> {m} has exactly the same likelihood as {x} -> {m} -> {y}: these answers cannot "
            f"tell which of {m} and {y} comes first."
        ]
    return []
