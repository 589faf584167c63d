"""Linear models in several groups: lavaan's maximum, the normal density of every group, labels and verbs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import medpsy as mp
from group_cases import drawn
from linear_ml import at_maximum, check_two_routes, estimates
from medpsy.bind import ModelData, bind
from medpsy.derive import derived
from medpsy.engines.base import choose
from medpsy.errors import MedpsyError
from medpsy.inference.density import Density, start_point
from medpsy.posterior.by_group import views
from medpsy.posterior.effects import effects
from medpsy.posterior.group_means import group_means
from medpsy.posterior.item_differences import item_differences
from medpsy.posterior.model_fit import model_fit
from medpsy.posterior.standard_solution import standard_solution
from medpsy.posterior.summary import summary
from medpsy.spec.write_toml import to_toml
from medpsy.survey.instrument import Instrument, Variable
from medpsy.survey.survey import Survey
from numeric_cases import points

FILE = Path(__file__).resolve().parents[2] / "shared/data/holzinger_swineford/holzinger_swineford.csv"
PLAIN = """
  visual =~ x1 + x2 + x3
  textual =~ x4 + x5 + x6
  speed =~ x7 + x8 + x9
  x7 ~~ x8
"""
#: Fixed numbers, labels within and between the groups, on loadings, paths, covariances and intercepts.
FULL = """
  visual =~ 1*x1 + 0.5*x2 + a*x3
  textual =~ x4 + c(b1, b2)*x5 + c(b3, b3)*x6
  speed =~ x7 + a*x8 + x9
  x7 ~~ k*x8
  x1 ~~ k*x4
  speed ~ p*visual + textual
  x3 ~ c(0, 1)*1
  d := b1 - b2
  e := a*p
"""
COVARIATES = """
  f =~ x1 + x2 + a*x3
  g =~ y1 + a*y2 + y3
  g ~ p*f + c(q1, q2, q2)*w
  z ~ g + w
  x1 ~~ k*y1
  x2 ~~ c(k, 0.1, NA)*y2
  x3 ~~ v*x3
  y3 ~~ v*y3
  y3 ~ m*1
  x3 ~ m*1
  dq := q1 - q2
"""


def schools() -> Survey:
    if not FILE.exists():
        pytest.skip("the data of Holzinger and Swineford are not beside the repository")
    frame = pd.read_csv(FILE)[["school", *(f"x{k}" for k in range(1, 10))]]
    numbers = (Variable(f"x{k}") for k in range(1, 10))
    levels = Variable("school", "category", ("Pasteur", "Grant-White"))
    return mp.from_frame(frame, Instrument((), (levels, *numbers)))


def made_up(sizes: tuple[int, ...] = (70, 60, 50), seed: int = 3) -> tuple[pd.DataFrame, Survey]:
    """Three arms with paths, means and loadings of their own, written out as plain sums."""
    rng = np.random.default_rng(seed)
    frames = []
    for arm, n in zip("abc", sizes, strict=False):
        at = "abc".index(arm)
        w = rng.normal(2.0, 1.5, n)
        f = rng.normal(0.5 * at, 1.0, n)
        g = 0.5 * f + (0.2 + 0.3 * (at == 0)) * w + rng.normal(0.0, 0.8, n)
        out: dict[str, Any] = {"arm": [arm] * n, "w": w}
        for k, (load, place) in enumerate(((1.0, 3.0), (0.8, 1.0), (1.2, 2.0)), 1):
            out[f"x{k}"] = place + load * f + rng.normal(0, 0.6, n)
            out[f"y{k}"] = 2 * (place + load * g + rng.normal(0, 0.6, n))
        out["z"] = 1.0 + 0.7 * g - 0.2 * w + rng.normal(0, 0.5, n)
        frames.append(pd.DataFrame(out))
    frame = pd.concat(frames).sample(frac=1, random_state=1).reset_index(drop=True)
    names = [name for name in frame.columns if name != "arm"]
    levels = Variable("arm", "category", tuple("abc"[: len(sizes)]))
    return frame, mp.from_frame(frame, Instrument((), (levels, *map(Variable, names))))


def model(text: str, by: str, std_lv: bool | None = None, **groups: Any) -> mp.Model:
    return mp.Model(text, family="gaussian", std_lv=std_lv, groups=mp.Groups(by, **groups))


def of_groups(data: ModelData, values: dict[str, np.ndarray]) -> list[dict[str, float]]:
    """Every number of every group in raw units by lavaan's names."""
    assert data.groups is not None
    return [estimates(part, data.groups.values(values, g)) for g, part in enumerate(data.groups.parts)]


