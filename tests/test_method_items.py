"""A method factor beside ordinal constructs: density by hand, both routes, tables by hand, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import medpsy as mp
from group_cases import drawn
from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose
from medpsy.engines.grid import Grid
from medpsy.engines.method import CompiledMethod
from medpsy.errors import SpecError
from medpsy.inference.density import Density
from medpsy.model import compose
from medpsy.ops import Numpy
from medpsy.posterior.common_method import HYPOTHESISED, METHOD, ONE, MethodFits
from medpsy.posterior.draws import thinned
from medpsy.posterior.judging.method_tables import method_tables
from medpsy.posterior.method_items import ordinal_estimates, ordinal_method_fits, ordinal_share
from medpsy.posterior.scores import scores
from medpsy.spec.method import Method
from numeric_cases import survey as ordinal
from numeric_cases import values_at

TEXT = "x =~ x1..x3; m =~ m1..m3; m ~ x"


def bound(loadings: str = "equal", text: str = TEXT, n: int = 15, **about: Any) -> ModelData:
    spec = replace(mp.Model(text).spec, method=Method("method", ("x2", "m1"), loadings))
    return bind(compose(replace(spec, **about)), ordinal(n))


def by_hand(data: ModelData, p: dict[str, np.ndarray], loadings: str) -> np.ndarray:
    """Log-likelihood of every person: predictors written out, both constructs and the method on a cube."""
    nodes = np.linspace(-6.5, 6.5, 53)
    x, m, u = np.meshgrid(nodes, nodes, nodes, indexing="ij")
    r = (p["correlation_chol"] @ p["correlation_chol"].T)[0, 1]
    weight = np.exp(-0.5 * (x**2 - 2 * r * x * m + m**2) / (1 - r**2) - 0.5 * u**2) / np.sqrt(1 - r**2)
    weight *= ((nodes[1] - nodes[0]) / np.sqrt(2 * np.pi)) ** 3
    out = np.zeros(data.n_person)
    for i in range(data.n_person):
        total, at = weight.copy(), 0
        for block in data.blocks:
            theta = x if block.name == "x" else m
            slope, prob = p[f"slope_{block.name}"], p[f"category_prob_{block.name}"]
            above = 1.0 - np.cumsum(prob, axis=1)[:, :-1]
            cuts = -np.sqrt(1 + 0.3457 * slope**2)[:, None] * np.log(above / (1 - above))
            for j, code in enumerate(block.values[i]):
                own = p["method_slope"][at if loadings == "small" else 0]
                sign = -1.0 if block.construct.items[j] in ("x2", "m1") else 1.0
                at += 1
                if code >= 0:
                    line = slope[j] * theta + sign * own * u
                    up = [np.ones_like(line), *(1 / (1 + np.exp(c - line)) for c in cuts[j]), 0.0]
                    total *= up[code] - up[code + 1]
        out[i] = np.log(total.sum())
    return out


@pytest.mark.parametrize("loadings", ["equal", "small"])
def test_likelihood_by_hand(loadings: str) -> None:
    data = bound(loadings, n=8)
    engine, _ = choose(data)
    p = values_at(data, 3)
    nodes = np.linspace(-6.5, 6.5, 53)
    part = engine.inner.compiled(replace(data, method=None), Grid((nodes, nodes)))  # type: ignore[attr-defined]
    found = CompiledMethod(data, (part,) * 53, nodes).per_person(p)
    np.testing.assert_allclose(found, by_hand(data, p, loadings), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("loadings", ["equal", "small"])
def test_gradient_and_numerics(loadings: str) -> None:
    data = bound(loadings)
    engine, _ = choose(data)
    density = Density(data, engine.compiled(data, engine.settings(data, 9)))
    u, step = np.random.default_rng(4).normal(0.0, 0.4, density.size), 1e-5
    _, gradient = density.value_and_gradient(u)
    moved = [
        (density.value_and_gradient(u + e)[0] - density.value_and_gradient(u - e)[0]) / (2 * step)
        for e in step * np.eye(u.size)
    ]
    np.testing.assert_allclose(gradient, moved, rtol=1e-5, atol=2e-6 * np.abs(gradient).max())
    p = density.space.constrain(u)
    begun = density.likelihood.adapted(p, 2.0)
    coarse, fine = begun.adapted(p), begun.adapted(p, 2.0)
    assert len(coarse.parts) < len(fine.parts) and "values of a method factor" in fine.describe()
    errors = [abs(one.numerical_error(p)) for one in (coarse, fine)]
    assert errors[1] < 0.5 * errors[0] and errors[1] < 0.02


@pytest.mark.slow
def test_both_routes_state_one_density(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the same few nodes of the method factor."""
    from medpsy.inference.pymc_model import build
    from pymc_density import density_function

    nodes = np.linspace(-2.0, 2.0, 3)
    monkeypatch.setattr("medpsy.engines.method.NODES", nodes)
    data = bound(text="x =~ x1..x2; m =~ m1..m2; x ~~ m", n=8)
    engine, _ = choose(data)
    settings = engine.settings(data, 5)
    part = engine.inner.compiled(replace(data, method=None), settings)  # type: ignore[attr-defined]
    own = Density(data, CompiledMethod(data, (part,) * 3, nodes))
    pymc = density_function(build(data, engine, settings), own.space.slots)
    offsets = []
    for seed in range(3):
        u = np.random.default_rng(seed).normal(0.0, 0.5, own.size)
        (value, gradient), (mine, my_gradient) = pymc(u), own.value_and_gradient(u)
        np.testing.assert_allclose(my_gradient, gradient, rtol=1e-6, atol=1e-8 * np.abs(gradient).max())
        offsets.append(value - mine)
    np.testing.assert_allclose(offsets, offsets[0], rtol=0, atol=1e-7)


