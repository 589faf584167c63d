"""A linear model in several groups: what every group says for itself, and all of them as one model.

The rules are those of lavaan's ``group.equal`` (Rosseel, 2012, doi:10.18637/jss.v048.i02). A label that
stands in several groups makes its numbers equal; intercepts that are equal free the latent means of the
groups that are no reference; loadings that are equal free their latent variances, where only a variance of 1
set the scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from medpsy.errors import nearest
from medpsy.spec.groups import WORDS, Groups
from medpsy.spec.model_spec import Covariance, Intercept, Linear, ModelSpec, Observed, Path
from medpsy.spec.problem import ElementError

#: Beside the words of all models, those about what only linear models say.
LINEAR_WORDS = {
    "residual.covariances": "residual covariances of observed variables",
    "lv.variances": "variances of latent variables",
    "means": "means of latent variables",
}
#: Begins the labels that ``equal`` gives; no name in a text begins so.
TIE = "="


def key_of(one: Path | Covariance | Intercept) -> str:
    """What a number is called: ``visual=~x1``, ``y~x``, ``x1~~x2``, ``x1~1``."""
    if isinstance(one, Path):
        term = ":".join(sorted(one.variables))
        return f"{one.source}=~{one.target}" if one.measured else f"{one.target}~{term}"
    return _plain(f"{one.left}~~{one.right}") if isinstance(one, Covariance) else f"{one.target}~1"


def _plain(text: str) -> str:
    """A name of a number without blanks, a covariance with its ends in alphabetical order."""
    return "~~".join(sorted(text.replace(" ", "").split("~~")))


def group_count(spec: ModelSpec) -> int:
    """How many groups the text speaks of: as many as its longest ``c(...)`` has places, at least two."""
    assert spec.linear is not None
    return max([2, *(len(each) for _, each in spec.linear.by_group)])


def check_linear_groups(spec: ModelSpec) -> None:
    """Refuse what linear models and groups do not have in common.

    Raises
    ------
    ElementError
        Ordinal constructs, pooled levels, shrinking, an unknown word, an exception for nothing, ``c(...)`` of
        different lengths.
    """
    assert spec.linear is not None
    counts = {len(each) for _, each in spec.linear.by_group}
    subject = ("groups", "by")
    if spec.groups is None:
        return
    groups = spec.groups
    if len(counts) > 1:
        raise ElementError(
            f"c(...) has {' and '.join(map(str, sorted(counts)))} places", subject=subject,
            hint="One for each group, in the order of the levels.",
        )  # fmt: skip
    cannot = {
        "ordinal constructs": spec.constructs, "waves": spec.waves, "pooled levels": spec.pooled,
        "shrink": groups.shrink,
        "pooled = True": groups.pooled, "along": groups.along,
    }  # fmt: skip
    for what, present in cannot.items():
        if present:
            raise ElementError(
                f"fixed numbers, shared labels and residual covariances cannot be combined with {what} "
                "in a model with groups",
                subject=subject,
                hint=f"Leave out {what}, or write the model without them.",
            )
    known = {*WORDS, *LINEAR_WORDS}
    for word in groups.equal:
        if word not in known:
            raise ElementError(
                f"groups: '{word}' is nothing that can be equal", subject=subject, hint=nearest(word, known)
            )
    names = _releasable(spec)
    for text in groups.release:
        if _plain(text) not in names:
            raise ElementError(
                f"groups: '{text}' cannot be released", subject=subject, hint=nearest(text, names)
            )


def require_groups(spec: ModelSpec) -> None:
    """Refuse numbers by group in a model without groups.

    Raises
    ------
    ElementError
    """
    if spec.groups is None and spec.linear is not None and spec.linear.by_group:
        name = spec.linear.by_group[0][0]
        raise ElementError(
            f"'{name}' has a label or number for each group, c(...), and the model has no groups",
            subject=("groups", "by"),
            hint='Say which: groups="sex", for example.',
        )


def _releasable(spec: ModelSpec) -> set[str]:
    """What ``release`` may name."""
    every: list[tuple[Path | Covariance | Intercept, str, tuple[str, ...]]]
    every = [*_paths(spec), *_covariances(spec), *_intercepts(spec)]
    out = {key_of(one) for one, _, _ in every}
    for _, word, names in every:
        out |= {text for name in names for text in (name, f"{word}.{name}")}
    return out


def _paths(spec: ModelSpec) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    for one in spec.paths:
        yield one, "loadings" if one.measured else "regressions", (one.target,)


def _covariances(spec: ModelSpec) -> Iterator[tuple[Covariance, str, tuple[str, ...]]]:
    """Variances of all variables, said or not, then covariances."""
    stated = {c.left: c for c in spec.covariances if c.left == c.right}
    for name in (*spec.latents, *(o.name for o in spec.observed)):
        word = "lv.variances" if name in spec.latents else "residuals"
        yield stated.get(name, Covariance(name, name)), word, (name,)
    for c in spec.covariances:
        if c.left != c.right:
            both = {c.left, c.right} <= {*spec.latents}
            yield c, "correlations" if both else "residual.covariances", ()


def _intercepts(spec: ModelSpec) -> Iterator[tuple[Intercept, str, tuple[str, ...]]]:
    """Those of observed variables, said or not, and those of latent variables that are said."""
    assert spec.linear is not None
    stated = {i.target: i for i in spec.linear.intercepts}
    for name in spec.latents:
        if name in stated:
            yield stated[name], "means", (name,)
    for o in spec.observed:
        yield stated.get(o.name, Intercept(o.name)), "intercepts", (o.name,)


def group_spec(spec: ModelSpec, group: int, reference: int, tied: bool = False) -> ModelSpec:
    """The model of one group, ``tied`` with labels on what the groups share.

    Paths keep their order. ``group`` and ``reference`` are positions among the groups.
    """
    assert spec.linear is not None and spec.groups is not None
    groups, told = spec.groups, dict(spec.linear.by_group)
    equal: set[str] = set()

    def own[T: (Path, Covariance, Intercept)](one: T, word: str, names: tuple[str, ...]) -> T:
        key = key_of(one)
        if key in told:
            said = told[key][group]
            if isinstance(said, str):
                # A label alone leaves a first loading at 1.
                numbers = any(isinstance(other, float) for other in told[key])
                return replace(one, label=said, value=None if numbers else one.value)
            return replace(one, label=None, value=said)
        if one.value is not None or one.label is not None:
            equal.add(key)
        elif groups.shares(word) and not released(groups, key, word, names):
            equal.add(key)
            return replace(one, label=TIE + key) if tied else one
        return one

    paths = tuple(own(*row) for row in _paths(spec))
    covariances = [own(*row) for row in _covariances(spec)]
    intercepts = [own(*row) for row in _intercepts(spec)]
    if group != reference:
        freed = _unscaled(spec, equal)
        covariances = [replace(c, value=None) if c.left == c.right in freed else c for c in covariances]
        intercepts += [Intercept(name) for name in _moving(spec, equal)]
    said = {(c.left, c.right) for c in spec.covariances}
    means = {i.target for i in spec.linear.intercepts} | {*spec.latents}
    kept = [c for c in covariances if (c.left, c.right) in said or c.label or c.value is not None]
    linear = replace(
        spec.linear,
        intercepts=tuple(i for i in intercepts if i.target in means or i.label or i.value is not None),
        by_group=(),
    )
    return replace(spec, paths=paths, covariances=tuple(kept), linear=linear)


def released(groups: Groups, key: str, word: str, names: tuple[str, ...]) -> bool:
    """Whether ``release`` names a number, its item, or the word with the item."""
    said = {_plain(text) for text in groups.release}
    return key in said or any(name in said or f"{word}.{name}" in said for name in names)


def _unscaled(spec: ModelSpec, equal: set[str]) -> set[str]:
    """Latent variables whose scale is set by a variance of 1 alone, and in other groups by equal loadings."""
    assert spec.linear is not None and spec.groups is not None
    told = {key for key, _ in spec.linear.by_group}
    ones = {
        c.left for c in spec.covariances if c.left == c.right and c.value == 1.0 and key_of(c) not in told
    }
    out = set()
    for name in ones & {*spec.latents} if not spec.groups.shares("lv.variances") else ():
        loads = [p for p in spec.paths if p.measured and p.source == name]
        tied = any(key_of(p) in equal and p.value is None for p in loads)
        if tied and not any(p.value for p in loads):
            out.add(name)
    return out


def _moving(spec: ModelSpec, equal: set[str]) -> Iterator[str]:
    """Latent variables without a mean of their own that an observed indicator with equal intercept places."""
    assert spec.linear is not None and spec.groups is not None
    said = {i.target for i in spec.linear.intercepts}
    observed = {o.name for o in spec.observed}
    if not spec.groups.shares("intercepts") or spec.groups.shares("means"):
        return
    for name in spec.latents:
        items = [p.target for p in spec.paths if p.measured and p.source == name]
        if name not in said and any(f"{item}~1" in equal for item in items if item in observed):
            yield name


def joined_spec(specs: Sequence[ModelSpec], mark: Sequence[str]) -> ModelSpec:
    """All groups as one linear model, whose variables are called by their name and the mark of the group."""
    first = specs[0]
    nodes = {*first.latents, *(o.name for o in first.observed)}
    paths: list[Path] = []
    covariances: list[Covariance] = []
    intercepts: list[Intercept] = []
    for spec, end in zip(specs, mark, strict=True):
        called = {name: name + end for name in nodes}
        for p in spec.paths:
            by = tuple(called.get(name, name) for name in p.by)
            source = called.get(p.source, p.source)
            paths.append(replace(p, target=called[p.target], source=source, by=by))
        covariances += [replace(c, left=called[c.left], right=called[c.right]) for c in spec.covariances]
        assert spec.linear is not None
        intercepts += [replace(i, target=called[i.target]) for i in spec.linear.intercepts]
    latents = tuple(name + end for end in mark for name in first.latents)
    observed = tuple(Observed(o.name + end, o.family) for end in mark for o in first.observed)
    return replace(
        first, paths=tuple(paths), covariances=tuple(covariances), observed=observed, groups=None,
        linear=Linear(latents, tuple(intercepts)),
    )  # fmt: skip
