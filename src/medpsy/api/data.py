"""Answers in: read from a file or a frame, taken from an example, screened.

``screen(survey)`` returns a :class:`~medpsy.screening.screen.Screened`: ``.survey`` holds the persons who
stay, ``.flow`` one counted event per step, ``.table()`` the same as a data frame.
"""

from __future__ import annotations

from medpsy.screening.screen import Screened, screen
from medpsy.survey.examples import load_example
from medpsy.survey.read import from_frame, read_survey
from medpsy.survey.survey import Survey
from medpsy.survey.write import write_csv

__all__ = ["Screened", "Survey", "from_frame", "load_example", "read_survey", "screen", "write_csv"]
