"""Linear structural equations in full: any coefficient, mean, variance and covariance free, fixed or shared.

y = alpha + B y + G w + u, u ~ N(0, Psi), over observed and latent variables alike (McArdle & McDonald, 1984,
doi:10.1111/j.2044-8317.1984.tb00802.x; Rosseel, 2012, doi:10.18637/jss.v048.i02). Psi = D R D with standard
deviations D. Groups of variables all of whose correlations are free have an LKJ prior on them together; of
other patterns every correlation has a prior of its own, and a pattern of values that is no correlation matrix
has density zero.

Latent variables are measured in the unit of their first indicator with a fixed loading.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from medpsy.latent.base import (
    Equations,
    Layout,
    clique_parameters,
    residual_factor,
    residual_factor_reverse,
)
from medpsy.latent.linear_plan import Plan, make_plan
from medpsy.latent.linear_rows import linear_rows, path_target
from medpsy.latent.second_order import cholesky_reverse
from medpsy.ops import Numpy
from medpsy.parameter import Parameter
from medpsy.spec.model_spec import Intercept, ModelSpec, Path
from medpsy.spec.parameters import ParameterRow, ParameterTable

#: Name of the free correlations as sampled: (1 + r) / 2.
HALF = "half_correlation"


class LinearStructure:
    """Parameters ``path``, ``intercept``, ``residual_sd``, ``half_correlation`` and ``correlation_chol``.

    Parameters
    ----------
    spec : ModelSpec, optional
        A completed linear model; the registered part has none.
    """

    name = "linear"

    def __init__(self, spec: ModelSpec | None = None) -> None:
        self.spec = spec or ModelSpec()
        self._held: tuple[Layout, Plan] | None = None

    def rows(self, paths: tuple[Path, ...], layout: Any) -> list[ParameterRow]:
        """One row per coefficient, intercept, variance and covariance."""
        return linear_rows(self.spec, layout)

    def scaled(self, layout: Layout) -> Layout:
        """The layout with units and centres of the latent variables."""
        unit, centre = layout.unit.copy(), layout.centre.copy()
        place = {name: i for i, name in enumerate(layout.nodes)}
        means = {i.target: i for i in self._intercepts}
        taken: set[str] = set()
        # From indicators to what they indicate: in reverse, those explained come first.
        for name in self.spec.latents:
            for item, load in self._marker(name):
                unit[place[name]] = unit[place[item]] / abs(load)
                break
        for name in self.spec.latents:
            free = name in means and means[name].value is None
            for path in self.spec.paths:
                own = means.get(path.target)
                if not path.measured or path.source != name or own is None or path.target in taken:
                    continue
                taken.add(path.target)
                if free and path.value and own.value is not None and centre[place[name]] == 0:
                    centre[place[name]] = (layout.centre[place[path.target]] - own.value) / path.value
        return replace(layout, unit=unit, centre=centre)

    def _marker(self, latent: str) -> list[tuple[str, float]]:
        """The observed indicator that sets the unit of a latent variable, and the loadings up to it."""
        for path in self.spec.paths:
            if path.measured and path.source == latent and path.value:
                if path.target not in self.spec.latents:
                    return [(path.target, path.value)]
                return [(item, load * path.value) for item, load in self._marker(path.target)]
        return []

    @property
    def _intercepts(self) -> tuple[Intercept, ...]:
        return self.spec.linear.intercepts if self.spec.linear is not None else ()

    def plan(self, layout: Layout) -> Plan:
        """Made once per layout."""
        if self._held is None or self._held[0] is not layout:
            self._held = (layout, make_plan(self.spec, layout))
        return self._held[1]

    def parameters(self, layout: Layout, table: ParameterTable) -> tuple[Parameter, ...]:
        """The free numbers of every kind that has any."""
        plan, out = self.plan(layout), []
        names = [layout.coefficients[i].name for i in plan.path.first]
        targets = [path_target(layout.coefficients[i].path) for i in plan.path.first]
        kinds = [("path", names, targets)]
        for role, ties in (("intercept", plan.mean), ("residual_sd", plan.sd)):
            own = [layout.nodes[i] for i in ties.first]
            kinds.append((role, own, [f"{role}.{name}" for name in own]))
        pairs = [f"{plan.pairs[i].left}~~{plan.pairs[i].right}" for i in plan.free_pairs]
        kinds.append((HALF, pairs, [f"residual_correlation.{pair}" for pair in pairs]))
        for role, names, targets in kinds:
            if names:
                priors = tuple(table.prior(target) for target in targets)
                out.append(Parameter(role, (f"{role}_of",), (tuple(names),), priors))
        return (*out, *clique_parameters(layout, table))

    def start(self, layout: Layout) -> dict[str, np.ndarray]:
        """Moderate loadings, no other paths, residual sds of 0.7."""
        plan = self.plan(layout)
        loads = [0.7 * layout.coefficients[i].path.measured for i in plan.path.first]
        found = {"path": np.array(loads), "residual_sd": np.full(plan.sd.free, 0.7)}
        return {name: value for name, value in found.items() if value.size}

    def still(self, layout: Layout) -> np.ndarray:
        """Positions of the nodes whose residual variance is fixed to 0."""
        sd = self.plan(layout).sd
        return np.flatnonzero((sd.scale == 0) & (sd.offset == 0))

    def sds(self, p: dict[str, Any], layout: Layout, xp: Any) -> Any:
        """Residual sd of every node (..., node), internal scale."""
        return self.plan(layout).sd.full(p, "residual_sd", xp)

    def correlations(self, p: dict[str, Any], layout: Layout, xp: Any) -> Any:
        """Residual correlation of every pair outside the groups (..., pair)."""
        plan = self.plan(layout)
        sd = self.sds(p, layout, xp)
        own, found = 0, []
        for i in range(len(plan.pairs)):
            scale = sd[..., plan.row[i]] * sd[..., plan.column[i]]
            if plan.own[i] >= 0:
                found.append(2.0 * p[HALF][..., own] - 1.0)
                own += 1
            elif plan.like[i] >= 0:
                k = plan.like[i]
                other = sd[..., plan.row[k]] * sd[..., plan.column[k]]
                found.append(found[k] * float(plan.ratio[i]) * other / scale)
            else:
                found.append(float(plan.value[i]) / scale)
        return xp.stack(found, axis=-1) if len(found) > 1 else found[0][..., None]

    def equations(self, p: dict[str, Any], layout: Layout, xp: Any) -> Equations:
        """B, G, D, Z."""
        plan, size, width = self.plan(layout), len(layout.nodes), 1 + len(layout.columns)
        path, sd = self.coefficients(p, layout, xp), self.sds(p, layout, xp)
        b = xp.place((size, size), *layout.inner_cells, path[..., layout.inner])
        rows, cols = layout.outer_cells
        g = xp.place((size, width), rows, cols, path[..., layout.outer])
        alpha = self.intercepts(p, layout, xp)
        every = np.arange(size)
        g = g + xp.place((size, width), every, np.zeros(size, dtype=int), alpha)
        z = residual_factor(p, layout, xp)
        if plan.pairs:
            z = z + _factor(self._matrix(p, layout, xp), xp) - xp.constant(np.eye(size))
        return Equations(b, g, sd, z)

    def intercepts(self, p: dict[str, Any], layout: Layout, xp: Any) -> Any:
        """Intercept of every node (..., node) where all that explains it is at its mean, internal scale."""
        plan = self.plan(layout)
        alpha = plan.mean.full(p, "intercept", xp)
        if plan.shift.any():
            path = self.coefficients(p, layout, xp)
            alpha = alpha + xp.sum(path[..., None, :] * xp.constant(plan.shift), axis=-1)
        return alpha

    def _matrix(self, p: dict[str, Any], layout: Layout, xp: Any) -> Any:
        """Residual correlations outside the groups as a matrix (..., node, node)."""
        plan, size = self.plan(layout), len(layout.nodes)
        r = self.correlations(p, layout, xp)
        lower = xp.place((size, size), plan.row, plan.column, r)
        return lower + xp.swapaxes(lower, -1, -2) + xp.constant(np.eye(size))

    def reverse(self, p: dict[str, np.ndarray], layout: Layout, d: Equations) -> dict[str, np.ndarray]:
        """From the equations back to the free numbers."""
        plan = self.plan(layout)
        out = residual_factor_reverse(layout, d.z)
        d_path = np.zeros(len(layout.coefficients))
        d_path[layout.inner] = d.b[layout.inner_cells]
        d_path[layout.outer] = d.g[layout.outer_cells]
        d_path += d.g[:, 0] @ plan.shift
        d_sd = d.d.copy()
        if plan.pairs:
            out |= self._reverse_pairs(p, layout, d.z, d_sd)
        found = {
            "path": plan.path.reverse(d_path),
            "intercept": plan.mean.reverse(d.g[:, 0]),
            "residual_sd": plan.sd.reverse(d_sd),
        }
        return out | {name: value for name, value in found.items() if value.size}

    def _reverse_pairs(
        self, p: dict[str, np.ndarray], layout: Layout, d_z: np.ndarray, d_sd: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Gradient of the free correlations; what fixed and shared covariances say is added to ``d_sd``."""
        plan, sd = self.plan(layout), self.sds(p, layout, Numpy)
        chol = np.linalg.cholesky(self._matrix(p, layout, Numpy))
        inside = np.where(np.outer(plan.within, plan.within), np.tril(d_z), 0.0)
        d_r = 2.0 * cholesky_reverse(chol, inside)[plan.row, plan.column]
        r = self.correlations(p, layout, Numpy)
        share_back(plan, r, sd, d_r, d_sd)
        return {HALF: 2.0 * d_r[plan.free_pairs]} if plan.free_pairs.size else {}

    def coefficients(self, p: dict[str, Any], layout: Layout, xp: Any) -> Any:
        """Every coefficient (..., coefficient), internal scale."""
        return self.plan(layout).path.full(p, "path", xp)


def share_back(plan: Plan, r: np.ndarray, sd: np.ndarray, d_r: np.ndarray, d_sd: np.ndarray) -> None:
    """Pass the gradient over correlations ``r`` of fixed and shared covariances on, in place."""
    for i in reversed(range(len(plan.pairs))):
        if plan.own[i] >= 0:
            continue
        through = d_r[i] * r[i]
        for node in (plan.row[i], plan.column[i]):
            d_sd[node] -= through / sd[node]
        k = plan.like[i]
        if k >= 0:
            scale = sd[plan.row[i]] * sd[plan.column[i]]
            d_r[k] += d_r[i] * plan.ratio[i] * sd[plan.row[k]] * sd[plan.column[k]] / scale
            for node in (plan.row[k], plan.column[k]):
                d_sd[node] += through / sd[node]


def _factor(matrix: Any, xp: Any) -> Any:
    """Cholesky factor, NaN where a matrix is not positive definite."""
    try:
        return xp.cholesky(matrix)
    except np.linalg.LinAlgError:
        if matrix.ndim == 2:
            return np.full_like(matrix, np.nan)
        return np.stack([_factor(one, xp) for one in matrix])


STRUCTURE = LinearStructure()