@pytest.fixture(scope="module")
def made() -> MethodFits:
    """The three models at draws of their priors."""
    answers, spec = ordinal(40), mp.Model(TEXT + "; y =~ y1..y3; y ~ b*m; m ~ gender; ab := b*b").spec
    items = tuple(item for c in spec.constructs for item in c.items)
    models = {HYPOTHESISED: spec, METHOD: replace(spec, method=Method("method", ("x2",), "equal"))}
    models[ONE] = mp.Model("common =~ " + " + ".join(items)).spec
    results = {k: drawn(bind(compose(m), answers), answers, draws=20) for k, m in models.items()}
    return MethodFits(results, ("x", "m", "y"), items, "method", ("x2",), "method", True)


def test_estimates_and_shares_by_hand(made: MethodFits) -> None:
    found = ordinal_estimates(made, METHOD)
    result = made.results[METHOD]
    p, layout = thinned(result, 2000), result.data.layout
    place = {c.name: i for i, c in enumerate(layout.coefficients)}
    a, b = p["path"][:, place["m~x"]], p["path"][:, place["y~m"]]
    column = next(i for i, c in enumerate(layout.coefficients) if c.from_column)
    effect = result.data.model.structure.coefficients(p, layout, Numpy)[:, column]
    share = np.cov(result.data.design[:, 1], ddof=0)
    vm = a**2 + 1 + effect**2 * share
    vy = b**2 * vm + 1
    np.testing.assert_allclose(found["correlation", "x ~~ m"], a / np.sqrt(vm), rtol=1e-9)
    np.testing.assert_allclose(found["path", "m -> y"], b * np.sqrt(vm / vy), rtol=1e-9)
    np.testing.assert_allclose(found["effect", "ab"], (b * np.sqrt(vm / vy)) ** 2, rtol=1e-9)
    own = p["method_slope"][:, 0] ** 2
    expected = own / (own + p["slope_m"][:, 1] ** 2 * vm + np.pi**2 / 3)
    np.testing.assert_allclose(ordinal_share(made)["m2"], expected, rtol=1e-9)


def test_tables(made: MethodFits) -> None:
    found = method_tables(made)
    text = " ".join(found.notes)
    assert "modelled as ordinal" in text and "treated as numbers" not in text
    assert list(found["models"]["model"]) == [HYPOTHESISED, METHOD, ONE]
    assert len(found["method"]) == 10 and 0 < found["first_factor"]["share"].iloc[0] < 1


def test_what_is_refused_says_why() -> None:
    answers = ordinal(30)
    cases = [
        ("x =~ cx1..cx3; m =~ m1..m3", {"families": {"x": "gaussian"}}, "'x' is none"),
        ("x =~ x1..x3; grade ~ x", {}, "'grade' is none"),
        ("x =~ x1..x3; m =~ m1..m3; y =~ y1..y3; v =~ v1..v3", {}, "4 constructs are too many"),
    ]
    for text, about, said in cases:
        with pytest.raises(SpecError, match=said):
            ordinal_method_fits(mp.Model(text, **about).spec, answers, sampling={})
    with pytest.raises(SpecError, match="no method loadings"):
        Method("method", (), "free")
    with pytest.raises(SpecError, match="cannot move the items"):
        bind(compose(replace(mp.Model("x =~ x1..x3", family="nominal").spec, method=Method())), answers)
    data = bound()
    result: Any = drawn(data, ordinal(15), draws=5)
    with pytest.raises(SpecError, match="Ask the fit of the constructs alone"):
        scores(result)
