"""Measurement statements of a model text sorted into constructs, specific factors and a second order."""

from __future__ import annotations

from collections.abc import Iterable

from medpsy.errors import nearest
from medpsy.spec.model_spec import SecondOrder, Specific
from medpsy.spec.problem import ElementError

Statement = tuple[str, tuple[str, ...]]


def split_second_order(statements: Iterable[Statement]) -> tuple[list[Statement], SecondOrder | None]:
    """Take the statement whose indicators are all constructs out of the measurement statements.

    Raises
    ------
    ElementError
        Two such statements, or one that mixes items and constructs.
    """
    statements = list(statements)
    names = {name for name, _ in statements}
    found: SecondOrder | None = None
    rest = []
    for name, items in statements:
        inside = [item for item in items if item in names]
        if not inside:
            rest.append((name, items))
            continue
        if len(inside) < len(items):
            item = next(item for item in items if item not in names)
            raise ElementError(
                f"'{name}' is measured by '{inside[0]}', which is a construct itself, and by '{item}'",
                subject=("item", name, inside[0]),
                hint="Indicators are either items or, of a second-order construct, constructs.",
            )
        if found is not None:
            raise ElementError(
                f"'{found.name}' and '{name}' are both measured by constructs",
                subject=("construct", name),
                hint="One second-order construct to a model.",
            )
        found = SecondOrder(name, items)
    return rest, found


def split_specific(
    statements: Iterable[Statement], orthogonal: Iterable[tuple[str, str]]
) -> tuple[list[Statement], dict[str, list[Specific]]]:
    """Take the specific factors (``specific ~~ 0*construct``) out of the measurement statements.

    Returns
    -------
    statements : list
        Those of the constructs.
    specific : dict
        Specific factors by construct.

    Raises
    ------
    ElementError
        A name without items, or two factors neither of which is measured by items of the other.
    """
    items = dict(statements)
    owner: dict[str, str] = {}
    pairs = list(orthogonal)
    for left, right in pairs:
        subject = ("orthogonal", left, right)
        for name in (left, right):
            if name not in items:
                raise ElementError(
                    f"'{left} ~~ 0*{right}': '{name}' is not measured by items",
                    subject=subject,
                    hint=nearest(name, items),
                )
        inner, outer = (left, right) if len(items[left]) < len(items[right]) else (right, left)
        if set(items[inner]) < set(items[outer]):
            owner[inner] = outer
    for left, right in pairs:
        # Specific factors of one construct are independent of each other anyway, which may be said.
        if {left, right} & {owner.get(left), owner.get(right)}:
            continue
        if left not in owner or owner[left] != owner.get(right):
            raise ElementError(
                f"'{left} ~~ 0*{right}': neither is measured by some of the items of the other",
                subject=("orthogonal", left, right),
                hint="0* makes a specific factor of a construct; other constructs correlate freely.",
            )
    specific: dict[str, list[Specific]] = {}
    for name, own in items.items():
        if name in owner:
            specific.setdefault(owner[name], []).append(Specific(name, own))
    return [(name, own) for name, own in statements if name not in owner], specific
