"""Bayesian psychometrics: from questionnaire answers to latent constructs to named mediation effects.

Public names are imported when they are first used (PEP 562), so that ``import medpsy`` costs next to nothing
and checking a model never imports PyMC.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medpsy.api.constructs import GradedResponse, LinearFactor, Observed, TwoParameterLogistic
    from medpsy.api.data import from_frame, load_example, read_survey, screen, write_csv
    from medpsy.api.fits import Fit, load_fit
    from medpsy.api.mediation import Mediation
    from medpsy.api.models import Model, load_model
    from medpsy.errors import DataError, FitError, MedpsyError, SpecError
    from medpsy.survey.instrument import Instrument
    from medpsy.survey.toml_instrument import read_instrument as load_instrument

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "Fit",
    "FitError",
    "GradedResponse",
    "Instrument",
    "LinearFactor",
    "Mediation",
    "MedpsyError",
    "Model",
    "Observed",
    "SpecError",
    "TwoParameterLogistic",
    "__version__",
    "from_frame",
    "load_example",
    "load_fit",
    "load_instrument",
    "load_model",
    "read_survey",
    "screen",
    "write_csv",
]

#: Public name -> where it lives: ``module``, or ``module:name`` where it is called otherwise there.
_LAZY = {
    "read_survey": "medpsy.api.data",
    "screen": "medpsy.api.data",
    "from_frame": "medpsy.api.data",
    "write_csv": "medpsy.api.data",
    "load_example": "medpsy.api.data",
    "GradedResponse": "medpsy.api.constructs",
    "TwoParameterLogistic": "medpsy.api.constructs",
    "LinearFactor": "medpsy.api.constructs",
    "Observed": "medpsy.api.constructs",
    "Model": "medpsy.api.models",
    "Mediation": "medpsy.api.mediation",
    "load_model": "medpsy.api.models",
    "Fit": "medpsy.api.fits",
    "load_fit": "medpsy.api.fits",
    "MedpsyError": "medpsy.errors",
    "DataError": "medpsy.errors",
    "SpecError": "medpsy.errors",
    "FitError": "medpsy.errors",
    "Instrument": "medpsy.survey.instrument",
    "load_instrument": "medpsy.survey.toml_instrument:read_instrument",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use and keep it."""
    if name not in _LAZY:
        if name.startswith("__"):
            raise AttributeError(f"module 'medpsy' has no attribute '{name}'", name=name)
        from medpsy.errors import nearest

        raise AttributeError(f"medpsy has no '{name}'. {nearest(name, _LAZY)}", name=name)
    module, _, attribute = _LAZY[name].partition(":")
    value = getattr(import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
