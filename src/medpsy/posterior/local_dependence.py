"""Whether answers to two items go together more, or less, than their constructs explain."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.classical.describe import asked_order
from medpsy.classical.residuals import above_average, freeman_tukey, one_hot, q3
from medpsy.errors import SpecError, nearest
from medpsy.families.base import Block
from medpsy.posterior.item_fit import NODES, REACH, residuals
from medpsy.posterior.items_at import ItemsAt
from medpsy.posterior.pair_tables import cell_counts
from medpsy.posterior.replicates import Replicates, check_alpha, in_groups, ppp
from medpsy.result import Result

#: Q3 so far above the average is conspicuous (Christensen, Makransky & Horton, 2017).
FAR = 0.2
COLUMNS = [
    "construct_1", "item_1", "construct_2", "item_2", "n", "q3", "above_mean", "q3_ppp", "table_ppp", "flag",
]  # fmt: skip


@in_groups
def local_dependence(
    result: Result, *, draws: int = 200, alpha: float = 0.05, seed: int = 0, made: Replicates | None = None
) -> pd.DataFrame:
    """Dependence left between every two items with categories.

    Parameters
    ----------
    result : Result
    draws, alpha, seed, made
        As in :func:`medpsy.posterior.item_fit.item_fit`.

    Returns
    -------
    DataFrame
        construct_1, item_1, construct_2, item_2; ``n`` persons who answered both; ``q3``: correlation of
        residuals at plausible values, posterior mean (0 is expected); ``above_mean``: less the mean over
        all pairs; ``q3_ppp``: posterior predictive p value, near 0 where the items go together too much,
        near 1 too little; ``table_ppp``: that of the distance between the observed and expected two-way table
        (pairs within a construct, else NaN), near 0 where it is too large; ``flag``: ``Q3`` where it is
        0.2 above the mean, ``table`` where its p value is below ``alpha``. Largest ``q3`` first. ``attrs``:
        ``pairs``, ``flags`` and ``by_chance``, each by kind; chance of ``Q3`` is what the replicates show.

    Raises
    ------
    SpecError
        No item with categories, an impossible number of draws or level.

    Notes
    -----
    Q3: Yen (1984, doi:10.1177/014662168400800201), its cut Christensen et al. (2017,
    doi:10.1177/0146621616677520); tables: Chen & Thissen (1997, doi:10.3102/10769986022003265), with the
    distance of Freeman and Tukey. Replicated answers are those of new persons.
    """
    check_alpha(alpha)
    made = made or Replicates(result, draws, seed)
    observed, replicated, far = _q3_draws(made)
    inside = _table_ppp(made)
    names = [(b.construct.name, item) for b in made.blocks for item in b.construct.items]
    given = np.concatenate([block.values >= 0 for block in made.blocks], axis=1).astype(float)
    together, share = given.T @ given, ppp(observed, replicated)
    with np.errstate(invalid="ignore"):
        mean = observed.mean(axis=0)
    above = above_average(mean)
    rows = []
    for i, j in zip(*np.triu_indices(len(names), 1), strict=True):
        flags = ["Q3"] if above[i, j] > FAR else []
        flags += ["table"] if inside[i, j] < alpha else []
        numbers = (mean[i, j], above[i, j], share[i, j], inside[i, j])
        rows.append((*names[i], *names[j], int(together[i, j]), *numbers, ", ".join(flags)))
    table = pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(COLUMNS[5:9], float))
    table = table.sort_values("q3", ascending=False, kind="stable", ignore_index=True)
    table.attrs = {
        "alpha": alpha,
        "pairs": {"Q3": len(table), "table": int(table["table_ppp"].notna().sum())},
        "flags": {kind: int(table["flag"].str.contains(kind).sum()) for kind in ("Q3", "table")},
        "by_chance": {"Q3": far, "table": alpha * int(table["table_ppp"].notna().sum())},
    }
    return table


def _q3_draws(made: Replicates) -> tuple[np.ndarray, np.ndarray, float]:
    """Q3 (draw, item, item) of answers and replicates, and how many replicated pairs are far up."""
    found: list[list[np.ndarray]] = [[], []]
    for s in range(len(made)):
        theta, answers = made.new_persons(s)
        values = {block.name: block.values for block in made.blocks}
        for side, (score, codes) in enumerate(((made.theta[s], values), (theta, answers))):
            parts = [
                residuals(made, s, block, codes[block.name], score[:, block.factor])[0]
                for block in made.blocks
            ]
            found[side].append(q3(np.concatenate(parts, axis=1)))
    far = [(above_average(r)[np.triu_indices(len(r), 1)] > FAR).sum() for r in found[1]]
    return np.stack(found[0]), np.stack(found[1]), float(np.mean(far))


def _table_ppp(made: Replicates) -> np.ndarray:
    """Posterior predictive p value (item, item) of two-way tables, within blocks; NaN elsewhere."""
    size = sum(block.values.shape[1] for block in made.blocks)
    out = np.full((size, size), np.nan)
    start = 0
    tables = [_Tables(made, block) for block in made.blocks]
    distances: list[list[list[np.ndarray]]] = [[[], []] for _ in tables]
    for s in range(len(made)):
        _, answers = made.new_persons(s)
        for held, block_tables in zip(distances, tables, strict=True):
            block = block_tables.block
            expected = block_tables.expected(s)
            for side, codes in enumerate((block.values, answers[block.name])):
                counts = block_tables.counts(codes)
                held[side].append(freeman_tukey(counts, expected, block_tables.starts))
    for held, block in zip(distances, made.blocks, strict=True):
        end = start + block.values.shape[1]
        out[start:end, start:end] = ppp(np.stack(held[0]), np.stack(held[1]))
        start = end
    return out


class _Tables:
    """Two-way tables of all pairs of items of one block, the categories of all items in a row."""

    def __init__(self, made: Replicates, block: Block) -> None:
        self.block = block
        self.items = ItemsAt(made.result, block.construct.name, made.draws)
        sizes = np.array(self.items.categories)
        self.starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        given = (block.values >= 0).astype(float)
        self.persons = np.repeat(np.repeat(given.T @ given, sizes, axis=0), sizes, axis=1)
        self.theta = np.linspace(-REACH, REACH, NODES)

    def expected(self, draw: int) -> np.ndarray:
        """Expected counts (cell, cell) at one draw."""
        prob = np.exp(np.concatenate(self.items.log_prob(draw, self.theta)))
        return self.persons * ((prob * self.items.density(draw, self.theta)) @ prob.T)

    def counts(self, codes: np.ndarray) -> np.ndarray:
        """Counts (cell, cell) of answers (person, item)."""
        cells = one_hot(codes, list(self.items.categories))
        return cells.T @ cells


@in_groups
def pair_table(result: Result, item_1: str, item_2: str, *, draws: int = 200) -> pd.DataFrame:
    """Two-way table of the answers to two items, observed and expected.

    Parameters
    ----------
    result : Result
    item_1, item_2 : str
    draws : int
        Posterior draws that the expectation is averaged over.

    Returns
    -------
    DataFrame
        item_1, label_1, item_2, label_2 (codes of the file and their labels), observed, expected (counts of
        persons who answered both), ``residual``: (observed - expected) / sqrt(expected).

    Raises
    ------
    SpecError
        An item that the model does not have or that has no categories, the same item twice, an impossible
        number of draws.

    Notes
    -----
    Within one construct the expectation is an integral over it; across constructs a mean over at least 1,000
    persons drawn from the model at every draw.
    """
    made = Replicates(result, draws)
    first, second = _blocks(made, item_1, item_2)
    if first is second:
        tables = _Tables(made, first)
        expected = np.mean([tables.expected(s) for s in range(len(made))], axis=0)
        observed, starts, items = tables.counts(first.values), tables.starts, first.construct.items
    else:
        held = cell_counts(made)
        expected, observed, starts, items = held.expected, held.observed, held.starts, held.items
    instrument = result.survey.instrument
    cells = []
    for item in (item_1, item_2):
        j, module = items.index(item), instrument.module_of(item)
        places = asked_order(result.survey, [item])[0]
        cells.append([(starts[j] + k, *pair) for k, pair in zip(places, _asked(module), strict=True)])
    rows = []
    for a, code_1, label_1 in cells[0]:
        for b, code_2, label_2 in cells[1]:
            o, e = observed[a, b], expected[a, b]
            rows.append((code_1, label_1, code_2, label_2, int(o), e, (o - e) / np.sqrt(e)))
    columns = [item_1, "label_1", item_2, "label_2", "observed", "expected", "residual"]
    return pd.DataFrame(rows, columns=columns)


def _asked(module: object) -> list[tuple[int, str]]:
    codes, labels = module.codes, module.labels  # type: ignore[attr-defined]
    return list(zip(codes, labels or [""] * len(codes), strict=True))


def _blocks(made: Replicates, item_1: str, item_2: str) -> tuple[Block, Block]:
    """The blocks of two items, or SpecError."""
    home = {item: block for block in made.blocks for item in block.construct.items}
    for item in (item_1, item_2):
        if item not in home:
            raise SpecError(f"the model has no item '{item}' with categories", hint=nearest(item, home))
    if item_1 == item_2:
        raise SpecError(f"'{item_1}' is compared with itself", hint="Name two items.")
    return home[item_1], home[item_2]
