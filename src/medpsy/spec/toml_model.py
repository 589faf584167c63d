"""The tables of a model file that say what the model is, turned into a specification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from medpsy.errors import SpecError, nearest
from medpsy.spec.model_spec import Construct, Design, ModelSpec, Observed
from medpsy.spec.priors import parse_prior
from medpsy.spec.problem import ElementError
from medpsy.spec.syntax import parse_model
from medpsy.spec.toml_table import TomlTable

_MEDIATION = ("design", "exposure", "mediator", "mediators", "outcome", "covariates")


def spec_from_tables(top: TomlTable, stem: str) -> ModelSpec:
    """Return the specification that the tables of a model file describe.

    Parameters
    ----------
    top : TomlTable
        The whole file.
    stem : str
        Name of the model where the file gives none.

    Raises
    ------
    SpecError
        No model or two, an unknown key, a wrong type, a syntax error (with the line in the file), or text
        that is no prior.
    """
    if "model" in top.values and "constructs" in top.values:
        raise top.fail(
            "the constructs are given twice, in [constructs] and in [model]",
            "Keep one of the two.",
            "constructs",
        )
    if "model" in top.values:
        spec = _from_syntax(top.table("model"))
    elif "constructs" in top.values:
        spec = ModelSpec(constructs=_constructs(top.table("constructs")))
    else:
        raise SpecError(
            "the file has no model",
            hint="Write [constructs.NAME] tables, or [model] with a syntax text.",
            path=top.source.path,
        )
    if "mediation" in top.values:
        spec = replace(spec, design=_design(top.table("mediation")))
    spec = replace(spec, observed=spec.observed + _observed_roles(spec, top.table("observed")))
    name = top.text("name", stem)
    return replace(spec, priors=_priors(top.table("priors")), name=name, note=top.text("note"))


def _from_syntax(table: TomlTable) -> ModelSpec:
    table.only(("syntax", "family", "families", "positive"))
    text = table.text("syntax")
    if not text.strip():
        raise table.fail(
            "[model] has no syntax", "Write the model between triple quotes: syntax = '''...'''."
        )
    families = table.table("families")
    key_line = table.source.line_of(*table.keys, "syntax") or 1
    first_line = table.source.first_line_of_value(text, *table.keys, "syntax")
    try:
        return parse_model(
            text,
            family=table.text("family", "graded"),
            families={name: families.text(name) for name in families.values},
            positive=table.texts("positive"),
            path=table.source.path,
            first_line=first_line or key_line,
        )
    except ElementError:
        raise
    except SpecError as error:
        # Written with escapes, lines of the text are no lines of the file.
        line = error.line if first_line else key_line
        raise SpecError(error.message, hint=error.hint, path=error.path, line=line) from None


def _constructs(table: TomlTable) -> tuple[Construct, ...]:
    made = []
    for name in table.values:
        one = table.table(name)
        one.only(("items", "family", "positive"))
        items, family, positive = one.items("items"), one.text("family", "graded"), one.flag("positive")
        try:
            made.append(Construct(name, items, family, positive))
        except SpecError as error:
            raise one.fail(error.message, error.hint, "items") from None
    if not made:
        raise table.fail("[constructs] is empty", "Write a [constructs.NAME] table for each construct.")
    return tuple(made)


def _design(table: TomlTable) -> Design:
    table.only(_MEDIATION)
    if "mediator" in table.values and "mediators" in table.values:
        raise table.fail(
            "[mediation] has both mediator and mediators", "Keep mediators = [...].", "mediators"
        )
    several = "mediators" in table.values
    mediators = table.texts("mediators") if several else (table.required("mediator"),)
    return Design(
        kind=table.required("design"),
        exposure=table.required("exposure"),
        mediators=mediators,
        outcome=table.required("outcome"),
        covariates=table.texts("covariates"),
    )


def _observed_roles(spec: ModelSpec, table: TomlTable) -> tuple[Observed, ...]:
    """Mediators and outcome that are no constructs are observed; ``[observed.NAME]`` gives their family."""
    known = {c.name for c in spec.constructs} | {o.name for o in spec.observed}
    roles = (*spec.design.mediators, spec.design.outcome) if spec.design is not None else ()
    names = [name for name in dict.fromkeys(roles) if name not in known]
    for name in table.values:
        if name in known:
            raise table.fail(
                f"'{name}' has its family elsewhere", "In a [model], write it in [model.families].", name
            )
        if name not in names:
            hint = nearest(name, names) if names else "Only an observed mediator or outcome is declared here."
            raise table.fail(f"[observed.{name}] is neither a mediator nor the outcome", hint, name)
    made = []
    for name in names:
        one = table.table(name)
        one.only(("family",))
        made.append(Observed(name, one.text("family", "gaussian")))
    return tuple(made)


def _priors(table: TomlTable) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}

    def collect(one: TomlTable, head: tuple[str, ...]) -> None:
        for key, value in one.values.items():
            if isinstance(value, Mapping):
                collect(one.table(key), (*head, key))
                continue
            target = ".".join((*head, key))
            if target in found:
                raise one.fail(f"'{target}' has two priors", "Remove one of them.", key)
            try:
                found[target] = str(parse_prior(one.required(key)))
            except SpecError as error:
                raise one.fail(error.message, error.hint, key) from None

    collect(table, ())
    return tuple(sorted(found.items()))
