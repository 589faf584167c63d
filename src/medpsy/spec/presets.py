"""Sets of priors by name: ``preset = "weak"`` among the priors replaces many defaults at once.

Priors that are named one by one, or for a group of parameters, still win over the preset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from medpsy.errors import SpecError, nearest
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.priors import parse_prior

#: What the entry is called where priors are listed.
PRESET = "preset"

#: The preset under which items of a construct have parameters from a common distribution.
HIERARCHICAL = "hierarchical"


@dataclass(frozen=True)
class Preset:
    """Priors of the parameters that a preset is about; the others keep their defaults.

    Parameters
    ----------
    about : str
        In one sentence, with sources.
    priors : mapping
        (first part of the parameter's name, where it lives) -> prior; where it lives is ``"real"``,
        ``"positive"``, ``"simplex"`` or ``"correlation"``, empty for any.
    """

    about: str
    priors: Mapping[tuple[str, str], str]

    def of(self, row: ParameterRow) -> ParameterRow:
        """Return the row with the prior of this preset."""
        head = row.target.partition(".")[0]
        text = self.priors.get((head, row.support), self.priors.get((head, "")))
        if text is None or row.prior is None or not row.free:
            return row
        return replace(row, prior=parse_prior(text))


PRESETS: dict[str, Preset] = {
    "default": Preset("What the families and structures bring; the same as no preset.", {}),
    "weak": Preset(
        "Wide priors, for comparison with maximum likelihood; thresholds from Jeffreys' prior of the "
        "category probabilities.",
        {
            ("slope", "positive"): "LogNormal(0.25, 1)",
            ("slope", "real"): "StudentT(4, 1, 2.5)",
            ("category_prob", ""): "Dirichlet(0.5)",
            ("spread", ""): "HalfNormal(3)",
            ("location", ""): "Normal(0, 4)",
            ("contrast", ""): "Normal(0, 3)",
            ("gap", ""): "LogNormal(0, 1.5)",
            ("score_shift", ""): "Normal(0, 2)",
            ("loading", "positive"): "LogNormal(-0.5, 1.2)",
            ("loading", "real"): "Normal(0.6, 2)",
            ("intercept", ""): "Normal(0, 2)",
            ("residual_sd", ""): "HalfNormal(2)",
            ("path", ""): "Normal(0, 2)",
            ("correlation", ""): "LKJ(1)",
        },
    ),
    "published": Preset(
        "Published practice: slopes LogNormal(0.5, 1), locations Normal(0, 3), sd of Rasch scores "
        "Exponential(0.1) and regressions t(7, 0, 2.5) of edstan (Furr, 2017, CRAN edstan); category "
        "probabilities Dirichlet(1) (induced on thresholds; Betancourt, 2019); loadings Normal(0, 10) and "
        "residual sds Gamma(1, 0.5) of blavaan (Merkle & Rosseel, 2018, doi:10.18637/jss.v085.i04); "
        "correlations LKJ(1) of brms (Buerkner, 2017, doi:10.18637/jss.v080.i01). Every slope is positive: "
        "an item that was not turned shows as a slope near 0.",
        {
            ("slope", ""): "LogNormal(0.5, 1)",
            ("category_prob", ""): "Dirichlet(1)",
            ("spread", ""): "Exponential(0.1)",
            ("location", ""): "Normal(0, 3)",
            ("contrast", ""): "Normal(0, 3)",
            ("loading", "positive"): "HalfNormal(10)",
            ("loading", "real"): "Normal(0, 10)",
            ("intercept", ""): "Normal(0, 32)",
            ("residual_sd", ""): "Gamma(1, 0.5)",
            ("path", ""): "StudentT(7, 0, 2.5)",
            ("correlation", ""): "LKJ(1)",
        },
    ),
    HIERARCHICAL: Preset(
        "For small samples: slopes and locations of the items of a construct come from common distributions, "
        "log slopes Normal(mean, sd) with mean Normal(0.25, 0.5) and sd HalfNormal(0.5), locations "
        "Normal(mean, sd) with mean Normal(0, 2) and sd HalfNormal(1), so that items lend each other "
        "strength (Fox, 2010, doi:10.1007/978-1-4419-0742-4). Every slope is positive.",
        {},
    ),
}


def preset(name: str) -> Preset:
    """Return the preset called ``name``.

    Raises
    ------
    SpecError
        There is none; the message names the nearest.
    """
    if name not in PRESETS:
        raise SpecError(f"there is no preset of priors '{name}'", hint=nearest(name, PRESETS))
    return PRESETS[name]


def normal_text(target: str, text: str) -> str:
    """Return a prior, or the name of a preset, in the one spelling that specifications hold.

    Raises
    ------
    SpecError
        The text is no prior; or, for the target ``preset``, no preset.
    """
    if target == PRESET:
        preset(text)
        return text
    return str(parse_prior(text))


def with_priors(table: ParameterTable, priors: Mapping[str, str]) -> ParameterTable:
    """Return the table with the preset, if ``priors`` name one, and then the other priors put in.

    Raises
    ------
    SpecError
        As :meth:`ParameterTable.with_priors` and :func:`preset`.
    """
    own = dict(priors)
    chosen = preset(own.pop(PRESET, "default"))
    return ParameterTable(tuple(map(chosen.of, table))).with_priors(own)
