"""Whom to cite for a fit: only for the parts that took part."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medpsy.result import Result

_BOCK_AITKIN = (
    "Bock, R. D., & Aitkin, M. (1981). Marginal maximum likelihood estimation of item "
    "parameters: Application of an EM algorithm. Psychometrika, 46, 443-459. doi:10.1007/BF02293801 "
    "(persons integrated out)"
)
_ENGINES = {
    "quadrature": _BOCK_AITKIN,
    "layered": _BOCK_AITKIN,
    "outcomes": "Rabe-Hesketh, S., Skrondal, A., & Pickles, A. (2004). Generalized multilevel structural "
    "equation modeling. Psychometrika, 69, 167-190. doi:10.1007/BF02295939 (persons integrated out beside "
    "variables of any family)",
}
_LKJ = (
    "Lewandowski, D., Kurowicka, D., & Joe, H. (2009). Generating random correlation matrices based on vines "
    "and extended onion method. Journal of Multivariate Analysis, 100, 1989-2001. "
    "doi:10.1016/j.jmva.2009.04.008 (prior of correlations)"
)
_NUTS = (
    "Hoffman, M. D., & Gelman, A. (2014). The No-U-Turn Sampler. Journal of Machine Learning Research, 15, "
    "1593-1623 (sampler)"
)
_NUTPIE = "nutpie: No-U-Turn sampling with PyMC models, https://pymc-devs.github.io/nutpie (software)"
_CHECKS = (
    "Vehtari, A., Gelman, A., Simpson, D., Carpenter, B., & Bürkner, P.-C. (2021). Rank-normalization, "
    "folding, and localization: An improved R-hat. Bayesian Analysis, 16, 667-718. doi:10.1214/20-BA1221 "
    "(convergence)",
    "Vehtari, A., Gelman, A., & Gabry, J. (2017). Practical Bayesian model evaluation using leave-one-out "
    "cross-validation and WAIC. Statistics and Computing, 27, 1413-1432. doi:10.1007/s11222-016-9696-4 "
    "(cross-validation)",
)
_EXAMPLES = {
    "students": "Lopez Tavera, J. C. (2018). Analysis of Mexican medical students' mental health data. "
    "GitHub, jclopeztavera/medstudents-depression (data; MIT licence)",
}


def citations(result: Result) -> list[str]:
    """Return references of models, numerics, diagnostics, data and questionnaires, in this order."""
    families = result.model.families
    found = list(dict.fromkeys(families[c.name].reference for c in result.model.spec.constructs))
    found += [_ENGINES[name] for name in [result.provenance["engine"]["name"]] if name in _ENGINES]
    if any(parameter.event == "correlation" for parameter in result.data.parameters):
        found.append(_LKJ)
    found.append(_NUTS)
    if "nutpie" in str(result.provenance["sampler"]["name"]):
        found.append(_NUTPIE)
    found += _CHECKS
    source = str(result.survey.source)
    found += [text for name, text in _EXAMPLES.items() if source == f"example '{name}'"]
    items = {item for construct in result.model.spec.constructs for item in construct.items}
    for module in result.survey.instrument.modules:
        if module.source and items & set(module.items):
            found.append(f"{module.title or module.name}: {module.source}")
    return found
