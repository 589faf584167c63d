"""Paths of constructs that change with an observed variable: every engine against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from hand_made import result, survey
from medpsy.bind import bind
from medpsy.engines.base import choose, engines
from medpsy.engines.grid import Grid
from medpsy.engines.grouped import Grouped, GroupSettings
from medpsy.fit import complete
from medpsy.latent.cells import MOST_CELLS
from medpsy.model import compose
from medpsy.ops import Numpy
from medpsy.posterior.pathways import Pathways
from medpsy.posterior.scores import scores
from medpsy.simulate import draw_prior
from medpsy.spec.syntax import parse_model

MODERATED = """
x =~ x1..x3
m =~ m1..m3
y =~ y1..y3
x ~ sex
m ~ a*x + sex + a_sex*x:sex
y ~ b*m + c*x + sex + b_sex*m:sex
"""
NUMBER = "x =~ x1..x3\nm =~ m1..m3\nm ~ a*x + age + a_age*x:age"


def bound(text: str = MODERATED, seed: int = 3, n: int = 40):  # type: ignore[no-untyped-def]
    data = bind(compose(parse_model(text)), survey(n))
    p = {k: v[0] for k, v in draw_prior(data.parameters, np.random.default_rng(seed), 1).items()}
    return data, p


def brute_force(data, p, nodes: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Log-likelihood person by person: sums over all constructs one after the other."""
    names = [c.name for c in data.layout.coefficients]
    path = dict(zip(names, p["path"], strict=True))
    column = {c.name: data.design[:, i + 1] for i, c in enumerate(data.layout.columns)}
    out = np.empty(data.n_person)
    step = nodes[1] - nodes[0]
    for i in range(data.n_person):
        tables = []
        for block in data.blocks:
            family = data.model.families[block.name]
            own = {role: p[f"{role}_{block.name}"] for role in family.roles}
            log_p = family.log_prob(nodes, own, Numpy)
            given = [j for j in range(3) if block.values[i, j] >= 0]
            tables.append(
                np.sum([log_p[j, block.values[i, j]] for j in given], axis=0) + np.zeros(len(nodes))
            )
        s = column["sex[m]"][i]
        a = path["m~x"] + path["m~x:sex[m]"] * s
        b = path["y~m"] + path["y~m:sex[m]"] * s
        x, m, y = nodes[:, None, None], nodes[None, :, None], nodes[None, None, :]
        log_density = (
            -0.5 * (x - path["x~sex[m]"] * s) ** 2
            - 0.5 * (m - a * x - path["m~sex[m]"] * s) ** 2
            - 0.5 * (y - b * m - path["y~x"] * x - path["y~sex[m]"] * s) ** 2
            - 1.5 * np.log(2 * np.pi)
        )
        total = log_density + tables[0][:, None, None] + tables[1][None, :, None] + tables[2][None, None, :]
        top = total.max()
        out[i] = top + np.log(np.exp(total - top).sum() * step**3)
    return out


def test_the_grid_sums_over_everybodys_own_paths() -> None:
    data, p = bound()
    assert data.cells is not None and len(data.cells.parts) == 2
    engine, verdicts = choose(data)
    assert isinstance(engine, Grouped) and engine.name == "quadrature"
    assert "2 sets of paths" in verdicts[-1][1]
    nodes = np.linspace(-7, 7, 57)
    settings = GroupSettings((Grid((nodes,) * 3),) * 2)
    got = engine.log_likelihood(data, p, Numpy, settings)
    np.testing.assert_allclose(got, brute_force(data, p, nodes), rtol=1e-9)


def test_the_compiled_route_agrees_and_has_the_right_gradient() -> None:
    data, p = bound()
    engine, _ = choose(data)
    assert engine.compiles(data).accepted
    settings = GroupSettings((Grid((np.linspace(-7, 7, 33),) * 3),) * 2)
    compiled = engine.compiled(data, settings)
    value, gradient = compiled.value_and_gradient(p)
    assert value == pytest.approx(engine.log_likelihood(data, p, Numpy, settings).sum(), rel=1e-10)
    np.testing.assert_allclose(compiled.per_person(p), engine.log_likelihood(data, p, Numpy, settings))
    for k in range(len(p["path"])):
        ahead, behind = ({**p, "path": p["path"] + h * np.eye(len(p["path"]))[k]} for h in (1e-5, -1e-5))
        slope = (compiled.value_and_gradient(ahead)[0] - compiled.value_and_gradient(behind)[0]) / 2e-5
        assert gradient["path"][k] == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_sampled_persons_have_their_own_paths() -> None:
    """Averaged over the normals of a person, the conditional engine is the grid."""
    data, p = bound(n=10)
    nodes = np.linspace(-5.4, 5.4, 19)
    mesh = np.stack([g.ravel() for g in np.meshgrid(nodes, nodes, nodes, indexing="ij")], axis=1)
    engine = engines()["conditional"]
    weight = np.exp(-0.5 * (mesh**2).sum(1)) * (nodes[1] - nodes[0]) ** 3 / (2 * np.pi) ** 1.5
    terms = np.stack(
        [engine.log_likelihood(data, p | {"z": np.tile(z, (10, 1))}, Numpy) for z in mesh[weight > 1e-7]]
    )
    got = np.log(weight[weight > 1e-7] @ np.exp(terms))
    settings = GroupSettings((Grid((np.linspace(-7, 7, 57),) * 3),) * 2)
    np.testing.assert_allclose(got, choose(data)[0].log_likelihood(data, p, Numpy, settings), atol=0.02)


