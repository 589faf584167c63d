"""What can be said against a model file before there are answers: no data, no sampler, no slow library."""

from __future__ import annotations

import os

from medpsy.api.answers import check_screening
from medpsy.api.models import Model, load_model
from medpsy.api.size import sizes
from medpsy.errors import nearest
from medpsy.families.base import a_number, unsuited
from medpsy.families.composite import Composite
from medpsy.families.explained import Explained
from medpsy.simulate.clusters import read_clusters
from medpsy.simulate.read_explained import read_explained
from medpsy.simulate.read_items import per_item, read_roles, real, truth_keys
from medpsy.simulate.read_nested import read_extra
from medpsy.simulate.read_paths import read_correlations, read_terms
from medpsy.simulate.read_truth import read_truth
from medpsy.simulate.read_variables import observed_numbers
from medpsy.spec.model_file import ModelFile
from medpsy.spec.toml_table import TomlTable

_TRUTH = ("n_person", "seed", "note", "variables", "paths", "correlations", "observed", "items", "clusters")
_NUMBERS = ("mean", "sd", "low", "high")


def check_model_file(path: str | os.PathLike[str]) -> str:
    """Read, compose and judge a model file.

    Covers syntax, names, design, priors, screening rules, and the keys, names and numbers of its truth.
    Whether margins and paths of the truth can be met together is found when it simulates.

    Returns
    -------
    str
        Its size in words.

    Raises
    ------
    SpecError
        The first mistake, with its line and its cure.
    """
    model = load_model(path)
    file = model.file
    assert file is not None
    check_screening(file)
    if file.instrument is not None:
        _check_categories(model, file)
    if file.truth is not None:
        _check_truth(model, file)
    return sizes(model.composed, file.instrument)


def _check_categories(model: Model, file: ModelFile) -> None:
    """Refuse families that cannot take the answer scales of their items."""
    assert file.instrument is not None
    for construct in model.composed.constructs:
        family = model.composed.families[construct.name]
        if not family.categorical:
            continue
        for item in construct.items:
            if item not in file.instrument.items:
                raise file.located(a_number(construct, item), *_place(file, construct.name))
        sizes = [file.instrument.module_of(item).n_categories for item in construct.items]
        problem = unsuited(family, construct, sizes)
        if problem is not None:
            raise file.located(problem, *_place(file, construct.name))


def _place(file: ModelFile, construct: str) -> tuple[str, ...]:
    written = ("constructs", construct)
    return written if file.source.has(*written) else ("model", "syntax")


def _check_truth(model: Model, file: ModelFile) -> None:
    """Judge the keys, names and numbers of ``[truth]``."""
    assert file.truth is not None
    if model.spec.linear is not None and file.instrument is not None:
        read_truth(model.composed, file.instrument, file.truth, file.source)
        return
    top = TomlTable(file.truth, file.source, ("truth",))
    top.only(_TRUTH)
    if file.instrument is None:
        raise top.fail("a truth needs an instrument to be answered", "Write an [instrument] table.")
    if "n_person" not in top.values:
        raise top.fail("[truth] has no n_person", "Write n_person = 300, the number of persons.")
    top.whole("n_person", 1)
    levels = {v.name: v.levels for v in file.instrument.variables if v.kind == "category"}
    read_clusters(top.table("clusters"), model.composed, levels)
    if "seed" in top.values:
        top.whole("seed", 0)
    composed = model.composed
    read_terms(top.table("paths"), composed, levels)
    read_correlations(top.table("correlations"), composed)
    nodes = composed.sketch.nodes
    free = [v.name for v in file.instrument.variables if v.name not in nodes]
    _known(top.table("variables"), free, "is no variable of the instrument that the model leaves unexplained")
    for name in composed.covariates:
        if name not in top.table("variables").values:
            raise top.table("variables").fail(
                f"covariate '{name}' has no distribution", f"Write [truth.variables.{name}] with its counts."
            )
    explained = {n: f for n, f in zip(nodes, composed.sketch.observed, strict=True) if f is not None}
    _known(top.table("observed"), list(explained), "is no explained observed variable")
    _check_numbers(top.table("variables"))
    for name, family in explained.items():
        observed_numbers(top.table("observed"), name, family, file.instrument)
    _check_items(model, top.table("items"))


def _check_items(model: Model, tables: TomlTable) -> None:
    composed = model.composed
    _known(tables, [c.name for c in composed.constructs], "is no construct of the model")
    for construct in composed.constructs:
        if construct.name not in tables.values:
            raise tables.fail(
                f"the items of '{construct.name}' have no truth", f"Write [truth.items.{construct.name}]."
            )
        table, family = tables.table(construct.name), composed.families[construct.name]
        assert model.file is not None and model.file.instrument is not None
        if isinstance(family, Explained):
            read_explained(table, construct, family, model.file.instrument)
            continue
        if isinstance(family, Composite):
            table.only((*truth_keys(family.family), family.extra))
            read_extra(table, construct, family)
            per_item(table, "slope", construct)
        elif family.categorical:
            read_roles(table, construct, family, model.file.instrument)
        else:
            table.only(family.roles)
            for role in family.roles:
                per_item(table, role, construct)
        for key in ("mean", "sd"):
            if key in table.values:
                per_item(table, key, construct)


def _known(table: TomlTable, names: list[str], reason: str) -> None:
    for key in table.values:
        if key not in names:
            raise table.fail(f"[{'.'.join(table.keys)}]: '{key}' {reason}", nearest(key, names), key)


def _check_numbers(tables: TomlTable) -> None:
    """Judge the numbers of ``[truth.variables]``."""
    for name in tables.values:
        table = tables.table(name)
        table.only(("counts", "shares", *_NUMBERS))
        for key in _NUMBERS:
            if key in table.values:
                real(table, key)
        for form in ("counts", "shares"):
            for key in table.table(form).values:
                real(table.table(form), key)