# lavaan 0.6: sem(text, data, group = "school", meanstructure = TRUE, ...); logLik(fit), npar
@pytest.mark.parametrize(
    ("text", "std_lv", "groups", "log_likelihood", "free"),
    [
        (PLAIN, None, {"equal": ()}, -3666.59938777, 62),
        (PLAIN, None, {}, -3691.78075533, 50),  # group.equal = c("loadings", "intercepts")
        # group.equal = c("loadings", "intercepts", "residuals", "lv.covariances"), group.partial = "x3~1"
        (
            PLAIN,
            None,
            {"equal": ("loadings", "intercepts", "residuals", "lv.covariances"), "release": ("x3~1",)},
            -3691.32743225,
            39,
        ),
        (PLAIN, True, {"equal": "loadings"}, -3669.90351744, 56),  # std.lv = TRUE, group.equal = "loadings"
        (FULL, None, {"equal": "regressions"}, -3861.51692193, 51),  # group.equal = "regressions"
    ],
)
def test_maximum_is_lavaans(
    text: str, std_lv: bool | None, groups: dict[str, Any], log_likelihood: float, free: int
) -> None:
    made = model(text, "school", std_lv, reference="Pasteur", **groups)
    total, values, data = at_maximum(made.composed, schools())
    # A covariance matrix of k variables has k (k - 1) / 2 free correlations.
    count = sum(
        q.shape[0] * (q.shape[0] - 1) // 2 if q.event == "correlation" else int(np.prod(q.shape))
        for q in data.parameters
    )
    assert count == free
    assert total == pytest.approx(log_likelihood, abs=1e-3)
    if text is FULL:
        first, second = of_groups(data, values)
        assert first["textual=~x5"] == pytest.approx(1.281, abs=2e-3)
        assert second["textual=~x5"] == pytest.approx(0.995, abs=2e-3)
        assert (first["x3~1"], second["x3~1"]) == pytest.approx((0.0, 1.0), abs=1e-12)
        for own in (first, second):
            assert own["visual=~x2"] == pytest.approx(0.5, rel=1e-12)
            assert own["visual=~x3"] == pytest.approx(1.375, abs=2e-3)
            assert own["speed=~x8"] == pytest.approx(own["visual=~x3"], rel=1e-12)
            assert own["x7~~x8"] == pytest.approx(0.194, abs=2e-3)
            assert own["x1~~x4"] == pytest.approx(own["x7~~x8"], rel=1e-9)
            assert own["speed~visual"] == pytest.approx(0.228, abs=2e-3)
        found = derived(data, {name: value[None] for name, value in values.items()})
        assert found["d"][1].item() == pytest.approx(0.286, abs=2e-3)
        assert found["e"][1].item() == pytest.approx(0.313, abs=2e-3)
    elif not groups:
        _, second = of_groups(data, values)
        for name, value in {"visual~1": -0.146, "textual~1": 0.577, "x7~~x8": 0.393, "x9~1": 5.435}.items():
            assert second[name] == pytest.approx(value, abs=1e-3), name


CASES: list[dict[str, Any]] = [
    {},
    {"equal": ("loadings", "intercepts", "residuals", "regressions", "lv.variances"), "release": ("x2",)},
    {"equal": ("loadings", "lv.covariances", "residual.covariances", "means")},
]