def test_numbers_with_many_values_leave_only_sampled_persons() -> None:
    data, _ = bound(NUMBER)
    assert data.cells is None and np.unique(data.design[:, 1]).size > MOST_CELLS
    engine, verdicts = choose(data)
    assert engine.name == "conditional" and "many values" in verdicts[0][1]
    few = bind(compose(parse_model(NUMBER.replace("age", "passed"))), survey(40))
    assert few.cells is not None and choose(few)[0].name == "quadrature"


def test_slopes_of_constructs_are_reported_at_the_levels() -> None:
    fitted = result(MODERATED, chains=1, draws=4)
    along = Pathways(fitted)
    path = fitted.tree["posterior"]["path"].to_numpy()[0]
    names = [c.name for c in fitted.data.layout.coefficients]
    share = fitted.data.layout.columns[0].centre
    main, product = path[:, names.index("m~x")], path[:, names.index("m~x:sex[m]")]
    # Inside, the category is centred: the reference level lies one share below.
    np.testing.assert_allclose(along.slope("x", "m", {"sex[m]": 0.0}), main - share * product)
    np.testing.assert_allclose(along.slope("x", "m", {"sex[m]": 1.0}), main + (1 - share) * product)
    table = scores(fitted, draws=4)
    assert list(table["person"].to_numpy()) == list(fitted.data.person)
    assert np.isfinite(table["draw"].to_numpy()).all()


def test_new_answers_follow_everybodys_own_paths() -> None:
    from medpsy.simulate import simulate_from

    data, p = bound(n=6000)
    names = [c.name for c in data.layout.coefficients]
    p["path"] = np.zeros(len(names))
    p["path"][names.index("m~x:sex[m]")] = 1.0
    theta, _ = simulate_from(data, p, np.random.default_rng(1))
    s = data.design[:, 1]
    for value in np.unique(s):
        own = theta[s == value]
        slope = np.polyfit(own[:, 0], own[:, 1], 1)[0]
        assert slope == pytest.approx(value, abs=0.08)


def test_new_answers_of_moderated_mediators_and_continuous_moderators() -> None:
    from medpsy.simulate import simulate_from
    from medpsy.simulate.replicate import _nodes

    answers = survey(6000)
    text = "x =~ x1..x3\ndose ~ age\nn1 ~ dose + n3 + dose:n3"
    data = bind(compose(parse_model(text)), complete(compose(parse_model(text)), answers))
    p = {q.name: np.zeros(q.shape) for q in data.parameters}
    p["residual_sd"] = np.ones(2)
    names = [c.name for c in data.layout.coefficients]
    p["path"][names.index("n1~dose:n3")] = 0.7
    values = _nodes(data, p, np.random.default_rng(0))
    n3 = data.design[:, [c.name for c in data.layout.columns].index("n3") + 1]
    dose, n1 = (data.layout.nodes.index(name) for name in ("dose", "n1"))
    assert np.polyfit(values[:, dose] * n3, values[:, n1], 1)[0] == pytest.approx(0.7, abs=0.05)
    data = bind(compose(parse_model(NUMBER)), survey(8000))
    p = {k: v[0] for k, v in draw_prior(data.parameters, np.random.default_rng(1), 1).items()}
    own = [0.2 if c.by is None and not c.from_column else 0.5 * (c.by is not None)
           for c in data.layout.coefficients]  # fmt: skip
    p["path"] = np.array(own)
    theta, _ = simulate_from(data, p, np.random.default_rng(2))
    age = data.design[:, 1]
    slopes = np.linalg.lstsq(np.column_stack([theta[:, 0], theta[:, 0] * age]), theta[:, 1], rcond=None)[0]
    np.testing.assert_allclose(slopes, [0.2, 0.5], atol=0.04)


def test_whoever_is_left_out_leaves_their_cell() -> None:
    from medpsy.inference.density import Density, start_point
    from medpsy.inference.leave_out import refitted

    data, _ = bound()
    engine, _ = choose(data)
    grid = Grid((np.linspace(-5, 5, 13),) * 3)
    density = Density(data, engine.compiled(data, GroupSettings((grid, grid))))
    u = start_point(data)
    answered = {b.name: (b.values >= 0).sum() for b in data.blocks}

    def sampler(other):  # type: ignore[no-untyped-def]
        assert other.cells is not None and len(other.cells.parts) == 2
        for d, block in enumerate(data.blocks):
            left = sum((part.blocks[d].values >= 0).sum() for part in other.cells.parts)
            assert left == answered[block.name] - (block.values[3] >= 0).sum()
        return np.stack([u, u])

    expected = density.likelihood.per_person(density.space.constrain(u))[3]
    assert refitted(density, 3, sampler) == pytest.approx(expected)


def test_a_report_of_moderated_constructs_says_where_effects_hold() -> None:
    from medpsy.report.context import Context
    from medpsy.report.sections import build_sections, gather

    text = MODERATED.replace("x ~ sex\n", "").replace(
        "c*x + sex + b_sex*m:sex", "c*x\ndirect := c\nindex := a_sex*b"
    )
    fitted = result(text, chains=1, draws=30)
    assert fitted.model.spec.design is not None and fitted.model.spec.design.moderation == (("first", "sex"),)
    parts = gather(fitted, interval=0.9)
    table = parts["conditional_effects"]["conditional"]
    assert table["sex"].unique().tolist() == ["f", "m"]
    index = fitted.tree["posterior"]["index"].to_numpy().mean()
    indirect = table[table["effect"] == "indirect"].set_index("sex")["mean"]
    assert indirect["m"] - indirect["f"] == pytest.approx(index)
    assert {"tipping", "curve"} & set(parts["mediation_limits"]) == {"tipping"}
    titles = [s.title for s in build_sections(Context(title="t", parts=parts))]
    assert "Conditional effects" in titles and "How much the mediation rests on" in titles
