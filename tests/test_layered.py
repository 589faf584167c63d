"""Four and five constructs summed over an inner grid and outer nodes, against the sum over the whole grid."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from medpsy.bind import ModelData
from medpsy.engines.base import choose
from medpsy.engines.grid import Grid
from medpsy.engines.layered_compiled import CompiledLayered, whole_windows
from medpsy.engines.quadrature import ENGINE as QUADRATURE
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.inference.density import Density, start_point
from medpsy.inference.prepare import opened
from medpsy.latent.base import system
from medpsy.ops import Numpy
from numeric_cases import bound, check_gradient, even_grid, measured, survey, values_at

FREE = measured("x", "m", "y", "v")
PATHS = FREE + "\nm ~ x + age\ny ~ m + x\nv ~ y + gender"
SECOND = FREE + "\ng =~ x + m + y\ng ~ v + age"


def on_whole_grid(data: ModelData, grid: Grid) -> CompiledLayered:
    """Every node for everybody."""
    plain = CompiledLayered(data, grid)
    lo = np.zeros((len(plain.count), data.n_factor), dtype=int)
    return CompiledLayered(data, grid, (lo, lo + [len(t) for t in grid.nodes]), plain.patterns)


@pytest.mark.parametrize("text", [FREE, PATHS, SECOND], ids=["correlated", "paths", "second-order"])
def test_the_sum_is_that_over_the_whole_grid(text: str) -> None:
    data = bound(text, survey(12))
    assert data.n_factor == 4
    grid = Grid(tuple(np.linspace(-5 - d, 5, 13 + d) for d in range(4)))
    compiled = on_whole_grid(data, grid)
    for seed in range(2):
        p = values_at(data, seed)
        want = QUADRATURE.log_likelihood(data, p, Numpy, grid)
        np.testing.assert_allclose(compiled.per_person(p), want, rtol=1e-10, atol=1e-13)


def test_five_constructs() -> None:
    data = bound(measured("x", "m", "y", "v", "u", items=2), survey(8, items=2))
    assert choose(data)[0].name == "layered"
    p, grid = values_at(data, 3), even_grid(5, 9, 4.0)
    want = QUADRATURE.log_likelihood(data, p, Numpy, grid)
    np.testing.assert_allclose(on_whole_grid(data, grid).per_person(p), want, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("text", [FREE, PATHS, SECOND], ids=["correlated", "paths", "second-order"])
def test_the_gradient_is_that_of_finite_differences(text: str) -> None:
    data = bound(text, survey(10))
    check_gradient(on_whole_grid(data, even_grid(4, 7, 4.0)), values_at(data, 1))


def test_a_construct_of_second_order_above_three_is_left_out_of_their_grid() -> None:
    data = bound(measured("x", "m", "y") + "\ng =~ x + m + y\ng ~ age", survey(12))
    engine, grid = choose(data)[0], even_grid(3, 15, 5.0)
    assert engine.name == "quadrature" and engine.compiles(data).accepted
    compiled, p = CompiledQuadrature(data, grid), values_at(data, 1)
    want = QUADRATURE.log_likelihood(data, p, Numpy, grid)
    np.testing.assert_allclose(compiled.per_person(p), want, rtol=1e-10, atol=1e-13)
    check_gradient(compiled, p)


def test_moments_are_those_of_the_posterior_whichever_constructs_are_outer() -> None:
    data = bound(PATHS, survey(8))
    p, grid = values_at(data, 2), even_grid(4, 17, 5.0)
    plain = on_whole_grid(data, grid)
    points = np.stack(np.meshgrid(*grid.nodes, indexing="ij"), axis=-1).reshape(-1, 4)
    line, chol = system(data.model.structure.equations(p, data.layout, Numpy), data.layout, Numpy)
    sums = [
        data.model.families[b.name].log_prob(grid.nodes[0], _own(data, b.name, p), Numpy) for b in data.blocks
    ]
    place = np.stack(np.unravel_index(np.arange(17**4), (17,) * 4), axis=1)
    mean, covariance = plain.person_moments(p)
    for i in range(5):
        off = np.linalg.solve(chol, (points - line @ data.design[i]).T)
        log_mass = -0.5 * (off**2).sum(0)
        for d, block in enumerate(data.blocks):
            for j, code in enumerate(block.values[i]):
                log_mass += sums[d][j, code][place[:, d]] if code >= 0 else 0.0
        mass = np.exp(log_mass - log_mass.max())
        mass /= mass.sum()
        want = mass @ points
        np.testing.assert_allclose(mean[i], want, atol=1e-10)
        np.testing.assert_allclose(covariance[i], ((points - want).T * mass) @ (points - want), atol=1e-10)
    assert plain.windows is not None
    lo, hi = plain.windows
    for d in range(4):
        # A wider last window makes each of the others outer in turn; cells outside are none of the grid's.
        order = np.argsort(np.arange(4) == d, kind="stable")
        outer = whole_windows(lo[:, order], hi[:, order])
        assert len(outer.at) == outer.begin[-1] == 17 * len(lo)


def _own(data: ModelData, name: str, p: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {k.removesuffix(f"_{name}"): v for k, v in p.items() if k.endswith(f"_{name}")}


def test_outer_nodes_are_listed_row_by_row() -> None:
    lo, hi = np.array([[0, 2, 5, 1, 0], [1, 0, 0, 0, 3]]), np.array([[9, 4, 9, 4, 9], [9, 3, 9, 2, 9]])
    outer = whole_windows(lo, hi)
    assert outer.factors == (1, 3)
    assert outer.begin.tolist() == [0, 6, 12]
    assert outer.at[:6].tolist() == [[a, b] for a in (2, 3) for b in (1, 2, 3)]
    assert outer.at[6:].tolist() == [[a, b] for a in (0, 1, 2) for b in (0, 1)]
    some = outer.keep(np.arange(12) % 3 == 0)
    assert some.begin.tolist() == [0, 2, 4]
    assert some.row.tolist() == [0, 0, 1, 1]


def test_the_numerics_find_the_posterior_from_the_start() -> None:
    answers = survey(150, items=5, missing=0.05, seed=4)
    data = bound(measured("x", "m", "y", "v", items=5), answers)
    engine, verdicts = choose(data)
    assert engine.name == "layered"
    assert choose(data, pymc=True)[0].name == "conditional", verdicts
    density = Density(data, opened(data, engine, None))
    p = density.space.constrain(start_point(data))
    p |= {name: 1.5 * value for name, value in p.items() if name.startswith("slope")}
    fitted = density.likelihood.adapted(p).adapted(p, 1.5)
    # The whole grid at the same spacing, and one twice as fine: what windows and spacing cost.
    whole = on_whole_grid(data, Grid(tuple(np.linspace(-6, 6, 31) for _ in range(4))))
    rows = np.arange(0, len(whole.count), 15)
    few = CompiledLayered(
        data, whole.grid, tuple(w[rows] for w in whole.windows or ()), whole.patterns.take(rows)
    )  # type: ignore[arg-type]
    off = fitted._run(p)["ell"][rows] - few._run(p)["ell"]
    assert np.abs(off).max() < 1e-4
    assert abs(fitted.numerical_error(p)) < 0.05
    assert (
        reduce(np.multiply, [len(t) for t in fitted.grid.nodes]) > 20 * (fitted.hi - fitted.lo).prod(1).mean()
    )
