"""Designs over waves: from variables and waves to the text of a linear model.

One file a design, found by :func:`wave_designs`. Indicators are the same at every wave: loadings and
intercepts are equal over waves (so that change is change of the construct), the residuals of one indicator
correlate over waves, and latent means are free from the second wave on (Little, 2013, ISBN 9781462510160).
Ordinal indicators share slopes and thresholds (Liu et al., 2017, doi:10.1037/met0000075). What sets the scale
is then the first wave: what nothing explains of its construct has mean 0 and variance 1 there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Protocol

from medpsy.errors import SpecError, nearest
from medpsy.registry import parts
from medpsy.spec.groups import SYNONYMS
from medpsy.spec.model_spec import ModelSpec
from medpsy.spec.same import with_same
from medpsy.spec.syntax import parse_model
from medpsy.spec.waves import Series, Waves


class WaveDesign(Protocol):
    """How variables at several waves depend on each other."""

    name: str
    #: What the report has to say about it; empty where nothing special.
    caution: str

    def lines(self, waves: Waves) -> Iterator[str]:
        """Statements of the structural part.

        Raises
        ------
        SpecError
            Too few waves or variables.
        """
        ...


def wave_designs() -> dict[str, WaveDesign]:
    """All registered designs over waves by name."""
    return parts("medpsy.mediation", "WAVES")


def wave_text(waves: Waves) -> str:
    """The whole model as text."""
    known = wave_designs()
    if waves.kind not in known:
        raise SpecError(f"there is no design over waves '{waves.kind}'", hint=nearest(waves.kind, known))
    moving = waves.kind != "growth"
    if waves.ordinal:
        lines = [line for one in waves.series for line in same_items(one)]
    else:
        lines = [line for one in waves.series if one.measured for line in measurement(one, moving)]
    return "\n".join([*lines, *known[waves.kind].lines(waves)]) + "\n"


def from_waves(spec: ModelSpec) -> ModelSpec:
    """Write a design over waves out; a specification without one stays as it is."""
    if spec.waves is None:
        return spec
    made = parse_model(wave_text(spec.waves), family=spec.waves.family, name=spec.name)
    if spec.waves.ordinal:
        made = with_same(made, spec.waves.equal, spec.waves.release)
    return replace(made, priors=spec.priors, note=spec.note, definitions=made.definitions + spec.definitions)


def measurement(one: Series, moving: bool = True) -> Iterator[str]:
    """Indicators of one variable, the same at every wave; ``moving`` frees the means from the second on."""
    count = len(one.waves)
    for wave, items in enumerate(one.waves):
        rest = [f"l_{one.name}_{k}*{_quote(item)}" for k, item in enumerate(items[1:], 2)]
        yield f"{one.node(wave)} =~ {' + '.join([f'1*{_quote(items[0])}', *rest])}"
        for k, item in enumerate(items, 1):
            yield f"{_quote(item)} ~ n_{one.name}_{k}*1"
        if wave and moving:
            yield f"{one.node(wave)} ~ 1"
    for first, second in combinations(range(count), 2):
        for left, right in zip(one.waves[first], one.waves[second], strict=True):
            yield f"{_quote(left)} ~~ {_quote(right)}"


def same_items(one: Series) -> Iterator[str]:
    """Ordinal indicators of one variable, with the same slopes and thresholds at every wave."""
    for wave, items in enumerate(one.waves):
        again = f" + same*{one.node(0)}" if wave else ""
        yield f"{one.node(wave)} =~ {' + '.join(map(_quote, items))}{again}"


def one_unit(waves: Waves, what: str) -> None:
    """Refuse ordinal indicators whose slopes differ freely between waves where waves are compared."""
    words = {SYNONYMS.get(word, word) for word in waves.equal}
    if waves.ordinal and not words & {"loadings", "slope"}:
        raise SpecError(
            f"{what} compare a variable with itself over waves, and the slopes of its indicators are free",
            hint="Let equal hold 'loadings' and 'thresholds', and release single indicators.",
        )


def node(one: Series, wave: int) -> str:
    """Name of a variable at a wave, as text writes it."""
    return _quote(one.node(wave))


def path_label(source: Series, target: Series, wave: int, waves: Waves) -> str:
    """Label of a path into ``wave`` (from 0): ``x_to_y``, or ``x_to_y_23`` where paths differ over time."""
    gap = "_" if waves.count > 9 else ""
    ends = "" if waves.constant else f"_{wave}{gap}{wave + 1}"
    return f"{source.name}_to_{target.name}{ends}"


def lagged_terms(waves: Waves, target: Series, sources: Iterable[Series], wave: int) -> list[str]:
    """Labelled paths into ``target`` at ``wave`` from ``sources`` one wave before; none at the first."""
    if not wave:
        return []
    return [f"{path_label(source, target, wave, waves)}*{node(source, wave - 1)}" for source in sources]


def within_waves(names: list[list[str]]) -> Iterator[str]:
    """Covariances of all variables of one wave, for every wave."""
    for wave in names:
        for left, right in combinations(wave, 2):
            yield f"{left} ~~ {right}"


def lagged_effects(waves: Waves) -> Iterator[str]:
    """Effects of the first variable on the third through the second, over two intervals.

    Cole & Maxwell (2003, doi:10.1037/0021-843X.112.4.558): exposure at one wave, mediator at the next,
    outcome at the one after.
    """
    if len(waves.series) != 3 or waves.count < 3:
        return
    x, m, y = waves.series
    gap = "_" if waves.count > 9 else ""
    for wave in range(2, 3 if waves.constant else waves.count):
        ends = "" if waves.constant else f"_{wave - 1}{gap}{wave + 1}"

        def step(source: Series, target: Series, at: int) -> str:
            return path_label(source, target, at, waves)

        indirect = f"{step(x, m, wave - 1)}*{step(m, y, wave)}"
        direct = f"{step(x, x, wave - 1)}*{step(x, y, wave)} + {step(x, y, wave - 1)}*{step(y, y, wave)}"
        yield f"indirect{ends} := {indirect}"
        yield f"direct{ends} := {direct}"
        yield f"total{ends} := {indirect} + {direct}"


def need(waves: Waves, count: int, why: str) -> None:
    """Refuse fewer waves than a design needs."""
    if waves.count < count:
        raise SpecError(f"{waves.count} waves are too few: {why}", hint=f"Give at least {count} waves.")


def _quote(name: str) -> str:
    from medpsy.spec.lexer import is_plain

    return name if is_plain(name) else f"`{name}`"


quote = _quote
