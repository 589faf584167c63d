"""Graded response model (Samejima, 1969, doi:10.1007/BF03372160).

P(Y >= k | theta) = logistic(slope * theta - threshold_k), thresholds increasing in k = 1..K-1.

Thresholds are not sampled. What is sampled is the simplex ``category_prob`` of each item, which is very
nearly the item's category distribution in a population with theta ~ N(0, 1):
threshold_k = -s(slope) * logit P(Y >= k), s(a) = sqrt(1 + 0.3457 a^2). That is proper when a category was
never used and takes most of the correlation out of slopes and thresholds.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from medpsy.dims import CATEGORY
from medpsy.families.base import Block, keying
from medpsy.parameter import Parameter
from medpsy.spec.model_spec import Construct
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.priors import Prior, parse_prior

#: Logistic-normal constant: a logistic is close to a normal with variance 1 / 0.3457.
SHRINK = 0.3457


def slope_rows(construct: Construct) -> list[ParameterRow]:
    """Rows of the slopes: the first item's (or all, if declared) positive, the rest of either sign."""
    rows = []
    for position, item in enumerate(construct.items):
        positive = construct.positive or position == 0
        prior = parse_prior("LogNormal(0.25, 0.6)" if positive else "StudentT(4, 1, 1)")
        target = f"slope.{construct.name}.{item}"
        rows.append(ParameterRow("Slopes", construct.name, "=~", item, None, target, prior))
    return rows


def entry_priors(table: ParameterTable, role: str, construct: Construct) -> tuple[Prior, ...]:
    """Priors of one role, one per item, looked up in the parameter table."""
    return tuple(table.prior(f"{role}.{construct.name}.{item}") for item in construct.items)


