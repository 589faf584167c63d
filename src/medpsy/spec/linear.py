"""Linear models: from single terms to a specification, what the text leaves unsaid, and the rules.

What is unsaid is filled in as lavaan's ``sem()`` does (Rosseel, 2012, doi:10.18637/jss.v048.i02): scales,
single indicators, covariances of exogenous latent variables and of variables that explain nothing. It is
written into the specification, so that the printed text says all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from medpsy.errors import nearest
from medpsy.spec.linear_groups import check_linear_groups, key_of
from medpsy.spec.model_spec import (
    Construct,
    Covariance,
    Definition,
    Each,
    Intercept,
    Linear,
    ModelSpec,
    Observed,
    Path,
)
from medpsy.spec.problem import ElementError
from medpsy.spec.same import EQUAL, Same


@dataclass(frozen=True)
class Term:
    """One variable right of an operator, and what stands before it; ``names`` is ``("1",)`` for a mean."""

    left: str
    op: str
    names: tuple[str, ...]
    label: str | None = None
    value: float | None = None
    free: bool = False
    words: tuple[str, ...] = ()
    each: Each = ()

    @property
    def key(self) -> tuple[str, ...]:
        """What an error about this term calls it."""
        return (self.left, self.op, ":".join(self.names))


def assembled(
    terms: Sequence[Term],
    definitions: tuple[Definition, ...],
    std_lv: bool,
    name: str = "model",
    families: Mapping[str, str] | None = None,
) -> ModelSpec:
    """Put the terms of a text together.

    What ``families`` calls by another family than Gaussian keeps its items and is a construct as elsewhere,
    residual variance 1 and mean 0 unless said otherwise; unless constructs indicate it.

    A variable that is an indicator, is explained, or has a variance, covariance or mean of its own is part
    of the model; one that only ever explains others is a covariate, without a distribution.

    Raises
    ------
    ElementError
        A term twice, a construct times another variable.
    """
    latents = tuple(dict.fromkeys(t.left for t in terms if t.op == "=~"))
    again = [t for t in terms if t.op == "=~" and t.label == "same"]
    terms = [t for t in terms if t not in again]
    constructs = _constructs(terms, latents, families)
    same = _occasions(again, [t for t in terms if t.label == "free" and t.left in constructs])
    terms = [t for t in terms if t.op != "=~" or t.left not in constructs]
    latents = tuple(n for n in latents if n not in constructs)
    known = {*latents, *constructs}
    seen: set[tuple[str, ...]] = set()
    made: list[Path | Covariance | Intercept] = []
    observed: dict[str, Observed] = {}
    by_group: list[tuple[str, Each]] = []
    for term in terms:
        rest = (term.left, *term.names) if term.op == "~~" else ()
        key = (term.op, *sorted(rest)) if rest else term.key
        if key in seen:
            text = f"{term.left} {term.op} {':'.join(term.names)}"
            raise ElementError(f"'{text}' is said twice", subject=("term", *term.key), hint="Say it once.")
        seen.add(key)
        inside = [term.left, *(term.names if term.op in ("=~", "~~") else ())]
        observed |= {n: Observed(n) for n in inside if n not in known and n != "1"}
        made.append(one := _element(term))
        if term.each:
            by_group.append((key_of(one), term.each))
    paths = [one for one in made if isinstance(one, Path)]
    covariances = [one for one in made if isinstance(one, Covariance)]
    intercepts = [one for one in made if isinstance(one, Intercept)]
    covariances += _scales(terms, paths, covariances)
    return ModelSpec(
        constructs=tuple(constructs.values()),
        observed=tuple(observed.values()),
        paths=tuple(paths),
        covariances=tuple(c for c in covariances if _says(c) or key_of(c) in dict(by_group)),
        definitions=definitions,
        name=name,
        linear=Linear(latents, tuple(intercepts), std_lv, same, tuple(sorted(by_group))),
    )


def _element(term: Term) -> Path | Covariance | Intercept:
    """What a term stands for; what is fixed in some group counts as fixed where the whole is looked at."""
    value = next((v for v in term.each if isinstance(v, float)), term.value)
    if term.op == "=~":
        return Path(term.names[0], term.left, term.label, (), value, True)
    if term.op == "~~":
        return Covariance(term.left, term.names[0], term.label, value)
    if term.names == ("1",):
        return Intercept(term.left, term.label, value)
    return Path(term.left, term.names[0], term.label, term.names[1:], value)


def _says(c: Covariance) -> bool:
    """Whether a covariance says more than that a variable varies."""
    return c.left != c.right or bool(c.label) or c.value is not None


def _occasions(again: list[Term], free: list[Term]) -> tuple[Same, ...]:
    """Constructs at later occasions, from ``same*earlier`` and the items that are ``free*``."""
    later = {t.left for t in again}
    for t in free:
        if t.left not in later:
            raise ElementError(
                f"'free*{t.names[0]}': '{t.left}' shares its items with no other construct",
                subject=("term", *t.key),
                hint=f"Say with which: {t.left} =~ free*{t.names[0]} + ... + same*earlier.",
            )
    return tuple(
        Same(t.left, t.names[0], t.words or EQUAL, tuple(
            text
            for f in free if f.left == t.left
            for text in ([f"{word}.{f.names[0]}" for word in f.words] or [f.names[0]])
        ))
        for t in again
    )  # fmt: skip


def _scales(terms: list[Term], paths: list[Path], covariances: list[Covariance]) -> list[Covariance]:
    """Variances of 1 for latent variables whose first loading is freed and whose scale nothing else sets."""
    said = {c.left for c in covariances if c.left == c.right and c.value is not None}
    said |= {p.source for p in paths if p.measured and p.value}
    freed = dict.fromkeys(t.left for t in terms if t.op == "=~" and t.free)
    return [Covariance(f, f, None, 1.0) for f in freed if f not in said]


def _constructs(
    terms: list[Term], latents: tuple[str, ...], families: Mapping[str, str] | None
) -> dict[str, Construct]:
    """Constructs by name: what items of another family than Gaussian measure."""
    if families is None:
        return {}
    items: dict[str, list[str]] = {}
    for term in terms:
        if term.op == "=~":
            items.setdefault(term.left, []).append(term.names[0])
    return {
        name: Construct(name, tuple(own), families[name])
        for name, own in items.items()
        if families[name] != "gaussian" and not set(own) & set(latents)
    }


def completed(spec: ModelSpec) -> ModelSpec:
    """Write out what a linear model leaves unsaid; doing so twice changes nothing."""
    if spec.linear is None:
        return spec
    paths, covariances = list(spec.paths), list(spec.covariances)
    fixed = {c.left for c in covariances if c.left == c.right and c.value is not None}
    own = {c.left for c in covariances if c.left == c.right}
    for latent in spec.latents:
        where = [i for i, p in enumerate(paths) if p.measured and p.source == latent]
        if not any(paths[i].value for i in where) and latent not in fixed:
            if spec.linear.std_lv:
                covariances.append(Covariance(latent, latent, None, 1.0))
            else:
                paths[where[0]] = replace(paths[where[0]], value=1.0)
        item = paths[where[0]].target
        if len(where) == 1 and item not in own and item not in spec.latents:
            covariances.append(Covariance(item, item, None, 0.0))
    pairs = {frozenset((c.left, c.right)) for c in covariances}
    for left, right in (*combinations(_exogenous(spec), 2), *combinations(_final(spec), 2)):
        if frozenset((left, right)) not in pairs:
            covariances.append(Covariance(left, right))
    means = {i.target for i in spec.linear.intercepts}
    # What a latent variable with a mean of its own stands behind has its mean from there.
    rising = {i.target for i in spec.linear.intercepts if i.value is None} & {*spec.latents}
    means |= {p.target for p in paths if p.measured and p.source in rising and p.value != 0}
    moving = tuple(Intercept(one.construct) for one in spec.linear.same if one.construct not in means)
    spec = replace(spec, linear=replace(spec.linear, intercepts=spec.linear.intercepts + moving))
    assert spec.linear is not None
    every: list[Path | Covariance | Intercept] = [*paths, *covariances, *spec.linear.intercepts]
    values = {e.label: e.value for e in every if e.value is not None and e.label is not None}
    return replace(
        spec,
        paths=tuple(replace(p, value=values.get(p.label or "", p.value)) for p in paths),
        covariances=tuple(replace(c, value=values.get(c.label or "", c.value)) for c in covariances),
        linear=replace(
            spec.linear,
            std_lv=False,
            intercepts=tuple(
                replace(i, value=values.get(i.label or "", i.value)) for i in spec.linear.intercepts
            ),
        ),
    )


def _exogenous(spec: ModelSpec) -> list[str]:
    """Constructs and latent variables that nothing explains."""
    explained = {p.target for p in spec.paths}
    return [name for name in (*(c.name for c in spec.constructs), *spec.latents) if name not in explained]


def _final(spec: ModelSpec) -> list[str]:
    """Explained variables that explain nothing and indicate nothing, whose residuals correlate."""
    measured = {p.target for p in spec.paths if p.measured}
    explained = dict.fromkeys(p.target for p in spec.paths if not p.measured)
    sources = {name for p in spec.paths if not p.measured for name in p.variables}
    every = {*spec.latents, *(c.name for c in spec.constructs)}
    latent = [name for name in explained if name in every]
    others = [name for name in explained if name not in every]
    return [name for name in (*latent, *others) if name not in sources and name not in measured]


def check_linear(spec: ModelSpec) -> None:
    """Refuse a linear model that contradicts itself or cannot be identified.

    Raises
    ------
    ElementError
        An unknown variable in a covariance, a negative variance, a mean that nothing fixes, groups beside it.
    """
    if spec.linear is None:
        return
    known = {*spec.latents, *(o.name for o in spec.observed), *(c.name for c in spec.constructs)}
    explained = {p.target for p in spec.paths}
    for c in spec.covariances:
        subject = ("term", c.left, "~~", c.right)
        for name in (c.left, c.right):
            if name not in known:
                raise ElementError(
                    f"'{c.left} ~~ {c.right}': the model has no variable '{name}'",
                    subject=subject,
                    hint=nearest(name, known),
                )
        if c.left == c.right and c.value is not None and c.value < 0:
            raise ElementError(f"the variance of '{c.left}' is fixed to {c.value:g}", subject=subject)
        if c.left == c.right and c.value == 0 and c.left not in explained:
            raise ElementError(
                f"'{c.left}' has variance 0 and nothing explains it", subject=subject, hint="It is constant."
            )
    for path in spec.paths:
        if path.by and {*path.variables} & {*spec.latents}:
            raise ElementError(
                f"'{path.term}' is a product with a latent variable",
                subject=("term", path.target, "~", path.term),
                hint="In linear models only observed variables are multiplied.",
            )
    _check_means(spec)
    _check_same(spec)
    check_linear_groups(spec)


def _check_same(spec: ModelSpec) -> None:
    """Items can be those of another construct of the same family with as many of them."""
    assert spec.linear is not None
    constructs = {c.name: c for c in spec.constructs}
    later = {one.construct for one in spec.linear.same}
    for name, other in ((one.construct, one.other) for one in spec.linear.same):
        subject = ("term", name, "=~", other)
        for one in (name, other):
            if one not in constructs:
                raise ElementError(
                    f"'{name} =~ same*{other}': '{one}' has no ordinal items",
                    subject=subject,
                    hint="Loadings of numbers are made equal by labels: a*x1 in both constructs.",
                )
        mine, theirs = constructs[name], constructs[other]
        if other in later or name == other:
            raise ElementError(
                f"'{other}' has the items of another construct itself",
                subject=subject,
                hint="Name the first one.",
            )
        if (mine.family, len(mine.items)) != (theirs.family, len(theirs.items)):
            raise ElementError(
                f"'{name}' and '{other}' have different families or numbers of items",
                subject=subject,
                hint="The same items, in the same order, are needed in both.",
            )


def _check_means(spec: ModelSpec) -> None:
    """A free mean needs indicators whose intercepts say where zero is."""
    assert spec.linear is not None
    known = {*spec.latents, *(o.name for o in spec.observed), *(c.name for c in spec.constructs)}
    settled = {i.target for i in spec.linear.intercepts if i.value is not None or i.label}
    for one in spec.linear.intercepts:
        subject = ("term", one.target, "~", "1")
        if one.target not in known:
            raise ElementError(
                f"'{one.target} ~ 1': the model has no variable '{one.target}'",
                subject=subject,
                hint=nearest(one.target, known),
            )
        items = [p.target for p in spec.paths if p.measured and p.source == one.target]
        anchored = {c.name for c in spec.constructs} - {one.construct for one in spec.linear.same}
        if one.target in anchored and one.value != 0:
            raise ElementError(
                f"the mean of '{one.target}' is 0: thresholds say where zero is",
                subject=subject,
                hint=f"Leave '{one.target} ~ 1' out.",
            )
        free = one.value is None and one.target in spec.latents
        # Of constructs only their families know what their items share.
        elsewhere = {*spec.latents, *(c.name for c in spec.constructs)}
        if free and not any(item in settled or item in elsewhere for item in items):
            raise ElementError(
                f"the mean of '{one.target}' is free and so are the intercepts of all its indicators",
                subject=subject,
                hint=f"Fix one, for example {items[0]} ~ 0*1, or leave the mean of '{one.target}' at 0.",
            )
