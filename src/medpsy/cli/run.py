"""``medpsy run``: from a model file to a report."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medpsy.cli.arguments import Commands, whole
from medpsy.cli.narration import narrated
from medpsy.cli.screen import flow_sentence
from medpsy.spec.model_file import ENGINES

if TYPE_CHECKING:
    from medpsy.api.fits import Fit

_OPTIONS = ("seed", "draws", "tune", "chains", "cores", "engine", "route")


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "run",
        help="read or simulate answers, fit the model, write report and tables",
        description="Run a model file: read and screen its answers (a file without answers is simulated from "
        "its [truth]), sample the posterior, and write report.html, effects.csv, summary.csv, flow.csv, "
        "checks.json, provenance.json and fit.nc. Where the diagnostics fail, every table says so; the exit "
        "status is 0 all the same unless --strict is given.",
    )
    parser.add_argument("file", metavar="FILE", help="model file (TOML)")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder to write into; made if absent")
    parser.add_argument("--seed", type=whole(0), help="seed of the sampler; the same seed, the same draws")
    parser.add_argument("--draws", type=whole(1), help="draws per chain (1000)")
    parser.add_argument("--tune", type=whole(1), help="warm-up draws per chain (as much as it takes)")
    parser.add_argument("--chains", type=whole(1), help="chains (4)")
    parser.add_argument("--cores", type=whole(1), help="chains at the same time (all processors)")
    parser.add_argument("--engine", choices=ENGINES, help="likelihood engine (auto)")
    parser.add_argument("--route", choices=("auto", "compiled", "pymc"), help="how the density is compiled")
    parser.add_argument("--quiet", action="store_true", help="print only what cannot be trusted")
    parser.add_argument("--strict", action="store_true", help="exit with 3 where the diagnostics fail")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Fit the model and write everything."""
    from medpsy.api.files import make_folder
    from medpsy.api.models import load_model
    from medpsy.result import need_room

    def say(text: str) -> None:
        if not arguments.quiet:
            print(text, flush=True)

    model = load_model(arguments.file)
    folder = make_folder(arguments.out)
    kept = model.answers()
    # Log-likelihoods of persons (left out where there are very many), tables, pages: refused before the fit.
    draws = (arguments.draws or 1000) * (arguments.chains or 4)
    need_room(folder, min(8.0 * draws * kept.survey.n_person, 100e6) + 5e6)
    say(f"{model.title}: {flow_sentence(kept.survey)}")
    if kept.survey.simulated:
        say(f"Note: {kept.survey.simulated}")
    options = {name: getattr(arguments, name) for name in _OPTIONS if getattr(arguments, name) is not None}
    watched = sys.stderr.isatty() and not arguments.quiet
    fit = model.fit(kept.survey, progress=watched, **options)
    say(_how(fit))
    fit.save(folder / "fit.nc")
    with narrated(arguments.quiet):
        write_results(fit, folder)
    for sentence in fit.sentences()[bool(fit.mark.warning) :]:
        say(f"  {sentence}")
    say(f"Report: {folder / 'report.html'}")
    interrupted = str(fit.provenance.get("note", "")).startswith("interrupted")
    if fit.trusted:
        say("Diagnostics: no check failed.")
        return 130 if interrupted else 0
    print(fit.mark.warning, file=sys.stderr if arguments.quiet else sys.stdout, flush=True)
    if interrupted:
        return 130
    return 3 if arguments.strict else 0


def _how(fit: Fit) -> str:
    where = fit.provenance
    seconds = sum(where["seconds"].values())
    sampler = where["sampler"]
    note = where.get("note", "")
    return (
        f"Sampled {sampler['chains']} x {sampler['draws']} draws in {seconds:.0f} s (engine "
        f"{where['engine']['name']}, {where['route']['name']} route, seed {sampler['seed']})"
        + (f"\nNote: {note}" if note else "")
    )


def write_results(fit: Fit, folder: Path) -> None:
    """Write the report and the tables; every table says whether to trust it.

    Raises
    ------
    DataError
        A file cannot be written.
    """
    from medpsy.api.files import write_text
    from medpsy.report.render import Meta, render_html
    from medpsy.report.sections import build_sections

    context = fit.context()
    write_text(folder / "report.html", render_html(build_sections(context), Meta.of(context)))
    for name, table in (("effects", context.effects), ("summary", context.summary), ("flow", context.flow)):
        write_text(folder / f"{name}.csv", fit.mark.for_file(table).to_csv(index=False, lineterminator="\n"))
    verdict = {
        "trusted": fit.trusted,
        "reasons": list(fit.gate.reasons),
        "note": fit.mark.note,
        "checks": context.checks.to_dict("records"),
    }
    for name, content in (("checks", verdict), ("provenance", fit.provenance)):
        write_text(folder / f"{name}.json", json.dumps(plain(content), indent=2, ensure_ascii=False) + "\n")


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: numbers that are none become null."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
