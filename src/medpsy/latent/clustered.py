"""Random intercepts and slopes of clusters around any linear structure (methods: Raudenbush & Bryk, 2002,
ISBN 9780761919049; decomposition into cluster means and deviations: Preacher, Zyphur & Zhang, 2010,
doi:10.1037/a0020141; Luedtke et al., 2008, doi:10.1037/a0012869).

Every cluster c has effects (s_c, u_c) = K z_c with K = diag(tau) C, z_c ~ N(0, I): slopes s first, then one
intercept u for every node. Without paths between clusters

    eta = B_c eta + G w + u_c + D Z z,

with them eta = m_c + d, where the means of the clusters follow B_between and the deviations B_c:

    m_c = B_between m_c + G_upper w + u_c,    d = B_c d + G_lower w + D Z z.

``upper`` columns are the same for all persons of a cluster. Either way a cluster is an ordinary model whose
design has a column for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.latent.base import Equations, LatentStructure, Layout
from medpsy.latent.cluster_moderation import between, between_reverse, raw_between
from medpsy.ops import Numpy
from medpsy.parameter import Parameter
from medpsy.spec.clusters import Clusters
from medpsy.spec.model_spec import Path
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.priors import parse_prior

#: Parameters that every cluster has for itself.
EFFECTS = ("slope_z", "cluster_z")


class ClusteredStructure:
    """Any structure, with effects of clusters beside its own parameters.

    Parameters
    ----------
    inner : LatentStructure
        What holds within a cluster.
    clusters : Clusters
    """

    def __init__(self, inner: LatentStructure, clusters: Clusters) -> None:
        self.inner, self.clusters = inner, clusters
        self.name = inner.name
        self._known: dict[tuple[str, ...], Any] = {}

    def __getattr__(self, name: str) -> Any:
        """Whatever else the structure offers."""
        if name in ("inner", "clusters", "_known") or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    @property
    def split(self) -> bool:
        """Whether variables are split into cluster mean and deviation."""
        return bool(self.clusters.between)

    def effects(self, nodes: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the effects of a cluster: slopes, then intercepts."""
        return (*self.clusters.random, *nodes)

    def blocks(self, nodes: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        """Effects that correlate freely: all of them, or with paths between clusters the slopes, and nodes
        that no path between clusters orders."""
        k = len(self.clusters.random)
        if not self.split:
            return (tuple(range(k + len(nodes))),) if k + len(nodes) > 1 else ()
        depth = dict.fromkeys(nodes, 0)
        for _ in nodes:
            for path in (path for path in self.clusters.between if not path.by):
                depth[path.target] = max(depth[path.target], depth[path.source] + 1)
        found = [tuple(range(k))]
        found += [tuple(k + i for i, n in enumerate(nodes) if depth[n] == d) for d in range(len(nodes))]
        return tuple(block for block in found if len(block) > 1)

    # What there is to estimate

    def rows(self, paths: tuple[Path, ...], layout: Any) -> list[ParameterRow]:
        """Rows of the structure, paths between clusters, sds and correlations of the effects."""
        by, out = self.clusters.by, self.inner.rows(paths, layout)
        for path in self.clusters.between:
            target = f"path_between.{path.key}"
            out.append(
                ParameterRow(
                    f"Paths between {by}", path.target, "~", path.term, path.label, target,
                    parse_prior("Normal(0, 0.5)"),
                )
            )  # fmt: skip
        for name in self.effects(layout.nodes):
            target, prior = f"cluster_sd.{name}", parse_prior("HalfNormal(0.5)")
            out.append(ParameterRow(f"SDs over {by}", name, "|", by, None, target, prior))
        blocks = self.blocks(layout.nodes)
        if blocks:
            names = "; ".join(", ".join(self.effects(layout.nodes)[i] for i in block) for block in blocks)
            target, prior = "cluster_correlation", parse_prior("LKJ(2)")
            out.append(ParameterRow(f"Correlations over {by}", names, "~~", names, None, target, prior))
        return out

    def parameters(self, layout: Layout, table: ParameterTable) -> tuple[Parameter, ...]:
        """Parameters of the structure and, once the clusters are known, theirs."""
        out = list(self.inner.parameters(layout, table))
        if layout.levels is None:
            return tuple(out)
        if layout.between:
            names = tuple(c.name for c in layout.between)
            priors = tuple(table.prior(f"path_between.{c.path.key}") for c in layout.between)
            out.append(Parameter("path_between", ("between",), (names,), priors))
        names = self.effects(layout.nodes)
        priors = tuple(table.prior(f"cluster_sd.{name}") for name in names)
        out.append(Parameter("cluster_sd", ("cluster_effect",), (names,), priors))
        for number, block in enumerate(self.blocks(layout.nodes)):
            own = tuple(names[i] for i in block)
            dims = (f"effect_{number + 1}a", f"effect_{number + 1}b")
            prior = table.prior("cluster_correlation")
            out.append(Parameter(_chol_name(number), dims, (own, own), (prior,)))
        labels, normal = layout.levels.labels, parse_prior("Normal(0, 1)")
        if self.clusters.random:
            coords = (labels, self.clusters.random)
            out.append(Parameter("slope_z", ("cluster", "slope_of"), coords, (normal,) * len(labels)))
        coords = (labels, layout.nodes)
        out.append(Parameter("cluster_z", ("cluster", "node_of"), coords, (normal,) * len(labels)))
        return tuple(out)

    # What a cluster adds

    def factor(self, p: dict[str, Any], nodes: tuple[str, ...], xp: Any) -> Any:
        """K (..., effect, effect): sds times a Cholesky factor of their correlations."""
        alone, inside, rows, cols = self._factor_cells(nodes)
        values = [p["cluster_sd"][..., alone] * 0.0 + 1.0]
        values += [p[name][..., r, c] for name, (r, c) in inside.items()]
        size = len(self.effects(nodes))
        return p["cluster_sd"][..., :, None] * xp.place(
            (size, size), rows, cols, xp.concatenate(values, axis=-1)
        )

    def _factor_cells(self, nodes: tuple[str, ...]) -> Any:
        """Effects that correlate with none, cells of each Cholesky factor, and where all stand in K."""
        if nodes not in self._known:
            blocks = self.blocks(nodes)
            every = range(len(self.effects(nodes)))
            alone = np.array([i for i in every if not any(i in b for b in blocks)], dtype=int)
            rows, cols, inside = [alone], [alone], {}
            for number, block in enumerate(blocks):
                r, c = np.tril_indices(len(block))
                inside[_chol_name(number)] = (r, c)
                rows.append(np.array(block)[r])
                cols.append(np.array(block)[c])
            self._known[nodes] = alone, inside, np.concatenate(rows), np.concatenate(cols)
        return self._known[nodes]

    def cluster_effects(self, p: dict[str, Any], nodes: tuple[str, ...], xp: Any) -> tuple[Any, Any]:
        """Deviations of the slopes (..., cluster, slope) and intercepts (..., cluster, node)."""
        z = p["cluster_z"]
        if self.clusters.random:
            z = xp.concatenate([p["slope_z"], z], axis=-1)
        made = z @ xp.swapaxes(self.factor(p, nodes, xp), -1, -2)
        k = len(self.clusters.random)
        return made[..., :k], made[..., k:]

    def slope_cells(self, layout: Layout) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        """Where slopes stand: (slope, row, column) in B, and in G."""
        inner: list[tuple[int, int, int]] = []
        outer: list[tuple[int, int, int]] = []
        for k, name in enumerate(self.clusters.random):
            for c in layout.coefficients:
                if name in (c.label, c.path.key):
                    (outer if c.from_column else inner).append((k, c.target, c.source))
        return inner, outer

    def between(self, p: dict[str, Any], layout: Layout, xp: Any) -> Any:
        """B_between (..., node, node) of the only cluster, or at the means of the moderators."""
        assert layout.levels is not None
        return between(p, layout, layout.levels.own, xp)

    def between_factor(self, p: dict[str, Any], layout: Layout, b: Any, xp: Any) -> Any:
        """By what the normals of the intercepts act on the nodes (node, node), given B of the cluster."""
        k = len(self.clusters.random)
        across = self.between(p, layout, xp) if self.split else b
        own = self.factor(p, layout.nodes, xp)[k:, k:]
        return xp.solve(xp.constant(np.eye(len(layout.nodes))) - across, own)

    def equations(self, p: dict[str, Any], layout: Layout, xp: Any) -> Equations:
        """The equations of the structure, with the effects of the clusters in their columns."""
        levels = layout.levels
        if levels is None or "cluster_z" not in p:
            return self.inner.equations(p, layout, xp)
        eq = self._with_effects(p, layout, xp)
        if not self.split:
            return eq
        upper = np.zeros(1 + len(layout.columns))
        upper[levels.upper] = upper[levels.columns] = 1.0
        eye = xp.constant(np.eye(len(layout.nodes)))
        means = xp.solve(eye - self.between(p, layout, xp), eq.g * xp.constant(upper))
        return Equations(eq.b, eq.g * xp.constant(1.0 - upper) + (eye - eq.b) @ means, eq.d, eq.z)

    def _with_effects(self, p: dict[str, Any], layout: Layout, xp: Any) -> Equations:
        """B with the slopes of the only cluster, G with every intercept in the column of its cluster."""
        eq, levels = self.inner.equations(p, layout, xp), layout.levels
        assert levels is not None
        n, width = len(layout.nodes), 1 + len(layout.columns)
        slopes, shift = self.cluster_effects(p, layout.nodes, xp)
        b, g = eq.b, eq.g
        if levels.own is not None:
            inner, outer = self.slope_cells(layout)
            own = slopes[..., levels.own, :]
            b = b + _placed(inner, own, (n, n), xp) if inner else b
            g = g + _placed(outer, own, (n, width), xp) if outer else g
        which = self._which(layout)
        add = xp.swapaxes(shift[..., which, :], -1, -2)
        lead = add.shape[:-2] if add.ndim > 2 else ()
        rows, cols = np.repeat(np.arange(n), which.size), np.tile(levels.columns[which], n)
        g = g + xp.place((n, width), rows, cols, add.reshape((*lead, n * which.size)))
        return Equations(b, g, eq.d, eq.z)

    def _which(self, layout: Layout) -> np.ndarray:
        """The clusters of these persons."""
        assert layout.levels is not None
        own = layout.levels.own
        return np.arange(len(layout.levels.labels)) if own is None else np.array([own])

    def reverse(self, p: dict[str, np.ndarray], layout: Layout, d: Equations) -> dict[str, np.ndarray]:
        """Gradient with respect to all parameters."""
        levels = layout.levels
        if levels is None or "cluster_z" not in p:
            return self.inner.reverse(p, layout, d)
        out: dict[str, np.ndarray] = {}
        d_b, d_g = d.b, d.g
        if self.split:
            d_b, d_g, out["path_between"] = self._reverse_means(p, layout, d)
        d_slopes = np.zeros((len(levels.labels), len(self.clusters.random)))
        d_shift = np.zeros((len(levels.labels), len(layout.nodes)))
        which = self._which(layout)
        d_shift[which] = d_g[:, levels.columns[which]].T
        if levels.own is not None:
            for grad, cells in zip((d_b, d_g), self.slope_cells(layout), strict=True):
                for k, r, c in cells:
                    d_slopes[levels.own, k] += grad[r, c]
        out |= self.reverse_effects(p, layout.nodes, d_slopes, d_shift)
        return self.inner.reverse(p, layout, Equations(d_b, d_g, d.d, d.z)) | out

    def _reverse_means(
        self, p: dict[str, np.ndarray], layout: Layout, d: Equations
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Back from (I - B) (I - B_between)^-1 G on the upper columns: gradients of B, G and the paths."""
        levels, eye = layout.levels, np.eye(len(layout.nodes))
        assert levels is not None
        eq = self._with_effects(p, layout, Numpy)
        upper = np.concatenate([levels.upper, levels.columns])
        back = np.linalg.inv(eye - self.between(p, layout, Numpy))
        means = back @ eq.g[:, upper]
        d_means = (eye - eq.b).T @ d.g[:, upper]
        d_g = d.g.copy()
        d_g[:, upper] = back.T @ d_means
        d_between = between_reverse(layout, levels.own, d_g[:, upper] @ means.T)
        return d.b - d.g[:, upper] @ means.T, d_g, d_between

    def reverse_effects(
        self, p: dict[str, np.ndarray], nodes: tuple[str, ...], d_slopes: np.ndarray, d_shift: np.ndarray
    ) -> dict[str, np.ndarray]:
        """From the effects of the clusters back to their normals, sds and correlations."""
        z = p["cluster_z"]
        if self.clusters.random:
            z = np.concatenate([p["slope_z"], z], axis=-1)
        d_made = np.concatenate([d_slopes, d_shift], axis=-1)
        d_z = d_made @ self.factor(p, nodes, Numpy)
        k = len(self.clusters.random)
        out = {"cluster_z": d_z[:, k:]} | ({"slope_z": d_z[:, :k]} if k else {})
        return out | self.reverse_factor(p, nodes, d_made.T @ z)

    def reverse_factor(
        self, p: dict[str, np.ndarray], nodes: tuple[str, ...], d_factor: np.ndarray
    ) -> dict[str, np.ndarray]:
        """From K back to the sds and the Cholesky factors."""
        sd = p["cluster_sd"]
        chol = self.factor(p, nodes, Numpy) / sd[:, None]
        out = {"cluster_sd": (d_factor * chol).sum(-1)}
        d_chol = sd[:, None] * d_factor
        for number, block in enumerate(self.blocks(nodes)):
            out[_chol_name(number)] = np.tril(d_chol[np.ix_(block, block)])
        return out

    def coefficients(self, p: dict[str, Any], layout: Layout, xp: Any) -> Any:
        """Every coefficient; random slopes at their average."""
        return self.inner.coefficients(p, layout, xp)

    # What is defined over it

    def labels(
        self, p: dict[str, Any], layout: Layout, scale: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Labelled paths between clusters and covariances of slopes, in raw units.

        With ``scale`` (..., coefficient), what standardises the coefficients, standardised: paths between
        clusters in sds of cluster means.
        """
        out = self._between_labels(p, layout, scale is not None) if self.split else {}
        names = self.clusters.covariances
        if names:
            factor = self.factor(p, layout.nodes, Numpy)
            covariance = factor @ np.swapaxes(factor, -1, -2)
        for name, pair in names.items():
            i, j = (self.clusters.random.index(slope) for slope in pair)
            u, v = (
                _unit(slope, layout) if scale is None else scale[..., _position(slope, layout)]
                for slope in pair
            )
            out[name] = covariance[..., i, j] * u * v
        return out

    def _between_labels(self, p: dict[str, Any], layout: Layout, standard: bool) -> dict[str, np.ndarray]:
        """Labelled paths between clusters (...,), of a category with several levels (..., level)."""
        if standard:
            sds = self.level_sds(p, layout)[1]
            ratios = [sds[..., c.source] / sds[..., c.target] for c in layout.between]
            values = p["path_between"] * np.stack(ratios, axis=-1)
        else:
            values = raw_between(p, layout)
        where: dict[str, list[int]] = {}
        for i, c in enumerate(layout.between):
            if c.label:
                where.setdefault(c.label, []).append(i)
        return {label: values[..., at[0] if len(at) == 1 else at] for label, at in where.items()}

    def reported(self, p: dict[str, Any], layout: Layout) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """``sd_over_clusters`` (effect,) and ``effect_of_cluster`` (cluster, effect), in raw units."""
        unit = np.array([*(_unit(slope, layout) for slope in self.clusters.random), *layout.unit])
        out: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
        out |= self.inner.reported(p, layout) if hasattr(self.inner, "reported") else {}
        out |= {"sd_over_clusters": (("cluster_effect",), p["cluster_sd"] * unit)}
        if "cluster_z" in p:
            both = np.concatenate(self.cluster_effects(p, layout.nodes, Numpy), axis=-1)
            out["effect_of_cluster"] = (("cluster", "cluster_effect"), both * unit)
        return out

    def level_sds(self, p: dict[str, Any], layout: Layout) -> tuple[np.ndarray, np.ndarray]:
        """Model-implied sds of all nodes within clusters, at average slopes, and of their cluster means,
        internal scale, each (..., node)."""
        levels, eye = layout.levels, np.eye(len(layout.nodes))
        assert levels is not None
        eq = self.inner.equations(p, layout, Numpy)
        inside = np.linalg.inv(eye - eq.b)
        above = np.linalg.inv(eye - self.between(p, layout, Numpy)) if self.split else inside
        own = self.factor(p, layout.nodes, Numpy)[..., len(self.clusters.random) :, :]
        upper = levels.upper
        lower = np.setdiff1d(np.arange(1 + len(layout.columns)), [*upper, *levels.columns])
        out = []
        for a, spread, columns in (
            (inside, eq.d[..., :, None] * eq.z, lower),
            (above, own, upper),
        ):
            mean = a @ eq.g[..., columns]
            known = np.einsum("...ni,ij,...nj->...n", mean, layout.covariance[np.ix_(columns, columns)], mean)
            out.append(np.sqrt(known + ((a @ spread) ** 2).sum(-1)))
        return out[0], out[1]

    def level_scale(self, p: dict[str, Any], layout: Layout) -> np.ndarray:
        """What takes every coefficient (..., coefficient) to sds of its level: deviations, or means."""
        assert layout.levels is not None
        within, between = self.level_sds(p, layout)
        upper = set(layout.levels.upper.tolist())
        scales = []
        for c in layout.coefficients:
            sd = between if c.from_column and c.source in upper else within
            scales.append((1.0 if c.from_column else sd[..., c.source]) / sd[..., c.target])
        return np.stack(scales, axis=-1)


def _position(slope: str, layout: Layout) -> int:
    """Which coefficient a random slope is."""
    return next(i for i, c in enumerate(layout.coefficients) if slope in (c.label, c.path.key))


def _unit(slope: str, layout: Layout) -> float:
    """From the internal scale of a slope to raw units."""
    c = layout.coefficients[_position(slope, layout)]
    source = layout.columns[c.source - 1].unit if c.from_column else layout.unit[c.source]
    return float(layout.unit[c.target] / source)


def _chol_name(number: int) -> str:
    return "cluster_correlation_chol" if number == 0 else f"cluster_correlation_chol_{number + 1}"


def _placed(cells: list[tuple[int, int, int]], own: Any, shape: tuple[int, int], xp: Any) -> Any:
    """Matrix of zeros but for the slopes of one cluster in their cells."""
    k, rows, cols = (np.array(column) for column in zip(*cells, strict=True))
    return xp.place(shape, rows, cols, own[..., k])
