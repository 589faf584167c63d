"""A model file: TOML to a specification, its instrument, its data and its settings, every key checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medpsy.errors import SpecError, nearest
from medpsy.spec.check import check, check_against
from medpsy.spec.model_spec import ModelSpec
from medpsy.spec.problem import ElementError
from medpsy.spec.toml_model import spec_from_tables
from medpsy.spec.toml_table import TomlTable
from medpsy.spec.toml_text import TomlText, read_toml_text
from medpsy.spec.write_toml import to_toml
from medpsy.survey.instrument import Instrument
from medpsy.survey.toml_instrument import parse_instrument, read_instrument

__all__ = ["SCHEMA", "ModelFile", "read_model_file", "to_toml"]

#: Version of the file format that this package reads.
SCHEMA = 1

_TOP = (
    "schema", "name", "title", "note", "data", "instrument", "screening", "constructs", "observed",
    "second_order", "item_properties", "regression", "mediation", "waves", "model", "groups", "clusters",
    "priors", "sampling", "report", "truth",
)  # fmt: skip
_DATA = ("file", "example", "encoding", "out_of_range", "instrument")
_SAMPLING = ("draws", "tune", "chains", "seed", "target_accept", "engine", "route")
#: Keys of [report] that name variables over which the model is compared.
_COMPARISONS = ("dif", "invariance", "differences")
#: Likelihood engines that can be asked for.
ENGINES = (
    "auto", "quadrature", "layered", "gaussian", "products", "two_level", "equations", "outcomes",
    "conditional", "bifactor", "crossed",
)  # fmt: skip
_ROUTES = ("auto", "compiled", "pymc")


@dataclass(frozen=True)
class ModelFile:
    """What a model file says.

    Parameters
    ----------
    spec : ModelSpec
        The model. From ``[constructs]`` and ``[mediation]`` it has a design and no paths yet.
    instrument : Instrument or None
        What was asked: from the file's own ``instrument``, or the example's. None where neither is named.
    data_file : str or None
        Path of the answers, resolved against the folder of the model file; not opened here.
    example : str or None
        Name of an example that comes with the package.
    encoding : str or None
        Encoding of the answers; None is UTF-8.
    out_of_range : str
        ``"missing"`` or ``"refuse"``: what happens to codes that the instrument does not have.
    screening : mapping
        Rule to limit, for :func:`medpsy.screening.screen`, which judges the names.
    sampling : mapping
        Those of draws, tune, chains, seed, target_accept, engine, route that the file sets.
    report : mapping
        Those of interval (probability), rope (half width, standardised), questionnaire, common_method
        (whether the report judges them) that the file sets.
    truth : mapping or None
        Parameter values for simulation, which judges them.
    path, title, note : str
        The file, and its texts for reports.
    """

    spec: ModelSpec
    instrument: Instrument | None
    data_file: str | None
    example: str | None
    encoding: str | None
    out_of_range: str
    screening: Mapping[str, Any]
    sampling: Mapping[str, Any]
    report: Mapping[str, Any]
    truth: Mapping[str, Any] | None
    path: str
    title: str
    note: str
    source: TomlText = field(repr=False, compare=False)

    def located(self, error: SpecError, *keys: str) -> SpecError:
        """Return an error found later (composing, priors, screening) with this file and its line.

        ``keys`` says where the file holds the mistake, for errors that do not know their element, for example
        ``("screening", "max_missing")``.
        """
        return _located(error, self.source, keys)


def read_model_file(path: str | os.PathLike[str]) -> ModelFile:
    """Read and check a model file. No answers are read.

    Parameters
    ----------
    path : path
        A TOML file, UTF-8, with ``schema = 1``.

    Returns
    -------
    ModelFile

    Raises
    ------
    SpecError
        The file is missing or not TOML, a key is unknown, a value has the wrong type, or the model
        contradicts itself or its instrument. The message names the file and the line.
    """
    source = read_toml_text(path)
    top = TomlTable(source.parse(), source)
    _check_schema(top)
    top.only(_TOP)
    data = top.table("data")
    _check_data(top, data)
    try:
        spec = spec_from_tables(top, Path(path).stem)
        check(spec)
        instrument = _instrument(top, data)
        if instrument is not None:
            check_against(spec, instrument)
    except ElementError as error:
        raise _located(error, source) from None
    return ModelFile(
        spec=spec,
        instrument=instrument,
        data_file=_beside(source, data.text("file")) if "file" in data.values else None,
        example=data.text("example") or None,
        encoding=data.text("encoding") or None,
        out_of_range=data.text("out_of_range", "missing", ("missing", "refuse")),
        screening=dict(top.table("screening").values),
        sampling=_sampling(top.table("sampling")),
        report=_report(top.table("report")),
        truth=dict(top.table("truth").values) if "truth" in top.values else None,
        path=source.path,
        title=top.text("title"),
        note=top.text("note"),
        source=source,
    )


def _check_schema(top: TomlTable) -> None:
    if "schema" not in top.values:
        raise SpecError(
            "the file does not say its schema",
            hint=f"Begin a model file with schema = {SCHEMA}.",
            path=top.source.path,
            line=1,
        )
    schema = top.values["schema"]
    if schema is True or schema != SCHEMA:
        raise top.fail(f"schema {schema!r} is unknown", f"This version reads schema = {SCHEMA}.", "schema")


def _check_data(top: TomlTable, data: TomlTable) -> None:
    data.only(_DATA)
    if "data" not in top.values:
        return
    if "example" in data.values:
        others = [key for key in data.values if key != "example"]
        if others or "instrument" in top.values:
            where, extra = (data, others[0]) if others else (top, "instrument")
            raise where.fail(
                f"the data are an example, which brings its own file and instrument: '{extra}' is not needed",
                "Remove it, or name a file instead of the example.",
                extra,
            )
        data.required("example")
        return
    if "file" not in data.values:
        raise data.fail("[data] names no answers", 'Write file = "answers.csv" or example = "students".')
    data.required("file")
    if "instrument" not in data.values and "instrument" not in top.values:
        raise data.fail(
            "the answers come without an instrument",
            'Write instrument = "instrument.toml" above [data], or an [instrument] table.',
        )


def _instrument(top: TomlTable, data: TomlTable) -> Instrument | None:
    source = top.source
    if "example" in data.values:
        from medpsy.survey.examples import example_names, example_path

        name = data.text("example")
        if name not in example_names():
            raise data.fail(f"there is no example '{name}'", nearest(name, example_names()), "example")
        return read_instrument(example_path(name) / "instrument.toml")
    owner = data if "instrument" in data.values else top
    if "instrument" not in owner.values:
        return None
    if owner is data and "instrument" in top.values:
        raise data.fail("the instrument is given twice", "Keep one of the two.", "instrument")
    if isinstance(owner.values["instrument"], Mapping):
        return parse_instrument(owner.values["instrument"], source.path)
    file = _beside(source, owner.required("instrument"))
    if not os.path.isfile(file):
        raise owner.fail(f"there is no instrument file {file}", "Check the path.", "instrument")
    return read_instrument(file)


def _sampling(table: TomlTable) -> dict[str, Any]:
    table.only(_SAMPLING)
    lowest = {"draws": 1, "tune": 0, "chains": 1, "seed": 0}
    values: dict[str, Any] = {
        key: table.whole(key, low) for key, low in lowest.items() if key in table.values
    }
    if "target_accept" in table.values:
        values["target_accept"] = table.number("target_accept", 0, 1, open_ends=True)
    for key, choices in (("engine", ENGINES), ("route", _ROUTES)):
        if key in table.values:
            values[key] = table.text(key, choices=choices)
    return values


def _report(table: TomlTable) -> dict[str, Any]:
    flags = ("questionnaire", "common_method")
    table.only(("interval", "rope", *flags, *_COMPARISONS))
    values: dict[str, Any] = {}
    if "interval" in table.values:
        values["interval"] = table.number("interval", 0, 1, open_ends=True)
    if "rope" in table.values:
        values["rope"] = table.number("rope", 0, 1e6, open_ends=False)
    values |= {key: table.flag(key) for key in flags if key in table.values}
    values |= {key: list(table.texts(key)) for key in _COMPARISONS if key in table.values}
    return values


def _beside(source: TomlText, name: str) -> str:
    """Resolve a path written in a model file against the folder of that file."""
    return os.path.join(os.path.dirname(source.path), name)


def _located(error: SpecError, source: TomlText, keys: tuple[str, ...] = ()) -> SpecError:
    if error.path is not None or error.line is not None:
        return error
    if isinstance(error, ElementError):
        places = _places(error.subject)
        keys = next((place for place in places if source.has(*place)), places[0])
    return source.error(error.message, *keys, hint=error.hint)


def _places(subject: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the keys under which a file may write an element, most exact first."""
    kind, name, *rest = subject
    places: dict[str, list[tuple[str, ...]]] = {
        "construct": [("constructs", name)],
        "item": [("constructs", name, "items")],
        "observed": [("observed", name), ("mediation",)],
        "family": [("model", "families", name), ("observed", name, "family"), ("constructs", name, "family")],
        "role": [("mediation", name), ("mediation", name.removesuffix("s"))],
        "prior": [("priors", name), ("priors", *name.split("."))],
        "positive": [("model", "positive")],
        "testlets": [("model", "testlets")],
        "specific": [("constructs", name, "specific", *rest), ("constructs", name, "specific")],
        "second_order": [("second_order", name)],
        "cross": [("constructs", name, "cross")],
        "groups": [("groups", name), ("groups",)],
        "clusters": [("clusters", name), ("clusters",)],
    }
    return [*places.get(kind, []), ("model", "syntax"), ("mediation",)]
