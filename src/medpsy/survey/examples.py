"""Real answers that come with the package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medpsy.errors import DataError, nearest
from medpsy.survey.read import read_survey
from medpsy.survey.survey import Survey

_DATA = Path(__file__).parent / "data"


def example_names() -> tuple[str, ...]:
    """Names of the examples."""
    return tuple(sorted(path.parent.name for path in _DATA.glob("*/instrument.toml")))


def example_path(name: str) -> Path:
    """Return the folder of an example: ``answers.csv``, ``instrument.toml``, ``CARD.md``, ``LICENSE``.

    Raises
    ------
    DataError
        There is no example of that name.
    """
    if name not in example_names():
        raise DataError(f"there is no example '{name}'", hint=nearest(name, example_names()))
    return _DATA / name


def load_example(name: str) -> Survey:
    """Read an example by the ordinary route; its ledger counts what reading did.

    Parameters
    ----------
    name : str
        ``"students"``: 783 Mexican medical students, PHQ-9, GAD-7 and Epworth items;
        ``"holzinger_swineford"``: nine ability tests of 301 pupils, numbers instead of answer categories.

    Returns
    -------
    Survey

    Raises
    ------
    DataError
        There is no example of that name.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> survey.n_person, survey.instrument.name
    (783, 'Mexican medical students')
    """
    folder = example_path(name)
    survey = read_survey(folder / "answers.csv", folder / "instrument.toml")
    return replace(survey, source=f"example '{name}'")
