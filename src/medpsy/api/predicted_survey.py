"""One posterior predictive survey, in the form in which answers are read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medpsy.errors import SpecError
from medpsy.simulate import replicate
from medpsy.survey.survey import NO_ANSWER, Event, Survey

if TYPE_CHECKING:
    from medpsy.bind import ModelData
    from medpsy.result import Result


def predicted_survey(result: Result, seed: int) -> Survey:
    """Draw what the model explains anew, at one posterior draw, for the same persons.

    Parameters
    ----------
    result : Result
    seed : int
        Chooses the posterior draw and the new answers.

    Returns
    -------
    Survey
        Same persons, covariates and missing answers; items outside the model are left empty. Its
        ``simulated`` says what it is.

    Raises
    ------
    SpecError
        The seed is no whole number from 0 up.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise SpecError(f"seed {seed!r} is no whole number from 0 up", hint="Say seed=1.")
    rng = np.random.default_rng(seed)
    values = result.values()
    n_chain, n_draw = next(iter(values.values())).shape[:2]
    chain, draw = int(rng.integers(n_chain)), int(rng.integers(n_draw))
    made = replicate(result.data, {name: v[chain, draw] for name, v in values.items()}, rng)
    survey = result.survey
    note = f"simulated from the posterior of model '{result.model.spec.name}', not collected from persons"
    text = f"answers drawn anew from chain {chain}, draw {draw}, seed {seed}"
    event = Event("simulated", text, "persons", survey.n_person, survey.n_person)
    codes, variables = _answers(made, survey)
    found = _observed(made, survey)
    where = {item: at for at, item in enumerate(survey.instrument.items)}
    for item in found.keys() & where.keys():
        codes[:, where[item]] = found.pop(item)
    return replace(
        survey,
        codes=codes,
        variables=variables | found,
        ledger=(*survey.ledger, event),
        simulated="; ".join(part for part in (note, survey.simulated) if part),
        source=f"posterior predictive draw for {survey.source}",
    )


def _answers(made: ModelData, survey: Survey) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Codes (person, item), and the variables with continuous items replaced."""
    codes = np.full_like(survey.codes, NO_ANSWER)
    variables = dict(survey.variables)
    where = {item: at for at, item in enumerate(survey.instrument.items)}
    for block in made.blocks:
        for at, item in enumerate(block.construct.items):
            column = block.values[:, at]
            if block.n_categories:
                codes[:, where[item]] = column
                continue
            raw = column * block.unit[at] + block.centre[at]
            if item not in where:
                variables[item] = raw
                continue
            last = survey.instrument.module_of(item).n_categories - 1
            rounded = np.clip(np.rint(np.nan_to_num(raw)), 0, last)
            codes[:, where[item]] = np.where(np.isnan(raw), NO_ANSWER, rounded)
    return codes, variables


def _observed(made: ModelData, survey: Survey) -> dict[str, np.ndarray]:
    """Explained observed variables in their own units."""
    out = {}
    for at, (name, family) in enumerate(zip(made.layout.nodes, made.layout.families, strict=True)):
        if family == "latent":
            continue
        new = made.observed[:, at]
        if name in survey.instrument.items:
            last = survey.instrument.module_of(name).n_categories - 1
            raw = new * made.layout.unit[at] + made.layout.centre[at] * (not made.layout.categories[at])
            rounded = np.clip(np.rint(np.nan_to_num(raw)), 0, last)
            out[name] = np.where(np.isnan(new), NO_ANSWER, rounded)
            continue
        old = survey.variables[name]
        if survey.variable(name).kind == "category":
            out[name] = np.where(np.isnan(new), NO_ANSWER, np.nan_to_num(new)).astype(old.dtype)
        else:
            out[name] = new * made.layout.unit[at] + made.layout.centre[at]
    return out
