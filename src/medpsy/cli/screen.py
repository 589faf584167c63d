"""``medpsy screen``: the flow from the persons who answered to those who are analysed."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from medpsy.cli.arguments import Commands

if TYPE_CHECKING:
    from medpsy.survey.survey import Event, Survey


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "screen",
        help="read and screen the answers of a model file and print the flow",
        description="Read the answers that a model file names, screen them by its rules, and print every "
        "step with its counts. Nothing is written.",
    )
    parser.add_argument("file", metavar="FILE", help="model file (TOML)")
    parser.set_defaults(command=screen)


def screen(arguments: argparse.Namespace) -> int:
    """Print the flow as a table."""
    from medpsy.api.models import load_model

    survey = load_model(arguments.file).answers().survey
    print("\n".join(flow_lines(survey.ledger)))
    print(f"{survey.n_person} persons stay.")
    if survey.simulated:
        print(f"Note: {survey.simulated}")
    return 0


def flow_lines(ledger: tuple[Event, ...]) -> Iterator[str]:
    """Yield one line per event, and the places it names beneath it."""
    width = max((len(event.rule) for event in ledger), default=4)
    yield f"{'rule':<{width}}  {'unit':<8}{'before':>8}{'after':>8}{'removed':>9}{'alone':>7}  what"
    for event in ledger:
        alone = "" if event.only is None else str(event.only)
        removed = event.before - event.after
        yield (
            f"{event.rule:<{width}}  {event.unit:<8}{event.before:>8}{event.after:>8}{removed:>9}{alone:>7}  "
            f"{event.text}"
        )
        if event.places:
            shown = ", ".join(event.places[:12])
            more = f" and {len(event.places) - 12} more" if len(event.places) > 12 else ""
            yield from textwrap.wrap(shown + more, 100, initial_indent="    ", subsequent_indent="    ")


def flow_sentence(survey: Survey) -> str:
    """Return the persons part of the flow in one sentence."""
    steps = [event for event in survey.ledger if event.unit == "persons" and event.before != event.after]
    if not steps:
        return f"{survey.n_person} persons, none excluded"
    removed = "; ".join(f"{event.before - event.after} {event.text}" for event in steps)
    return f"{survey.n_person} persons of {steps[0].before} (excluded: {removed})"
