"""Several groups: the sum of an ordinary engine over one ordinary model per group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import CompiledLikelihood, LikelihoodEngine, Verdict
from medpsy.groups.grouping import Grouping
from medpsy.latent.cells import Cells


@dataclass(frozen=True)
class GroupSettings:
    """What the engine needs for every group."""

    parts: tuple[Any, ...]

    def describe(self) -> str:
        """For the provenance."""
        return self.parts[0].describe()


class Grouped:
    """An engine for the data of a model with groups, made of one for the data of each group."""

    def __init__(self, inner: LikelihoodEngine) -> None:
        self.inner = inner
        self.name, self.order, self.unit = inner.name, inner.order, inner.unit

    def accepts(self, data: ModelData) -> Verdict:
        """Every group is accepted."""
        for level, part in zip(_groups(data).levels, _groups(data).parts, strict=True):
            verdict = self.inner.accepts(part)
            if not verdict.accepted:
                return Verdict(False, f"group '{level}': {verdict.reason}")
        return Verdict(True, f"{len(_groups(data).parts)} groups: {verdict.reason}")

    def person_normals(self, data: ModelData) -> int:
        """As for one group."""
        return self.inner.person_normals(_groups(data).parts[0])

    def settings(self, data: ModelData, size: int | None = None) -> GroupSettings | None:
        """Those of every group, or None."""
        parts = tuple(self.inner.settings(part, size) for part in _groups(data).parts)
        return None if parts[0] is None else GroupSettings(parts)

    def compiles(self, data: ModelData) -> Verdict:
        """Every group compiles."""
        verdicts = [self.inner.compiles(part) for part in _groups(data).parts]
        return next((verdict for verdict in verdicts if not verdict.accepted), verdicts[0])

    def compiled(self, data: ModelData, settings: GroupSettings | None) -> CompiledGroups:
        """The compiled route of every group."""
        parts = _groups(data).parts
        each = settings.parts if settings is not None else (None,) * len(parts)
        return CompiledGroups(
            data, tuple(self.inner.compiled(part, own) for part, own in zip(parts, each, strict=True))
        )

    def log_likelihood(self, data: ModelData, p: dict[str, Any], xp: Any, settings: Any) -> Any:
        """Log-likelihood of every person, shape (person,)."""
        groups = _groups(data)
        each = settings.parts if settings is not None else (None,) * len(groups.parts)
        terms = [
            self.inner.log_likelihood(part, groups.values(p, g, xp), xp, each[g])
            for g, part in enumerate(groups.parts)
        ]
        return xp.concatenate(terms, axis=0)[groups.order]


class CompiledGroups:
    """Sum of compiled likelihoods; gradients go back through the map from the whole to each group."""

    def __init__(self, data: ModelData, parts: tuple[CompiledLikelihood, ...]) -> None:
        self.data, self.parts = data, parts
        self.groups = _groups(data)
        self._shapes = {parameter.name: parameter.shape for parameter in data.parameters}

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        tape = self.groups.tape(p)
        each = [part.value_and_gradient(v) for part, v in zip(self.parts, tape.values(), strict=True)]
        gradient = tape.gradient([gradient for _, gradient in each], self._shapes)
        return float(sum(value for value, _ in each)), gradient

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        values = self.groups.tape(p).values()
        terms = [part.per_person(own) for part, own in zip(self.parts, values, strict=True)]
        return np.concatenate(terms)[self.groups.order]

    @property
    def wanders(self) -> bool:
        """Whether the numerics of all groups can be fitted to several points."""
        return all(getattr(part, "wanders", False) for part in self.parts)

    def adapted(
        self, p: dict[str, np.ndarray], fineness: float = 1.0, at: Sequence[dict[str, np.ndarray]] = ()
    ) -> CompiledGroups:
        """Numerics fitted to where the posterior of every group lies, and to where ``at`` moves it."""
        values = self.groups.tape(p).values()
        others = [self.groups.tape(other).values() for other in at] if self.wanders else []
        parts = []
        for g, (part, own) in enumerate(zip(self.parts, values, strict=True)):
            more: dict[str, Any] = {"at": [other[g] for other in others]} if others else {}
            parts.append(part.adapted(own, fineness, **more))
        return CompiledGroups(self.data, tuple(parts))

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Sum of the differences from numerics twice as fine."""
        values = self.groups.tape(p).values()
        pairs = zip(self.parts, values, strict=True)
        return float(sum(part.numerical_error(own) for part, own in pairs))

    def describe(self) -> str:
        """For the provenance."""
        texts = [part.describe() for part in self.parts]
        if len(set(texts)) == 1:
            return texts[0]
        return "; ".join(f"{lev}: {text}" for lev, text in zip(self.groups.levels, texts, strict=True))


def _groups(data: ModelData) -> Grouping | Cells:
    """What the persons are split by: groups, or values that paths of constructs change with."""
    found = data.groups or data.cells
    assert found is not None
    return found
