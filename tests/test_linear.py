"""Linear models in lavaan's language: text, density, gradients, and lavaan's maximum likelihood to the
digit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import medpsy as mp
from linear_ml import at_maximum, check_two_routes, estimates, maximum, result_at, survey_of
from medpsy.bind import bind
from medpsy.engines.base import choose
from medpsy.engines.gaussian_compiled import SufficientStatistics
from medpsy.inference.density import Density, start_point
from medpsy.spec.write_toml import to_toml
from numeric_cases import points
from numeric_cases import survey as ordinal

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "political_democracy"
DEMOCRACY = """
  ind60 =~ x1 + x2 + x3
  dem60 =~ y1 + y2 + y3 + y4
  dem65 =~ y5 + y6 + y7 + y8
  dem60 ~ a*ind60
  dem65 ~ c*ind60 + b*dem60
  y1 ~~ y5
  y2 ~~ y4 + y6
  y3 ~~ y7
  y4 ~~ y8
  y6 ~~ y8
  ind := a*b
"""
#: Everything at once: shared loadings, a shared covariance, a shared variance, a fixed covariance and mean.
EQUAL = """
  ind60 =~ x1 + x2 + x3
  dem60 =~ y1 + a*y2 + b*y3 + c*y4
  dem65 =~ y5 + a*y6 + b*y7 + c*y8
  dem60 ~ ind60
  dem65 ~ ind60 + dem60
  y1 ~~ k*y5
  y2 ~~ y4 + y6
  y3 ~~ k*y7
  y4 ~~ y8
  y6 ~~ y8
  y1 ~~ v*y1
  y5 ~~ v*y5
  y2 ~~ y3
