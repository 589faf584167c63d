"""How well each item follows the model: S-X2, infit and outfit, with posterior predictive p values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medpsy.classical import item_fit as classical
from medpsy.classical.residuals import infit_outfit, moments
from medpsy.families.base import Block
from medpsy.families.composite import Composite
from medpsy.posterior.items_at import ItemsAt
from medpsy.posterior.replicates import Replicates, check_alpha, in_groups, ppp
from medpsy.result import Result

#: Nodes, and their reach in sds of the construct.
NODES, REACH = 121, 6.0
COLUMNS = [
    "construct", "item", "n", "n_complete", "s_x2", "df", "p", "s_x2_ppp", "infit", "infit_ppp", "outfit",
    "outfit_ppp", "flag",
]  # fmt: skip


@in_groups
def item_fit(
    result: Result, *, draws: int = 200, alpha: float = 0.05, seed: int = 0, made: Replicates | None = None
) -> pd.DataFrame:
    """Fit of every item with categories.

    Parameters
    ----------
    result : Result
    draws : int
        Posterior draws used, evenly spaced.
    alpha : float
        Level of the flags.
    seed : int
        Of the replicated answers.
    made : Replicates, optional
        Draws and scores already made; ``draws`` and ``seed`` are theirs, then.

    Returns
    -------
    DataFrame
        construct, item; ``n`` answers, ``n_complete`` persons who answered the whole module; ``s_x2``,
        ``df``, ``p``: the classical statistic at posterior mean proportions, over complete persons (NaN
        where too few cells are left, and with specific factors); ``s_x2_ppp``: posterior predictive p value
        of the same distance over cells fixed beforehand; ``infit``, ``outfit``: posterior means over
        plausible values (1 is expected; 0.7 to 1.3 is a common rule of thumb, 0.6 to 1.4 for rating scales);
        their ``_ppp`` near 1: answers more predictable than the model says, near 0: less; ``flag``: what is
        beyond ``alpha`` (both ends for infit and outfit). ``attrs``: ``tests``, ``flags`` and ``by_chance``,
        the number of flags that a true model would have at most on average.

    Raises
    ------
    SpecError
        No item with categories, an impossible number of draws or level.

    Notes
    -----
    S-X2: Orlando & Thissen (2000, doi:10.1177/01466216000241003). Replicated answers are those of new
    persons. Scores of infit and outfit are plausible values: at estimated scores items look better than
    they are. Posterior predictive p values are conservative: a true model is flagged less often than
    ``alpha`` (Sinharay, Johnson & Stern, 2006, doi:10.1177/0146621605285517).
    """
    check_alpha(alpha)
    made = made or Replicates(result, draws, seed)
    modules = [_Module(made, block) for block in made.blocks]
    for s in range(len(made)):
        theta, answers = made.new_persons(s)
        for module in modules:
            module.add(s, made.theta[s], theta, answers[module.block.name])
    rows = [row for module in modules for row in module.rows(alpha)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    tests = int(table[["s_x2_ppp", "infit_ppp", "outfit_ppp"]].notna().sum().sum())
    flags = int(table["flag"].str.count(",").sum() + (table["flag"] != "").sum())
    table.attrs = {"alpha": alpha, "tests": tests, "flags": flags, "by_chance": alpha * tests}
    return table


@dataclass(frozen=True)
class _Sums:
    """S-X2 of one module: tables of the model per draw, cells, tables of the answers."""

    complete: np.ndarray
    categories: tuple[int, ...]
    joint: list[np.ndarray]
    cells: list[classical.Cells]
    observed: list[np.ndarray]

    @classmethod
    def of(cls, made: Replicates, block: Block) -> _Sums:
        items = ItemsAt(made.result, block.construct.name, made.draws)
        theta = np.linspace(-REACH, REACH, NODES)
        each = []
        for s in range(len(made)):
            prob = [np.exp(table) for table in items.log_prob(s, theta)]
            each.append(classical.score_tables(prob, items.density(s, theta)))
        joint = [np.stack([tables[j] for tables in each]) for j in range(len(items.items))]
        complete = (block.values >= 0).all(axis=1)
        n = int(complete.sum())
        # Fixed by the model alone, so that answers and replicates are counted in the same cells.
        expected = [n * tables.mean(axis=0) for tables in joint]
        cells = [classical.join_cells(table, table.sum(axis=1)) for table in expected]
        observed = classical.observed_tables(block.values[complete].astype(int), items.categories)
        return cls(complete, items.categories, joint, cells, observed)

    def distance(self, draw: int, codes: np.ndarray | None = None) -> np.ndarray:
        """Pearson distance (item,) at one draw, of the answers or of ``codes`` (person, item)."""
        tables = self.observed
        if codes is not None:
            tables = classical.observed_tables(codes[self.complete].astype(int), self.categories)
        found = zip(tables, self.joint, self.cells, strict=True)
        return np.array([classical.pearson(o, classical.given_score(j[draw]), c) for o, j, c in found])

    def classical(self, n_parameters: np.ndarray) -> list[tuple[float, int, float]]:
        """S-X2, df and p of every item at the posterior mean of what the model expects."""
        found = zip(self.observed, self.joint, n_parameters, strict=True)
        return [classical.s_x2(o, classical.given_score(j.mean(axis=0)), int(n)) for o, j, n in found]


class _Module:
    """Statistics of one block, draw after draw."""

    def __init__(self, made: Replicates, block: Block) -> None:
        self.made, self.block = made, block
        n_item = block.values.shape[1]
        complete = (block.values >= 0).all(axis=1)
        self.sums = _Sums.of(made, block) if n_item > 1 and complete.sum() > 1 else None
        self.n_complete = int(complete.sum())
        # Of the answers and of the replicates; S-X2, infit, outfit.
        self.found = np.full((2, 3, len(made), n_item), np.nan)

    def add(self, draw: int, theta: np.ndarray, new: np.ndarray, codes: np.ndarray) -> None:
        """Statistics of the answers, at the scores ``theta``, and of ``codes``, at the scores ``new``."""
        block = self.block
        if self.sums is not None:
            self.found[0, 0, draw] = self.sums.distance(draw)
            self.found[1, 0, draw] = self.sums.distance(draw, codes)
        for side, (values, score) in enumerate(((block.values, theta), (codes, new))):
            residual, variance = residuals(self.made, draw, block, values, score[:, block.factor])
            self.found[side, 1:, draw] = infit_outfit(residual, variance)

    def rows(self, alpha: float) -> list[tuple[object, ...]]:
        """One row per item."""
        share = ppp(np.moveaxis(self.found[0], 1, 0), np.moveaxis(self.found[1], 1, 0))
        mean = self.found[0].mean(axis=1)
        n_item = self.block.values.shape[1]
        size = item_parameters(self.made.result, self.block)
        # With specific factors answers depend on more than the construct: expected sums are not exact.
        nested = isinstance(self.made.result.model.families[self.block.construct.name], Composite)
        known = self.sums is not None and not nested
        tests = self.sums.classical(size) if known and self.sums else [(np.nan, 0, np.nan)] * n_item
        out: list[tuple[object, ...]] = []
        for j, item in enumerate(self.block.construct.items):
            statistic, df, p = tests[j]
            x2, infit, outfit = share[:, j]
            flags = ["S-X2"] if x2 < alpha else []
            flags += [
                f"{name} {'high' if value < 0.5 else 'low'}"
                for name, value in (("infit", infit), ("outfit", outfit))
                if value < alpha / 2 or value > 1 - alpha / 2
            ]
            n = int((self.block.values[:, j] >= 0).sum())
            out.append(
                (
                    self.block.construct.name, item, n, self.n_complete, statistic, df, p, x2, mean[1, j],
                    infit, mean[2, j], outfit, ", ".join(flags),
                )
            )  # fmt: skip
        return out


def residuals(
    made: Replicates, draw: int, block: Block, values: np.ndarray, theta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Answers less expectation (person, item), NaN where none was given, and the variance of the answers."""
    mean, variance = moments(np.exp(made.log_prob(draw, block, theta)))
    return np.where(values < 0, np.nan, values - mean), variance


def item_parameters(result: Result, block: Block) -> np.ndarray:
    """Number of free parameters (item,) of every item of a block, those shared between items left out."""
    count = np.zeros(block.values.shape[1], dtype=int)
    for parameter in result.data.parameters:
        if parameter.dims[0] == block.item_dim:
            own = parameter.exists.reshape(len(count), -1).sum(axis=1)
            count += own - (parameter.event == "simplex")
    return count
