"""What a model says, as plain comparable data: no arrays, no backend, no answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from medpsy.errors import SpecError
from medpsy.spec.clusters import Clusters
from medpsy.spec.groups import Groups
from medpsy.spec.item_properties import ItemProperties
from medpsy.spec.method import Method
from medpsy.spec.pooled import Pooled
from medpsy.spec.same import Same
from medpsy.spec.waves import Waves


@dataclass(frozen=True)
class Specific:
    """What some items of a construct share beyond it: a specific factor of a bifactor model, or a testlet.

    Specific factors are independent of their construct and of each other, with variance 1.
    """

    name: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Construct:
    """A latent variable and the items that measure it.

    Parameters
    ----------
    name : str
        Name of the construct.
    items : tuple of str
        Item names, already expanded (``"mh1..mh10"`` becomes ten names).
    family : str
        Registered response family: ``"graded"``, ``"bernoulli"``, ``"gaussian"``.
    positive : bool
        True gives every slope a positive prior; False (default) only the first item's, so that a
        forgotten reverse-keyed item shows as a negative slope.
    specific : tuple of Specific
        Makes the construct the general factor of a bifactor model; an item is in one of them at most.
    cross : tuple of str
        Items of other constructs that load on this one as well.
    testlets : bool
        True ties the slopes on every specific factor to those on the construct, up to one sd per testlet.
    properties : ItemProperties, optional
        What explains how difficult the items are.
    """

    name: str
    items: tuple[str, ...]
    family: str = "graded"
    positive: bool = False
    specific: tuple[Specific, ...] = ()
    testlets: bool = False
    cross: tuple[str, ...] = ()
    properties: ItemProperties | None = None

    def __post_init__(self) -> None:
        if not self.items:
            raise SpecError(f"construct '{self.name}' has no items", hint="Name at least two items.")
        seen: set[str] = set()
        for item in self.items:
            if item in seen:
                raise SpecError(
                    f"item '{item}' is listed twice in construct '{self.name}'",
                    hint="Remove one of the two mentions.",
                )
            seen.add(item)


@dataclass(frozen=True)
class SecondOrder:
    """A construct of constructs: ``name`` explains the correlations of ``constructs``, three or more.

    Examples
    --------
    >>> import medpsy as mp
    >>> parts = [mp.GradedResponse(name, f"{name}1..{name}4") for name in ("mood", "sleep", "worry")]
    >>> print(mp.Model([*parts, mp.SecondOrder("distress", ("mood", "sleep", "worry"))]).syntax)
    mood =~ mood1..mood4
    sleep =~ sleep1..sleep4
    worry =~ worry1..worry4
    distress =~ mood + sleep + worry
    """

    name: str
    constructs: tuple[str, ...]


@dataclass(frozen=True)
class Observed:
    """An observed variable that is explained by others (a mediator or an outcome without items).

    ``family`` is ``"gaussian"`` (a number), ``"bernoulli"`` (coded 0 and 1), ``"ordinal"`` (categories in
    order) or another of those in :mod:`medpsy.observed`.

    Examples
    --------
    >>> import medpsy as mp
    >>> score = mp.Observed("score")
    >>> mp.Mediation("dose", ["mood"], score).spec.observed
    (Observed(name='mood', family='gaussian'), Observed(name='score', family='gaussian'))
    """

    name: str
    family: str = "gaussian"


class _Brief:
    """Prints a dataclass without what is left at ``None``, ``()`` or ``False`` among its later additions."""

    _additions: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        held = [(name, getattr(self, name)) for name in vars(self)]
        empty = (None, (), False)
        kept = [(n, v) for n, v in held if n not in self._additions or not any(v is e for e in empty)]
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in kept)})"


@dataclass(frozen=True, repr=False)
class Path(_Brief):
    """One regression coefficient: ``target ~ label*source``. Variables never explained are covariates.

    ``by`` holds the other factors of a product: ``target ~ label*source:by``, how the effect of ``source``
    changes per unit of ``by``. In linear models ``value`` fixes the coefficient, in raw units, and
    ``measured`` makes it a loading, ``source =~ target``.
    """

    target: str
    source: str
    label: str | None = None
    by: tuple[str, ...] = ()
    value: float | None = None
    measured: bool = False
    _additions: ClassVar[tuple[str, ...]] = ("value", "measured")

    @property
    def variables(self) -> tuple[str, ...]:
        """The source, or all factors of a product."""
        return (self.source, *self.by)

    @property
    def term(self) -> str:
        """What stands right of ``~``: ``source``, or ``source:by``."""
        return ":".join(self.variables)

    @property
    def key(self) -> str:
        """``target~term``, the name of the coefficient in tables and in the posterior."""
        return f"{self.target}~{self.term}"


@dataclass(frozen=True, repr=False)
class Covariance(_Brief):
    """A residual covariance ``left ~~ label*right`` between two constructs.

    In linear models also of observed variables, with themselves (a variance), or fixed to ``value``.
    """

    left: str
    right: str
    label: str | None = None
    value: float | None = None
    _additions: ClassVar[tuple[str, ...]] = ("value",)


@dataclass(frozen=True)
class Intercept:
    """An intercept or a mean ``target ~ label*1``, free or fixed to ``value``."""

    target: str
    label: str | None = None
    value: float | None = None


#: A label, a number or neither for each group.
type Each = tuple[str | float | None, ...]


@dataclass(frozen=True, repr=False)
class Linear(_Brief):
    """What a model says in the manner of lavaan: everything linear and normal, each number free, fixed or
    shared.

    Parameters
    ----------
    latents : tuple of str
        Latent variables, whose loadings are measured paths.
    intercepts : tuple of Intercept
        Those that are fixed, shared or of a latent variable; others are free, of latent variables 0.
    std_lv : bool
        The scale of a latent variable whose text does not set it: residual variance 1, or (False, lavaan's
        own way) its first loading 1.
    same : tuple of Same
        Constructs of ordinal items that are others at a later occasion.
    by_group : tuple of (str, tuple of str, float or None)
        Numbers (``"visual=~x2"``, ``"y~x"``, ``"x1~~x2"``, ``"x1~1"``) with a label, a value or neither for
        each group: ``c(a, b)*x2``.
    """

    latents: tuple[str, ...] = ()
    intercepts: tuple[Intercept, ...] = ()
    std_lv: bool = False
    same: tuple[Same, ...] = ()
    by_group: tuple[tuple[str, Each], ...] = ()
    _additions: ClassVar[tuple[str, ...]] = ("by_group",)


@dataclass(frozen=True)
class Definition:
    """A user-defined quantity ``name := expression`` over path labels and earlier definitions."""

    name: str
    expression: str


@dataclass(frozen=True, repr=False)
class Design:
    """A named mediation design and who plays which role in it.

    Parameters
    ----------
    kind : str
        Name of the design.
    exposure, outcome : str
    mediators : tuple of str
        In causal order where the design has one.
    covariates : tuple of str
        They enter every equation.
    other_exposures, other_outcomes : tuple of str
        Beside the first one.
    stages : tuple of int
        How many mediators stand beside each other at every stage; empty where the kind says it.
    moderation : tuple of tuples of str
        Which paths (``"first"``, ``"between"``, ``"second"``, ``"direct"``) change with which one or two
        variables: ``("first", "sex")``; ``("first", "sex", "age")`` has the product of both as well.
    """

    kind: str
    exposure: str
    mediators: tuple[str, ...]
    outcome: str
    covariates: tuple[str, ...] = ()
    other_exposures: tuple[str, ...] = ()
    other_outcomes: tuple[str, ...] = ()
    stages: tuple[int, ...] = ()
    moderation: tuple[tuple[str, ...], ...] = ()

    def __repr__(self) -> str:
        given = ((name, getattr(self, name)) for name in self.__dataclass_fields__)
        return f"Design({', '.join(f'{name}={value!r}' for name, value in given if value != ())})"

    @property
    def exposures(self) -> tuple[str, ...]:
        """All exposures."""
        return (self.exposure, *self.other_exposures)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """All outcomes."""
        return (self.outcome, *self.other_outcomes)

    @property
    def moderators(self) -> tuple[str, ...]:
        """Every variable that a path changes with, in order of mention."""
        return tuple(dict.fromkeys(name for _, *names in self.moderation for name in names))


@dataclass(frozen=True, repr=False)
class ModelSpec(_Brief):
    """A whole model. Two specifications of the same model are equal, however they were written.

    Before ``model.compose`` a specification may hold only a ``design``; compose expands it into
    paths and definitions. Conversely a specification written as paths gets its ``design`` recognised.
    ``priors`` maps a target (``"slope"``, ``"slope.meaning"``, ``"slope.meaning.ml3"``,
    ``"category_prob"``, ``"path"``, ``"path.a"``, ``"correlation"`` ...) to prior text such as
    ``"Normal(0, 0.5)"``, sorted by target; the target ``"preset"`` names a preset. ``name`` and
    ``note`` do not count in comparisons. ``pooled`` are levels of person variables whose effects come from a
    common distribution.
    """

    constructs: tuple[Construct, ...] = ()
    observed: tuple[Observed, ...] = ()
    paths: tuple[Path, ...] = ()
    covariances: tuple[Covariance, ...] = ()
    definitions: tuple[Definition, ...] = ()
    priors: tuple[tuple[str, str], ...] = ()
    design: Design | None = None
    groups: Groups | None = None
    second_order: SecondOrder | None = None
    clusters: Clusters | None = None
    name: str = field(default="model", compare=False)
    note: str = field(default="", compare=False)
    linear: Linear | None = None
    waves: Waves | None = None
    method: Method | None = None
    pooled: tuple[Pooled, ...] = ()
    _additions: ClassVar[tuple[str, ...]] = ("linear", "waves", "method", "pooled")

    def same_as(self, construct: str) -> Same | None:
        """What the items of a construct share with those of an earlier occasion, if there is one."""
        every = self.linear.same if self.linear is not None else ()
        return next((one for one in every if one.construct == construct), None)

    @property
    def targets(self) -> tuple[str, ...]:
        """Variables that paths or pooled levels explain, in order of first mention."""
        paths, pooled = [path.target for path in self.paths], [one.target for one in self.pooled]
        return tuple(dict.fromkeys([*paths, *pooled]))

    @property
    def latents(self) -> tuple[str, ...]:
        """Latent variables that are no constructs with items of a family: those of a linear model, and a
        second-order construct with paths of its own."""
        if self.linear is not None:
            return self.linear.latents
        return (self.second_order.name,) if self.second_order is not None and self._joined else ()

    @property
    def _joined(self) -> bool:
        """Whether paths or the design name the second-order construct."""
        assert self.second_order is not None
        design = self.design
        roles = () if design is None else (*design.exposures, *design.mediators, *design.outcomes)
        named = {name for path in self.paths for name in (path.target, *path.variables)}
        named |= {one.target for one in self.pooled}
        return self.second_order.name in named.union(roles)
