"""Conditional independences that the path graph implies, each tested with its posterior."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.posterior.intervals import bounds, check_interval, direction, rope_share
from medpsy.posterior.scores import scores
from medpsy.result import Result
from medpsy.spec.separation import Independence, adjustment, independences

#: Draws of a partial correlation.
DRAWS = 2000
#: Half-width of the region of practical equivalence of a correlation (Kruschke, 2018).
ROPE = 0.05


def independence_table(result: Result, *, interval: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Every independence that the graph implies, with the posterior of its partial correlation.

    Returns
    -------
    DataFrame
        left, right, given, mean, lower, upper, p_direction, in_rope (share within +-.05), persons (with
        complete values), source (``"answers"``, or ``"scores"`` where a construct takes part: its scores are
        drawn from the fitted model, which holds the independence to be true, and so understate what speaks
        against it). A category stands for the largest of its levels' partial correlations in absolute value.
        No row where every pair of variables is joined: then the graph implies nothing that data could
        contradict.

    Notes
    -----
    Posterior of a residual correlation under a flat prior on the regressions and Jeffreys' prior on the
    covariance matrix: inverse Wishart (Geisser & Cornfield, 1963, doi:10.1111/j.2517-6161.1963.tb00518.x).
    """
    check_interval(interval)
    rng = np.random.default_rng(seed)
    rows = []
    columns = _Columns(result, seed)
    latents = set(result.model.spec.latents)
    for claim in independences(result.model.spec):
        if latents & {claim.left, claim.right, *claim.given}:
            continue
        draws, persons = _partial(columns, claim, rng)
        if draws is None:
            continue
        lower, upper = bounds(draws, interval)
        rows.append(
            {
                "left": claim.left, "right": claim.right, "given": ", ".join(claim.given),
                "mean": draws.mean(),
                "lower": float(lower), "upper": float(upper), "p_direction": float(direction(draws)),
                "in_rope": float(rope_share(draws, -ROPE, ROPE)), "persons": persons,
                "source": columns.source(claim),
            }
        )  # fmt: skip
    names = [
        "left",
        "right",
        "given",
        "mean",
        "lower",
        "upper",
        "p_direction",
        "in_rope",
        "persons",
        "source",
    ]
    return pd.DataFrame(rows, columns=names)


def adjustments(result: Result) -> pd.DataFrame:
    """What the model must hold constant for each effect of its mediation, read off the path graph.

    Returns
    -------
    DataFrame
        effect (``"x on y"``), hold_constant (names, or ``"nothing"``), text. Empty without a mediation.
    """
    design, spec = result.model.spec.design, result.model.spec
    rows = []
    if design is not None:
        pairs = [(x, t) for x in design.exposures for t in (*design.mediators, *design.outcomes)]
        pairs += [(m, y) for m in design.mediators for y in design.outcomes]
        for source, target in pairs:
            found = adjustment(spec, source, target)
            if found is None:
                said, text = (
                    "not possible",
                    f"No variables of the model make {source} and {target} comparable.",
                )
            else:
                said = ", ".join(found) or "nothing"
                among = f", among persons alike in {said}, nothing else" if found else " nothing"
                text = f"The effect of {source} on {target} is what the model says if{among} affects both."
            rows.append((f"{source} on {target}", said, text))
    return pd.DataFrame(rows, columns=["effect", "hold_constant", "text"])


class _Columns:
    """Values of the variables as columns: indicators of a category, drawn scores of a construct."""

    def __init__(self, result: Result, seed: int) -> None:
        self.result = result
        self.latent = [c.name for c in result.model.constructs]
        self._scores = scores(result, draws=20, seed=seed) if self._needed() else None

    def _needed(self) -> bool:
        claims = independences(self.result.model.spec)
        return any(set(self.latent) & {c.left, c.right, *c.given} for c in claims)

    def source(self, claim: Independence) -> str:
        """Whether a construct takes part."""
        return "scores" if set(self.latent) & {claim.left, claim.right, *claim.given} else "answers"

    def sets(self, claim: Independence) -> int:
        """How many versions of the values there are."""
        return 20 if self.source(claim) == "scores" else 1

    def of(self, name: str, version: int) -> np.ndarray:
        """Columns (person, column) of one variable, NaN where missing."""
        if name in self.latent:
            assert self._scores is not None
            return self._scores["draw"].sel(factor=name).to_numpy()[version][:, None]
        values = self.result.survey.variables[name].astype(float)
        variable = self.result.survey.variable(name)
        if variable.kind != "category":
            return values[:, None]
        used = [level for level in range(len(variable.levels)) if (values == level).any()]
        return np.column_stack([np.where(values < 0, np.nan, values == level) for level in used[1:]])


def _partial(
    columns: _Columns, claim: Independence, rng: np.random.Generator
) -> tuple[np.ndarray | None, int]:
    """Draws of the partial correlation and the persons it rests on."""
    pieces, persons = [], 0
    sets = columns.sets(claim)
    for version in range(sets):
        left, right = columns.of(claim.left, version), columns.of(claim.right, version)
        given = [columns.of(name, version) for name in claim.given]
        both = np.column_stack([left, right, *given])
        full = ~np.isnan(both).any(axis=1)
        persons = int(full.sum())
        base = np.column_stack([np.ones(persons), *(g[full] for g in given)])
        if persons < base.shape[1] + 5:
            return None, persons
        off = [v[full] - base @ np.linalg.lstsq(base, v[full], rcond=None)[0] for v in (left, right)]
        freedom = persons - base.shape[1]
        made = [
            correlation_draws(one, other, freedom, DRAWS // sets, rng)
            for one in off[0].T
            for other in off[1].T
        ]
        pieces.append(max(made, key=lambda draws: abs(float(draws.mean()))))
    return np.concatenate(pieces), persons


def correlation_draws(
    one: np.ndarray, other: np.ndarray, freedom: int, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Posterior draws of the correlation of two columns of residuals with ``freedom`` degrees of freedom."""
    pair = np.column_stack([one, other])
    root = np.linalg.cholesky(np.linalg.inv(pair.T @ pair))
    # Bartlett's decomposition of a Wishart precision matrix.
    bartlett = np.zeros((size, 2, 2))
    bartlett[:, 0, 0] = np.sqrt(rng.chisquare(freedom, size))
    bartlett[:, 1, 1] = np.sqrt(rng.chisquare(freedom - 1, size))
    bartlett[:, 1, 0] = rng.standard_normal(size)
    half = root @ bartlett
    precision = half @ np.swapaxes(half, -1, -2)
    return -precision[:, 0, 1] / np.sqrt(precision[:, 0, 0] * precision[:, 1, 1])
