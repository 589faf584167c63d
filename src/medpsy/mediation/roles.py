"""Who plays which role in a mediation that is written out as labelled paths."""

from __future__ import annotations

import re
from itertools import permutations

from medpsy.mediation.equations import STAGES, Expansion, plain
from medpsy.spec.expressions import parse_expression
from medpsy.spec.model_spec import Definition, Design, ModelSpec, Path


def roles(spec: ModelSpec) -> Design | None:
    """Read the roles off the labels; None where the labels are not those of a design.

    The kind is left empty; ``stages`` is what the paths between mediators say.
    """
    labelled = [path for path in spec.paths if path.label and not path.by]
    sources = {path.source for path in labelled}
    targets = {path.target for path in labelled}
    outcomes = tuple(dict.fromkeys(p.target for p in labelled if p.target not in sources))
    exposures = tuple(dict.fromkeys(p.source for p in labelled if p.source not in targets))
    mediators = _in_order(sources & targets, labelled)
    if not outcomes or not exposures or mediators is None:
        return None
    stages = _stages(mediators, labelled)
    moderation = _moderation(spec, labelled, exposures, mediators)
    if stages is None or moderation is None:
        return None
    known = {*exposures, *mediators, *outcomes, *(name for _, *names in moderation for name in names)}
    final = [p for p in spec.paths if p.target == outcomes[0] and not p.by and p.label is None]
    every = [{p.source for p in spec.paths if p.target == m} for m in mediators]
    covariates = tuple(
        p.source for p in final if p.source not in known or all(p.source in held for held in every)
    )
    if any(name in (*exposures, *mediators, *outcomes) for name in covariates):
        return None
    # A moderator that stands in every equation anyway is read as a moderator, not as a covariate.
    covariates = tuple(name for name in covariates if name not in known)
    return Design(
        "", exposures[0], mediators, outcomes[0], covariates, exposures[1:], outcomes[1:], stages, moderation
    )


def same_paths(spec: ModelSpec, made: Expansion, latent: frozenset[str]) -> bool:
    """Whether the paths and covariances are those of a design, whatever their order.

    Paths from covariates to a latent exposure may be left out: then the two are taken as unrelated.
    """
    own, wanted = set(map(_signature, spec.paths)), set(map(_signature, made.paths))
    labelled = {path.target for path in made.paths if path.label}
    optional = {_signature(p) for p in made.paths if p.target in latent and p.target not in labelled}
    pairs = [{frozenset((c.left, c.right)) for c in held} for held in (spec.covariances, made.covariances)]
    return own <= wanted and wanted - own <= optional and pairs[0] == pairs[1]


def compact(definitions: tuple[Definition, ...]) -> set[tuple[str, str]]:
    """Definitions without regard to spacing, order of factors or order of terms."""
    out = set()
    for definition in definitions:
        text = str(parse_expression(definition.expression)).replace(" ", "").replace("-", "+-")
        out.add((definition.name, "+".join(sorted("*".join(sorted(t.split("*"))) for t in text.split("+")))))
    return out


def _signature(path: Path) -> tuple[str, frozenset[str], str | None]:
    return path.target, frozenset(path.variables), path.label


def _in_order(names: set[str], labelled: list[Path]) -> tuple[str, ...] | None:
    """Mediators by the number in the label of the path into them: a1, a2, ..."""
    number: dict[str, int] = {}
    for path in labelled:
        match = re.match(r"a(\d*)(_|$)", str(path.label))
        if path.target in names and match:
            number.setdefault(path.target, int(match.group(1) or 1))
    if set(number) != names or len(set(number.values())) != len(number):
        return None
    return tuple(sorted(names, key=number.__getitem__))


def _stages(mediators: tuple[str, ...], labelled: list[Path]) -> tuple[int, ...] | None:
    """Sizes of the stages; None where the order of the labels is not that of the paths."""
    depth: dict[str, int] = {}
    for name in mediators:
        before = [p.source for p in labelled if p.target == name and p.source in mediators]
        if any(source not in depth for source in before):
            return None
        depth[name] = 1 + max((depth[source] for source in before), default=0)
    found = list(depth.values())
    return tuple(found.count(d) for d in sorted(set(found))) if found == sorted(found) else None


def _moderation(
    spec: ModelSpec, labelled: list[Path], exposures: tuple[str, ...], mediators: tuple[str, ...]
) -> tuple[tuple[str, ...], ...] | None:
    """Stages and moderators from the products whose label begins with that of a path."""
    found: dict[tuple[str, ...], None] = {}
    for product in (path for path in spec.paths if path.by and path.label):
        match = None
        for base in labelled:
            others = [name for name in product.variables if name != base.source]
            if base.target != product.target or len(others) == len(product.variables):
                continue
            for order in permutations(others):
                if product.label == "_".join([str(base.label), *map(plain, order)]):
                    match = (base, order)
        if match is None:
            return None
        base, order = match
        outer = base.source in exposures
        stage = (
            ("first" if outer else "between")
            if base.target in mediators
            else ("direct" if outer else "second")
        )
        found[(stage, *order)] = None
    largest = [m for m in found if not any(m[0] == o[0] and set(m[1:]) < set(o[1:]) for o in found)]
    return tuple(sorted(largest, key=lambda m: STAGES.index(m[0])))
