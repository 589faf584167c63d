"""Truth of a construct whose items see further latent variables, from its ``[truth.items]`` table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medpsy.families.composite import Composite
from medpsy.ops import Numpy
from medpsy.simulate.read_items import Scores, per_item, read_items
from medpsy.spec.model_spec import Construct
from medpsy.spec.toml_table import TomlTable
from medpsy.survey.instrument import Instrument


def read_extra(table: TomlTable, construct: Construct, family: Composite) -> np.ndarray:
    """Specific or cross slopes (member,) or testlet sds (testlet,): one number, a list, or a table by name.

    Raises
    ------
    SpecError
        A number missing or impossible, an unknown name.
    """
    names = family.entry_names(family.extra)
    return per_item(table, family.extra, Construct(construct.name, names))


def read_nested(
    table: TomlTable, construct: Construct, family: Composite, instrument: Instrument, scores: Scores
) -> dict[str, np.ndarray]:
    """As :func:`medpsy.simulate.read_items.read_items`, for a construct whose items see more than it.

    Expected shares of answers are those asked for with specific factors averaged over; with cross-loadings on
    correlated constructs only nearly so.
    """
    table.only((*family.roles, "mean", "sd") if "category_prob" in family.roles else family.roles)
    extra = read_extra(table, construct, family)
    slope = per_item(table, "slope", construct)
    total = family.total({"slope": slope, family.extra: extra}, Numpy)["slope"]
    base = {key: value for key, value in table.values.items() if key != family.extra}
    plain = replace(construct, specific=(), testlets=False, cross=())
    # The composite of construct and specific factor is what the answers are seen through.
    found = read_items(
        replace(table, values=base | {"slope": total.tolist()}), plain, family.family, instrument, scores
    )
    return found | {"slope": slope, family.extra: extra}
