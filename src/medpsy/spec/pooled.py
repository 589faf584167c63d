"""Levels of a person variable with effects from a common distribution: ``anxiety ~ (1|centre)``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medpsy.errors import nearest
from medpsy.spec.problem import ElementError

if TYPE_CHECKING:
    from medpsy.spec.model_spec import ModelSpec

_TERM = re.compile(r"\s*\(\s*1\s*\|\s*([^()|]+?)\s*\)\s*")


@dataclass(frozen=True)
class Pooled:
    """Every level of ``variable`` shifts ``target``; the shifts sum to zero and share a standard deviation.

    Parameters
    ----------
    target : str
        A construct, or an explained observed variable.
    variable : str
        Person variable: a category, or a number that identifies a level (a centre, a year).
    """

    target: str
    variable: str

    @property
    def key(self) -> str:
        """``target~variable``, the name of its sd in the posterior."""
        return f"{self.target}~{self.variable}"


def taken_out(covariates: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return covariates without terms ``(1|variable)``, and the variables of these terms."""
    plain: list[str] = []
    pooled: list[str] = []
    for text in covariates:
        found = _TERM.fullmatch(text) if isinstance(text, str) else None
        (pooled if found else plain).append(found.group(1).strip("`") if found else text)
    return tuple(plain), tuple(pooled)


def check_pooled(spec: ModelSpec) -> None:
    """Refuse pooled levels that contradict the rest of the model.

    Raises
    ------
    SpecError
        A target that the model does not explain, a term listed twice, a variable with another role, a linear
        model.
    """
    latent = [*(c.name for c in spec.constructs), *spec.latents]
    observed = [o.name for o in spec.observed]
    known = [*latent, *observed]
    seen: set[Pooled] = set()
    for one in spec.pooled:
        subject, text = ("pooled", one.key), f"'{one.target} ~ (1|{one.variable})'"
        if spec.linear is not None:
            raise ElementError(
                f"{text}: a linear model (fixed numbers, shared labels, means, residual covariances) has no "
                "levels with a common distribution",
                subject=subject,
                hint=f"Write '{one.target} ~ {one.variable}', or leave these out.",
            )
        if one.target not in known:
            raise ElementError(
                f"{text}: '{one.target}' is neither a construct nor an explained variable of the model",
                subject=subject,
                hint=nearest(one.target, known),
            )
        if one in seen:
            raise ElementError(f"{text} is listed twice", subject=subject, hint="Once is enough.")
        seen.add(one)
        items = {item for c in spec.constructs for item in c.items}
        if one.variable in (*known, *items):
            raise ElementError(
                f"{text}: '{one.variable}' is no person variable but a part of the model",
                subject=subject,
                hint="Levels are those of a person variable such as a centre, a year or a major.",
            )
        _check_roles(spec, one, subject, text)


def _check_roles(spec: ModelSpec, one: Pooled, subject: tuple[str, ...], text: str) -> None:
    """Refuse a variable that has its levels in the model in another way as well."""
    plain = any(p.target == one.target and one.variable in p.variables for p in spec.paths)
    if plain:
        raise ElementError(
            f"'{one.target}' is explained by '{one.variable}' twice: each level by itself, and pooled",
            subject=subject,
            hint=f"Keep '{one.variable}' (levels against the first one) or '(1|{one.variable})'.",
        )
    for what, by in (("groups", spec.groups), ("clusters", spec.clusters)):
        if by is not None and by.by == one.variable:
            raise ElementError(
                f"{text}: '{one.variable}' makes the {what} as well",
                subject=subject,
                hint="Keep one of the two: either way its levels differ in what is explained.",
            )