@pytest.mark.parametrize("groups", CASES)
def test_density_is_the_normal_one_in_every_group(groups: dict[str, Any]) -> None:
    from scipy.stats import multivariate_normal

    frame, survey = made_up()
    data = bind(model(COVARIATES, "arm", **groups).composed, survey)
    density = Density(data, choose(data)[0].compiled(data, None))
    values = density.space.constrain(start_point(data) + 0.05 * points(data.parameters, 1, 7)[0])
    want, layout = 0.0, data.layout
    for level, own in zip("abc", of_groups(data, values), strict=True):
        rows, nodes = frame[frame["arm"] == level], layout.nodes
        size = len(nodes)
        b, psi = np.zeros((size, size)), np.zeros((size, size))
        for i, left in enumerate(nodes):
            for j, right in enumerate(nodes):
                b[i, j] = own.get(f"{left}~{right}", own.get(f"{right}=~{left}", 0.0))
                psi[i, j] = own.get(f"{left}~~{right}", own.get(f"{right}~~{left}", 0.0))
        whole = np.linalg.inv(np.eye(size) - b)
        alpha = np.array([own[f"{name}~1"] for name in nodes])
        slope = np.array([own.get(f"{name}~w", 0.0) for name in nodes])
        keep = [i for i, name in enumerate(nodes) if name in frame.columns]
        mean = (alpha + rows["w"].to_numpy()[:, None] * slope) @ whole.T
        cov = (whole @ psi @ whole.T)[np.ix_(keep, keep)]
        rest = rows[[nodes[i] for i in keep]].to_numpy() - mean[:, keep]
        want += multivariate_normal(np.zeros(len(keep)), cov).logpdf(rest).sum()
    got = density.likelihood.value_and_gradient(values)[0]
    got -= len(frame) * np.log(layout.unit[layout.measured]).sum()
    assert got == pytest.approx(want, rel=1e-10)
    person = density.likelihood.per_person(values)
    assert person.sum() == pytest.approx(density.likelihood.value_and_gradient(values)[0], rel=1e-10)


@pytest.mark.parametrize("groups", CASES)
def test_gradients_are_differences(groups: dict[str, Any]) -> None:
    data = bind(model(COVARIATES, "arm", **groups).composed, made_up()[1])
    density, step = Density(data, choose(data)[0].compiled(data, None)), 1e-5
    u = start_point(data) + 0.03 * points(data.parameters, 1, 5)[0]
    value, gradient = density.value_and_gradient(u)
    assert np.isfinite(value)
    moved = [
        (density.value_and_gradient(u + e)[0] - density.value_and_gradient(u - e)[0]) / (2 * step)
        for e in step * np.eye(u.size)
    ]
    np.testing.assert_allclose(gradient, moved, rtol=1e-5, atol=1e-5 * np.abs(gradient).max())


def test_labels_hold_in_raw_units_whatever_else_differs() -> None:
    data = bind(model(COVARIATES, "arm", equal=("intercepts",)).composed, made_up()[1])
    density = Density(data, choose(data)[0].compiled(data, None))
    values = density.space.constrain(start_point(data) + 0.05 * points(data.parameters, 1, 9)[0])
    a, b, c = of_groups(data, values)
    for name in ("f=~x3", "g=~y2", "g~f", "x3~~x3", "y3~~y3", "x3~1", "y3~1", "x1~1", "z~1", "x1~~y1"):
        assert a[name] == pytest.approx(b[name], rel=1e-9) == pytest.approx(c[name], rel=1e-9), name
    assert a["f=~x3"] == pytest.approx(a["g=~y2"], rel=1e-9)
    assert b["x3~1"] == pytest.approx(b["y3~1"], rel=1e-9)
    assert a["x2~~y2"] == pytest.approx(a["x1~~y1"], rel=1e-9)
    assert b["x2~~y2"] == pytest.approx(0.1, rel=1e-9)
    assert b["g~w"] == pytest.approx(c["g~w"], rel=1e-9) != pytest.approx(a["g~w"], rel=1e-3)
    assert a["z~g"] != pytest.approx(b["z~g"], rel=1e-3)
    assert a["f~1"] == 0.0
    assert b["f~1"] != pytest.approx(c["f~1"], rel=1e-3)


