"""The parameter table: lookup, and overrides from general to specific."""

from __future__ import annotations

import pytest

from medpsy.errors import SpecError
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.priors import parse_prior


def _row(target: str, prior: str | None, label: str | None = None, **more: object) -> ParameterRow:
    section = target.partition(".")[0]
    made = parse_prior(prior) if prior else None
    return ParameterRow(section, "lhs", "op", target, label, target, made, **more)  # type: ignore[arg-type]


TABLE = ParameterTable(
    (
        _row("slope.meaning.ml1", "LogNormal(0.25, 0.6)", note="it sets the direction"),
        _row("slope.meaning.ml2", "Normal(1, 1)"),
        _row("slope.mission.pm1", "Normal(1, 1)"),
        _row("category_prob.meaning.ml1", "Dirichlet(1)"),
        _row("path.meaning~mental_health", "Normal(0, 0.5)", label="a"),
        _row("path.mission~meaning", "Normal(0, 0.5)"),
        _row("correlation", "LKJ(2)"),
        _row("correlation", "LKJ(2)"),
        _row("residual_sd.grade", "HalfNormal(1)"),
        _row("residual_sd.meaning", None, free=False, note="fixed to 1 by identification"),
        _row("indirect", None, free=False),
    )
)


def _priors(table: ParameterTable) -> dict[str, str]:
    return {row.target: str(row.prior) for row in table}


def _error(overrides: dict[str, str]) -> SpecError:
    with pytest.raises(SpecError) as caught:
        TABLE.with_priors(overrides)
    return caught.value


def test_rows_are_found_by_target_and_by_label() -> None:
    assert TABLE["slope.meaning.ml2"].support == "real"
    assert TABLE["path.a"] is TABLE["path.meaning~mental_health"]
    assert len(TABLE.matching("slope.meaning")) == 2
    assert len(TABLE.matching("slope")) == 3
    assert TABLE.matching("slope.mean") == ()
    assert len(TABLE) == 11
    assert [row.target for row in TABLE.section("path")] == [
        "path.meaning~mental_health",
        "path.mission~meaning",
    ]
    assert TABLE.sections[:3] == ("slope", "category_prob", "path")
    with pytest.raises(SpecError, match=r"no parameter 'slope\.meaning\.ml3'") as caught:
        TABLE["slope.meaning.ml3"]
    assert "Did you mean 'slope.meaning.ml2'?" in caught.value.hint
    with pytest.raises(SpecError, match="stands for 2 parameters"):
        TABLE["correlation"]


def test_targets_run_from_general_to_specific() -> None:
    assert "residual_sd.meaning" not in TABLE.targets and "indirect" not in TABLE.targets
    assert (
        TABLE.targets.index("slope")
        < TABLE.targets.index("slope.meaning")
        < TABLE.targets.index("slope.meaning.ml1")
    )
    assert "path.a" in TABLE.targets


def test_the_most_specific_override_wins_whatever_the_order() -> None:
    overrides = {
        "slope.meaning.ml2": "Normal(3, 1)",
        "slope": "LogNormal(0, 1)",
        "slope.meaning": "LogNormal(2, 1)",
        "path": "Normal(0, 1)",
        "path.a": "Normal(0.3, 0.1)",
        "correlation": "LKJ(4)",
    }
    for pairs in (overrides, list(reversed(overrides.items()))):
        got = _priors(TABLE.with_priors(pairs))
        assert got["slope.meaning.ml1"] == "LogNormal(2, 1)"
        assert got["slope.meaning.ml2"] == "Normal(3, 1)"
        assert got["slope.mission.pm1"] == "LogNormal(0, 1)"
        assert got["path.meaning~mental_health"] == "Normal(0.3, 0.1)"
        assert got["path.mission~meaning"] == "Normal(0, 1)"
        assert got["correlation"] == "LKJ(4)"
        assert got["category_prob.meaning.ml1"] == "Dirichlet(1)"
        assert got["residual_sd.meaning"] == "None"


def test_a_path_is_addressed_by_its_name_too() -> None:
    got = _priors(TABLE.with_priors({"path.meaning~mental_health": "Normal(1, 1)"}))
    assert got["path.meaning~mental_health"] == "Normal(1, 1)"
    assert got["path.mission~meaning"] == "Normal(0, 0.5)"


def test_no_overrides_change_nothing() -> None:
    assert TABLE.with_priors({}) == TABLE


def test_the_support_survives_an_override() -> None:
    once = TABLE.with_priors({"slope.mission.pm1": "LogNormal(0, 1)"})
    assert once["slope.mission.pm1"].support == "real"
    assert (
        _priors(once.with_priors({"slope.mission.pm1": "Normal(0, 1)"}))["slope.mission.pm1"]
        == "Normal(0, 1)"
    )


@pytest.mark.parametrize(
    ("overrides", "message", "hint"),
    [
        ({"slopes": "Normal(0, 1)"},
         "prior on a parameter that does not exist: 'slopes'", "Did you mean 'slope'?"),
        ({"slope.meening": "Normal(0, 1)"},
         "does not exist: 'slope.meening'", "Did you mean 'slope.meaning'?"),
        ({"path.b": "Normal(0, 1)"}, "does not exist: 'path.b'", "path"),
        ({"residual_sd.grade": "Normal(0, 1)"},
         "the prior Normal(0, 1) on 'residual_sd.grade' does not fit 'residual_sd.grade', which is positive",
         "LogNormal, HalfNormal"),
        ({"slope": "Normal(0, 1)"},
         "on 'slope' does not fit 'slope.meaning.ml1', which is positive (it sets the direction)",
         '"slope.meaning.ml1" = "LogNormal(0.25, 0.6)"'),
        ({"category_prob": "Normal(0, 1)"}, "which is a set of probabilities", "Dirichlet"),
        ({"correlation": "Normal(0, 1)"}, "which is a correlation matrix", "LKJ"),
        ({"path": "LKJ(2)"}, "which is a single number", "Normal, StudentT"),
        ({"residual_sd.meaning": "HalfNormal(1)"},
         "'residual_sd.meaning' is fixed or derived (fixed to 1 by identification) and takes no prior",
         "Remove it"),
        ({"indirect": "Normal(0, 1)"}, "'indirect' is fixed or derived and takes no prior", "Remove it"),
        ({"path.a": "Normal(0, 1)", "path.meaning~mental_health": "Normal(0, 2)"},
         "'path.a' and 'path.meaning~mental_health' are the same parameter", "Remove one"),
        ({"path": "Normal(0)"}, "'path': prior Normal takes 2 arguments, 1 given", "Normal(mu, sd)"),
    ],
)  # fmt: skip
def test_overrides_that_cannot_be(overrides: dict[str, str], message: str, hint: str) -> None:
    error = _error(overrides)
    assert message in error.message
    assert hint in error.hint


def test_a_general_override_that_fits_nowhere_it_rules_is_fine_where_specific_ones_take_over() -> None:
    got = _priors(TABLE.with_priors({"slope": "Normal(0, 1)", "slope.meaning.ml1": "LogNormal(0, 1)"}))
    assert got["slope.meaning.ml1"] == "LogNormal(0, 1)"
    assert got["slope.mission.pm1"] == "Normal(0, 1)"
