"""What a model says, as plain comparable data: no arrays, no backend, no answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from medpsy.errors import SpecError


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
    """

    name: str
    items: tuple[str, ...]
    family: str = "graded"
    positive: bool = False

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
class Observed:
    """An observed variable that is explained by others (a mediator or an outcome without items).

    ``family`` is ``"gaussian"`` (a number) or ``"bernoulli"`` (coded 0 and 1).
    """

    name: str
    family: str = "gaussian"


@dataclass(frozen=True)
class Path:
    """One regression coefficient: ``target ~ label*source``. Variables never explained are covariates."""

    target: str
    source: str
    label: str | None = None

    @property
    def key(self) -> str:
        """``target~source``, the name of the coefficient in tables and in the posterior."""
        return f"{self.target}~{self.source}"


@dataclass(frozen=True)
class Covariance:
    """A residual covariance ``left ~~ label*right`` between two constructs."""

    left: str
    right: str
    label: str | None = None


@dataclass(frozen=True)
class Definition:
    """A user-defined quantity ``name := expression`` over path labels and earlier definitions."""

    name: str
    expression: str


@dataclass(frozen=True)
class Design:
    """A named mediation design and who plays which role in it."""

    kind: str
    exposure: str
    mediators: tuple[str, ...]
    outcome: str
    covariates: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelSpec:
    """A whole model. Two specifications of the same model are equal, however they were written.

    Before ``model.compose`` a specification may hold only a ``design``; compose expands it into
    paths and definitions. Conversely a specification written as paths gets its ``design`` recognised.
    ``priors`` maps a target (``"slope"``, ``"slope.meaning"``, ``"slope.meaning.ml3"``,
    ``"category_prob"``, ``"path"``, ``"path.a"``, ``"correlation"`` ...) to prior text such as
    ``"Normal(0, 0.5)"``, sorted by target. ``name`` and ``note`` do not count in comparisons.
    """

    constructs: tuple[Construct, ...] = ()
    observed: tuple[Observed, ...] = ()
    paths: tuple[Path, ...] = ()
    covariances: tuple[Covariance, ...] = ()
    definitions: tuple[Definition, ...] = ()
    priors: tuple[tuple[str, str], ...] = ()
    design: Design | None = None
    name: str = field(default="model", compare=False)
    note: str = field(default="", compare=False)
