"""A specification printed as the text of a model file."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace

from medpsy.spec.clusters import decomposed
from medpsy.spec.groups import COMPARABLE, Groups
from medpsy.spec.model_spec import Construct, Design, ModelSpec
from medpsy.spec.print_syntax import item_runs, to_syntax
from medpsy.spec.same import EQUAL
from medpsy.spec.waves import Waves


def to_toml(spec: ModelSpec) -> str:
    """Print a specification as a model file that reads back as an equal specification.

    A design without paths is printed as ``[constructs]`` and ``[mediation]``; anything that only the syntax
    can say is printed as ``[model]``. Data, instrument and settings are not part of a specification.
    """
    blocks = [_block("", [("schema", "1"), ("name", _text(spec.name)), *_optional("note", spec.note)])]
    needs_syntax = bool(spec.paths or spec.covariances or spec.definitions or spec.pooled)
    blocks += _model(spec) if needs_syntax else [_construct(c) for c in spec.constructs]
    if spec.second_order is not None and not needs_syntax:
        names = _list(spec.second_order.constructs)
        blocks.append(_block(f"second_order.{_key(spec.second_order.name)}", [("constructs", names)]))
    blocks += [_properties(c) for c in spec.constructs if c.properties is not None]
    if spec.design is not None:
        blocks.append(_mediation(spec.design))
    if spec.waves is not None:
        blocks.append(_waves(spec.waves))
    explained = set(spec.targets)
    for observed in spec.observed if spec.linear is None else ():
        if observed.name not in {*explained, *decomposed(spec)}:
            blocks.append(_block(f"observed.{_key(observed.name)}", [("family", _text(observed.family))]))
    if spec.groups is not None:
        blocks.append(_groups(spec.groups))
    if spec.clusters is not None:
        rows = [("by", _text(spec.clusters.by))]
        if spec.clusters.slopes is not None:
            rows.append(("slopes", _list(spec.clusters.slopes)))
        blocks.append(_block("clusters", rows))
    if spec.priors:
        blocks.append(_block("priors", [(_text(target), _text(text)) for target, text in spec.priors]))
    return "\n".join(blocks)


def _construct(construct: Construct) -> str:
    rows = [("items", _items(construct.items)), ("family", _text(construct.family))]
    if construct.cross:
        rows.append(("cross", _items(construct.cross)))
    rows += [(flag, "true") for flag in ("positive", "testlets") if getattr(construct, flag)]
    head = f"constructs.{_key(construct.name)}"
    block = _block(head, rows)
    if construct.specific:
        block += "\n" + _block(f"{head}.specific", [(s.name, _items(s.items)) for s in construct.specific])
    return block


def _properties(construct: Construct) -> str:
    assert construct.properties is not None
    head = f"item_properties.{_key(construct.name)}"
    residual = "true" if construct.properties.residual else "false"
    rows = [
        (_key(name), f"[{', '.join(_text(v) if isinstance(v, str) else repr(v) for v in values)}]")
        for name, values in construct.properties.values
    ]
    return _block(head, [("residual", residual)]) + "\n" + _block(f"{head}.values", rows)


def _items(items: tuple[str, ...]) -> str:
    runs = [run[0] if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in item_runs(items)]
    return _text(runs[0]) if len(runs) == 1 else _list(runs)


def _model(spec: ModelSpec) -> list[str]:
    counts = Counter(construct.family for construct in spec.constructs)
    family = counts.most_common(1)[0][0] if counts else "graded"
    syntax = to_syntax(replace(spec, design=None)).replace("\\", "\\\\").replace('"', '\\"')
    if spec.linear is not None and not spec.constructs:
        family = "gaussian"
    rows = [("family", _text(family))]
    for flag in ("positive", "testlets"):
        named = [construct.name for construct in spec.constructs if getattr(construct, flag)]
        rows += [(flag, _list(named))] if named else []
    rows.append(("syntax", f'"""\n{syntax}"""'))
    explained = set(spec.targets)
    families = [(_key(c.name), _text(c.family)) for c in spec.constructs if c.family != family]
    if spec.linear is None:
        families += [(_key(o.name), _text(o.family)) for o in spec.observed if o.name in explained]
    return [_block("model", rows), *([_block("model.families", families)] if families else [])]


def _mediation(design: Design) -> str:
    rows = [("design", _text(design.kind))]
    for role, names in (("exposure", design.exposures), ("outcome", design.outcomes)):
        rows.append((role, _text(names[0])) if len(names) == 1 else (f"{role}s", _list(names)))
    if design.mediators:
        rows.insert(2, ("mediators", _list(design.mediators)))
    if design.covariates:
        rows.append(("covariates", _list(design.covariates)))
    if design.stages:
        rows.append(("stages", f"[{', '.join(map(str, design.stages))}]"))
    changes: dict[str, list[str]] = {}
    for stage, *by in design.moderation:
        changes.setdefault(stage, []).append(":".join(by))
    block = _block("mediation", rows)
    if changes:
        held = [(stage, _list(names)) for stage, names in changes.items()]
        block += "\n" + _block("mediation.moderation", held)
    return block


def _waves(waves: Waves) -> str:
    rows = [("design", _text(waves.kind))]
    rows += [("constant", "true")] if waves.constant else []
    rows += [("times", f"[{', '.join(f'{t:g}' for t in waves.times)}]")] if waves.times else []
    rows += [("covariates", _list(waves.covariates))] if waves.covariates else []
    rows += _optional("exposure", waves.exposure)
    rows += [("family", _text(waves.family))] if waves.family != "gaussian" else []
    rows += [("equal", _list(waves.equal))] if waves.equal != EQUAL else []
    rows += [("release", _list(waves.release))] if waves.release else []
    held = []
    for one in waves.series:
        columns = [_list(wave) if one.measured else _text(wave[0]) for wave in one.waves]
        held.append((_key(one.name), f"[{', '.join(columns)}]"))
    return _block("waves", rows) + "\n" + _block("waves.variables", held)


def _groups(groups: Groups) -> str:
    rows = [("by", _text(groups.by))]
    if groups.equal != COMPARABLE:
        rows.append(("equal", _list(groups.equal)))
    rows += [(key, _list(words)) for key in ("release", "shrink") if (words := getattr(groups, key))]
    rows += _optional("reference", groups.reference or "")
    if groups.pooled:
        rows.append(("pooled", "true"))
    block = _block("groups", rows)
    if groups.along:
        block += "\n" + _block("groups.along", [(_text(level), repr(value)) for level, value in groups.along])
    return block


def _block(header: str, rows: list[tuple[str, str]]) -> str:
    lines = [f"[{header}]"] if header else []
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in rows)]) + "\n"


def _optional(key: str, value: str) -> list[tuple[str, str]]:
    return [(key, _text(value))] if value else []


def _list(values: list[str] | tuple[str, ...]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(value: str) -> str:
    # JSON escapes are TOML escapes, but for the delete character, which TOML wants escaped as well.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