def test_both_routes_state_one_density() -> None:
    text = "f =~ x1 + x2 + a*x3; g =~ y1 + a*y2 + y3; g ~ c(p, q)*f; x1 ~~ k*y1; x2 ~~ k*y2; d := p - q"
    data = bind(model(text, "arm").composed, made_up((15, 15))[1])
    check_two_routes(data, 10, 0.2, 5)


@pytest.mark.parametrize(
    "text", [PLAIN, FULL, "f =~ c(1, 2)*x1 + x2 + x3; f ~~ c(NA, 0.5)*f; x2 ~~ c(u, u)*x3"]
)
def test_text_and_files_come_back(text: str, tmp_path: Path) -> None:
    made = model(text, "school", release=("x3",))
    assert mp.Model(made.syntax, family="gaussian", groups=made.spec.groups) == made
    file = tmp_path / "model.toml"
    file.write_text(to_toml(made.spec), encoding="utf-8")
    assert mp.load_model(file) == made


@pytest.mark.parametrize(
    ("text", "groups", "words"),
    [
        ("f =~ x1 + c(a, b)*x2 + x3", None, "no groups"),
        ("f =~ x1 + c(a, b)*x2 + c(d, e, g)*x3", {}, "2 and 3 places"),
        ("f =~ x1 + c(a, b)*x2 + x3", {}, "3 groups: a, b, c"),
        ("f =~ x1 + x2 + x3; x1 ~~ x2", {"equal": ("loading",)}, "'loading' is nothing that can be equal"),
        ("f =~ x1 + x2 + x3; x1 ~~ x2", {"release": ("x9",)}, "'x9' cannot be released"),
        ("f =~ x1 + x2 + x3; x1 ~~ x2", {"shrink": ("loading",)}, "combined with shrink"),
        ("f =~ x1 + x2 + x3; x1 ~~ x2", {"pooled": True}, "combined with pooled = True"),
        ("f =~ x1 + c(a b)*x2", {}, "Close the bracket"),
    ],
)
def test_what_cannot_be_is_refused(text: str, groups: dict[str, Any] | None, words: str) -> None:
    with pytest.raises(MedpsyError, match=words):
        if groups is None:
            mp.Model(text, family="gaussian")
        else:
            bind(model(text, "arm", **groups).composed, made_up()[1])


def test_verbs_speak_of_every_group() -> None:
    _, survey = made_up()
    data = bind(model(COVARIATES, "arm", reference="b").composed, survey)
    density = Density(data, choose(data)[0].compiled(data, None))
    values = density.space.constrain(start_point(data) + 0.05 * points(data.parameters, 1, 9)[0])
    result = drawn(data, survey, values)
    table = summary(result).set_index(["group", "lhs", "op", "rhs"])
    each = of_groups(data, values)
    for level, own in zip("abc", each, strict=True):
        for name in ("f", "z"):
            assert table.loc[(level, name, "~~", name), "mean"] == pytest.approx(own[f"{name}~~{name}"])
    assert table.loc[("(all)", "f", "=~", "x3"), "mean"] == pytest.approx(each[0]["f=~x3"])
    assert table.loc[("b", "f", "~", "1"), "prior"] == "fixed to 0"
    assert table.loc[("(all)", "dq", ":=", "q1 - q2"), "mean"] == pytest.approx(
        each[0]["g~w"] - each[1]["g~w"]
    )
    found = effects(result)
    assert {"dq", "p", "q1", "q2"} <= set(found["effect"]) and not found["effect"].str.contains("=").any()
    assert set(views(result)) == {"a", "b", "c"}
    means = group_means(result).set_index(["construct", "group", "against"])["difference"]
    assert means["f", "c", "a"] == pytest.approx(each[2]["f~1"] - each[0]["f~1"])
    standard = standard_solution(result)
    own = standard[(standard["group"] == "b") & (standard["op"] == "r2")]
    assert own["mean"].between(0, 1).all()
    assert "BRMSEA" in model_fit(result, draws=5)["measure"].tolist()
    with pytest.raises(MedpsyError, match="for constructs"):
        item_differences(result)