class GradedResponse:
    """The family ``graded``; roles ``slope`` (item,) and ``category_prob`` (item, category)."""

    name = "graded"
    categorical = True
    roles: tuple[str, ...] = ("slope", "category_prob")
    min_categories = 2

    def rows(self, construct: Construct) -> list[ParameterRow]:
        """Slope and category-probability rows of every item."""
        rows = slope_rows(construct)
        for item in construct.items:
            target = f"category_prob.{construct.name}.{item}"
            prior = parse_prior("Dirichlet(1)")
            rows.append(ParameterRow("Thresholds", item, "|", "categories", None, target, prior))
        return rows

    def parameters(self, block: Block, table: ParameterTable) -> tuple[Parameter, ...]:
        """Slopes (item,) and category probabilities (item, category) of a block."""
        construct, items = block.construct, block.construct.items
        categories = tuple(str(k) for k in range(block.n_categories))
        dim = block.item_dim
        return (
            Parameter(f"slope_{block.name}", (dim,), (items,), entry_priors(table, "slope", construct)),
            Parameter(
                f"category_prob_{block.name}",
                (dim, f"{CATEGORY}_{block.name}"),
                (items, categories),
                entry_priors(table, "category_prob", construct),
            ),
        )

    def start(self, block: Block) -> dict[str, np.ndarray]:
        """Slopes of one in the direction of the first component, observed category shares."""
        categories = np.arange(block.n_categories)
        counts = (block.values[:, :, None] == categories).sum(0) + 0.5
        slope = keying(block)
        positive = [block.construct.positive or j == 0 for j in range(slope.size)]
        return {
            "slope": np.where(positive, 1.0, slope),
            "category_prob": counts / counts.sum(-1, keepdims=True),
        }

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Thresholds (..., item, K-1), and the K-2 gaps between neighbours, both on the logit scale.

        Gaps are computed from the probabilities, never as differences of thresholds, so that they stay
        positive when a category is all but unused.
        """
        prob = p["category_prob"]
        scale = xp.sqrt(1.0 + SHRINK * p["slope"] ** 2)[..., None]
        below = xp.cumsum(prob)[..., :-1]
        above = xp.cumsum(prob[..., ::-1])[..., ::-1][..., 1:]
        threshold = -scale * (xp.log(above) - xp.log(below))
        middle = prob[..., 1:-1]
        gap = scale * (xp.log1p(middle / above[..., 1:]) + xp.log1p(middle / below[..., :-1]))
        return {"threshold": threshold, "gap": gap}

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category.

        Parameters
        ----------
        theta : array, shape (node,)
            Person scores.
        p : dict
            ``slope`` (..., item), ``category_prob`` (..., item, category).

        Returns
        -------
        array, shape (..., item, category, node)
        """
        more = self.derived(p, xp)
        x = (p["slope"][..., None] * theta)[..., None, :] - more["threshold"][..., None]
        upper, lower = -xp.softplus(-x), -xp.softplus(x)
        gap = xp.log1mexp(-more["gap"])[..., None]
        middle = upper[..., :-1, :] + lower[..., 1:, :] + gap
        return xp.concatenate([lower[..., :1, :], middle, upper[..., -1:, :]], axis=-2)

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item): a logistic latent answer cut at the thresholds."""
        from medpsy.ops import Numpy

        threshold = self.derived(p, Numpy)["threshold"]
        latent = theta[:, None] * p["slope"] + rng.logistic(size=(len(theta), len(p["slope"])))
        return (latent[:, :, None] > threshold[None]).sum(-1).astype(np.int8)

    @property
    def kernels(self) -> tuple[Any, Any]:
        """Plain functions that the compiled route turns into machine code."""
        return table_forward, table_reverse


def table_forward(slope, prob, nodes, out):
    """Fill out (item, category, node) with log-probabilities; same formulas as ``log_prob``."""
    n_item, n_cat = prob.shape
    threshold = np.empty(n_cat - 1)
    for j in range(n_item):
        scale = math.sqrt(1.0 + 0.3457 * slope[j] * slope[j])
        below = 0.0
        for k in range(1, n_cat):
            below += prob[j, k - 1]
            above = 0.0
            for m in range(n_cat - 1, k - 1, -1):
                above += prob[j, m]
            threshold[k - 1] = -scale * (math.log(above) - math.log(below))
            if k < n_cat - 1:
                rest = 0.0
                for m in range(n_cat - 1, k, -1):
                    rest += prob[j, m]
                gap = scale * (math.log1p(prob[j, k] / rest) + math.log1p(prob[j, k] / below))
                log_gap = math.log(-math.expm1(-gap)) if gap < 0.6931472 else math.log1p(-math.exp(-gap))
                for q in range(nodes.size):
                    out[j, k, q] = log_gap
        for q in range(nodes.size):
            out[j, 0, q] = 0.0
            out[j, n_cat - 1, q] = 0.0
        for k in range(1, n_cat):
            for q in range(nodes.size):
                x = slope[j] * nodes[q] - threshold[k - 1]
                upper = -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))
                out[j, k, q] += upper
                out[j, k - 1, q] += upper - x


def table_reverse(slope, prob, nodes, counts, d_slope, d_prob):
    """Add to d_slope (item,) and d_prob (item, category) the gradient of sum(counts * log_prob)."""
    n_item, n_cat = prob.shape
    above = np.empty(n_cat + 1)
    below = np.empty(n_cat + 1)
    for j in range(n_item):
        a = slope[j]
        scale = math.sqrt(1.0 + 0.3457 * a * a)
        below[0] = 0.0
        above[n_cat] = 0.0
        for k in range(n_cat):
            below[k + 1] = below[k] + prob[j, k]
            above[n_cat - 1 - k] = above[n_cat - k] + prob[j, n_cat - 1 - k]
        d_scale = 0.0
        for k in range(1, n_cat):
            logit = math.log(above[k]) - math.log(below[k])
            d_threshold = 0.0
            for q in range(nodes.size):
                x = a * nodes[q] + scale * logit
                if x > 0:
                    e = math.exp(-x)
                    upper = 1.0 / (1.0 + e)
                    lower = e * upper
                else:
                    e = math.exp(x)
                    lower = 1.0 / (1.0 + e)
                    upper = e * lower
                dx = counts[j, k, q] * lower - counts[j, k - 1, q] * upper
                d_slope[j] += dx * nodes[q]
                d_threshold -= dx
            d_scale -= d_threshold * logit
            d_logit = -scale * d_threshold
            for m in range(n_cat):
                d_prob[j, m] += d_logit / above[k] if m >= k else -d_logit / below[k]
            if k < n_cat - 1:
                used = 0.0
                for q in range(nodes.size):
                    used += counts[j, k, q]
                if used > 0.0:
                    width = math.log1p(prob[j, k] / above[k + 1]) + math.log1p(prob[j, k] / below[k])
                    d_gap = used / math.expm1(scale * width)
                    d_scale += d_gap * width
                    d_width = scale * d_gap
                    # Written out per category: differences of reciprocals would cancel for rare ones.
                    for m in range(n_cat):
                        if m > k:
                            d_prob[j, m] -= d_width * prob[j, k] / (above[k] * above[k + 1])
                        elif m < k:
                            d_prob[j, m] -= d_width * prob[j, k] / (below[k] * below[k + 1])
                        else:
                            d_prob[j, m] += d_width * (1.0 / above[k] + 1.0 / below[k + 1])
        d_slope[j] += d_scale * 0.3457 * a / scale


FAMILY = GradedResponse()
