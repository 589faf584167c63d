"""A fit on one page of plain text, laid out like lavaan's summary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from medpsy.api.size import sizes
from medpsy.plots.numbers import count, estimate, fixed, interval, probability

if TYPE_CHECKING:
    import pandas as pd

    from medpsy.api.fits import Fit

_NAME = 34
_HEADS = ("mean", "sd", "lower", "upper", "R-hat", "ESS")
_COLUMNS = ("mean", "sd", "lower", "upper", "r_hat", "ess_bulk")


def page(fit: Fit) -> str:
    """Return model, verdict, effects and parameters; thresholds as one line of means per item."""
    return "\n".join([*_head(fit), *_effects(fit), *_sections(fit)]) + "\n"


def _head(fit: Fit) -> Iterator[str]:
    where, posterior = fit.provenance, fit.tree["posterior"]
    yield fit.title
    yield f"{fit.survey.n_person} persons; {sizes(fit.result.model, fit.survey.instrument)}"
    yield (
        f"{posterior.sizes['chain']} chains of {posterior.sizes['draw']} draws, seed "
        f"{where['sampler']['seed']}; engine {where['engine']['name']}, {where['route']['name']} route; "
        f"medpsy {where['versions']['medpsy']}"
    )
    yield fit.mark.warning or "Diagnostics: no check failed."
    if fit.mark.note:
        yield f"Note: {fit.mark.note}"


def _effects(fit: Fit) -> Iterator[str]:
    from medpsy.posterior.effects import effects

    table = effects(fit.result, interval=fit.interval, rope=fit.rope)
    if table.empty:
        return
    yield ""
    yield f"Effects ({100 * fit.interval:g} % intervals)"
    yield _line("", "mean", "interval", "P(direction)", "standardised")
    for row in table.to_dict("records"):
        name = f"{row['effect']} [{row['group']}]" if "group" in row else str(row["effect"])
        standardised = f"{estimate(row['std_mean'])} {interval(row['std_lower'], row['std_upper'])}"
        bounds = interval(row["lower"], row["upper"])
        yield _line(name, estimate(row["mean"]), bounds, probability(row["p_direction"]), standardised)


def _line(name: str, mean: str, bounds: str, direction: str, standardised: str) -> str:
    return f"  {name[:_NAME]:<{_NAME}}{mean:>9}{bounds:>20}{direction:>14}{standardised:>28}".rstrip()


def _sections(fit: Fit) -> Iterator[str]:
    from medpsy.posterior.summary import summary

    table = summary(fit.result, interval=fit.interval)
    if "group" in table.columns:
        own = table["group"] != "(all)"
        table["lhs"] = table["lhs"].where(~own, table["lhs"] + " [" + table["group"] + "]")
    for section in table["section"].drop_duplicates():
        rows = table[table["section"] == section]
        yield ""
        if section == "Thresholds":
            yield "Thresholds (posterior means, logits; summary() has every one)"
            yield from _thresholds(rows)
            continue
        yield f"{section:<{_NAME + 2}}{''.join(f'{head:>9}' for head in _HEADS)}  prior"
        for row in rows.to_dict("records"):
            yield _parameter(row)


def _parameter(row: dict[Any, Any]) -> str:
    name = " ".join(part for part in (row["lhs"], row["op"], row["rhs"]) if isinstance(part, str) and part)
    if isinstance(row["label"], str) and row["label"] and row["op"] != ":=":
        name += f" ({row['label']})"
    cells = [estimate(row[column]) for column in _COLUMNS[:4]]
    cells += [fixed(row["r_hat"], 3), count(row["ess_bulk"])]
    prior = row["prior"] if isinstance(row["prior"], str) else ""
    if len(name) > _NAME - 1:
        name = f"{name[: _NAME - 2]}\N{HORIZONTAL ELLIPSIS}"
    return f"  {name:<{_NAME}}{''.join(f'{cell:>9}' for cell in cells)}  {prior}".rstrip()


def _thresholds(rows: pd.DataFrame) -> Iterator[str]:
    means: dict[str, list[str]] = {}
    for row in rows.to_dict("records"):
        means.setdefault(str(row["lhs"]), []).append(estimate(row["mean"]))
    for item, cells in means.items():
        yield f"  {item:<{_NAME}}{''.join(f'{cell:>9}' for cell in cells)}"
