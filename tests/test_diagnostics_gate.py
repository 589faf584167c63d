"""The gate is honest: every pathology is caught by the check that is for it, and healthy draws pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from made_posterior import Made, bound, made, survey
from medpsy.diagnostics.base import CheckResult, checks, listed
from medpsy.diagnostics.evidence import Evidence
from medpsy.diagnostics.gate import Gate, gate, worst
from medpsy.diagnostics.rhat import RHat
from medpsy.errors import FitError


def finding(found: Gate, code: str, which: str = "") -> CheckResult:
    """The finding with a code (and a part of its check's name)."""
    (only,) = [one for one in found.checks if one.code == code and which in one.check]
    return only


def failed(found: Gate) -> set[str]:
    return {one.code for one in found.checks if one.passed is False}


def autocorrelated(rho: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """An AR(1) process along the second axis with standard normal margins."""
    x = rng.normal(size=shape)
    for t in range(1, shape[1]):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * x[:, t]
    return x


def test_healthy_posteriors_pass() -> None:
    alarms = [found.reasons for seed in range(20) if not (found := gate(made(seed=seed))).trusted]
    assert len(alarms) <= 1, alarms


@pytest.mark.slow
def test_false_alarms_are_rare() -> None:
    alarms = [found.reasons for seed in range(200) if not (found := gate(made(seed=seed))).trusted]
    assert len(alarms) <= 10, alarms


def test_gate_lists_every_check_in_order() -> None:
    found = gate(made())
    names = [one.check for one in found.checks]
    assert names == [
        "chains", "chains", "movement", "R-hat", "effective sample size, bulk", "effective sample size, tail",
        "simulation error, mean", "simulation error, interval ends", "divergences", "tree depth", "E-BFMI",
        "modes", "quadrature error", "Pareto k", "empty categories", "polarity", "prior sensitivity",
    ]  # fmt: skip
    assert found.trusted and found.reasons == []
    assert all(one.cure == "" for one in found.checks if one.passed)
    table = found.table()
    assert list(table.columns) == ["check", "code", "passed", "value", "threshold", "text", "cure"]
    assert len(table) == 17
    assert table["value"].dtype == float


def test_codes_and_places_are_unique() -> None:
    known = checks()
    assert len({check.code for check in known}) == len({check.order for check in known}) == len(known) == 17


def _stuck_chain(m: Made) -> None:
    for value in (*m.values.values(), *m.stats.values(), m.log_likelihood):
        value[1] = value[1, :1]


def _slow_slope(m: Made) -> None:
    slow = autocorrelated(0.99, (4, 1000), np.random.default_rng(1))
    m.values["slope_x"][..., 1] = np.exp(0.3 + 0.1 * slow)


def _mirrored_chains(m: Made) -> None:
    m.values["correlation_chol"][[0, 2], :, 1, 0] *= -1


def _other_density(m: Made) -> None:
    m.stats["lp"][3] -= 15


def _diverging(m: Made) -> None:
    m.stats["diverging"][1, :3] = True
    m.stats["diverging"][3, 7] = True


def _cut_short(m: Made) -> None:
    m.stats["reached_max_treedepth"][0, :80] = True


def _sticky_energy(m: Made) -> None:
    m.stats["energy"][2] = 500 + 4 * autocorrelated(0.95, (1, 1000), np.random.default_rng(2))[0]


def _coarse_grid(m: Made) -> None:
    m.provenance["numerics"]["largest error"] = -0.3


def _influential_person(m: Made) -> None:
    m.log_likelihood[..., 7] = -5 - np.random.default_rng(3).exponential(1.5, (4, 1000))


def _frozen(m: Made) -> None:
    m.values["slope_y"][...] = 1.3


def _not_a_number(m: Made) -> None:
    m.values["slope_y"][2, 5, 0] = np.nan


def _no_density(m: Made) -> None:
    m.log_likelihood[1, 3, 4] = -np.inf


def _slow_correlation(m: Made) -> None:
    r = np.tanh(0.5 + 0.1 * autocorrelated(0.97, (4, 1000), np.random.default_rng(4)))
    m.values["correlation_chol"][..., 1, 0], m.values["correlation_chol"][..., 1, 1] = r, np.sqrt(1 - r**2)


PATHOLOGIES: list[tuple[Callable[[Made], Any], str, str, tuple[str, ...], str]] = [
    (_stuck_chain, "RHT-18", "", ("chains disagree", "for 42 of 42 quantities"), "tune=2000"),
    (_stuck_chain, "BFM-23", "", ("0.00 (chain 2)",), "tune=2000"),
    (_slow_slope, "ESS-19", "bulk", ("slope_x[x2]", "below 400"), "draws=4000"),
    (_slow_slope, "ESS-19", "tail", ("slope_x[x2]",), "draws=4000"),
    (_slow_correlation, "MCE-20", "mean", ("posterior sd", "a"), "four times as many"),
    (_slow_correlation, "MCE-20", "ends", ("interval ends",), "four times as many"),
    (_mirrored_chains, "MOD-08", "", ("chains 1, 3 and chains 2, 4", "apart in correlation"), "one by one"),
    (_other_density, "MOD-08", "", ("chains 1, 2, 3 and chain 4", "log density"), "another seed"),
    (_diverging, "DIV-21", "", ("4 of 4000 transitions", "chain 2: 3, chain 4: 1"), "target_accept=0.95"),
    (_cut_short, "TRD-22", "", ("2.0 %",), "tune=2000"),
    (_sticky_energy, "BFM-23", "", ("(chain 3)",), "slope priors"),
    (_coarse_grid, "QAD-07", "", ("off by 0.3", "31 x 31 nodes"), "nodes=61"),
    (_influential_person, "LOO-06", "", ("1 person with Pareto k above 0.70: p7 (k 1.",), "exact refit"),
    (_frozen, "MOV-17", "", ("never moved in any chain: slope_y[y1], slope_y[y2], slope_y[y3]",), "seed"),
    (_not_a_number, "MOV-17", "", ("no finite number: slope_y[y1]",), "priors"),
    (_no_density, "LOO-06", "", ("log-likelihood of 1 persons is not a finite number (p4)",), "answers"),
]


@pytest.mark.parametrize(
    ("spoil", "code", "which", "says", "cure"),
    PATHOLOGIES,
    ids=[f"{p[0].__name__}-{p[1]}{p[2]}" for p in PATHOLOGIES],
)
def test_pathology_is_caught_and_named(
    spoil: Callable[[Made], Any], code: str, which: str, says: tuple[str, ...], cure: str
) -> None:
    found = gate(made(spoil))
    one = finding(found, code, which)
    assert one.passed is False
    for words in says:
        assert words in one.text
    assert cure in one.cure
    assert not found.trusted and one.text in found.reasons


@pytest.mark.parametrize("spoil", [_diverging, _cut_short, _coarse_grid, _influential_person, _sticky_energy])
def test_only_the_check_concerned_fails(spoil: Callable[[Made], Any]) -> None:
    assert len(failed(gate(made(spoil)))) == 1


def test_values_and_thresholds() -> None:
    healthy = gate(made())
    assert (finding(gate(made(_diverging)), "DIV-21").value, finding(healthy, "DIV-21").value) == (4.0, 0.0)
    cut = finding(gate(made(_cut_short)), "TRD-22")
    assert (cut.value, cut.threshold) == (0.02, 0.01)
    coarse = finding(gate(made(_coarse_grid)), "QAD-07")
    assert (coarse.value, coarse.threshold) == (0.3, 0.05)
    assert finding(healthy, "ESS-19", "tail").threshold == 400
    assert finding(healthy, "LOO-06").threshold == pytest.approx(0.7)
    assert finding(gate(made(draws=150)), "LOO-06").threshold == pytest.approx(1 - 1 / np.log10(600))


def test_tiny_run_is_too_little_to_judge() -> None:
    found = gate(made(chains=2, draws=40))
    rows = [one for one in found.checks if one.code == "CHN-16"]
    assert [one.passed for one in rows] == [False, False]
    assert rows[0].text == "number of chains: 2, too little to judge (at least 4)"
    assert rows[1].text == "draws a chain: 40, too little to judge (at least 100)"
    assert [one.cure for one in rows] == ["Fit again with chains=4.", "Fit again with draws=1000."]
    assert finding(found, "ESS-19", "bulk").threshold == 200


def test_one_chain_and_a_handful_of_draws_are_refused_without_a_crash() -> None:
    found = gate(made(chains=1))
    assert finding(found, "RHT-18").text == "R-hat compares chains, and there is one"
    assert not found.trusted and failed(found) == {"CHN-16", "RHT-18"}
    few = gate(made(chains=2, draws=3))
    assert {"CHN-16", "RHT-18", "ESS-19", "LOO-06"} <= failed(few)
    assert "needs 25 draws, there are 6" in finding(few, "LOO-06").text
    assert finding(few, "PRI-25").text == "not computed: 6 draws only"


def test_everything_frozen_at_one_point_is_not_trusted() -> None:
    def freeze(m: Made) -> None:
        for value in (*m.values.values(), m.log_likelihood):
            value[...] = value[:1, :1].copy()

    found = gate(made(freeze))
    assert {"MOV-17", "LOO-06"} <= failed(found)
    assert "no log-likelihood term varies" in finding(found, "LOO-06").text
    assert "and " in finding(found, "MOV-17").text


def test_chains_that_stand_still_in_different_places_disagree() -> None:
    def freeze(m: Made) -> None:
        for value in m.values.values():
            value[...] = value[:, :1].copy()

    found = gate(made(freeze))
    assert {"RHT-18", "ESS-19", "MOD-08"} <= failed(found)
    assert finding(found, "RHT-18").value == np.inf


def test_statistics_that_were_not_recorded_are_not_judged() -> None:
    def strip(m: Made) -> None:
        m.stats.clear()

    found = gate(made(strip))
    for code in ("DIV-21", "TRD-22", "BFM-23"):
        one = finding(found, code)
        assert one.passed is None and one.text.endswith("not judged")
    assert found.trusted


def test_tree_depth_under_the_name_of_the_other_route() -> None:
    def rename(m: Made) -> None:
        m.stats["maxdepth_reached"] = ~m.stats.pop("reached_max_treedepth")

    assert finding(gate(made(rename)), "TRD-22").value == 1.0


def test_unmeasured_grid_is_said_and_other_engines_have_none() -> None:
    def unmeasured(m: Made) -> None:
        del m.provenance["numerics"]["largest error"]

    def closed_form(m: Made) -> None:
        m.provenance |= {"numerics": {}, "engine": {"name": "gaussian"}}

    one = finding(gate(made(unmeasured)), "QAD-07")
    assert one.passed is None and "not measured" in one.text and "route='compiled'" in one.cure
    assert "QAD-07" not in {c.code for c in gate(made(closed_form)).checks}


def test_sampled_scores_are_said_and_not_cross_validated() -> None:
    found = gate(made(_influential_person, engine="conditional"))
    one = finding(found, "LVL-24")
    assert one.passed is None and "must not be compared" in one.text and "engine=" in one.cure
    assert "LOO-06" not in {c.code for c in found.checks}
    assert "LVL-24" not in {c.code for c in gate(made()).checks}


def test_an_error_inside_a_check_fails_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(self: RHat, evidence: Evidence) -> Any:
        raise ValueError("no such thing")

    def refuse(self: RHat, evidence: Evidence) -> Any:
        raise FitError("cannot be", hint="do this")

    monkeypatch.setattr(RHat, "run", crash)
    found = gate(made())
    one = finding(found, "RHT-18")
    assert one.passed is False and not found.trusted
    assert one.text == "this check could not be computed: ValueError: no such thing"
    assert "report" in one.cure
    monkeypatch.setattr(RHat, "run", refuse)
    one = finding(gate(made()), "RHT-18")
    assert (one.passed, one.text, one.cure) == (False, "cannot be", "do this")


def test_worst_quantities_come_first() -> None:
    result = made(_mirrored_chains)
    draws, names = worst(result, 5)
    assert draws.shape == (4, 1000, 5) and len(names) == 5
    everything = Evidence(result).quantities
    assert np.array_equal(draws[..., 0], everything.draws[..., everything.names.index(names[0])])
    # what carries the sign of the correlation is worst; parameters that were left alone come after
    mirrored = {
        "correlation_chol[y, x]", "correlation[y, x]", "coefficient[y~x]", "standardised coefficient[y~x]",
        "double", "standardised double",
    }  # fmt: skip
    assert set(names) <= mirrored
    assert len(worst(result, 999)[1]) == len(everything.names)
    _, alone = worst(made(_slow_slope, chains=4), 1)
    assert alone == ["slope_x[x2]"]


def test_quantities_leave_out_what_cannot_vary() -> None:
    evidence = Evidence(made())
    names = set(evidence.quantities.names)
    assert "correlation[y, x]" in names and "correlation_chol[y, x]" in names
    fixed = {f"{name}[x, {other}]" for name in ("correlation", "correlation_chol") for other in "xy"}
    assert not names & (fixed | {"correlation_chol[y, y]"})
    assert {"slope_x[x1]", "category_prob_y[y3, 2]", "threshold_x[x2, 1]", "standardised double"} <= names
    assert evidence.unmoved == evidence.broken == ()


def test_effects_are_definitions_and_labelled_coefficients() -> None:
    both = {"coefficient[y~x]", "double", "standardised coefficient[y~x]", "standardised double"}
    assert set(Evidence(made()).effects.names) == both
    plain = made(data=bound("x =~ x1..x3\ny =~ y1..y3\ny ~ x"))
    assert set(Evidence(plain).effects.names) == {"coefficient[y~x]", "standardised coefficient[y~x]"}
    apart = made(data=bound("x =~ x1..x3\ny =~ y1..y3"))
    assert Evidence(apart).effects.names == ("correlation[y, x]",)
    single = made(data=bound("x =~ x1..x3"))
    assert Evidence(single).effects.names == ()
    assert not {"MCE-20", "PRI-25"} & {one.code for one in gate(single).checks}


def test_person_normals_are_judged_too() -> None:
    def sampled(m: Made) -> None:
        rng = np.random.default_rng(5)
        m.values["z"] = rng.normal(size=(4, 1000, 30, 2))
        m.values["z"][0, :, 4, 1] += 5

    one = finding(gate(made(sampled, engine="conditional")), "RHT-18")
    assert one.passed is False and "z[p4, y]" in one.text


def test_long_lists_are_cut_with_a_count() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(list("abcdefg"), 3) == "a, b, c and 4 more"


def test_gaussian_items_need_no_category_check() -> None:
    answers = survey()
    data = bound("f =~ n1..n3", answers, family="gaussian")
    found = gate(made(data=data, engine="gaussian", answers=answers))
    assert "CAT-03" not in {one.code for one in found.checks}
    assert finding(found, "POL-01").passed is True
