"""Moderators of the clusters in the designs 1-1-1 and 2-1-1: densities, maxima and units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import medpsy as mp
from cluster_cases import density_of, maximum, sampled
from medpsy.bind import ModelData, bind
from medpsy.derive import raw_coefficients
from medpsy.inference.native import Native, plain
from medpsy.inference.transforms import Unconstrained
from medpsy.latent.base import system
from medpsy.latent.cluster_moderation import cluster_mean, raw_between
from medpsy.ops import Numpy
from medpsy.simulate.prior_draws import draw_prior
from medpsy.survey.instrument import Instrument, Variable
from medpsy.survey.survey import Survey
from moderated_clusters import CASES, made, model, survey
from numeric_cases import survey as persons
from pymc_density import density_function


def case(name: str, clusters: int = 7) -> ModelData:
    one, levels = CASES[name]
    columns = made(5, clusters, 6)
    columns["y"][:4] = columns["m"][9:11] = np.nan
    return bind(one.composed, survey(columns, levels))


# Densities


def twin(data: ModelData, p: dict[str, np.ndarray]) -> np.ndarray:
    """Log-density of every cluster from one large covariance matrix; every product computed by name."""
    layout = data.layout
    nodes, n = layout.nodes, len(layout.nodes)
    path = {c.name: float(v) for c, v in zip(layout.coefficients, p["path"], strict=True)}
    above = dict(zip(next(q for q in data.parameters if q.name == "path_between").coords[0],
                     p["path_between"], strict=True))  # fmt: skip
    design = {c.name: data.design[:, i + 1] for i, c in enumerate(layout.columns)}
    random = data.model.spec.clusters.random
    k = np.eye(len(random) + n)
    if len(random) > 1:
        k[: len(random), : len(random)] = p["cluster_correlation_chol"]
    k = p["cluster_sd"][:, None] * k
    out = []
    for c in range(len(layout.levels.labels)):
        rows = np.flatnonzero(layout.levels.index == c)
        own = (
            dict(zip(random, k[: len(random), : len(random)] @ p["slope_z"][c], strict=True))
            if random
            else {}
        )
        label = {path_.key: path_.label for path_ in data.model.spec.paths}

        def matrix(
            values: dict[str, float],
            rows: np.ndarray = rows,
            own: dict[str, float] = own,
            label: dict[str, str | None] = label,
            slopes: bool = True,
        ) -> np.ndarray:
            b = np.zeros((n, n))
            for name, value in values.items():
                target, _, term = name.partition("~")
                source, _, by = term.partition(":")
                if source in nodes:
                    times = design[by][rows[0]] if by else 1.0
                    b[nodes.index(target), nodes.index(source)] += value * times
                    if slopes and not by:
                        b[nodes.index(target), nodes.index(source)] += own.get(label[name], 0.0)
            return np.linalg.inv(np.eye(n) - b)

        down, up = matrix(path), matrix(above, slopes=False)
        lower, upper = np.zeros((rows.size, n)), np.tile(p["intercept"], (rows.size, 1))
        for name, value in path.items():
            target, _, term = name.partition("~")
            if term.partition(":")[0] not in nodes:
                constant = np.ptp(design[term][rows]) < 1e-9 and term != "age"
                (upper if constant else lower)[:, nodes.index(target)] += value * design[term][rows]
        inner = down @ np.diag(p["residual_sd"] ** 2) @ down.T
        free = up @ k[len(random) :, len(random) :]
        cov = np.einsum("ij,ab->iajb", np.eye(rows.size), inner) + (free @ free.T)[None, :, None, :]
        mean = lower @ down.T + upper @ up.T
        y = data.observed[rows].ravel()
        given = ~np.isnan(y)
        flat = cov.reshape(rows.size * n, -1)[np.ix_(given, given)]
        out.append(multivariate_normal(mean.ravel()[given], flat).logpdf(y[given]))
    return np.array(out)


@pytest.mark.parametrize("name", CASES)
def test_closed_form_is_the_dense_normal_of_every_cluster(name: str) -> None:
    data = case(name)
    engine, _, _ = sampled(data)
    assert engine.name == "two_level"
    density, rng = density_of(data), np.random.default_rng(4)
    for _ in range(2):
        p = {k: v[0] for k, v in draw_prior(density.data.parameters, rng, 1).items()}
        np.testing.assert_allclose(density.likelihood.per_person(p), twin(data, p), rtol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_gradient_and_c_function_are_those_of_the_density(name: str) -> None:
    density = density_of(case(name))
    u = 0.4 * np.random.default_rng(1).normal(size=density.size)
    value, gradient = density.value_and_gradient(u)
    step = 1e-5 * np.eye(density.size)
    ahead = np.array([density.value_and_gradient(u + e)[0] for e in step])
    behind = [density.value_and_gradient(u - e)[0] for e in step]
    np.testing.assert_allclose(gradient, (ahead - behind) / 2e-5, atol=1e-6 * np.abs(gradient).max())
    native = plain(density, u)
    assert isinstance(native, Native), native
    other, other_gradient = native.value_and_gradient(u)
    assert other == pytest.approx(value, rel=1e-11)
    np.testing.assert_allclose(other_gradient, gradient, rtol=1e-8, atol=1e-9 * np.abs(gradient).max())


@pytest.mark.parametrize("name", ["all paths", pytest.param("random slopes", marks=pytest.mark.slow)])
def test_both_routes_state_one_density(name: str) -> None:
    from medpsy.inference.pymc_model import build

    data = case(name, 3)
    density = density_of(data)
    engine, part, settings = sampled(data)
    pymc = density_function(build(part, engine, settings), Unconstrained(part.parameters).slots)
    rng, offsets = np.random.default_rng(2), []
    for scale in (0.1, 0.6):
        u = scale * rng.normal(size=density.size)
        value, gradient = density.value_and_gradient(u)
        other, other_gradient = pymc(u)
        np.testing.assert_allclose(gradient, other_gradient, rtol=1e-6, atol=1e-9 * np.abs(gradient).max())
        offsets.append(other - value)
    assert offsets[1] == pytest.approx(offsets[0], abs=1e-8 * abs(value))


def of_constructs(name: str) -> ModelData:
    """Constructs of ordinal items, a moderator of the three schools."""
    answers = persons(30)
    w = np.array([0.2, 1.0, -0.7])[answers.variables["school"]]
    instrument = replace(answers.instrument, variables=(*answers.instrument.variables, Variable("w")))
    answers = replace(answers, instrument=instrument, variables=answers.variables | {"w": w})
    x, m = (mp.GradedResponse(name, f"{name}1..{name}3") for name in "xm")
    about = {"split": {"design": "1-1-1", "slopes": ["a"]}, "slopes": {"slopes": ["a", "b"]}}[name]
    made = mp.Mediation(x, [m], "grade", clusters="school", moderator="w", moderates="all", **about)
    return bind(made.composed, answers)


@pytest.mark.parametrize("name", ["split", "slopes"])
def test_constructs_of_ordinal_items_have_the_distribution_of_their_cluster(name: str) -> None:
    """Mean and covariance of the nodes of every person, by hand, and the gradient of the density."""
    data = of_constructs(name)
    assert data.cells is not None and sampled(data)[0].name == "quadrature"
    density, layout = density_of(data), data.layout
    n, random = len(layout.nodes), data.model.spec.clusters.random
    assert layout.nodes == ("x", "m", "grade")
    p = {k: v[0] for k, v in draw_prior(data.parameters, np.random.default_rng(5), 1).items()}
    path = {c.name: float(v) for c, v in zip(layout.coefficients, p["path"], strict=True)}
    above = {c.name: float(v) for c, v in zip(layout.between, p.get("path_between", ()), strict=True)}
    slopes, shift = data.model.structure.cluster_effects(p, layout.nodes, Numpy)
    for c, part in enumerate(data.cells.parts):
        w = part.design[0, 1]

        def matrix(of: dict[str, float], a: float = 0.0, b: float = 0.0, w: float = w) -> np.ndarray:
            out = np.zeros((n, n))
            for source, target, more in (("x", "m", a), ("m", "grade", b), ("x", "grade", 0.0)):
                value = of[f"{target}~{source}"] + w * of[f"{target}~{source}:w"] + more
                out[layout.nodes.index(target), layout.nodes.index(source)] = value
            return np.linalg.inv(np.eye(n) - out)

        own = dict(zip(random, slopes[c], strict=True))
        down = matrix(path, own.get("a", 0.0), own.get("b", 0.0))
        up = matrix(above) if above else down
        start = shift[c] + w * np.array([path.get(f"{node}~w", 0.0) for node in layout.nodes])
        start[2] += p["intercept"][0]
        mean, chol = system(data.model.structure.equations(p, part.layout, Numpy), part.layout, Numpy)
        np.testing.assert_allclose(part.design @ mean.T, np.tile(up @ start, (part.n_person, 1)), atol=1e-12)
        spread = np.diag([1.0, 1.0, p["residual_sd"][0] ** 2])
        np.testing.assert_allclose(chol @ chol.T, down @ spread @ down.T, atol=1e-12)
    u = 0.3 * np.random.default_rng(1).normal(size=density.size)
    gradient = density.value_and_gradient(u)[1]
    for i in range(0, density.size, 3):
        step = 1e-5 * np.eye(density.size)[i]
        numeric = density.value_and_gradient(u + step)[0] - density.value_and_gradient(u - step)[0]
        assert numeric / 2e-5 == pytest.approx(gradient[i], abs=1e-6 * np.abs(gradient).max())


# Units


@pytest.mark.parametrize("name", ["random slopes", "two moderators", "category", "2-1-1"])
def test_raw_coefficients_predict_what_the_internal_ones_do(name: str) -> None:
    """Expected means of clusters and slopes within them, from the table of parameters and from the model."""
    data = case(name, 30)
    layout = data.layout
    p = {k: v[0] for k, v in draw_prior(data.parameters, np.random.default_rng(3), 1).items()}
    raw, above = raw_coefficients(data, p), raw_between(p, layout)
    rng = np.random.default_rng(1)
    design = {c.name: i + 1 for i, c in enumerate(layout.columns)}
    values = {c.name: c.centre + c.unit * data.design[:, design[c.name]] for c in layout.columns}
    values = {name: v for name, v in values.items() if ":" not in name}
    upper = set(layout.levels.upper.tolist())
    for node in range(len(layout.nodes)):
        found, wanted = [], []
        for row in rng.integers(0, data.n_person, 4):
            mean = rng.normal(5.0, 2.0, len(layout.nodes))
            at = {n: float(v[row]) for n, v in values.items()} | dict(zip(layout.nodes, mean, strict=True))
            pairs = [(c, raw[i]) for i, c in enumerate(layout.coefficients)]
            pairs = [(c, v) for c, v in pairs if c.from_column and c.source in upper]
            pairs += [(c, above[i]) for i, c in enumerate(layout.between)]
            own = [v * np.prod([at[t] for t in layout.factors_of(c)]) for c, v in pairs if c.target == node]
            found.append(sum(own))
            z, total = (mean - layout.centre) / layout.unit, 0.0
            for i, c in enumerate(layout.coefficients):
                if c.target == node and c.from_column and c.source in upper:
                    total += p["path"][i] * data.design[row, c.source]
            for i, c in enumerate(layout.between):
                if c.target == node:
                    times = 1.0 if c.by is None else data.design[row, c.by]
                    total += p["path_between"][i] * times * z[c.source]
            wanted.append(total * layout.unit[node])
            inside = [(c, raw[i], p["path"][i]) for i, c in enumerate(layout.coefficients)]
            for source in range(len(layout.nodes)):
                both = [(c, r, q) for c, r, q in inside if c.target == node and not c.from_column]
                both = [one for one in both if one[0].source == source]
                slope = sum(r * np.prod([at[t] for t in layout.factors_of(c)[1:]]) for c, r, _ in both)
                other = sum(q * (1.0 if c.by is None else data.design[row, c.by]) for c, _, q in both)
                assert slope == pytest.approx(other * layout.unit[node] / layout.unit[source])
        np.testing.assert_allclose(np.diff(found), np.diff(wanted), rtol=1e-8, atol=1e-10)
        zero = dict.fromkeys((*layout.nodes, *values), 0.0)
        constant = cluster_mean(p, layout, node, p["path"], zero) * layout.unit[node]
        assert constant + found[0] == pytest.approx(wanted[0])


def test_a_construct_that_two_variables_moderate_has_its_slope_at_zero_of_both() -> None:
    """Without clusters: the product of the moderators is centred, which its share of the slope must undo."""
    items = Instrument((), tuple(Variable(n) for n in ("x1", "x2", "y", "w", "z")))
    rng = np.random.default_rng(2)
    w, x = rng.normal(3.0, 1.0, 60), rng.normal(size=60)
    z = w + 0.5 * rng.normal(size=60)
    columns = {"x1": x + rng.normal(size=60), "x2": x + rng.normal(size=60), "y": x * w * z, "w": w, "z": z}
    answers = Survey(items, np.array([f"p{i}" for i in range(60)]), np.empty((60, 0), np.int8), columns)
    text = "f =~ x1 + x2\ny ~ f + w + z + w:z + f:w + f:z + f:w:z"
    data = bind(mp.Model(text, family="gaussian").composed, answers)
    layout = data.layout
    p = {k: v[0] for k, v in draw_prior(data.parameters, np.random.default_rng(3), 1).items()}
    raw = dict(zip((layout.term(c) for c in layout.coefficients), raw_coefficients(data, p), strict=True))
    for row in range(3):
        own = sum(
            v * (1.0 if c.by is None else data.design[row, c.by])
            for c, v in zip(layout.coefficients, p["path"], strict=True) if not c.from_column
        )  # fmt: skip
        slope = raw["f"] + raw["f:w"] * w[row] + raw["f:z"] * z[row] + raw["f:w:z"] * w[row] * z[row]
        assert slope == pytest.approx(own * layout.unit[layout.nodes.index("y")])


# Maxima


def test_maximum_with_a_binary_moderator_is_that_of_lavaan_by_group() -> None:
    """lavaan 0.6-14: two levels in two groups of schools, paths and means free in each, variances equal."""
    data = bind(model().composed, survey(made(7, 40, 8, binary=True)))
    p, best = maximum(data)
    layout, unit = data.layout, data.layout.unit
    raw = dict(zip((c.name for c in layout.coefficients), raw_coefficients(data, p), strict=True))
    above = dict(zip((c.name for c in layout.between), raw_between(p, layout), strict=True))
    names = ("m~x", "y~m", "y~x")
    found = [[values[n] for n in names] for values in (raw, above)]
    wanted = [[0.384492, 0.432263, 0.060471], [0.744863, 1.195611, -0.800983]]
    np.testing.assert_allclose(found, wanted, atol=2e-4)
    found = [[values[n] + values[f"{n}:w"] for n in names] for values in (raw, above)]
    wanted = [[0.153833, 0.556589, 0.223014], [0.535703, 0.046155, 0.499131]]
    np.testing.assert_allclose(found, wanted, atol=2e-4)
    # Differences of the intercepts of x, m and y of the two groups.
    wanted = [4.810386 - 4.875657, -1.252015 + 2.811216, -2.513597 - 2.816243]
    np.testing.assert_allclose([raw["x~w"], raw["m~w"], raw["y~w"]], wanted, atol=1e-3)
    np.testing.assert_allclose((p["residual_sd"] * unit) ** 2, [0.883988, 0.593257, 0.544514], atol=1e-4)
    np.testing.assert_allclose((p["cluster_sd"] * unit) ** 2, [0.398185, 0.132460, 0.215456], atol=1e-4)
    assert best - data.n_person * np.log(unit).sum() == pytest.approx(-1244.31042398, abs=1e-4)


def test_maximum_within_large_clusters_is_least_squares_on_deviations_where_w_is_alike() -> None:
    """What means say of paths within them vanishes with the size of the clusters."""
    columns = made(11, 16, 150, binary=True)
    data = bind(model().composed, survey(columns))
    p, _ = maximum(data)
    raw = dict(zip((c.name for c in data.layout.coefficients), raw_coefficients(data, p), strict=True))
    school = columns["school"].astype(int)
    means = {n: np.bincount(school, weights=columns[n]) / np.bincount(school) for n in "xmy"}
    off = {n: columns[n] - means[n][school] for n in "xmy"}
    for w in (0.0, 1.0):
        here = columns["w"] == w
        a = off["x"][here] @ off["m"][here] / (off["x"][here] @ off["x"][here])
        both = np.column_stack([off["m"][here], off["x"][here]])
        b, c = np.linalg.lstsq(both, off["y"][here], rcond=None)[0]
        found = [raw[n] + w * raw[f"{n}:w"] for n in ("m~x", "y~m", "y~x")]
        np.testing.assert_allclose(found, [a, b, c], atol=1e-3)
