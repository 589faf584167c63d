"""Moderators of the clusters in the designs 1-1-1 and 2-1-1: densities, units, effects, what is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import medpsy as mp
from cluster_cases import density_of, maximum, sampled
from medpsy.api.fits import Fit
from medpsy.bind import ModelData, bind
from medpsy.derive import raw_coefficients
from medpsy.inference.native import Native, plain
from medpsy.inference.transforms import Unconstrained
from medpsy.latent.cluster_moderation import cluster_mean, raw_between
from medpsy.posterior.moderator_curves import slope_lines
from medpsy.simulate.prior_draws import draw_prior
from medpsy.spec.write_toml import to_toml
from medpsy.survey.instrument import Instrument, Variable
from medpsy.survey.survey import Survey
from pymc_density import density_function

#: What :func:`made` is made from: paths within and between, at w = 0 and per unit of w.
TRUE = {
    "a": 0.4, "a_w": -0.3, "b": 0.3, "b_w": 0.2, "c": 0.1, "c_w": 0.1,
    "a_between": 0.6, "a_between_w": -0.2, "b_between": 0.5, "b_between_w": 0.3, "c_between": 0.1,
    "c_between_w": 0.0,
}  # fmt: skip


def made(
    seed: int = 3, clusters: int = 40, size: int = 8, *, binary: bool = False, random: float = 0.0
) -> dict[str, np.ndarray]:
    """Columns school, x, m, y, w, z, age: w and z belong to the school, ``random`` is the sd of slopes a and
    b, whose correlation is a half."""
    rng, t = np.random.default_rng(seed), TRUE
    school = np.repeat(np.arange(clusters), size)
    w = np.arange(clusters) % 2.0 if binary else rng.normal(2.0, 1.0, clusters)
    z = 0.5 * w + rng.normal(size=clusters)
    u, v = rng.normal(size=(2, clusters))
    own_a, own_b = random * u, random * (0.5 * u + np.sqrt(0.75) * v)
    mean_x = 0.3 * w + rng.normal(0, 0.7, clusters)
    mean_m = (t["a_between"] + t["a_between_w"] * w) * mean_x + 0.2 * w + rng.normal(0, 0.5, clusters)
    mean_y = (t["b_between"] + t["b_between_w"] * w) * mean_m - 0.1 * w + rng.normal(0, 0.5, clusters)
    mean_y += (t["c_between"] + t["c_between_w"] * w) * mean_x
    x, age = rng.normal(size=(2, school.size))
    m = (t["a"] + t["a_w"] * w + own_a)[school] * x + 0.8 * rng.normal(size=school.size)
    y = (t["b"] + t["b_w"] * w + own_b)[school] * m + (t["c"] + t["c_w"] * w)[school] * x
    y += 0.7 * rng.normal(size=school.size)
    return {
        "school": school.astype(float), "x": 5 + mean_x[school] + x, "m": 1 + mean_m[school] + m,
        "y": mean_y[school] + y, "w": w[school], "z": z[school], "age": age,
    }  # fmt: skip


def survey(columns: dict[str, np.ndarray], levels: tuple[str, ...] = ()) -> Survey:
    """The columns as a survey; with ``levels`` w is a category of that many of equal frequency."""
    columns = dict(columns)
    if levels:
        codes = np.unique(columns["w"], return_inverse=True)[1] % len(levels)
        columns["w"] = codes.astype(np.int64)
    person = np.array([f"p{i}" for i in range(len(columns["school"]))])
    variables = tuple(
        Variable(name, "category", levels=levels) if name == "w" and levels else Variable(name)
        for name in columns
    )
    return Survey(Instrument((), variables), person, np.empty((len(person), 0), np.int8), columns)


def model(design: str = "1-1-1", moderates: object = "all", **about: object) -> mp.Mediation:
    exposure = "x" if design == "1-1-1" else "z"
    options = {"moderator": "w", "moderates": moderates, "slopes": []} | about
    return mp.Mediation(exposure, "m", "y", design=design, clusters="school", **options)  # type: ignore[arg-type]


CASES: dict[str, tuple[mp.Mediation, tuple[str, ...]]] = {
    "all paths": (model(), ()),
    "random slopes": (model(slopes=["a", "b"], covariates=["age"]), ()),
    "category": (model(moderates=["first", "direct"], slopes=["b"]), ("low", "middle", "high")),
    "2-1-1": (model("2-1-1", covariates=["age"]), ()),
    "2-1-1, slopes": (model("2-1-1", "second", slopes=["b"]), ("no", "yes")),
    "two moderators": (
        mp.Mediation("x", "m", "y", design="1-1-1", clusters="school", slopes=["a"],
                     moderation={"first": [("w", "z")], "second": ["z"]}), (),
    ),
    "exposure moderates": (
        mp.Mediation("z", ["m"], "y", design="2-1-1", clusters="school", interaction=True), (),
    ),
}  # fmt: skip


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


# Effects


def test_effects_of_moderated_designs_are_named() -> None:
    found = {d.name: d.expression for d in model(moderates="first", slopes=["a", "b"]).spec.definitions}
    assert found == {
        "direct_within": "c", "direct_between": "c_between", "index_within": "a_w*b",
        "index_between": "a_between_w*b_between", "contextual_a_w": "a_between_w - a_w",
        "contextual_b": "b_between - b", "contextual_c": "c_between - c",
    }  # fmt: skip
    found = {d.name: d.expression for d in model("2-1-1", "second").spec.definitions}
    assert found == {
        "direct_between": "c", "index_between": "a*b_between_w", "contextual_b_w": "b_between_w - b_w",
    }  # fmt: skip
    found = {d.name: d.expression for d in model(moderates="direct", slopes=["a", "b"]).spec.definitions}
    assert found["indirect_within"] == "a*b + cov_a_b" and "total_within" not in found
    assert "index_within" not in {d.name for d in model().spec.definitions}


def test_design_and_text_with_levels_are_one_model() -> None:
    text = """
    x ~ w
    m ~ a*x + w + a_w*x:w
    y ~ b*m + c*x
    level: between
    m ~ a_between*x + w + a_between_w*w:x
    y ~ b_between*m + c_between*x
    """
    design = model(moderates="first")
    written = mp.Model(text, clusters="school")
    assert set(design.spec.paths) == set(written.spec.paths)
    assert design.spec.clusters is not None and written.spec.clusters is not None
    assert set(design.spec.clusters.between) == set(written.spec.clusters.between)
    again = mp.Model(written.syntax, clusters="school")
    assert again.spec == written.spec


@pytest.mark.parametrize("name", CASES)
def test_models_come_back_from_files(name: str, tmp_path: Path) -> None:
    one, _ = CASES[name]
    path = tmp_path / "model.toml"
    path.write_text(to_toml(one.spec))
    assert mp.load_model(path) == one


def without(*keys: str) -> mp.Model:
    """The model with some paths within clusters taken out by hand."""
    spec = model(moderates="first").composed.spec
    return mp.Model(replace(spec, design=None, paths=tuple(p for p in spec.paths if p.key not in keys)))


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: model(moderator="x", moderates="second"), "varies within clusters"),
        (lambda: mp.Mediation("x", mp.GradedResponse("m", "m1..m3"), "y", design="1-1-1", clusters="s",
                              moderator=mp.GradedResponse("f", "f1..f3")), "varies within clusters"),
        (lambda: model(moderates="between"), "has no 'between' paths"),
        (lambda: mp.Model("m ~ x + w + x:w\nlevel: 2\nm ~ x:w", clusters="s"), "but not by 'x'"),
        (lambda: mp.Model("m ~ x\nlevel: 2\nm ~ x + x:w", clusters="s"), "but not by 'w'"),
        (lambda: mp.Model("m ~ x\ny ~ m + x + x:m\nlevel: 2\nm ~ x\ny ~ m", clusters="s"), "both split"),
        (lambda: without("m~w", "m~x:w").composed, "stands without 'm~w'"),
    ],
)  # fmt: skip
def test_impossible_moderators_are_refused(build: object, word: str) -> None:
    with pytest.raises(mp.SpecError) as error:
        build()  # type: ignore[operator]
    assert word in str(error.value)


def test_a_moderator_of_persons_is_refused_with_the_cluster_it_differs_in() -> None:
    columns = made(2, 6)
    columns["w"] = columns["w"].copy()
    columns["w"][17] += 1.0
    with pytest.raises(mp.DataError, match="'w' differs between persons of the same 'school': in 2 it is"):
        bind(model().composed, survey(columns))


@cache
def fitted(random: bool = True) -> Fit:
    """Ten clusters and few draws: enough for tables, not for conclusions."""
    one = model(moderates=["first", "second"], slopes=["a", "b"] if random else [])
    return one.fit(
        survey(made(5, 10, random=0.3)), seed=1, draws=60, tune=60, chains=1, cores=1, progress=False
    )


def test_conditional_effects_on_both_levels() -> None:
    fit = fitted()
    table = fit.conditional(at={"w": [0.0, 1.5]}).set_index(["effect", "w"])["mean"]
    draws = {
        name: value.to_numpy().ravel() for name, value in fit.tree["posterior"].items() if value.ndim == 2
    }
    names = [c.label for c in fit.result.data.layout.coefficients]
    raw = fit.tree["posterior"]["coefficient"].to_numpy()
    within = {n: raw[..., i].ravel() for i, n in enumerate(names) if n}
    for w in (0.0, 1.5):
        product = (within["a"] + within["a_w"] * w) * (within["b"] + within["b_w"] * w) + draws["cov_a_b"]
        assert table["indirect within", w] == pytest.approx(product.mean())
        assert table["total within", w] == pytest.approx((product + within["c"]).mean())
        product = draws["a_between"] + draws["a_between_w"] * w
        product = product * (draws["b_between"] + draws["b_between_w"] * w)
        assert table["indirect between", w] == pytest.approx(product.mean())
    slopes = fit.simple_slopes("m", "x", at={"w": 1.5}).set_index("level")["mean"]
    assert slopes["within"] == pytest.approx((within["a"] + 1.5 * within["a_w"]).mean())
    assert slopes["between"] == pytest.approx((draws["a_between"] + 1.5 * draws["a_between_w"]).mean())
    assert set(fit.conditional_contrasts()["effect"]) == {
        "indirect within", "total within", "indirect between", "total between"
    }  # fmt: skip
    curve = fit.conditional_curve("w", effect="indirect between")
    assert curve.attrs["effect"] == "indirect between" and curve.attrs["of"] == "clusters of school"
    assert fit.conditional_curve("w").attrs["effect"] == "indirect within"


def test_effects_of_single_clusters_hold_at_their_moderator() -> None:
    fit = fitted()
    each = fit.by_cluster()
    posterior, layout = fit.tree["posterior"], fit.result.data.layout
    raw = posterior["coefficient"].to_numpy()
    at = {c.label: raw[..., i] for i, c in enumerate(layout.coefficients) if c.label}
    own = posterior["effect_of_cluster"].to_numpy()
    for g in (0, 7):
        w = fit.result.survey.variables["w"][layout.levels.index == g][0]
        a = at["a"] + at["a_w"] * w + own[:, :, g, 0]
        b = at["b"] + at["b_w"] * w + own[:, :, g, 1]
        assert each["mean"][g] == pytest.approx((a * b).mean())


def test_lines_run_through_the_means_that_the_model_implies() -> None:
    """Both levels: a line's slope is the simple slope, and at the mean of its source both levels meet."""
    fit = fitted()
    ends = {}
    for level in ("within", "between"):
        lines = slope_lines(fit.result, "m", "x", at={"w": 1.0}, level=level)
        x, y = lines["value"].to_numpy(), lines["mean"].to_numpy()
        slope = (y[-1] - y[0]) / (x[-1] - x[0])
        wanted = fit.simple_slopes("m", "x", at={"w": 1.0}).set_index("level").loc[level, "mean"]
        assert slope == pytest.approx(wanted)
        ends[level] = y[0] + slope * (fit.result.survey.variables["x"].mean() - x[0])
    assert ends["within"] == pytest.approx(ends["between"])


def test_tipping_points_follow_the_moderator() -> None:
    table = fitted().cluster_tipping(at={"w": [0.0, 2.0]})
    assert list(table["level"]) == ["within", "within", "between", "between"]
    assert table["rho"].nunique() == 4


def test_everything_that_a_fit_says(tmp_path: Path) -> None:
    fit = fitted(False)
    assert {"a_between_w", "index_within"} & set(fit.effects()["effect"]) == {"a_between_w"}
    assert "m ~ a_between_w*x:w" not in fit.summary().to_string()
    fit.plot_path()
    fit.plot_simple_slopes("m", "x", level="between")
    fit.plot_conditional("w")
    fit.report(tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text()
    assert "indirect within" in text and "of the clusters of school lie" in text
    assert "At w = " in text and "effect within clusters of x on y through m" in text
    with pytest.raises(mp.SpecError, match="no path of a level 'above'"):
        fit.plot_simple_slopes("m", "x", level="above")
