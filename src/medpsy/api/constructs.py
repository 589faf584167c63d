"""Constructs by the name of their measurement model, and observed variables that are explained."""

from __future__ import annotations

from collections.abc import Iterable

from medpsy.spec.model_spec import Construct, Observed
from medpsy.survey.items import expand_items

__all__ = ["Construct", "GradedResponse", "LinearFactor", "Observed", "TwoParameterLogistic"]


def GradedResponse(name: str, items: str | Iterable[str], *, positive: bool = False) -> Construct:
    """Return a construct measured by ordinal items: P(Y >= k) = logistic(slope * theta - threshold_k).

    Parameters
    ----------
    name : str
        Name of the construct.
    items : str or iterable of str
        Item names and ranges, such as ``"mh1..mh10"`` or ``["pm1", "pm3..pm6"]``.
    positive : bool
        Give every slope a positive prior; by default only the first item's, so that a forgotten reversed
        item shows as a negative slope.

    Returns
    -------
    Construct
        In standard deviations given whatever explains it; slopes and thresholds are in logits.

    Raises
    ------
    SpecError
        No item, an item twice, a range that cannot be read.

    References
    ----------
    Samejima, F. (1969). Estimation of latent ability using a response pattern of graded scores.
    Psychometrika Monograph Supplement, 17. doi:10.1007/BF03372160
    """
    return Construct(name, expand_items(items), "graded", positive)


def TwoParameterLogistic(name: str, items: str | Iterable[str], *, positive: bool = False) -> Construct:
    """Return a construct measured by items with two answers: P(Y = 1) = logistic(slope * theta - threshold).

    Parameters, result and errors as in :func:`GradedResponse`.

    References
    ----------
    Birnbaum, A. (1968). Some latent trait models and their use in inferring an examinee's ability. In F. M.
    Lord & M. R. Novick, Statistical theories of mental test scores.
    """
    return Construct(name, expand_items(items), "bernoulli", positive)


def LinearFactor(name: str, items: str | Iterable[str], *, positive: bool = False) -> Construct:
    """Return a construct measured by continuous items: y = intercept + loading * theta + residual_sd * e.

    Parameters, result and errors as in :func:`GradedResponse`; ``positive`` is about the loadings, which are
    in units of the item.

    References
    ----------
    Jöreskog, K. G. (1969). A general approach to confirmatory maximum likelihood factor analysis.
    Psychometrika, 34, 183-202. doi:10.1007/BF02289343
    """
    return Construct(name, expand_items(items), "gaussian", positive)