"""


def democracy() -> mp.Model:
    return mp.Model(DEMOCRACY, family="gaussian")


def answers() -> pd.DataFrame:
    if not DATA.exists():
        pytest.skip("the data of Bollen (1989) are not beside the repository")
    frame = pd.read_csv(DATA / "political_democracy.csv")
    return frame[[name for name in frame.columns if name[0] in "xy"]]


def made_up(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    ind = rng.normal(size=n)
    dem60 = 0.7 * ind + rng.normal(size=n)
    dem65 = 0.8 * dem60 + 0.3 * ind + 0.6 * rng.normal(size=n)
    frame = pd.DataFrame({f"x{k}": 10 + 2 * (ind + 0.6 * rng.normal(size=n)) for k in range(1, 4)})
    own = rng.normal(size=(n, 4))
    for wave, score in enumerate((dem60, dem65)):
        for k in range(4):
            error = 0.5 * own[:, k] + 0.6 * rng.normal(size=n)
            frame[f"y{4 * wave + k + 1}"] = k + (1 + 0.2 * k) * score + error
    frame.iloc[:5, 2] = np.nan
    return frame


# lavaan 0.6-14: sem(text, data, meanstructure = TRUE); logLik(fit); parameterEstimates(fit)
@pytest.mark.parametrize(
    ("text", "log_likelihood", "values"),
    [
        (
            DEMOCRACY,
            -1547.790943,
            {"dem60~ind60": 1.4830, "dem65~dem60": 0.8373, "y1~~y5": 0.6237, "y1~~y1": 1.8914, "y2~1": 4.2564,
             "ind60~~ind60": 0.4485},
        ),
        (EQUAL, -1548.693506, {"y2~~y4": 1.27140, "y2~~y6": 2.03036, "y4~~y4": 3.19448}),
    ],
)  # fmt: skip
def test_maximum_is_lavaans(text: str, log_likelihood: float, values: dict[str, float]) -> None:
    total, found, _ = maximum(mp.Model(text, family="gaussian").composed, survey_of(answers()))
    assert total == pytest.approx(log_likelihood, abs=1e-4)
    for name, value in values.items():
        assert found[name] == pytest.approx(value, abs=2e-4), name
    if text is EQUAL:
        assert found["dem60=~y2"] == pytest.approx(found["dem65=~y6"], rel=1e-9)
        assert found["y1~~y5"] == pytest.approx(found["y3~~y7"], rel=1e-9)
        assert found["y1~~y1"] == pytest.approx(found["y5~~y5"], rel=1e-9)
        assert found["dem60=~y1"] == found["dem65=~y5"] == pytest.approx(1.0)


def test_scales_are_a_convention() -> None:
    """First loadings of 1 and variances of 1 are one model; so are plain constructs of the same family."""
    frame, marked = survey_of(made_up(200)), mp.Model(DEMOCRACY, family="gaussian")
    unit = mp.Model(DEMOCRACY, family="gaussian", std_lv=True)
    one, found, _ = maximum(marked.composed, frame)
    other, scaled, _ = maximum(unit.composed, frame)
    assert one == pytest.approx(other, abs=1e-5)
    assert scaled["ind60~~ind60"] == 1.0
    assert scaled["ind60=~x1"] == pytest.approx(np.sqrt(found["ind60~~ind60"]), rel=1e-3)


@pytest.mark.parametrize(
    "text", [DEMOCRACY, EQUAL, EQUAL + "y6 ~~ 0.4*y7\nx1 ~ 9*1\nx2 ~ i*1\nx3 ~ i*1\nind60 ~ 1"]
)
def test_gradients_and_the_general_engine_agree(text: str) -> None:
    """The quick likelihood against the general one, and both gradients against differences."""
    data = bind(mp.Model(text, family="gaussian").composed, survey_of(made_up()))
    engine, _ = choose(data)
    assert engine.name == "gaussian"
    quick, general = Density(data, engine.compiled(data, None)), Density(data, SufficientStatistics(data))
    assert type(quick.likelihood).__name__ == "LinearStatistics"
    start, step = start_point(data), 1e-5
    for u in (start, start + 0.02 * points(data.parameters, 1, 5)[0]):
        value, gradient = quick.value_and_gradient(u)
        assert np.isfinite(value)
        same, also = general.value_and_gradient(u)
        assert value == pytest.approx(same, rel=1e-10)
        np.testing.assert_allclose(gradient, also, rtol=1e-7, atol=1e-7 * np.abs(gradient).max())
        moved = [
            (quick.value_and_gradient(u + e)[0] - quick.value_and_gradient(u - e)[0]) / (2 * step)
            for e in step * np.eye(u.size)
        ]
        np.testing.assert_allclose(gradient, moved, rtol=1e-5, atol=1e-5 * np.abs(gradient).max())


def test_density_is_the_normal_one() -> None:
    """Implied moments written out by hand, and SciPy's multivariate normal."""
    from scipy.stats import multivariate_normal

    frame = made_up().dropna()
    data = bind(mp.Model(EQUAL, family="gaussian").composed, survey_of(frame))
    density = Density(data, choose(data)[0].compiled(data, None))
    values = density.space.constrain(start_point(data) + 0.05 * points(data.parameters, 1, 7)[0])
    own, nodes, layout = estimates(data, values), data.layout.nodes, data.layout
    size = len(nodes)
    b, psi = np.zeros((size, size)), np.zeros((size, size))
    for i, left in enumerate(nodes):
        for j, right in enumerate(nodes):
            b[i, j] = own.get(f"{left}~{right}", own.get(f"{right}=~{left}", 0.0))
            psi[i, j] = own.get(f"{left}~~{right}", own.get(f"{right}~~{left}", 0.0))
    whole = np.linalg.inv(np.eye(size) - b)
    alpha = np.array([own[f"{name}~1"] for name in nodes])
    keep = [i for i, name in enumerate(nodes) if name in frame.columns]
    order = [nodes[i] for i in keep]
    mean, covariance = (whole @ alpha)[keep], (whole @ psi @ whole.T)[np.ix_(keep, keep)]
    want = multivariate_normal(mean, covariance).logpdf(frame[order].to_numpy()).sum()
    got = density.likelihood.value_and_gradient(values)[0] - len(frame) * np.log(layout.unit[keep]).sum()
    assert got == pytest.approx(want, rel=1e-10)


def test_both_routes_state_one_density() -> None:
    text = """
      f =~ x1 + a*x2 + x3
      g =~ y1 + a*y2 + y3
      g ~ f
      x1 ~~ k*y1
      x2 ~~ k*y2
      x1 ~~ y3
      x3 ~~ v*x3
      y3 ~~ v*y3
    """
    data = bind(mp.Model(text, family="gaussian").composed, survey_of(made_up(20)))
    check_two_routes(data, 50, 0.3, 20)


@pytest.mark.parametrize(
    "text",
    [
        DEMOCRACY,
        EQUAL,
        "y ~ 1*x + b*z; y ~~ v*y; m ~ b*x; q := b/v",
        "i =~ 1*x1 + 1*x2 + 1*x3; s =~ 0*x1 + 1*x2 + 2*x3; x1 + x2 + x3 ~ 0*1; i ~ m*1; s ~ 1",
        "g =~ f1 + f2 + f3; f1 =~ x1 + x2; f2 =~ x3 + y1; f3 =~ y2 + y3; x1 ~~ x3",
        "f =~ NA*x1 + x2 + x3; f ~~ 1*f",
        "x2 ~ x1 + y1; y2 ~ x1 + y1; x1 ~~ y1; x1 ~ 1",
    ],
)
def test_text_and_files_come_back(text: str, tmp_path: Path) -> None:
    model = mp.Model(text, family="gaussian")
    assert mp.Model(model.syntax, family="gaussian") == model
    assert model.equations
    file = tmp_path / "model.toml"
    file.write_text(to_toml(model.spec), encoding="utf-8")
    assert mp.load_model(file) == model


