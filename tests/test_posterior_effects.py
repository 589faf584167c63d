"""Effects, their sentences, and what the prior says of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hand_made import MEASURED, MEDIATION, WITH_SEX, cholesky, result
from medpsy.errors import SpecError
from medpsy.posterior.effects import COLUMNS, effect_draws, effects, sentences
from medpsy.posterior.predictive import prior_effects
from medpsy.posterior.sentences import proportion_mediated

NOISE = np.random.default_rng(4).normal(0, 0.02, (2, 100))


def test_rows_of_a_recognised_mediation() -> None:
    table = effects(result())
    assert tuple(table.columns) == COLUMNS
    assert list(table["effect"]) == ["indirect", "direct", "total", "a", "b"]
    # The path c is the direct effect, which has a row already.
    assert list(table["text"]) == ["x -> m -> y", "x -> y", "x -> y", "x -> m", "m -> y"]
    assert list(table["rope_high"]) == pytest.approx([0.05, 0.1, 0.1, 0.1, 0.1])
    assert (table["rope_low"] == -table["rope_high"]).all()
    assert table.attrs == {"interval": 0.95, "kind": "eti", "rope": 0.05}


def test_values_of_a_mediation_follow_from_the_correlations() -> None:
    table = effects(result(MEDIATION, {"correlation_chol": cholesky(0.4, 0.4, 0.5)})).set_index("effect")
    b, c = (0.5 - 0.16) / 0.84, (0.4 - 0.2) / 0.84
    expected = {"indirect": 0.4 * b, "direct": c, "total": 0.4, "a": 0.4, "b": b}
    for column in ("mean", "median", "lower", "upper", "std_mean", "std_lower", "std_upper"):
        assert table[column].to_dict() == pytest.approx(expected)
    assert (table["p_direction"] == 1).all() and (table["in_rope"] == 0).all()
    assert table["sd"].to_numpy() == pytest.approx(0, abs=1e-12)


def test_direction_and_equivalence_are_shares_of_the_draws() -> None:
    fitted = result(WITH_SEX)
    table = effects(fitted, interval=0.8, kind="hdi", rope=0.2).set_index("effect")
    raw = fitted.tree["posterior"]["indirect"].to_numpy().ravel()
    scaled = fitted.tree["standardised"]["indirect"].to_numpy().ravel()
    assert table.loc["indirect", "p_direction"] == max((raw > 0).mean(), (raw < 0).mean())
    assert table.loc["indirect", "in_rope"] == (np.abs(scaled) <= 0.2).mean()
    direct = fitted.tree["standardised"]["direct"].to_numpy().ravel()
    assert table.loc["direct", "in_rope"] == (np.abs(direct) <= 0.4).mean()
    assert table.loc["indirect", "mean"] == pytest.approx(raw.mean())
    assert table.loc["indirect", "std_mean"] == pytest.approx(scaled.mean())
    np.testing.assert_array_equal(effect_draws(fitted)["indirect"], scaled)
    assert list(effect_draws(fitted)) == list(table.index)


def test_observed_variables_are_raw_and_standardised() -> None:
    text = "x =~ x1..x3\ndose ~ a*age + x\ngrade ~ b*dose + age + x\nindirect := a*b"
    fitted = result(text, chains=1, draws=1)
    table = effects(fitted).set_index("effect")
    inner = dict(
        zip(
            [c.name for c in fitted.data.layout.coefficients],
            fitted.tree["posterior"]["path"].to_numpy()[0, 0],
            strict=True,
        )
    )
    sd = {name: np.nanstd(values) for name, values in fitted.survey.variables.items()}
    assert table.loc["a", "mean"] == pytest.approx(inner["dose~age"] * sd["dose"] / sd["age"])
    assert table.loc["indirect", "mean"] == pytest.approx(
        inner["dose~age"] * inner["grade~dose"] * sd["grade"] / sd["age"]
    )
    residual = fitted.tree["posterior"]["residual_sd"].to_numpy()[0, 0]
    variance = inner["dose~age"] ** 2 + inner["dose~x"] ** 2 + residual[0] ** 2
    assert table.loc["a", "std_mean"] == pytest.approx(inner["dose~age"] / np.sqrt(variance))
    assert table.loc["indirect", "text"] == "a*b"
    assert np.isnan(table.loc["a", "sd"])


def test_user_definitions_keep_their_expression_and_get_a_fitting_region() -> None:
    text = MEDIATION.replace("total := a*b + c", "half := a*b/2\nratio := a/c\nsame := indirect - a*b*c\n")
    text += "two := 2*c\nodds := exp(c)\nsum := a*b + c\n"
    table = effects(result(text)).set_index("effect")
    region = table["rope_high"].to_dict()
    assert [region[name] for name in ("indirect", "direct", "same", "two", "sum")] == pytest.approx(
        [0.05, 0.1, 0.05, 0.1, 0.1]
    )
    assert all(np.isnan(region[name]) for name in ("ratio", "odds", "half"))
    assert table.loc[["ratio", "odds"], "in_rope"].isna().all()
    assert table.loc["sum", "text"] == "a*b + c"
    assert table["mean"].notna().all()


def test_without_paths_the_correlations_are_the_effects() -> None:
    fitted = result(MEASURED + "x ~ sex\nm ~ sex\ny ~ sex", {"correlation_chol": cholesky(0.2, -0.6, 0.1)})
    table = effects(fitted)
    assert list(table["effect"]) == ["x ~~ m", "x ~~ y", "m ~~ y"]
    assert table["mean"].to_numpy() == pytest.approx([0.2, -0.6, 0.1])
    assert table["std_mean"].to_numpy() == pytest.approx([0.2, -0.6, 0.1])
    assert table["rope_high"].to_numpy() == pytest.approx([0.1] * 3)
    assert sentences(table, fitted)[1] == (
        "The correlation of x and y, given sex, is -0.60 (95 % interval -0.60 to -0.60), negative with "
        "probability > .999; 0 % of its posterior lies within ±0.1."
    )


def test_labelled_correlations_and_what_is_defined_over_them() -> None:
    text = "x =~ x1..x3\nm =~ m1..m3\nx ~~ r*m\nshared := r*r"
    chol = np.array([[1, 0], [0.6, 0.8]])
    table = effects(result(text, {"correlation_chol": chol})).set_index("effect")
    assert table["mean"].to_dict() == pytest.approx({"shared": 0.36, "r": 0.6})
    assert table["std_mean"].to_dict() == pytest.approx({"shared": 0.36, "r": 0.6})


def test_one_construct_has_no_effects() -> None:
    fitted = result("x =~ x1..x3")
    table = effects(fitted)
    assert len(table) == 0 and tuple(table.columns) == COLUMNS
    assert sentences(table, fitted) == [] and effect_draws(fitted) == {}


def test_sentences_are_plain_and_carry_no_label_or_cause() -> None:
    fitted = result(MEDIATION, {"correlation_chol": cholesky(0.4, 0.4, 0.5)})
    table = effects(fitted, interval=0.9)
    assert sentences(table, fitted) == [
        "The indirect effect of x on y through m is 0.16 (90 % interval 0.16 to 0.16), positive with "
        "probability > .999; 0 % of its standardised posterior lies within ±0.05.",
        "The direct effect of x on y is 0.24 (90 % interval 0.24 to 0.24), positive with probability > .999; "
        "0 % of its standardised posterior lies within ±0.1.",
        "The total effect of x on y is 0.40 (90 % interval 0.40 to 0.40), positive with probability > .999; "
        "0 % of its standardised posterior lies within ±0.1.",
        "The indirect effect makes up 0.40 of the total effect (posterior median, 90 % interval 0.40 to "
        "0.40).",
    ]
    text = " ".join(sentences(table, fitted)).lower()
    assert not any(word in text for word in ("full", "partial", "caus", "significant", "mediates"))


def test_small_effects_show_enough_decimals_and_standardised_values_where_they_differ() -> None:
    values = {"correlation_chol": cholesky(0.0, 0.01, 0.0, 0.1 * NOISE)}
    assert "is -0.00" not in " ".join(sentences(effects(result(values=values)), result(values=values)))
    fitted = result("x =~ x1..x3\ngrade ~ c*x", {"path": np.array([0.5]), "residual_sd": np.array([1.0])})
    unit = np.nanstd(fitted.survey.variables["grade"])
    assert sentences(effects(fitted), fitted)[0].startswith(
        f"The path c from x to grade is {0.5 * unit:.2f} (95 % interval {0.5 * unit:.2f} to "
        f"{0.5 * unit:.2f}; standardised {0.5 / np.sqrt(1.25):.2f}), positive"
    )


def test_a_proportion_is_reported_only_where_it_means_something() -> None:
    chol = cholesky(0.3, 0.01, 0.3)[None, None] * np.ones((2, 100, 1, 1))
    chol[:, ::2] = cholesky(0.3, -0.01, 0.3)
    unsure = result(MEDIATION, {"correlation_chol": chol})
    assert "the sign of the total effect is uncertain (probability of one sign .500)" in proportion_mediated(
        unsure
    )
    opposed = result(MEDIATION, {"correlation_chol": cholesky(0.6, 0.2, 0.6, NOISE)})
    sentence = proportion_mediated(opposed)
    assert "not reported" in sentence and "same sign in only 0 % of the posterior" in sentence
    fine = proportion_mediated(result(MEDIATION, {"correlation_chol": cholesky(0.5, 0.5, 0.5, NOISE)}), 0.5)
    assert fine.startswith("The indirect effect makes up 0.33 of the total effect (posterior median, 50 %")


def test_undefined_draws_are_said_to_be_undefined() -> None:
    fitted = result(MEASURED + "m ~ a*x\ny ~ b*m\nroot := sqrt(a)", seed=3)
    table = effects(fitted).set_index("effect", drop=False)
    assert np.isnan(table.loc["root", ["mean", "median", "lower", "p_direction"]].astype(float)).all()
    assert sentences(table, fitted)[0].endswith("some of its posterior draws are not defined.")


def test_prior_effects_have_the_names_of_the_table_and_the_spread_of_the_prior() -> None:
    fitted = result(MEASURED)
    drawn = prior_effects(fitted.data, draws=4000, seed=2)
    assert list(drawn) == list(effects(fitted)["effect"])
    # A correlation of three under LKJ(2) is 2 Beta(5/2, 5/2) - 1.
    for draws in drawn.values():
        assert stats.kstest((draws + 1) / 2, stats.beta(2.5, 2.5).cdf).pvalue > 0.001
    mediation = prior_effects(result(WITH_SEX).data, draws=500)
    assert list(mediation) == ["indirect", "direct", "total", "a", "b"]
    assert all(values.shape == (500,) for values in mediation.values())
    np.testing.assert_allclose(mediation["indirect"] + mediation["direct"], mediation["total"])
    # Without covariates the total effect is a correlation.
    assert np.abs(prior_effects(result().data, draws=500)["total"]).max() < 1
    np.testing.assert_array_equal(mediation["a"], prior_effects(result(WITH_SEX).data, draws=500)["a"])


def test_impossible_requests_are_refused() -> None:
    fitted = result()
    with pytest.raises(SpecError, match="posterior mass 0"):
        effects(fitted, interval=0)
    with pytest.raises(SpecError, match="half-width -1"):
        effects(fitted, rope=-1)
    with pytest.raises(SpecError, match="no number of draws"):
        prior_effects(fitted.data, draws=0)
