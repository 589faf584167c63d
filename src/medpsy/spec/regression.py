"""What explains constructs, said beside them: ``"age + sex + (1|centre)"`` for one of them or for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from medpsy.errors import SpecError, nearest
from medpsy.spec.model_spec import ModelSpec
from medpsy.spec.syntax import parse_model


def with_regression(spec: ModelSpec, regression: str | Mapping[str, str]) -> ModelSpec:
    """Return the specification with a latent regression.

    Parameters
    ----------
    spec : ModelSpec
    regression : str or mapping of str to str
        The right side of ``~``, for every construct, or by construct: person variables and ``(1|variable)``.

    Raises
    ------
    SpecError
        A construct that the model does not have, text that cannot be read.
    """
    known = [c.name for c in spec.constructs]
    known += [spec.second_order.name] if spec.second_order is not None else []
    if isinstance(regression, str):
        regression = dict.fromkeys((c.name for c in spec.constructs), regression)
    paths, pooled = list(spec.paths), list(spec.pooled)
    for name, text in regression.items():
        if name not in known:
            raise SpecError(
                f"the regression explains '{name}', which is no construct", hint=nearest(name, known)
            )
        if not isinstance(text, str) or not text.strip():
            raise SpecError(
                f"the regression of '{name}' says nothing", hint="Write '... = \"age + sex + (1|centre)\"'."
            )
        read = parse_model(f"{name} ~ {text}")
        paths += read.paths
        pooled += read.pooled
    return replace(spec, paths=tuple(paths), pooled=tuple(pooled))
