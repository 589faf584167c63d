"""Linear factor model: y = intercept + loading * theta + residual_sd * e, e ~ N(0, 1).

Items are z-scored before the model sees them, so the priors are on standardised indicators; tables give
raw units next to standardised ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.families.base import Block, keying
from medpsy.families.categorical import entry_priors
from medpsy.parameter import Parameter
from medpsy.spec.model_spec import Construct
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.priors import parse_prior


class Gaussian:
    """The family ``gaussian``; roles ``loading``, ``intercept``, ``residual_sd``, each (item,)."""

    name = "gaussian"
    categorical = False
    roles: tuple[str, ...] = ("loading", "intercept", "residual_sd")
    formula = "{item} = intercept + loading * {name} + residual_sd * e, e ~ N(0, 1)"
    reference = (
        "Jöreskog, K. G. (1969). A general approach to confirmatory maximum likelihood factor "
        "analysis. Psychometrika, 34, 183-202. doi:10.1007/BF02289343 (linear factor model)"
    )

    def rows(self, construct: Construct) -> list[ParameterRow]:
        """Loading, intercept and residual rows of every item."""
        rows = []
        for position, item in enumerate(construct.items):
            # The first loading fixes the sign of the factor.
            positive = construct.positive or position == 0
            loading = parse_prior("LogNormal(-0.5, 0.6)" if positive else "Normal(0.6, 0.6)")
            name = construct.name
            rows += [
                ParameterRow("Loadings", name, "=~", item, None, f"loading.{name}.{item}", loading),
                ParameterRow(
                    "Intercepts",
                    item,
                    "~",
                    "1",
                    None,
                    f"intercept.{name}.{item}",
                    parse_prior("Normal(0, 1)"),
                ),
                ParameterRow(
                    "Residual SDs",
                    item,
                    "~~",
                    item,
                    None,
                    f"residual_sd.{name}.{item}",
                    parse_prior("HalfNormal(1)"),
                ),
            ]
        return sorted(rows, key=lambda row: ("Loadings", "Intercepts", "Residual SDs").index(row.section))

    def parameters(self, block: Block, table: ParameterTable) -> tuple[Parameter, ...]:
        """Three vectors over the items of the block."""
        return tuple(
            Parameter(
                f"{role}_{block.name}",
                (block.item_dim,),
                (block.construct.items,),
                entry_priors(table, role, block.construct),
            )
            for role in self.roles
        )

    def start(self, block: Block) -> dict[str, np.ndarray]:
        """Loadings of 0.7 in the direction of the first component."""
        loading = 0.7 * keying(block)
        positive = [block.construct.positive or j == 0 for j in range(loading.size)]
        size = loading.size
        return {
            "loading": np.where(positive, 0.7, loading),
            "intercept": np.zeros(size),
            "residual_sd": np.full(size, 0.7),
        }

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Nothing beyond the parameters."""
        return {}

    def kept(self, block: Block, p: dict[str, Any], xp: Any) -> dict[str, tuple[tuple[str, ...], Any]]:
        """Nothing beyond the parameters."""
        return {}

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Mean (..., item, node) and residual sd (..., item, 1) at the scores ``theta`` (node,)."""
        mean = p["intercept"][..., None] + p["loading"][..., None] * theta
        return mean, p["residual_sd"][..., None]

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw z-scored answers (person, item)."""
        noise = rng.standard_normal((len(theta), len(p["loading"])))
        return p["intercept"] + theta[:, None] * p["loading"] + noise * p["residual_sd"]


FAMILY = Gaussian()
