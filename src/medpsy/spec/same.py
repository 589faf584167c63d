"""Constructs that are one construct at several occasions: what their items share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from medpsy.errors import SpecError, nearest
from medpsy.spec.groups import Groups

if TYPE_CHECKING:
    from medpsy.spec.model_spec import ModelSpec

#: Word for no equality at all.
NOTHING = "nothing"
#: What is equal unless said otherwise.
EQUAL = ("loadings", "thresholds")


@dataclass(frozen=True)
class Same:
    """The items of ``construct`` are those of ``other``, one by one, asked again.

    Parameters
    ----------
    construct, other : str
        The later occasion and the first one.
    equal : tuple of str
        Words of :data:`medpsy.spec.groups.WORDS` about items, or single coordinates of a family.
    release : tuple of str
        Exceptions: items of ``construct`` (``"s2_3"``), or ``"loadings.s2_3"``.
    """

    construct: str
    other: str
    equal: tuple[str, ...] = EQUAL
    release: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        how = Groups(self.construct, self.equal, self.release)
        object.__setattr__(self, "equal", tuple(sorted({*how.equal} - {"intercepts", NOTHING})))
        object.__setattr__(self, "release", tuple(sorted(set(how.release))))

    @property
    def how(self) -> Groups:
        """The same as of two groups, of which the later occasion is the second."""
        return Groups(self.construct, self.equal, self.release)


def with_same(spec: ModelSpec, equal: Iterable[str] | None, release: Iterable[str]) -> ModelSpec:
    """Say of all constructs at later occasions what their items share.

    Parameters
    ----------
    equal : iterable of str, optional
        Takes the place of what they share already.
    release : iterable of str
        Exceptions: an item of the first occasion (at all later ones) or of a later one (there alone), or
        ``"loadings.s2_3"``.

    Raises
    ------
    SpecError
        An item that is measured once.
    """
    if spec.linear is None or not spec.linear.same:
        raise SpecError(
            "equal and release are about groups or occasions, and there are none",
            hint='Say groups="sex", or write wave2 =~ q1..q4 + same*wave1.',
        )
    items = {c.name: c.items for c in spec.constructs}
    words = (release,) if isinstance(release, str) else tuple(release)
    made, known = (
        [],
        {item for one in spec.linear.same for item in (*items[one.construct], *items[one.other])},
    )
    for text in words:
        item = text if text in known else text.partition(".")[2]
        if item not in known:
            raise SpecError(
                f"'{text}' cannot be released: no item at two occasions is called so",
                hint=nearest(item, known),
            )
    for one in spec.linear.same:
        again = dict(zip(items[one.other], items[one.construct], strict=True))
        again |= {item: item for item in items[one.construct]}
        own = [again[text] for text in words if text in again]
        own += [
            f"{head}.{again[item]}"
            for head, _, item in (text.partition(".") for text in words if text not in known)
            if item in again
        ]
        shared = one.equal if equal is None else ((equal,) if isinstance(equal, str) else tuple(equal))
        made.append(Same(one.construct, one.other, shared, (*one.release, *own)))
    return replace(spec, linear=replace(spec.linear, same=tuple(made)))
