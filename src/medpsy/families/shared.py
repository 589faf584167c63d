"""Items that are the same at several occasions: one set of item parameters for several constructs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from medpsy.errors import DataError
from medpsy.families.base import Block
from medpsy.parameter import Parameter
from medpsy.spec.model_spec import ModelSpec
from medpsy.spec.parameters import ParameterRow


def shared(
    parameters: Iterable[Parameter], block: Block, blocks: Iterable[Block], spec: ModelSpec
) -> tuple[Parameter, ...]:
    """The parameters of a block, marked as copies where its items are those of another construct.

    Raises
    ------
    DataError
        The items have other numbers of categories than those that they are to be equal to.
    """
    first = spec.same_as(block.name)
    if first is None:
        return tuple(parameters)
    other = next(one for one in blocks if one.name == first)
    if (other.sizes != block.sizes).any():
        pairs = zip(block.construct.items, other.construct.items, block.sizes, other.sizes, strict=True)
        a, b, m, n = next(pair for pair in pairs if pair[2] != pair[3])
        raise DataError(
            f"item '{a}' has {m} categories and '{b}', which it is to be equal to, has {n}",
            hint="The same items, with the same categories, are needed in both constructs.",
        )
    tail = len(block.name)
    return tuple(replace(p, copy_of=f"{p.name[:-tail]}{first}") for p in parameters)


def shared_rows(rows: Iterable[ParameterRow], name: str, spec: ModelSpec) -> list[ParameterRow]:
    """Rows of the items of a construct, no longer free where they are those of another one."""
    first = spec.same_as(name)
    if first is None:
        return list(rows)
    return [replace(row, free=False, note=f"equal to the items of {first}") for row in rows]
