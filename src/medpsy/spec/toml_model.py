"""The tables of a model file that say what the model is, turned into a specification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from medpsy.errors import SpecError, nearest
from medpsy.spec.clusters import Clusters
from medpsy.spec.groups import COMPARABLE, Groups
from medpsy.spec.item_properties import read_properties
from medpsy.spec.levels_text import joined, read_text
from medpsy.spec.model_spec import Construct, Design, ModelSpec, Observed, SecondOrder, Specific
from medpsy.spec.pooled import Pooled, taken_out
from medpsy.spec.presets import normal_text
from medpsy.spec.problem import ElementError
from medpsy.spec.regression import with_regression
from medpsy.spec.same import EQUAL, with_same
from medpsy.spec.toml_table import TomlTable
from medpsy.spec.waves import Waves, read_series

_MEDIATION = (
    "design", "exposure", "exposures", "mediator", "mediators", "outcome", "outcomes", "covariates", "stages",
    "moderation",
)  # fmt: skip
#: Stands for the variable that makes the clusters until their table is read.
_UNSAID = "?"
_STAGES = ("first", "between", "second", "direct")


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
    if "model" in top.values and "second_order" in top.values:
        hint = "In a [model], write it in the syntax: wellbeing =~ calm + meaning + mission."
        raise top.fail("the second-order construct stands beside the [model]", hint, "second_order")
    if "model" in top.values:
        spec = _from_syntax(top.table("model"))
    elif "constructs" in top.values:
        higher = _second_order(top.table("second_order"))
        spec = ModelSpec(constructs=_constructs(top.table("constructs")), second_order=higher)
    elif "waves" in top.values:
        spec = ModelSpec(waves=_waves(top.table("waves")))
    elif "mediation" in top.values:
        spec = ModelSpec()  # of observed variables only
    else:
        raise SpecError(
            "the file has no model",
            hint="Write [constructs.NAME] tables, [mediation], [waves], or [model] with a syntax text.",
            path=top.source.path,
        )
    if "mediation" in top.values:
        spec = _with_design(spec, top.table("mediation"))
    if "regression" in top.values:
        spec = _with_regression(spec, top.table("regression"))
    spec = replace(spec, observed=spec.observed + _observed_roles(spec, top.table("observed")))
    if "item_properties" in top.values:
        spec = _with_properties(spec, top.table("item_properties"))
    if "groups" in top.values:
        spec = replace(spec, groups=_groups(top.table("groups")))
    spec = replace(
        spec, clusters=_clusters(top.table("clusters") if "clusters" in top.values else None, spec)
    )
    name = top.text("name", stem)
    return replace(spec, priors=_priors(top.table("priors")), name=name, note=top.text("note"))


def _from_syntax(table: TomlTable) -> ModelSpec:
    table.only(("syntax", "family", "families", "positive", "testlets", "std_lv", "equal", "release"))
    text = table.text("syntax")
    if not text.strip():
        raise table.fail(
            "[model] has no syntax", "Write the model between triple quotes: syntax = '''...'''."
        )
    families = table.table("families")
    key_line = table.source.line_of(*table.keys, "syntax") or 1
    first_line = table.source.first_line_of_value(text, *table.keys, "syntax")
    try:
        spec, between = read_text(
            text,
            family=table.text("family", "graded"),
            families={name: families.text(name) for name in families.values},
            positive=table.texts("positive"),
            testlets=table.texts("testlets"),
            std_lv=table.flag("std_lv") if "std_lv" in table.values else None,
            path=table.source.path,
            first_line=first_line or key_line,
        )
        if "equal" in table.values or "release" in table.values:
            equal = table.texts("equal") if "equal" in table.values else None
            spec = with_same(spec, equal, table.texts("release"))
        return replace(spec, clusters=Clusters(_UNSAID, between=between)) if between else spec
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
        one.only(("items", "family", "positive", "specific", "testlets", "cross"))
        items, family, positive = one.items("items"), one.text("family", "graded"), one.flag("positive")
        parts = one.table("specific")
        specific = tuple(Specific(key, parts.items(key)) for key in parts.values)
        cross = one.items("cross") if "cross" in one.values else ()
        try:
            made.append(Construct(name, items, family, positive, specific, one.flag("testlets"), cross))
        except SpecError as error:
            raise one.fail(error.message, error.hint, "items") from None
    if not made:
        raise table.fail("[constructs] is empty", "Write a [constructs.NAME] table for each construct.")
    return tuple(made)


def _with_properties(spec: ModelSpec, table: TomlTable) -> ModelSpec:
    """``[item_properties.NAME]`` with ``values`` by property, and ``residual``."""
    known = [construct.name for construct in spec.constructs]
    for name in table.values:
        if name not in known:
            raise table.fail(f"[item_properties]: '{name}' is no construct", nearest(name, known), name)
    made = []
    for construct in spec.constructs:
        if construct.name not in table.values:
            made.append(construct)
            continue
        one = table.table(construct.name)
        one.only(("values", "residual"))
        residual = one.flag("residual") if "residual" in one.values else True
        try:
            held = read_properties(construct.name, construct.items, one.table("values").values, residual)
        except SpecError as error:
            raise one.fail(error.message, error.hint, "values") from None
        made.append(replace(construct, properties=held))
    return replace(spec, constructs=tuple(made))


def _waves(table: TomlTable) -> Waves:
    """``[waves]`` with ``design`` and the columns of every variable."""
    table.only((
        "design", "variables", "constant", "times", "covariates", "exposure", "family", "equal", "release",
    ))  # fmt: skip
    kind, given = table.required("design"), table.table("variables")
    times = table.values.get("times", [])
    if not isinstance(times, list) or not all(isinstance(t, int | float) for t in times):
        raise table.fail("times is no list of numbers", "Write times = [0, 1, 3].", "times")
    try:
        return Waves(
            kind,
            read_series(given.values),
            table.flag("constant"),
            tuple(map(float, times)),
            table.texts("covariates"),
            table.text("exposure"),
            table.text("family", "gaussian"),
            table.texts("equal") if "equal" in table.values else EQUAL,
            table.texts("release"),
        )
    except SpecError as error:
        raise table.fail(error.message, error.hint, "variables") from None


def _second_order(table: TomlTable) -> SecondOrder | None:
    """``[second_order.NAME]`` with ``constructs = [...]``."""
    for name in tuple(table.values)[1:]:
        raise table.fail(f"'{name}' is a second second-order construct", "One to a model.", name)
    for name in table.values:
        table.table(name).only(("constructs",))
        return SecondOrder(name, table.table(name).texts("constructs"))
    return None


def _design(table: TomlTable) -> Design:
    table.only(_MEDIATION)
    kind = table.required("design")
    exposures, outcomes = _one_or_more(table, "exposure"), _one_or_more(table, "outcome")
    return Design(
        kind=kind,
        exposure=exposures[0],
        mediators=() if kind == "moderation" else _one_or_more(table, "mediator"),
        outcome=outcomes[0],
        covariates=table.texts("covariates"),
        other_exposures=exposures[1:],
        other_outcomes=outcomes[1:],
        stages=_stage_sizes(table),
        moderation=_moderation(table.table("moderation")),
    )


def _with_design(spec: ModelSpec, table: TomlTable) -> ModelSpec:
    """The design; covariates such as ``"(1|centre)"`` become pooled levels of what it explains."""
    design = _design(table)
    plain, levels = taken_out(design.covariates)
    targets = dict.fromkeys((*design.mediators, *design.outcomes))
    pooled = tuple(Pooled(name, variable) for name in targets for variable in levels)
    return replace(spec, design=replace(design, covariates=plain), pooled=spec.pooled + pooled)


def _with_regression(spec: ModelSpec, table: TomlTable) -> ModelSpec:
    """``[regression]``: what explains every construct, such as ``anxiety = "age + sex + (1|centre)"``."""
    for name in table.values:
        try:
            spec = with_regression(spec, {name: table.required(name)})
        except SpecError as error:
            raise table.fail(error.message, error.hint, name) from None
    return spec


def _one_or_more(table: TomlTable, role: str) -> tuple[str, ...]:
    """``mediator = "m"`` or ``mediators = ["m1", "m2"]``."""
    if role in table.values and f"{role}s" in table.values:
        raise table.fail(f"[mediation] has both {role} and {role}s", f"Keep {role}s = [...].", f"{role}s")
    names = table.texts(f"{role}s") if f"{role}s" in table.values else (table.required(role),)
    if not names:
        raise table.fail(f"[mediation] names no {role}", f"Name at least one {role}.", f"{role}s")
    return names


def _stage_sizes(table: TomlTable) -> tuple[int, ...]:
    """``stages = [2, 1]``: how many mediators stand beside each other."""
    sizes = table.values.get("stages", [])
    if not isinstance(sizes, list) or not all(type(size) is int and size > 0 for size in sizes):
        raise table.fail(f"stages = {sizes!r} is no list of numbers", "Write stages = [2, 1].", "stages")
    return tuple(sizes)


def _moderation(table: TomlTable) -> tuple[tuple[str, ...], ...]:
    """``first = ["sex"]`` and so on; ``"sex:age"`` stands for both and their product."""
    table.only(_STAGES)
    return tuple(
        (stage, *text.split(":")) for stage in _STAGES if stage in table.values for text in table.texts(stage)
    )


def _groups(table: TomlTable) -> Groups:
    table.only(("by", "equal", "release", "shrink", "reference", "pooled", "along"))
    along = table.table("along")
    try:
        return Groups(
            by=table.required("by"),
            equal=table.texts("equal") if "equal" in table.values else COMPARABLE,
            release=table.texts("release"),
            shrink=table.texts("shrink"),
            reference=table.text("reference") or None,
            pooled=table.flag("pooled"),
            along=tuple((name, along.number(name, -1e9, 1e9, open_ends=False)) for name in along.values),
        )
    except ElementError:
        raise
    except SpecError as error:
        if error.path is not None:
            raise
        raise table.fail(error.message, error.hint) from None


def _clusters(table: TomlTable | None, spec: ModelSpec) -> Clusters | None:
    """``[clusters]`` with ``by`` and ``slopes``, joined with the paths that a text has between clusters."""
    between = spec.clusters.between if spec.clusters is not None else ()
    if table is None:
        return joined(None, between)
    table.only(("by", "slopes"))
    try:
        own = Clusters(table.required("by"), table.texts("slopes") if "slopes" in table.values else None)
    except SpecError as error:
        raise table.fail(error.message, error.hint) if error.path is None else error from None
    return joined(own, between)


def _observed_roles(spec: ModelSpec, table: TomlTable) -> tuple[Observed, ...]:
    """Mediators and outcome that are no constructs are observed; ``[observed.NAME]`` gives their family."""
    known = {c.name for c in spec.constructs} | {o.name for o in spec.observed} | set(spec.latents)
    roles = (*spec.design.mediators, *spec.design.outcomes) if spec.design is not None else ()
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
                found[target] = normal_text(target, one.required(key))
            except SpecError as error:
                raise one.fail(error.message, error.hint, key) from None

    collect(table, ())
    return tuple(sorted(found.items()))