def test_unsaid_things_are_written_out_as_lavaan_does() -> None:
    model = mp.Model("f =~ x1 + x2 + x3; g =~ y1 + y2; y3 ~ f; y4 ~ g; x1 ~~ y1", family="gaussian")
    assert {"f =~ 1*x1 + x2 + x3", "g =~ 1*y1 + y2", "f ~~ g", "y3 ~~ y4"} <= set(model.syntax.splitlines())
    scaled = mp.Model("f =~ x1 + x2 + x3; x1 ~~ x2", family="gaussian", std_lv=True)
    assert "f ~~ 1*f" in scaled.syntax


def test_a_plain_model_stays_as_it_was() -> None:
    assert mp.Model("f =~ x1 + x2 + x3; g =~ y1 + y2 + y3; g ~ f", family="gaussian").spec.linear is None


@pytest.mark.parametrize(
    ("text", "family", "word"),
    [
        ("f =~ 1*x1 + x2 + x3", "graded", "family='gaussian'"),
        ("f =~ x1 + x2 + x3; x1 ~~ x9x; f ~ 1", "gaussian", "intercepts of all its indicators"),
        ("y ~ x; y ~~ -1*y", "gaussian", "variance of 'y' is fixed to -1"),
        ("f =~ x1 + x2 + x3; x1 ~~ x2; x2 ~~ x1", "gaussian", "said twice"),
        ("f =~ x1 + x2 + x3; y ~ f + x + 2*f:x", "gaussian", "product with a latent"),
        ("f =~ x1 + x2 + 2x3", "gaussian", ""),
    ],
)
def test_what_cannot_be_is_refused(text: str, family: str, word: str) -> None:
    with pytest.raises(mp.SpecError) as caught:
        mp.Model(text, family=family)
    assert word in str(caught.value)


def test_impossible_correlations_have_density_zero() -> None:
    data = bind(mp.Model("y1 ~~ y2; y2 ~~ y3", family="gaussian").composed, survey_of(made_up()))
    density = Density(data, choose(data)[0].compiled(data, None))
    names = density.space.labels()
    u = np.where([name.startswith("half_correlation") for name in names], 4.0, 0.0)
    assert density.value_and_gradient(u)[0] == -np.inf


def test_covariance_matrix_stands_for_answers() -> None:
    frame = made_up(200).dropna()
    matrix, means = frame.cov(), frame.mean()
    real, found, _ = maximum(democracy().composed, survey_of(frame))
    made = mp.read_covariance(matrix, len(frame), means=means)
    other, same, _ = maximum(democracy().composed, made)
    assert other == pytest.approx(real, abs=1e-6)
    assert same == pytest.approx(found, rel=1e-3, abs=1e-4)
    assert "covariance matrix" in made.simulated
    triangle = "\n".join(
        " ".join(f"{v:.10f}" for v in row[: i + 1]) for i, row in enumerate(matrix.to_numpy())
    )
    again = mp.read_covariance(triangle, len(frame), names=list(matrix.columns))
    np.testing.assert_allclose(np.cov([*again.variables.values()]), matrix, rtol=1e-8)


@pytest.mark.parametrize(
    ("matrix", "n", "word"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], 50, "positive definite"),
        ([[1.0, 0.5], [0.2, 1.0]], 50, "symmetric"),
        ([[1.0, 0.5], [0.5, 1.0]], 2, "n = 2"),
        ([[1.0], [0.5, 1.0, 0.2]], 50, "square"),
    ],
)
def test_impossible_matrices_are_refused(matrix: list[list[float]], n: int, word: str) -> None:
    with pytest.raises(mp.DataError, match=word):
        mp.read_covariance(matrix, n, names=["a", "b"])


@pytest.mark.slow
def test_posterior_is_lavaans_estimate() -> None:
    """Means within .3 standard errors and sds within 15 per cent where 300 persons answered (CFA)."""
    path = DATA.parent / "holzinger_swineford" / "holzinger_swineford.csv"
    if not path.exists():
        pytest.skip("the data of Holzinger and Swineford are not beside the repository")
    frame = pd.read_csv(path)[[f"x{k}" for k in range(1, 10)]]
    text = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
    model = mp.Model(text, family="gaussian", std_lv=True, priors={"preset": "weak"})
    fit = model.fit(survey_of(frame), seed=1, progress=False)
    table = fit.summary().set_index(["lhs", "op", "rhs"])
    # lavaan 0.6-14: cfa(text, data, std.lv = TRUE); ratios to a first loading have skewed posteriors.
    for key, mean, sd in (
        (("visual", "=~", "x1"), 0.89962, 0.08085),
        (("visual", "=~", "x2"), 0.49794, 0.07745),
        (("visual", "=~", "x3"), 0.65616, 0.07442),
        (("textual", "=~", "x4"), 0.98969, 0.05664),
        (("textual", "=~", "x5"), 1.10160, 0.06268),
        (("textual", "=~", "x6"), 0.91660, 0.05366),
    ):
        row = table.loc[key]
        assert abs(row["mean"] - mean) < 0.3 * sd, key
        assert abs(row["sd"] / sd - 1) < 0.15, key


