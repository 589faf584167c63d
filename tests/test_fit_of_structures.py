"""Fit of items and persons in models with groups and with specific factors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medpsy.bind import ModelData, bind
from medpsy.engines.base import engines
from medpsy.fit import _tree
from medpsy.inference.compiled_route import Posterior
from medpsy.model import compose
from medpsy.posterior.item_fit import item_fit
from medpsy.posterior.local_dependence import local_dependence
from medpsy.posterior.person_fit import person_fit
from medpsy.posterior.replicates import by_group
from medpsy.posterior.score_distribution import score_distribution
from medpsy.result import Result
from medpsy.simulate import draw_prior
from medpsy.spec.groups import Groups
from medpsy.spec.model_spec import Construct, ModelSpec, Specific
from medpsy.spec.syntax import parse_model
from medpsy.survey.instrument import Variable
from medpsy.survey.survey import Survey
from test_fit_of_answers import ITEMS, J, simulated, survey_of


def from_priors(data: ModelData, answers: Survey, engine: str) -> Result:
    """A result whose draws come from the priors."""
    drawn = draw_prior(data.parameters, np.random.default_rng(1), 12)
    held = {name: value.reshape(2, 6, *value.shape[1:]) for name, value in drawn.items()}
    posterior = Posterior(held, stats={}, log_likelihood=np.zeros((2, 6, data.n_person)), log_prior=None)
    return Result(_tree(data, posterior, engines()[engine]), data, answers, {})


def test_a_fit_with_groups_is_judged_group_by_group() -> None:
    codes = simulated(240)[1]
    answers = survey_of(codes)
    variables = {"sex": np.arange(240) % 2}
    instrument = replace(answers.instrument, variables=(Variable("sex", "category", ("f", "m")),))
    answers = replace(answers, instrument=instrument, variables=variables)
    spec = replace(parse_model("x =~ q1..q8"), groups=Groups("sex"))
    fitted = from_priors(bind(compose(spec), answers), answers, "quadrature")
    assert fitted.data.groups is not None
    items, persons = item_fit(fitted, draws=10), person_fit(fitted, draws=10)
    assert items["group"].value_counts().to_dict() == {"f": J, "m": J}
    assert items["n"].tolist() == [120] * (2 * J) and items.attrs["tests"] == 2 * 3 * J
    assert list(persons["person"]) == [f"p{i}" for i in range(240)]
    assert list(persons["group"]) == ["f", "m"] * 120 and persons.attrs["persons"] == 240
    pairs = local_dependence(fitted, draws=10)
    assert len(pairs) == J * (J - 1) and pairs.attrs["pairs"]["Q3"] == len(pairs)
    assert set(score_distribution(fitted, draws=10).attrs["ppp"]) == {"x (f)", "x (m)"}
    named = by_group(items)
    assert set(named["construct"]) == {"x (f)", "x (m)"} and by_group(named.drop(columns="group")) is not None


def test_specific_factors_have_no_classical_statistics() -> None:
    specific = (Specific("s", ("q1", "q2", "q3")),)
    spec = ModelSpec((Construct("x", ITEMS, "graded", True, specific),))
    answers = survey_of(simulated(150)[1])
    fitted = from_priors(bind(compose(spec), answers), answers, "bifactor")
    items, persons = item_fit(fitted), person_fit(fitted)
    assert items[["s_x2", "p"]].isna().all().all() and items["s_x2_ppp"].notna().all()
    assert persons["lz_star"].isna().all() and persons["ppp"].notna().all()
