"""A specification printed as the text of a model file."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace

from medpsy.spec.model_spec import Construct, Design, ModelSpec
from medpsy.spec.print_syntax import item_runs, to_syntax


def to_toml(spec: ModelSpec) -> str:
    """Print a specification as a model file that reads back as an equal specification.

    A design without paths is printed as ``[constructs]`` and ``[mediation]``; anything that only the syntax
    can say is printed as ``[model]``. Data, instrument and settings are not part of a specification.
    """
    blocks = [_block("", [("schema", "1"), ("name", _text(spec.name)), *_optional("note", spec.note)])]
    needs_syntax = bool(spec.paths or spec.covariances or spec.definitions)
    blocks += _model(spec) if needs_syntax else [_construct(c) for c in spec.constructs]
    if spec.design is not None:
        blocks.append(_mediation(spec.design))
    explained = {path.target for path in spec.paths}
    for observed in spec.observed:
        if observed.name not in explained:
            blocks.append(_block(f"observed.{_key(observed.name)}", [("family", _text(observed.family))]))
    if spec.priors:
        blocks.append(_block("priors", [(_text(target), _text(text)) for target, text in spec.priors]))
    return "\n".join(blocks)


def _construct(construct: Construct) -> str:
    runs = [run[0] if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in item_runs(construct.items)]
    items = _text(runs[0]) if len(runs) == 1 else _list(runs)
    rows = [("items", items), ("family", _text(construct.family))]
    if construct.positive:
        rows.append(("positive", "true"))
    return _block(f"constructs.{_key(construct.name)}", rows)


def _model(spec: ModelSpec) -> list[str]:
    counts = Counter(construct.family for construct in spec.constructs)
    family = counts.most_common(1)[0][0] if counts else "graded"
    syntax = to_syntax(replace(spec, design=None)).replace("\\", "\\\\").replace('"', '\\"')
    rows = [("family", _text(family))]
    positive = [construct.name for construct in spec.constructs if construct.positive]
    if positive:
        rows.append(("positive", _list(positive)))
    rows.append(("syntax", f'"""\n{syntax}"""'))
    explained = {path.target for path in spec.paths}
    families = [(_key(c.name), _text(c.family)) for c in spec.constructs if c.family != family]
    families += [(_key(o.name), _text(o.family)) for o in spec.observed if o.name in explained]
    return [_block("model", rows), *([_block("model.families", families)] if families else [])]


def _mediation(design: Design) -> str:
    rows = [
        ("design", _text(design.kind)),
        ("exposure", _text(design.exposure)),
        ("mediators", _list(design.mediators)),
        ("outcome", _text(design.outcome)),
    ]
    if design.covariates:
        rows.append(("covariates", _list(design.covariates)))
    return _block("mediation", rows)


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
