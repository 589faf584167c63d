"""The answers that a model file asks for: read or simulated, then screened."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from medpsy.errors import SpecError
from medpsy.screening.rule import registered
from medpsy.screening.screen import Screened, screen
from medpsy.spec.model_file import ModelFile
from medpsy.survey.survey import Survey

if TYPE_CHECKING:
    from medpsy.api.models import Model


def answers(model: Model, *, seed: int | None = None) -> Screened:
    """Return the screened answers of a model that was read from a file.

    Raises
    ------
    DataError, SpecError
        As in :meth:`medpsy.api.models.Model.answers`.
    """
    file = model.file
    if file is None:
        if model.truth is None or model.instrument is None:
            raise SpecError(
                f"model '{model.name}' names no answers",
                hint="Pass a survey: model.fit(survey). Only a model read from a file can name its own.",
            )
        return screen(model.simulate(seed=seed))
    check_screening(file)
    return screen(_read(model, file, seed), file.screening)


def _read(model: Model, file: ModelFile, seed: int | None) -> Survey:
    if file.example is not None:
        from medpsy.survey.examples import load_example

        return load_example(file.example)
    if file.data_file is not None:
        from medpsy.survey.read import read_survey

        assert file.instrument is not None
        if not os.path.isfile(file.data_file):
            raise file.located(
                SpecError(f"there is no data file {file.data_file}", hint="Check the path."), "data", "file"
            )
        return read_survey(
            file.data_file, file.instrument, out_of_range=file.out_of_range, encoding=file.encoding
        )
    if model.truth is None:
        raise SpecError(
            "the file names no answers and no truth to simulate them from",
            hint='Write [data] with file = "answers.csv", or a [truth] table.',
            path=file.path,
        )
    return model.simulate(seed=seed)


def check_screening(file: ModelFile) -> None:
    """Refuse screening rules that do not exist or make no sense, with their line.

    Raises
    ------
    SpecError
    """
    from medpsy.errors import nearest

    known = registered()
    declared = [v.name for v in file.instrument.variables] if file.instrument else None
    for key, value in file.screening.items():
        try:
            if key not in known:
                raise SpecError(f"there is no screening rule '{key}'", hint=nearest(key, known))
            rule = known[key].from_setting(value)
            for name in getattr(rule, "names", ()):
                if declared is not None and name not in declared:
                    raise SpecError(
                        f"screening asks for '{name}', which is no variable of the instrument",
                        hint=nearest(name, declared),
                    )
        except SpecError as error:
            raise file.located(error, "screening", key) from None
