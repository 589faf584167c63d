"""Bayesian psychometrics: from questionnaire answers to latent constructs to named mediation effects.

Public names are imported when they are first used (PEP 562), so that ``import medpsy`` costs next to nothing
and checking a model never imports PyMC.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medpsy.api.attrition import dropout
    from medpsy.api.change import change
    from medpsy.api.common_method import common_method
    from medpsy.api.compare import compare
    from medpsy.api.constructs import (
        FourParameterLogistic,
        GeneralisedPartialCredit,
        GradedProbit,
        GradedRatingScale,
        GradedResponse,
        LinearFactor,
        Nominal,
        Observed,
        PartialCredit,
        Rasch,
        RatingScale,
        Sequential,
        ThreeParameterLogistic,
        TwoParameterLogistic,
    )
    from medpsy.api.data import from_frame, load_example, read_survey, screen, write_csv
    from medpsy.api.dif import Dif, dif
    from medpsy.api.explained import ManyFacet, explain_items
    from medpsy.api.fits import Fit, load_fit
    from medpsy.api.group_differences import GroupDifferences, group_differences
    from medpsy.api.invariance import Invariance, invariance
    from medpsy.api.judging import (
        audit,
        content_validity,
        correlations,
        describe,
        discriminant,
        efa,
        factorability,
        judge,
        number_of_factors,
        polychoric,
        reliability,
        validity,
    )
    from medpsy.api.longitudinal import (
        CrossLagged,
        LaggedMediation,
        LatentGrowth,
        RandomInterceptCrossLagged,
    )
    from medpsy.api.mediation import Mediation
    from medpsy.api.models import Model, load_model
    from medpsy.api.structured import Bifactor, CrossLoadings, SecondOrder, Testlets
    from medpsy.api.wave_invariance import wave_invariance
    from medpsy.classical.group_scores import what_if
    from medpsy.errors import DataError, FitError, MedpsyError, SpecError
    from medpsy.spec.groups import Groups
    from medpsy.survey.covariance import read_covariance
    from medpsy.survey.instrument import Instrument
    from medpsy.survey.ratings import read_ratings
    from medpsy.survey.toml_instrument import read_instrument as load_instrument

__version__ = "0.1.0"

__all__ = [
    "Bifactor",
    "CrossLagged",
    "CrossLoadings",
    "DataError",
    "Dif",
    "Fit",
    "FitError",
    "FourParameterLogistic",
    "GeneralisedPartialCredit",
    "GradedProbit",
    "GradedRatingScale",
    "GradedResponse",
    "GroupDifferences",
    "Groups",
    "Instrument",
    "Invariance",
    "LaggedMediation",
    "LatentGrowth",
    "LinearFactor",
    "ManyFacet",
    "Mediation",
    "MedpsyError",
    "Model",
    "Nominal",
    "Observed",
    "PartialCredit",
    "RandomInterceptCrossLagged",
    "Rasch",
    "RatingScale",
    "SecondOrder",
    "Sequential",
    "SpecError",
    "Testlets",
    "ThreeParameterLogistic",
    "TwoParameterLogistic",
    "__version__",
    "audit",
    "change",
    "common_method",
    "compare",
    "content_validity",
    "correlations",
    "describe",
    "dif",
    "discriminant",
    "dropout",
    "efa",
    "explain_items",
    "factorability",
    "from_frame",
    "group_differences",
    "invariance",
    "judge",
    "load_example",
    "load_fit",
    "load_instrument",
    "load_model",
    "number_of_factors",
    "polychoric",
    "read_covariance",
    "read_ratings",
    "read_survey",
    "reliability",
    "screen",
    "validity",
    "wave_invariance",
    "what_if",
    "write_csv",
]

#: Public name -> where it lives: ``module``, or ``module:name`` where it is called otherwise there.
_LAZY = {
    "CrossLagged": "medpsy.api.longitudinal",
    "LaggedMediation": "medpsy.api.longitudinal",
    "LatentGrowth": "medpsy.api.longitudinal",
    "RandomInterceptCrossLagged": "medpsy.api.longitudinal",
    "read_covariance": "medpsy.survey.covariance",
    "dropout": "medpsy.api.attrition",
    "read_survey": "medpsy.api.data",
    "screen": "medpsy.api.data",
    "from_frame": "medpsy.api.data",
    "write_csv": "medpsy.api.data",
    "load_example": "medpsy.api.data",
    "GradedResponse": "medpsy.api.constructs",
    "FourParameterLogistic": "medpsy.api.constructs",
    "GeneralisedPartialCredit": "medpsy.api.constructs",
    "GradedProbit": "medpsy.api.constructs",
    "GradedRatingScale": "medpsy.api.constructs",
    "Nominal": "medpsy.api.constructs",
    "PartialCredit": "medpsy.api.constructs",
    "Rasch": "medpsy.api.constructs",
    "RatingScale": "medpsy.api.constructs",
    "Sequential": "medpsy.api.constructs",
    "ThreeParameterLogistic": "medpsy.api.constructs",
    "TwoParameterLogistic": "medpsy.api.constructs",
    "LinearFactor": "medpsy.api.constructs",
    "Observed": "medpsy.api.constructs",
    "explain_items": "medpsy.api.explained",
    "ManyFacet": "medpsy.api.explained",
    "read_ratings": "medpsy.survey.ratings",
    "Bifactor": "medpsy.api.structured",
    "CrossLoadings": "medpsy.api.structured",
    "SecondOrder": "medpsy.api.structured",
    "Testlets": "medpsy.api.structured",
    "Groups": "medpsy.spec.groups",
    "dif": "medpsy.api.dif",
    "Dif": "medpsy.api.dif",
    "invariance": "medpsy.api.invariance",
    "Invariance": "medpsy.api.invariance",
    "group_differences": "medpsy.api.group_differences",
    "GroupDifferences": "medpsy.api.group_differences",
    "what_if": "medpsy.classical.group_scores",
    "Model": "medpsy.api.models",
    "Mediation": "medpsy.api.mediation",
    "load_model": "medpsy.api.models",
    "change": "medpsy.api.change",
    "common_method": "medpsy.api.common_method",
    "compare": "medpsy.api.compare",
    "Fit": "medpsy.api.fits",
    "load_fit": "medpsy.api.fits",
    "audit": "medpsy.api.judging",
    "content_validity": "medpsy.api.judging",
    "correlations": "medpsy.api.judging",
    "describe": "medpsy.api.judging",
    "discriminant": "medpsy.api.judging",
    "efa": "medpsy.api.judging",
    "factorability": "medpsy.api.judging",
    "judge": "medpsy.api.judging",
    "number_of_factors": "medpsy.api.judging",
    "polychoric": "medpsy.api.judging",
    "reliability": "medpsy.api.judging",
    "validity": "medpsy.api.judging",
    "wave_invariance": "medpsy.api.wave_invariance",
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
