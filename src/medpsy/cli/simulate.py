"""``medpsy simulate``: answers from the truth of a model file."""

from __future__ import annotations

import argparse

from medpsy.cli.arguments import Commands, whole


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "simulate",
        help="simulate answers from the [truth] of a model file",
        description="Simulate answers from the [truth] of a model file and write them as CSV, as they would "
        "have been answered: codes before anything is turned.",
    )
    parser.add_argument("file", metavar="FILE", help="model file (TOML) with a [truth] table")
    parser.add_argument("--out", metavar="CSV", required=True, help="file to write")
    parser.add_argument("--n", type=whole(1), help="number of persons (the truth's unless given)")
    parser.add_argument("--seed", type=whole(0), help="seed (the truth's unless given)")
    parser.set_defaults(command=simulate)


def simulate(arguments: argparse.Namespace) -> int:
    """Write the answers and say what they are."""
    from medpsy.api.data import write_csv
    from medpsy.api.files import check_writable
    from medpsy.api.models import load_model

    model = load_model(arguments.file)
    check_writable(arguments.out)
    survey = model.simulate(n=arguments.n, seed=arguments.seed)
    write_csv(survey, arguments.out)
    print(f"{survey.n_person} persons, {len(survey.instrument.items)} items: {arguments.out}")
    print(f"Note: {survey.simulated}")
    return 0
