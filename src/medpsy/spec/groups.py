"""Several groups in one model: what is equal in all of them, and what each has for itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from medpsy.errors import SpecError

#: What the words of ``equal`` and ``shrink`` stand for (those of lavaan's ``group.equal`` as far as they go).
WORDS = {
    "loadings": "slopes of ordinal items, loadings of continuous ones",
    "thresholds": "places and spacings of the thresholds of ordinal items",
    "intercepts": "intercepts of continuous items",
    "residuals": "residual sds of continuous items",
    "regressions": "paths and effects of covariates",
    "correlations": "correlations of the constructs given what explains them",
}
#: Other spellings.
SYNONYMS = {
    "slopes": "loadings",
    "residual_sds": "residuals",
    "paths": "regressions",
    "lv.covariances": "correlations",
}
#: With these equal, latent means and spreads can be compared.
COMPARABLE = ("loadings", "thresholds", "intercepts")


@dataclass(frozen=True)
class Groups:
    """A grouping variable, and what the groups share.

    Parameters
    ----------
    by : str
        Person variable with levels.
    equal : tuple of str
        Words of :data:`WORDS`, or single coordinates of a family (``"slope"``, ``"location"``, ``"gap"``):
        the same in all groups. What is not named is free in every group.
    release : tuple of str
        Exceptions: an item (``"pm3"``: everything about it) or ``"loadings.pm3"``.
    shrink : tuple of str
        Words or coordinates whose differences between groups are estimated, shrunk to zero by a common sd.
    reference : str or None
        Level whose constructs have mean 0 and sd 1; the first level that occurs unless given.
    pooled : bool
        Means and spreads of the groups come from a common distribution (partial pooling) and average to
        0 and 1 over the groups, none of which is then a reference.
    along : tuple of (level, number)
        Where every group stands on something measured: what differs between the items then differs in
        proportion to it, by one number each, not freely from group to group.

    Examples
    --------
    >>> import medpsy as mp
    >>> groups = mp.Groups("sex", release=("gad5",))
    >>> mp.Model([mp.GradedResponse("anxiety", "gad1..gad7")], groups=groups).spec.groups.release
    ('gad5',)
    """

    by: str
    equal: tuple[str, ...] = COMPARABLE
    release: tuple[str, ...] = ()
    shrink: tuple[str, ...] = ()
    reference: str | None = None
    pooled: bool = False
    along: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not self.by or not isinstance(self.by, str):
            raise SpecError("the groups have no variable", hint='Say which: groups="sex".')
        for field in ("equal", "release", "shrink"):
            value = getattr(self, field)
            words = (value,) if isinstance(value, str) else tuple(value)
            known = tuple(dict.fromkeys(SYNONYMS.get(word, word) for word in words))
            object.__setattr__(self, field, known)
        if self.along and len({value for _, value in self.along}) < 2:
            raise SpecError(
                f"the groups of '{self.by}' all stand at the same place",
                hint="Give each level its own number.",
            )
        if self.pooled and self.reference is not None:
            raise SpecError(
                "pooled groups have no reference: their means average to zero",
                hint="Leave out reference, or pooled.",
            )

    def state(self, item: str, word: str, coordinate: str) -> str:
        """Return ``"equal"``, ``"shrunk"`` or ``"free"`` for one coordinate of one item."""
        names = {word, coordinate}
        if item in self.release or any(f"{name}.{item}" in self.release for name in names):
            return "free"
        # The more exact word decides: a coordinate before the group of coordinates it belongs to.
        for name in (coordinate, word):
            if name in self.shrink:
                return "shrunk"
            if name in self.equal:
                return "equal"
        return "free"

    def shares(self, word: str) -> bool:
        """Return whether a word about the structure is equal in all groups."""
        return word in self.equal


def read_groups(
    groups: str | Groups | None, equal: Iterable[str] | None = None, release: Iterable[str] = ()
) -> Groups:
    """Return what is said about groups by name of the variable and by words.

    Raises
    ------
    SpecError
        No variable, or words beside a whole ``Groups``.
    """
    if isinstance(groups, Groups):
        if equal is not None or tuple(release):
            raise SpecError(
                "the groups say themselves what is equal", hint="Give equal and release to Groups(...)."
            )
        return groups
    if groups is None:
        raise SpecError(
            "equal and release are about groups, and there are none", hint='Say groups="sex", for example.'
        )
    return Groups(groups, COMPARABLE if equal is None else _words(equal), _words(release))


def _words(words: str | Iterable[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)