@pytest.mark.parametrize("page", ["linear-models", "waves"])
def test_documentation_prints_what_is_printed(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).resolve().parent.parent / "docs" / f"{page}.md").read_text(encoding="utf-8")
    codes, shown = (
        re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) for kind in ("python", "text")
    )
    for code, wanted in zip([code for code in codes if "print" in code], shown, strict=True):
        exec(compile(code, page, "exec"), {"mp": mp})
        assert capsys.readouterr().out.strip() == wanted.strip()


@pytest.mark.parametrize(
    "more",
    ["m ~ a*x\ny ~ a*m + c*x\nab := a*a", "m ~ a*x\ny ~ 0.5*m", "m ~ a*x\ny ~ a*m\nm ~~ s*m\ny ~~ s*y"],
)
def test_ordinal_constructs_share_paths_on_the_grid(more: str) -> None:
    """Shared and fixed paths of ordinal constructs: free numbers, gradients, text and file."""
    text = "x =~ x1..x3\nm =~ m1..m3\ny =~ y1..y3\n" + more
    model = mp.Model(text)
    assert mp.Model(model.syntax) == model
    data = bind(model.composed, ordinal(40))
    engine, _ = choose(data)
    assert engine.name == "quadrature"
    paths = {p.name: p.shape for p in data.parameters}["path"]
    assert paths == ((2,) if "c*x" in more else (1,))
    density = Density(data, engine.compiled(data, engine.settings(data, 7)))
    u, step = start_point(data) + 0.1 * points(data.parameters, 1, 3)[0], 1e-5
    _, gradient = density.value_and_gradient(u)
    moved = [
        (density.value_and_gradient(u + e)[0] - density.value_and_gradient(u - e)[0]) / (2 * step)
        for e in step * np.eye(u.size)
    ]
    np.testing.assert_allclose(gradient, moved, rtol=1e-5, atol=1e-6 * np.abs(gradient).max())


def test_expected_changes_and_standard_solution_are_lavaans() -> None:
    """At the maximum: modindices(fit), standardizedSolution(fit) of lavaan 0.6-14 for Bollen's model without
    residual covariances."""
    from medpsy.posterior.expected_changes import _at_draw, candidates
    from medpsy.posterior.standard_solution import standard_solution

    text = DEMOCRACY.partition("  y1 ~~ y5")[0]
    model = mp.Model(text, family="gaussian", std_lv=False)
    _, values, data = at_maximum(model.composed, survey_of(answers()))
    found = candidates(data)
    change, spread, index, ratio = _at_draw(data, values, found, SufficientStatistics(data).patterns)
    unit = data.layout.unit[data.layout.measured]
    place = {(c.lhs, c.op, c.rhs): k for k, c in enumerate(found)}
    for key, mi, epc, std in (
        (("y2", "~~", "y6"), 9.279, 2.129, 0.401),
        (("y3", "~~", "y6"), 6.574, -1.590, -0.330),
        (("x1", "~~", "y2"), 3.785, -0.192, -0.263),
        (("ind60", "=~", "y5"), 4.007, 0.762, 0.197),
    ):
        k = place[key]
        c = found[k]
        raw = unit[c.first] * (unit[c.second] if c.op == "~~" else 1 / data.layout.unit[c.second])
        assert index[k] == pytest.approx(mi, abs=2e-3)
        assert change[k] * raw == pytest.approx(epc, abs=2e-3)
        assert change[k] * ratio[k] == pytest.approx(std, abs=2e-3)
        assert (change[k] / spread[k]) ** 2 == pytest.approx(index[k])
    table = standard_solution(result_at(values, data)).set_index(["lhs", "op", "rhs"])["mean"]
    assert table["dem60", "~", "ind60"] == pytest.approx(0.448, abs=1e-3)
    assert table["dem65", "~", "dem60"] == pytest.approx(0.913, abs=1e-3)
    assert table["x1", "~~", "x1"] == pytest.approx(0.154, abs=1e-3)
    assert table["x1", "r2", "x1"] == pytest.approx(1 - 0.154, abs=1e-3)
