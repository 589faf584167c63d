"""The model that a mediation is compared with: the same, without the paths out of the mediators."""

from __future__ import annotations

from dataclasses import replace

from medpsy.errors import SpecError
from medpsy.spec.model_spec import ModelSpec


def without_indirect(spec: ModelSpec) -> ModelSpec:
    """Take away every path from a mediator to an outcome, with its products, and all defined effects.

    A variable that is left without any path into it keeps those of the covariates; the mediators stay
    explained by the exposures, so that both models are about the same answers.

    Raises
    ------
    SpecError
        The model is no recognised mediation, or an observed outcome would be left without any path.
    """
    design = spec.design
    if design is None or not design.mediators:
        raise SpecError("the model is no recognised mediation", hint="Write it as mp.Mediation(...).")
    if spec.clusters is not None and spec.clusters.between:
        raise SpecError(
            "the paths out of the mediators stand on two levels, and means of clusters that no path orders "
            "correlate freely: there is no model without the indirect effect alone",
            hint="The posterior of the effect on each level stands in effects() and conditional().",
        )
    gone = [p for p in spec.paths if p.target in design.outcomes and set(p.variables) & set(design.mediators)]
    paths = tuple(path for path in spec.paths if path not in gone)
    for observed in spec.observed:
        if not any(path.target == observed.name for path in paths):
            raise SpecError(f"nothing would explain '{observed.name}' any more", hint="Add a covariate.")
    labels = {path.label for path in gone}
    priors = tuple(
        (t, text) for t, text in spec.priors if t.partition(".")[2] not in {*labels, *(p.key for p in gone)}
    )
    return replace(
        spec, paths=paths, definitions=(), design=None, priors=priors,
        name=f"{spec.name} without indirect effect",
    )  # fmt: skip
