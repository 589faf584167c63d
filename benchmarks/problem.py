"""What every contestant of a case is given: the same answers, model and names of quantities."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent

#: Reference data beside the checkout; cases that need them are left out where they are absent.
DATA = ROOT.parent / "shared" / "data"


class Absent(Exception):
    """A case cannot be run here; the message says why."""


@dataclass(frozen=True)
class Problem:
    """A measurement model with correlated factors, and the effects that follow from the correlations.

    All contestants that sample a posterior have the priors of medpsy: slopes LogNormal(0.25, 0.6) for the
    first item of a factor and StudentT(4, 1, 1) for the others, category probabilities Dirichlet(1); loadings
    LogNormal(-0.5, 0.6) and Normal(0.6, 0.6), intercepts Normal(0, 1), residual sds HalfNormal(1), all for
    z-scored items; correlations LKJ(2). Factors have mean 0 and sd 1.

    Parameters
    ----------
    name, title : str
    family : str
        ``"graded"`` or ``"gaussian"``.
    factors : tuple of (name, items)
        In causal order where there are effects.
    effects : bool
        Three factors in a chain: a, b, c, the indirect and the total effect are reported too.
    n_categories : int
        Of graded items; 0 for continuous ones.
    answers : ndarray, shape (person, item)
        Codes from 0, or numbers in their own unit; NaN where missing.
    """

    name: str
    title: str
    family: str
    factors: tuple[tuple[str, tuple[str, ...]], ...]
    effects: bool
    n_categories: int
    answers: np.ndarray

    @property
    def items(self) -> tuple[str, ...]:
        """All items, factor by factor."""
        return tuple(item for _, items in self.factors for item in items)

    @property
    def factor_of(self) -> np.ndarray:
        """Index of the factor of every item."""
        return np.repeat(np.arange(len(self.factors)), [len(items) for _, items in self.factors])

    @property
    def firsts(self) -> np.ndarray:
        """Positions of the first items of the factors: their slopes are positive."""
        sizes = [len(items) for _, items in self.factors]
        return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)

    @property
    def missing(self) -> bool:
        """Whether any answer is missing."""
        return bool(np.isnan(self.answers).any())

    @property
    def text(self) -> str:
        """The model in lavaan's language, which medpsy reads too."""
        lines = [f"{name} =~ {' + '.join(items)}" for name, items in self.factors]
        if self.effects:
            x, m, y = (name for name, _ in self.factors)
            lines += [f"{m} ~ a*{x}", f"{y} ~ b*{m} + c*{x}", "indirect := a*b", "total := c + a*b"]
        return "\n".join(lines) + "\n"

    @property
    def scaled(self) -> np.ndarray:
        """Continuous answers z-scored, with the standard deviation that divides by the number of persons."""
        return (self.answers - np.nanmean(self.answers, 0)) / np.nanstd(self.answers, 0)

    @property
    def size(self) -> dict[str, int]:
        """Numbers of persons, items, categories, factors and free parameters."""
        n_item, n_factor = len(self.items), len(self.factors)
        per_item = self.n_categories or 3
        parameters = n_item * per_item + n_factor * (n_factor - 1) // 2
        return {
            "persons": len(self.answers), "items": n_item, "categories": self.n_categories,
            "factors": n_factor, "parameters": parameters,
        }  # fmt: skip

    def first(self, n: int | None) -> Problem:
        """The same with the first ``n`` persons only."""
        return self if n is None else Problem(**(self.__dict__ | {"answers": self.answers[:n]}))

    def write(self, folder: Path) -> None:
        """Write ``problem.json``, ``answers.csv``, ``answers.npy`` and, for Stan, ``scaled.csv``."""
        import pandas as pd

        folder.mkdir(parents=True, exist_ok=True)
        held = asdict(self) | {
            "items": self.items, "factor_of": self.factor_of.tolist(), "firsts": self.firsts.tolist(),
            "text": self.text, "missing": self.missing,
        }  # fmt: skip
        del held["answers"]
        (folder / "problem.json").write_text(json.dumps(held, indent=1), encoding="utf-8")
        np.save(folder / "answers.npy", self.answers)
        frame = pd.DataFrame(self.answers, columns=list(self.items))
        (frame if self.family == "gaussian" else frame.astype("Int8")).to_csv(
            folder / "answers.csv", index=False
        )
        if self.family == "gaussian":
            pd.DataFrame(self.scaled, columns=list(self.items)).to_csv(folder / "scaled.csv", index=False)


def read_problem(folder: Path) -> Problem:
    """Read back what `Problem.write` wrote."""
    held = json.loads((folder / "problem.json").read_text(encoding="utf-8"))
    factors = tuple((name, tuple(items)) for name, items in held["factors"])
    return Problem(
        held["name"], held["title"], held["family"], factors, held["effects"], held["n_categories"],
        np.load(folder / "answers.npy"),
    )  # fmt: skip
