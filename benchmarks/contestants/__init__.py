"""One contestant a file, in Python or R, run as a program of its own.

Lines that begin with ``#:`` say what it is, as ``key: value``:

``title``
    For the tables.
``order``
    Place in the tables.
``result``
    ``posterior`` or ``estimates``.
``families``
    Which of ``graded`` and ``gaussian`` it takes.
``factors``, ``persons``, ``missing``, ``effects``
    Most factors and persons it is asked for; ``no`` if it takes no missing answers, or no paths.
``cache``
    ``yes`` if a first run leaves something behind that later runs use; it then has a cold run.
``runs``, ``limit``
    Most runs, and seconds after which a run is stopped (both optional).
``note``
    What a reader must know about what it answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.problem import Problem

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Contestant:
    """What the head of a contestant's file says."""

    name: str
    path: Path
    about: dict[str, str]

    @property
    def title(self) -> str:
        """Name in the tables."""
        return self.about["title"]

    @property
    def cached(self) -> bool:
        """Whether a first run differs from later ones."""
        return self.about.get("cache") == "yes"

    def declines(self, problem: Problem) -> str:
        """Why this contestant is not asked for this problem, or an empty string."""
        size, about = problem.size, self.about
        if problem.family not in about["families"].split():
            return f"does not take {problem.family} items"
        if size["factors"] > int(about.get("factors", 9)):
            return f"takes at most {about['factors']} factor(s)"
        if size["persons"] > int(about.get("persons", 10**9)):
            return f"is not asked for more than {about['persons']} persons"
        if problem.missing and about.get("missing") == "no":
            return "does not take missing answers"
        if problem.effects and about.get("effects") == "no":
            return "has no paths between factors"
        return ""


def contestants() -> dict[str, Contestant]:
    """All contestants by name, in the order of the tables."""
    found = []
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in (".py", ".R") and not path.name.startswith("_"):
            lines = path.read_text(encoding="utf-8").splitlines()
            pairs = [line[2:].partition(":") for line in lines if line.startswith("#:")]
            found.append(Contestant(path.stem, path, {k.strip(): v.strip() for k, _, v in pairs}))
    return {c.name: c for c in sorted(found, key=lambda c: int(c.about["order"]))}
