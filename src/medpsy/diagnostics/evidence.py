"""What the checks look at, computed once: quantities by name, effects, sampler statistics, LOO."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.dims import CHAIN, DRAW, LOG_LIKELIHOOD, POSTERIOR, SAMPLE_STATS
from medpsy.posterior.loo import level, loo
from medpsy.result import Result

if TYPE_CHECKING:
    import xarray as xr
    from arviz_stats.utils import ELPDData

#: The group of standardised coefficients and effects.
STANDARDISED = "standardised"
#: Fewer draws a chain cannot be split and compared.
FEWEST_DRAWS = 4


@dataclass(frozen=True)
class Quantities:
    """Scalar quantities: ``names`` and their ``draws``, shape (chain, draw, variable)."""

    names: tuple[str, ...]
    draws: np.ndarray

    def take(self, keep: np.ndarray) -> Quantities:
        """Return the quantities that a bool mask keeps."""
        return Quantities(
            tuple(name for name, kept in zip(self.names, keep, strict=True) if kept), self.draws[..., keep]
        )

    def statistic(self, diagnostic: str, /, **options: Any) -> np.ndarray:
        """Return a diagnostic (``"rhat"``, ``"ess"``, ``"mcse"``) of each, NaN where it is undefined."""
        from arviz_stats.base import array_stats

        chains, draws, size = self.draws.shape
        if size == 0 or draws < FEWEST_DRAWS or (diagnostic == "rhat" and chains < 2):
            return np.full(size, np.nan)
        compute = getattr(array_stats, diagnostic)
        with np.errstate(all="ignore"):  # a chain that stands still has no variance to divide by
            return np.asarray(compute(self.draws, chain_axis=0, draw_axis=1, **options), dtype=float)


class Evidence:
    """One fit, as the checks see it.

    Parameters
    ----------
    result : Result
    """

    def __init__(self, result: Result) -> None:
        self.result = result
        sizes = result.tree[POSTERIOR].sizes
        self.n_chain, self.n_draw = int(sizes[CHAIN]), int(sizes[DRAW])

    @cached_property
    def everything(self) -> Quantities:
        """Every cell of every posterior and standardised quantity that is free to vary."""
        names: list[str] = []
        columns: list[np.ndarray] = []
        for name, array in self._arrays():
            cells = array.to_numpy().reshape(self.n_chain, self.n_draw, -1)
            free = self._free(name, array.shape[2:])
            names += [label for label, kept in zip(_labels(name, array), free, strict=True) if kept]
            columns.append(cells[..., free])
        return Quantities(tuple(names), np.concatenate(columns, axis=-1).astype(float))

    def _arrays(self) -> Iterator[tuple[str, xr.DataArray]]:
        for group in (POSTERIOR, STANDARDISED):
            if group not in self.result.tree.children:
                continue
            prefix = "" if group == POSTERIOR else f"{group} "
            for name, array in self.result.tree[group].data_vars.items():
                if name in ("cluster_z", "slope_z", "level_z"):
                    continue  # effect_of_cluster and level_effect say the same in units of the variables
                yield f"{prefix}{name}", array.transpose(CHAIN, DRAW, ...)

    def _free(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Which cells can vary.

        Of correlation matrices and their factors only what is below the diagonal, which the rest of a
        factor's row decides; of items and of ordinal variables the categories that they have.
        """
        free = np.ones(shape, dtype=bool)
        plain = name.partition("[")[0]
        for block in self.result.data.blocks:
            if plain.endswith(f"_{block.name}") and len(shape) == 2 and shape[0] == len(block.sizes):
                spare = block.n_categories - shape[1]
                if (block.sizes < block.n_categories).any() and 0 <= spare <= 2:
                    free = np.arange(shape[1]) < block.sizes[:, None] - spare
        for parameter in self.result.data.parameters:
            if name == parameter.name and name in self.result.data.layout.by_category:
                free = parameter.exists
            if parameter.event != "correlation":
                continue
            if name in (parameter.name, parameter.name.replace("correlation_chol", "correlation")):
                free = np.tril(free, -1)
        return free.ravel()

    @cached_property
    def broken(self) -> tuple[str, ...]:
        """Quantities with a draw that is no finite number."""
        return self.everything.take(~self._finite).names

    @cached_property
    def _finite(self) -> np.ndarray:
        return np.isfinite(self.everything.draws).all(axis=(0, 1))

    @cached_property
    def _still(self) -> np.ndarray:
        draws = np.where(self._finite, self.everything.draws, 0.0)
        return self._finite & (np.ptp(draws, axis=(0, 1)) <= 1e-12 * np.abs(draws).max(axis=(0, 1)))

    @cached_property
    def unmoved(self) -> tuple[str, ...]:
        """Free parameters that have one value in all draws of all chains."""
        free = {parameter.name for parameter in self.result.data.parameters} | {"z"}
        names = self.everything.take(self._still).names
        return tuple(name for name in names if name.partition("[")[0] in free)

    @cached_property
    def quantities(self) -> Quantities:
        """The quantities that are finite and vary: what chains can be compared by."""
        return self.everything.take(self._finite & ~self._still)

    @cached_property
    def rhat(self) -> np.ndarray:
        """Rank-normalised split R-hat of every quantity."""
        return self.quantities.statistic("rhat", method="rank")

    @cached_property
    def ess_bulk(self) -> np.ndarray:
        """Bulk effective sample size of every quantity."""
        return self.quantities.statistic("ess", method="bulk")

    @cached_property
    def ess_tail(self) -> np.ndarray:
        """Smaller effective sample size of the 5 % and 95 % quantiles of every quantity."""
        return self.quantities.statistic("ess", method="tail", prob=(0.05, 0.95))

    @cached_property
    def effects(self) -> Quantities:
        """Defined quantities and labelled coefficients; without any, all coefficients, or correlations."""
        data = self.result.data
        defined = [definition.name for definition in data.model.spec.definitions]
        labelled = [f"coefficient[{c.name}]" for c in data.layout.coefficients if c.label]
        every = [f"coefficient[{c.name}]" for c in data.layout.coefficients]
        wanted = set(defined + labelled or every)
        names = self.quantities.names
        if wanted:
            keep = [name.removeprefix(f"{STANDARDISED} ") in wanted for name in names]
        else:
            keep = [name.startswith("correlation[") for name in names]
        return self.quantities.take(np.array(keep, dtype=bool))

    def statistic(self, *names: str) -> np.ndarray | None:
        """Return a sampler statistic (chain, draw) under the first of ``names`` that was recorded."""
        if SAMPLE_STATS in self.result.tree.children:
            recorded = self.result.tree[SAMPLE_STATS]
            for name in names:
                if name in recorded.data_vars:
                    return recorded[name].transpose(CHAIN, DRAW).to_numpy()
        return None

    @property
    def level(self) -> str | None:
        """What one log-likelihood term is; None where the fit has no terms."""
        return level(self.result) if LOG_LIKELIHOOD in self.result.tree.children else None

    @cached_property
    def loo(self) -> ELPDData:
        """Leave-one-person-out cross-validation."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the check says it, by person
            return loo(self.result)


def _labels(name: str, array: xr.DataArray) -> list[str]:
    """``slope_meaning[ml3]``: the name of every cell, by the labels of its dimensions."""
    if array.ndim == 2:
        return [name]
    marks = [
        array[dim].to_numpy().astype(str) if dim in array.coords else np.arange(array.sizes[dim]).astype(str)
        for dim in array.dims[2:]
    ]
    return [f"{name}[{', '.join(cell)}]" for cell in product(*marks)]