def test_priors_are_given_once_for_all_groups() -> None:
    made = mp.Model(
        "f =~ x1 + x2 + x3; x1 ~~ x2; g =~ y1 + y2 + y3", family="gaussian",
        groups=mp.Groups("arm", equal=("loadings", "intercepts", "correlations")),
        priors={"loading.f.x2": "Normal(0.5, 0.1)", "intercept.f": "Normal(0, 3)",
                "residual_correlation": "Beta(9, 9)"},
    )  # fmt: skip
    data = bind(made.composed, made_up()[1])
    said = {
        (q.name, label): str(prior)
        for q in data.parameters
        if q.event != "correlation"
        for label, prior in zip(q.coords[0], q.priors, strict=True)
    }
    assert said["path", "x2~f"] == "Normal(0.5, 0.1)"
    assert said["path", "x3~f"] == "Normal(1, 1)"
    assert said["intercept", "f[b]"] == said["intercept", "f[c]"] == "Normal(0, 3)"
    assert said["half_correlation", "f~~g"] == "Beta(9, 9)"


@pytest.mark.slow
def test_posterior_is_lavaans_estimate() -> None:
    """Means within .3 standard errors, sds within 20 per cent, of what is far from its bound."""
    made = mp.Model(
        PLAIN, family="gaussian", groups=mp.Groups("school", reference="Pasteur"), priors={"preset": "weak"}
    )
    fit = made.fit(schools(), seed=1, chains=2, draws=1000, progress=False)
    table = fit.summary().set_index(["group", "lhs", "op", "rhs"])
    # lavaan 0.6: sem(PLAIN, data, group = "school", group.equal = c("loadings", "intercepts")), est and se
    for key, mean, sd in (
        (("(all)", "visual", "=~", "x2"), 0.567, 0.096),
        (("(all)", "textual", "=~", "x5"), 1.122, 0.066),
        (("(all)", "textual", "=~", "x6"), 0.929, 0.056),
        (("(all)", "x1", "~", "1"), 5.003, 0.090),
        (("(all)", "x5", "~", "1"), 4.034, 0.097),
        (("Grant-White", "visual", "~", "1"), -0.146, 0.122),
        (("Grant-White", "textual", "~", "1"), 0.577, 0.117),
        (("Pasteur", "x7", "~~", "x8"), 0.278, 0.087),
        (("Grant-White", "x7", "~~", "x8"), 0.393, 0.089),
    ):
        row = table.loc[key]
        assert abs(row["mean"] - mean) < 0.3 * sd, key
        assert abs(row["sd"] / sd - 1) < 0.2, key


@pytest.mark.slow
def test_truth_is_recovered() -> None:
    text = "f =~ x1 + x2 + x3; g =~ y1 + y2 + y3; g ~ c(p1, p2)*f + c(q1, q2)*w; x1 ~~ r*y1; dq := q1 - q2"
    fit = model(text, "arm").fit(made_up((600, 600), seed=8)[1], seed=1, chains=2, draws=500, progress=False)
    found = fit.summary().set_index(["group", "lhs", "op", "rhs"])
    truth = {
        ("(all)", "f", "=~", "x2"): 0.8, ("(all)", "g", "=~", "y3"): 1.2, ("b", "f", "~", "1"): 0.5,
        ("(all)", "dq", ":=", "q1 - q2"): 0.6, ("a", "g", "~", "f"): 1.0, ("b", "g", "~", "f"): 1.0,
        ("b", "g", "~", "w"): 0.4, ("a", "x1", "~~", "y1"): 0.0, ("a", "f", "~~", "f"): 1.0,
    }  # fmt: skip
    for key, value in truth.items():
        row = found.loc[key]
        assert abs(row["mean"] - value) < 3.5 * row["sd"], key
