"""The properties of items as columns, their category levels as contrasts that sum to zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.errors import SpecError
from medpsy.parameter import zero_sum_basis
from medpsy.spec.model_spec import Construct


class ItemDesign:
    """Columns of one construct's items.

    Attributes
    ----------
    numbers, categories : tuple of str
        Names of the properties.
    x : ndarray, shape (item, number)
        Numbers, z-scored over the items.
    unit : ndarray, shape (number,)
        Their sds.
    levels : tuple of tuple of str
        Levels of every category.
    z : ndarray, shape (item, contrast)
        Indicators of the levels times the contrasts of their effects.
    contrast_names : tuple of str
    owner : ndarray, shape (contrast,)
        Which category a contrast belongs to.

    Raises
    ------
    SpecError
        Without residuals: properties that the items do not tell apart.
    """

    def __init__(self, construct: Construct) -> None:
        held = construct.properties
        values = dict(held.values) if held is not None else {}
        n = len(construct.items)
        self.numbers = tuple(k for k in values if held is not None and held.is_number(k))
        self.categories = tuple(k for k in values if k not in self.numbers)
        raw = np.array([values[k] for k in self.numbers], dtype=float).reshape(-1, n).T
        self.unit = raw.std(axis=0)
        self.x = (raw - raw.mean(axis=0)) / self.unit
        self.levels = tuple(tuple(dict.fromkeys(map(str, values[k]))) for k in self.categories)
        pieces, names, owner = [], [], []
        for c, (name, levels) in enumerate(zip(self.categories, self.levels, strict=True)):
            place = {level: i for i, level in enumerate(levels)}
            which = np.array([place[str(v)] for v in values[name]])
            pieces.append(zero_sum_basis(len(levels))[which])
            names += [f"{name}_{k}" for k in range(1, len(levels))]
            owner += [c] * (len(levels) - 1)
        self.z = np.concatenate([np.zeros((n, 0)), *pieces], axis=1)
        self.contrast_names, self.owner = tuple(names), np.array(owner, dtype=int)
        if held is not None and not held.residual:
            self._check_rank(construct)

    def _check_rank(self, construct: Construct) -> None:
        columns = np.column_stack([np.ones(len(self.x)), self.x, self.z])
        if np.linalg.matrix_rank(columns) < columns.shape[1]:
            raise SpecError(
                f"the items of '{construct.name}' cannot tell the effects of their properties apart "
                f"({columns.shape[1]} effects, {len(self.x)} items)",
                hint="Leave out a property that follows from the others, or keep residuals.",
            )

    def deviations(self, p: dict[str, Any]) -> Any:
        """Contrasts (..., contrast) in logits."""
        return p["location_level"] * p["location_level_sd"][..., self.owner]

    def reverse(self, p: dict[str, np.ndarray], d: np.ndarray) -> dict[str, np.ndarray]:
        """Gradient over contrasts and sds, given that over the contrasts in logits."""
        each = d * p["location_level"]
        sd = np.array([each[self.owner == c].sum() for c in range(len(self.categories))])
        return {"location_level": d * p["location_level_sd"][self.owner], "location_level_sd": sd}

    def level_effects(self, p: dict[str, np.ndarray], category: int) -> np.ndarray:
        """Effects (..., level) of one category, summing to zero, in logits."""
        own = self.owner == category
        basis = zero_sum_basis(len(self.levels[category]))
        return np.asarray(self.deviations(p)[..., own] @ basis.T)
