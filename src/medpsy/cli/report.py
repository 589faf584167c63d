"""``medpsy report``: the report of a saved fit."""

from __future__ import annotations

import argparse

from medpsy.cli.arguments import Commands, share
from medpsy.cli.narration import narrated


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "report",
        help="write the report of a saved fit",
        description="Write the report of a fit that `medpsy run` or Fit.save wrote: one self-contained page.",
    )
    parser.add_argument("fit", metavar="FIT", help="saved fit (fit.nc)")
    parser.add_argument("--out", metavar="HTML", required=True, help="file to write (.html, or .md)")
    parser.add_argument("--interval", type=share, help="posterior mass of intervals, such as 0.9")
    parser.add_argument("--rope", type=share, help="half width of practical equivalence, standardised")
    parser.set_defaults(command=report)


def report(arguments: argparse.Namespace) -> int:
    """Write the report and say where it is and whether it can be trusted."""
    from medpsy.api.files import check_writable
    from medpsy.api.fits import load_fit

    check_writable(arguments.out)
    fit = load_fit(arguments.fit)
    with narrated():
        fit.report(arguments.out, interval=arguments.interval, rope=arguments.rope)
    print(f"Report: {arguments.out}")
    if fit.mark.note:
        print(f"Note: {fit.mark.note}")
    print(fit.mark.warning or "Diagnostics: no check failed.")
    return 0
