"""Models with groups whose items have specific factors, cross-loadings, properties or common priors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import medpsy as mp
from made_posterior import made
from medpsy.api.fits import Fit
from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose
from medpsy.errors import SpecError
from medpsy.inference.density import Density, start_point
from medpsy.ops import Numpy
from numeric_cases import survey

ITEMS = ("x1", "x2", "x3", "x4")


def plain() -> mp.Model:
    return mp.GradedResponse("x", ITEMS)


KINDS: dict[str, Callable[[], list[object]]] = {
    "specific factors": lambda: [mp.Bifactor("x", ITEMS, {"s": ["x1", "x2"], "t": ["x3", "x4"]})],
    "testlets": lambda: [mp.Testlets("x", ITEMS, {"s": ["x1", "x2"]})],
    "cross-loadings": lambda: [plain(), mp.CrossLoadings(mp.GradedResponse("y", ["y1", "y2", "y3"]), "x2")],
    "properties": lambda: [mp.explain_items(plain(), {"load": [1, 2, 3, 5], "form": list("abab")})],
    "raters": lambda: [mp.explain_items(mp.RatingScale("x", ITEMS), {"rater": list("aabb")}, residual=False)],
    "hierarchical": lambda: [plain()],
}


def model(kind: str, **about: object) -> mp.Model:
    priors = {"preset": "hierarchical"} if kind == "hierarchical" else None
    return mp.Model(KINDS[kind](), groups="gender", priors=priors, **about)  # type: ignore[arg-type]


def data_of(kind: str) -> ModelData:
    return bind(model(kind).composed, survey(50, items=4))


@pytest.mark.parametrize("kind", KINDS)
def test_groups_have_means_and_spreads_over_the_same_items(kind: str) -> None:
    """The likelihood of every group is that of an ordinary model of its persons, moved and stretched."""
    data = data_of(kind)
    assert data.groups is not None
    engine, _ = choose(data)
    settings = engine.settings(data, 21)
    compiled = engine.compiled(data, settings)
    density = Density(data, compiled)
    rng = np.random.default_rng(3)
    point = start_point(data) + 0.2 * rng.standard_normal(density.size)
    p = density.space.constrain(point)
    assert {"group_mean", "group_log_sd"} <= set(p)
    assert not data.groups.changes
    _, gradient = density.value_and_gradient(point)
    for _ in range(3):
        way = rng.standard_normal(density.size)
        ends = [density.value_and_gradient(point + s * way)[0] for s in (1e-5, -1e-5)]
        assert gradient @ way == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-4)
    np.testing.assert_allclose(
        compiled.per_person(p), engine.log_likelihood(data, p, Numpy, settings), rtol=1e-8, atol=1e-8
    )
    # With means 0 and sds 1 the groups are one: the model without groups says the same.
    still = p | {"group_mean": 0 * p["group_mean"], "group_log_sd": 0 * p["group_log_sd"]}
    still |= {name: still["correlation_chol"] for name in still if name.startswith("correlation_chol[")}
    one = bind(
        mp.Model(
            KINDS[kind](), priors={"preset": "hierarchical"} if kind == "hierarchical" else None
        ).composed,
        survey(50, items=4),
    )
    alone, _ = choose(one)
    wanted = alone.log_likelihood(one, {q.name: still[q.name] for q in one.parameters}, Numpy,
                                  alone.settings(one, 21))  # fmt: skip
    np.testing.assert_allclose(
        engine.log_likelihood(data, still, Numpy, settings), wanted, rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("kind", KINDS)
def test_tables_of_such_models(kind: str) -> None:
    answers = survey(50, items=4)
    result = made(data=bind(model(kind).composed, answers), answers=answers, draws=30, chains=2)
    fit = Fit(result)
    table = fit.summary()
    assert "Group means" in set(table["section"]) and table["mean"].notna().all()
    assert len(fit.group_means()) == (2 if kind == "cross-loadings" else 1)
    assert fit.scores(draws=4)["mean"].shape[0] == 50
    assert (fit.items("x")["mean"].notna()).all()
    if kind != "cross-loadings":
        assert "theta" in fit.information("x", group="f").dims
    if kind in ("properties", "raters"):
        assert {"sd"} <= set(fit.item_effects("x")["level"])
    if kind in ("specific factors", "testlets", "cross-loadings"):
        assert {"own", "communality"} < set(fit.loadings()["kind"])


@pytest.mark.parametrize("kind", KINDS)
def test_their_items_cannot_differ_between_groups(kind: str) -> None:
    with pytest.raises(SpecError, match=r"the items of 'x' \(.*\) can only be equal in all groups"):
        model(kind, release=["x1"])
