"""``medpsy check``: model files are read, composed and judged, without answers and without sampling."""

from __future__ import annotations

import argparse
import sys

from medpsy.cli.arguments import Commands
from medpsy.errors import MedpsyError


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "check",
        help="check model files without data, in under a second",
        description="Check model files: syntax, names, design, priors, screening rules, truth. No answers "
        "are read. Exit status 1 if a file has a mistake.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="model file (TOML)")
    parser.set_defaults(command=check)


def check(arguments: argparse.Namespace) -> int:
    """Print one line per file, or its mistake; 1 if there is any."""
    from medpsy.api.check import check_model_file

    mistakes = 0
    for file in arguments.files:
        try:
            print(f"{file}: fine ({check_model_file(file)})", flush=True)
        except MedpsyError as error:
            mistakes += 1
            print(f"medpsy: error: {error}", file=sys.stderr, flush=True)
    return 1 if mistakes else 0
