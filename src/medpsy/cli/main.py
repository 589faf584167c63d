"""``medpsy``: the command line.

Exit status: 0 done; 1 ``check`` found a mistake; 2 an error, or a command line that cannot be read; 3 ``run
--strict`` ended with a posterior that cannot be trusted; 130 interrupted (what was drawn until then is kept).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from medpsy import __version__
from medpsy.cli import check, report, run, screen, simulate
from medpsy.errors import MedpsyError, nearest

COMMANDS = (run, check, simulate, screen, report)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process unless given.

    Returns
    -------
    int
        The exit status.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    read = parser()
    if not words:
        read.exit(2, read.format_help())
    names = [module.__name__.rpartition(".")[2] for module in COMMANDS]
    if not words[0].startswith("-") and words[0] not in names:
        read.error(f"there is no command '{words[0]}'. {nearest(words[0], names)}")
    arguments = read.parse_args(words)
    try:
        status: int = arguments.command(arguments)
        sys.stdout.flush()
        return status
    except MedpsyError as error:
        print(f"medpsy: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("medpsy: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="medpsy",
        description="Bayesian psychometrics: from questionnaire answers to named mediation effects.",
    )
    top.add_argument("--version", action="version", version=f"medpsy {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add(commands)
    return top


if __name__ == "__main__":
    sys.exit(main())
