"""Latent structures against equations solved node after node, regressions and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

import twins
from medpsy.bind import ModelData, local
from medpsy.engines.quadrature import ENGINE as QUADRATURE
from medpsy.errors import SpecError
from medpsy.latent.base import structure, structures, system, system_reverse, total_sd
from medpsy.ops import Numpy
from numeric_cases import bound, even_grid, measured, structural_part, survey, values_at

THREE = measured("x", "m", "y")
MEDIATION = "\nm ~ a*x + age + school\ny ~ b*m + c*x + age + school\nx ~ age + school"
MODELS = {
    "measurement": THREE,
    "one construct": measured("x"),
    "saturated": THREE + MEDIATION,
    "no direct effect": THREE + "\nm ~ x + age\ny ~ m + gender",
    "covariates only": THREE + "\nm ~ age\ny ~ gender + school",
    "two exogenous": THREE + "\ny ~ x + m",
    "residual pair": measured("x", "m", "v", "y") + "\nm ~ x\nv ~ x\ny ~ m + v\nm ~~ v",
    "two cliques": measured("x", "m", "v", "y") + "\nv ~ x\ny ~ m\nv ~~ y",
    "observed": measured("x", "y") + "\ndose ~ x + age\ny ~ dose + x\ngrade ~ y + dose + gender",
}  # fmt: skip


@pytest.fixture(scope="module")
def bound_models() -> dict[str, ModelData]:
    answers = survey()
    return {name: bound(text, answers) for name, text in MODELS.items()}


def reduced_form(data: ModelData, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """M and the covariance of the nodes, by pushing one unit at a time through the equations."""
    part = structural_part(data, p)
    nodes, width = part["nodes"], data.design.shape[1]
    mean = np.zeros((len(nodes), width))
    for column in range(width):
        constants = {t: effect for (t, c), effect in part["covariates"].items() if c == column}
        if column == 0:
            constants |= part["intercept"]
        solved = twins.solve_nodes(nodes, part["paths"], constants, {})
        mean[:, column] = [solved[node] for node in nodes]
    latent = [n for n in nodes if part["kinds"][n] == "latent"]
    sources = [dict(zip(latent, part["root"][:, j], strict=True)) for j in range(len(latent))]
    sources += [{n: part["sd"][n]} for n in nodes if n not in latent]
    effects = []
    for noise in sources:
        solved = twins.solve_nodes(nodes, part["paths"], {}, noise)
        effects.append([solved[node] for node in nodes])
    spread = np.array(effects, dtype=float).T
    return mean, spread @ spread.T


@pytest.mark.parametrize("name", MODELS)
def test_the_reduced_form_solves_the_equations(name: str, bound_models: dict[str, ModelData]) -> None:
    data = bound_models[name]
    for seed in range(10):
        p = values_at(data, seed)
        eq = data.model.structure.equations(p, data.layout, Numpy)
        mean, chol = system(eq, data.layout, Numpy)
        want_mean, want_covariance = reduced_form(data, p)
        np.testing.assert_allclose(mean, want_mean, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(chol @ chol.T, want_covariance, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(np.triu(chol, 1), 0.0, atol=1e-15)
        explained = want_mean @ data.layout.covariance @ want_mean.T
        variance = np.diag(explained + want_covariance)
        np.testing.assert_allclose(total_sd(mean, chol, data.layout, p) ** 2, variance, rtol=1e-12)


def test_a_binary_outcome_counts_with_its_logistic_residual() -> None:
    data = bound(measured("x") + "\npassed ~ x", survey(), families={"passed": "bernoulli"})
    p = values_at(data, 1) | {"path": np.array([0.7])}
    eq = data.model.structure.equations(p, data.layout, Numpy)
    mean, chol = system(eq, data.layout, Numpy)
    assert total_sd(mean, chol, data.layout, p) == pytest.approx([1.0, np.sqrt(0.49 + np.pi**2 / 3)])


@pytest.mark.parametrize("name", MODELS)
def test_leading_axes_are_carried_along(name: str, bound_models: dict[str, ModelData]) -> None:
    data = bound_models[name]
    draws = [values_at(data, seed) for seed in range(6)]
    stacked = {key: np.stack([p[key] for p in draws]).reshape(2, 3, *draws[0][key].shape) for key in draws[0]}
    part, layout = data.model.structure, data.layout
    many = system(part.equations(stacked, layout, Numpy), layout, Numpy)
    for i, p in enumerate(draws):
        one = system(part.equations(p, layout, Numpy), layout, Numpy)
        for got, want in zip(many, one, strict=True):
            full = np.broadcast_to(got, (2, 3, *want.shape)).reshape(6, *want.shape)
            np.testing.assert_allclose(full[i], want, rtol=1e-14, atol=1e-15)
        single = part.coefficients(p, layout, Numpy)
        if single is None:
            assert not layout.coefficients
        else:
            together = part.coefficients(stacked, layout, Numpy).reshape(6, -1)
            np.testing.assert_allclose(together[i], single, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", MODELS)
def test_reverse_is_the_gradient(name: str, bound_models: dict[str, ModelData]) -> None:
    data = bound_models[name]
    part, layout = data.model.structure, data.layout
    rng = np.random.default_rng(3)
    size = len(layout.nodes)
    weight_mean = rng.normal(size=(size, data.design.shape[1]))
    weight_chol = np.tril(rng.normal(size=(size, size)))
    own = [q.name for q in data.parameters if not q.name.endswith(tuple(f"_{b.name}" for b in data.blocks))]
    for seed in range(5):
        p = values_at(data, seed)

        def total(name: str, value: np.ndarray, p: dict[str, np.ndarray] = p) -> float:
            eq = part.equations(p | {name: value}, layout, Numpy)
            mean, chol = system(eq, layout, Numpy)
            return float((weight_mean * mean).sum() + (weight_chol * chol).sum())

        d_eq = system_reverse(part.equations(p, layout, Numpy), weight_mean, weight_chol)
        got = part.reverse(p, layout, d_eq)
        assert set(got) == set(own)
        for key in own:
            shape = p[key].shape

            def moved(x: np.ndarray, key: str = key, shape: tuple[int, ...] = shape) -> np.ndarray:
                return np.array([total(key, x.reshape(shape))])

            want = twins.jacobian(moved, p[key].ravel())[0].reshape(shape)
            free = np.tril(np.ones(shape)) if key.startswith("correlation_chol") else np.ones(shape)
            np.testing.assert_allclose(got[key] * free, want * free, rtol=1e-8, atol=1e-9)


def test_coefficients_of_a_saturated_model_are_the_regressions(bound_models: dict[str, ModelData]) -> None:
    data = bound_models["saturated"]
    assert data.model.structure.name == "correlated"
    for seed in range(20):
        p = values_at(data, seed, scale=1.0)
        got = dict(
            zip(
                [c.name for c in data.layout.coefficients],
                data.model.structure.coefficients(p, data.layout, Numpy),
                strict=True,
            )
        )
        r = p["correlation_chol"] @ p["correlation_chol"].T
        a, (c, b) = r[0, 1], np.linalg.solve(r[:2, :2], r[:2, 2])
        assert got["m~x"] == pytest.approx(a, rel=1e-12)
        assert got["y~m"] == pytest.approx(b, rel=1e-10)
        assert got["y~x"] == pytest.approx(c, rel=1e-9, abs=1e-12)
        total = structural_part(data, p)["covariates"]
        for column, name in enumerate(["age", "school[b]", "school[c]"], start=1):
            assert got[f"x~{name}"] == pytest.approx(total["x", column])
            assert got[f"m~{name}"] == pytest.approx(total["m", column] - a * total["x", column])
            direct = total["y", column] - b * total["m", column] - c * total["x", column]
            assert got[f"y~{name}"] == pytest.approx(direct, rel=1e-9)


def test_saturated_paths_give_the_moments_and_the_likelihood_of_the_correlations() -> None:
    answers = survey()
    free = bound(THREE + MEDIATION, answers)
    path = bound(THREE + MEDIATION, answers, priors={"path": "Normal(0, 1)"})
    assert (free.model.structure.name, path.model.structure.name) == ("correlated", "path")
    for seed in range(3):
        p = values_at(free, seed)
        residual = dict(zip(free.layout.nodes, np.diag(p["correlation_chol"]), strict=True))
        names = [c.name for c in free.layout.coefficients]
        effects = dict(zip(names, free.model.structure.coefficients(p, free.layout, Numpy), strict=True))
        q: dict[str, np.ndarray] = {}
        # In units of the residual sd, as the path structure measures its constructs.
        q["path"] = np.array(
            [
                effects[c.name]
                * (1.0 if c.from_column else residual[c.path.source])
                / residual[c.path.target]
                for c in path.layout.coefficients
            ]
        )
        for block in free.blocks:
            old = local(free, block, p)
            slope = old["slope"] * residual[block.name]
            ratio = np.sqrt((1 + 0.3457 * old["slope"] ** 2) / (1 + 0.3457 * slope**2))[:, None]
            above = np.cumsum(old["category_prob"][:, ::-1], axis=1)[:, ::-1][:, 1:]
            odds = (above / (1 - above)) ** ratio
            above = np.column_stack([np.ones(len(odds)), odds / (1 + odds), np.zeros(len(odds))])
            q[f"slope_{block.name}"] = slope
            q[f"category_prob_{block.name}"] = above[:, :-1] - above[:, 1:]
        one = system(free.model.structure.equations(p, free.layout, Numpy), free.layout, Numpy)
        two = system(path.model.structure.equations(q, path.layout, Numpy), path.layout, Numpy)
        unit = np.array(list(residual.values()))[:, None]
        np.testing.assert_allclose(two[0] * unit, one[0], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(two[1] * unit, one[1], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(
            QUADRATURE.log_likelihood(path, q, Numpy, even_grid(3, 45, 10.0)),
            QUADRATURE.log_likelihood(free, p, Numpy, even_grid(3, 45, 10.0)),
            atol=1e-8,
        )


def test_cliques_are_the_exogenous_constructs_and_the_declared_pairs(
    bound_models: dict[str, ModelData],
) -> None:
    cliques = {
        name: [tuple(data.layout.nodes[i] for i in clique) for clique in data.layout.cliques]
        for name, data in bound_models.items()
    }
    assert cliques["measurement"] == [("x", "m", "y")]
    assert cliques["one construct"] == []
    assert cliques["no direct effect"] == []
    assert cliques["two exogenous"] == [("x", "m")]
    assert cliques["residual pair"] == [("m", "v")]
    assert sorted(cliques["two cliques"]) == [("v", "y"), ("x", "m")]
    names = [q.name for q in bound_models["two cliques"].parameters]
    assert names[1:3] == ["correlation_chol_1", "correlation_chol_2"]
    assert [q.name for q in bound_models["residual pair"].parameters][1] == "correlation_chol"


def test_residuals_outside_a_clique_are_independent(bound_models: dict[str, ModelData]) -> None:
    data = bound_models["two cliques"]
    eq = data.model.structure.equations(values_at(data, 4), data.layout, Numpy)
    at = {name: i for i, name in enumerate(data.layout.nodes)}
    residual = eq.z @ eq.z.T
    np.testing.assert_allclose(np.diag(residual), 1.0, rtol=1e-14)
    assert abs(residual[at["x"], at["m"]]) > 0.01
    assert abs(residual[at["v"], at["y"]]) > 0.01
    for a, b in (("x", "v"), ("x", "y"), ("m", "v"), ("m", "y")):
        assert residual[at[a], at[b]] == 0.0


def test_a_structure_without_the_asked_name() -> None:
    assert {"correlated", "path"} <= set(structures())
    with pytest.raises(SpecError, match="no latent structure 'paths'") as caught:
        structure("paths")
    assert "Did you mean 'path'?" in caught.value.hint
