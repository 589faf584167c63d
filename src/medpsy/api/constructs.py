"""Constructs by the name of their measurement model, and observed variables that are explained."""

from __future__ import annotations

from collections.abc import Iterable

from medpsy.spec.model_spec import Construct, Observed
from medpsy.survey.items import expand_items

__all__ = [
    "Construct",
    "FourParameterLogistic",
    "GeneralisedPartialCredit",
    "GradedProbit",
    "GradedRatingScale",
    "GradedResponse",
    "LinearFactor",
    "Nominal",
    "Observed",
    "PartialCredit",
    "Rasch",
    "RatingScale",
    "Sequential",
    "ThreeParameterLogistic",
    "TwoParameterLogistic",
]


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

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.GradedResponse("anxiety", "gad1..gad7")
    >>> print(mp.Model([construct]).equations[0])
    P(Y >= k) = logistic(slope * anxiety - threshold_k)   for Y = gad1, ..., gad7
    """
    return Construct(name, expand_items(items), "graded", positive)


def TwoParameterLogistic(name: str, items: str | Iterable[str], *, positive: bool = False) -> Construct:
    """Return a construct measured by items with two answers: P(Y = 1) = logistic(slope * theta - threshold).

    Parameters, result and errors as in :func:`GradedResponse`.

    References
    ----------
    Birnbaum, A. (1968). Some latent trait models and their use in inferring an examinee's ability. In F. M.
    Lord & M. R. Novick, Statistical theories of mental test scores.

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.TwoParameterLogistic("ability", "q1..q5")
    >>> print(mp.Model([construct]).equations[0])
    P(Y = 1) = logistic(slope * ability - threshold)   for Y = q1, ..., q5
    """
    return Construct(name, expand_items(items), "bernoulli", positive)


def Rasch(name: str, items: str | Iterable[str]) -> Construct:
    """Return a construct measured by items with two answers that all discriminate alike.

    Parameters, result and errors as in :func:`GradedResponse`.

    P(Y = 1) = logistic(spread * theta - threshold): thresholds are item difficulties in logits,
    ``spread`` is the standard deviation of the construct in logits.

    References
    ----------
    Rasch, G. (1960). Probabilistic models for some intelligence and attainment tests. Danish Institute for
    Educational Research.

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.Rasch("ability", "q1..q5")
    >>> print(mp.Model([construct]).equations[0])
    P(Y = 1) = logistic(spread * ability - threshold)   for Y = q1, ..., q5
    """
    return Construct(name, expand_items(items), "rasch")


def ThreeParameterLogistic(name: str, items: str | Iterable[str], *, positive: bool = False) -> Construct:
    """Return a construct measured by items with a right answer that can be guessed.

    Parameters, result and errors as in :func:`GradedResponse`.

    P(Y = 1) = guessing + (1 - guessing) * logistic(slope * theta - threshold). Items must be scored 0 and
    1; an answer scale has no right answer, so that items with more categories are refused.

    References
    ----------
    Birnbaum, A. (1968). Some latent trait models and their use in inferring an examinee's ability. In F. M.
    Lord & M. R. Novick, Statistical theories of mental test scores.

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.ThreeParameterLogistic("ability", "q1..q5")
    >>> print(mp.Model([construct]).equations[0])
    P(Y = 1) = guessing + (1 - guessing) * logistic(slope * ability - threshold)   for Y = q1, ..., q5
    """
    return Construct(name, expand_items(items), "three_parameter_logistic", positive)


def FourParameterLogistic(name: str, items: str | Iterable[str], *, positive: bool = False) -> Construct:
    """Return a construct measured by items that can be guessed, and missed by those who know.

    Parameters, result and errors as in :func:`GradedResponse`.

    P(Y = 1) = guessing + (upper - guessing) * logistic(slope * theta - threshold), ``upper`` always above
    ``guessing``. Items must be scored 0 and 1.

    References
    ----------
    Barton, M. A., & Lord, F. M. (1981). An upper asymptote for the three-parameter logistic item-response
    model. ETS Research Report 81-20. doi:10.1002/j.2333-8504.1981.tb01255.x

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.FourParameterLogistic("ability", "q1..q5")
    >>> print(mp.Model([construct]).equations[0])
    P(Y = 1) = guessing + (upper - guessing) * logistic(slope * ability - threshold)   for Y = q1, ..., q5
    """
    return Construct(name, expand_items(items), "four_parameter_logistic", positive)


def GradedProbit(name: str, items: str | Iterable[str], *, positive: bool = False) -> Construct:
    """Return a construct measured by ordinal items: P(Y >= k) = Phi(slope * theta - threshold_k).

    Parameters, result and errors as in :func:`GradedResponse`;
    slopes and thresholds are in probits, about 0.59 of the logits of the graded model.

    References
    ----------
    Samejima, F. (1969). Estimation of latent ability using a response pattern of graded scores.
    Psychometrika Monograph Supplement, 17. doi:10.1007/BF03372160

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.GradedProbit("anxiety", "gad1..gad7")
    >>> print(mp.Model([construct]).equations[0])
    P(Y >= k) = Phi(slope * anxiety - threshold_k)   for Y = gad1, ..., gad7
    """
    return Construct(name, expand_items(items), "graded_probit", positive)


def GradedRatingScale(name: str, items: str | Iterable[str]) -> Construct:
    """Return a construct measured by ordinal items that share the steps of their answer scale.

    Parameters, result and errors as in :func:`GradedResponse`.

    P(Y >= k) = logistic(slope * (theta - location - step_k)). All slopes are positive and all items have the
    same number of categories.

    References
    ----------
    Muraki, E. (1990). Fitting a polytomous item response model to Likert-type data. Applied Psychological
    Measurement, 14, 59-71. doi:10.1177/014662169001400106

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.GradedRatingScale("anxiety", "gad1..gad7")
    >>> print(mp.Model([construct]).equations[0])
    P(Y >= k) = logistic(slope * (anxiety - location - step_k))   for Y = gad1, ..., gad7
    """
    return Construct(name, expand_items(items), "graded_rating_scale")


def PartialCredit(name: str, items: str | Iterable[str]) -> Construct:
    """Return a construct measured by ordinal items that all discriminate alike.

    Parameters, result and errors as in :func:`GradedResponse`.

    P(Y = k) / P(Y = k - 1) = exp(spread * theta - threshold_k): the Rasch model for more than two categories.
    Thresholds are step difficulties in logits, in any order; ``spread`` is the standard deviation of the
    construct in logits.

    References
    ----------
    Masters, G. N. (1982). A Rasch model for partial credit scoring. Psychometrika, 47, 149-174.
    doi:10.1007/BF02296272

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.PartialCredit("anxiety", "gad1..gad7")
    >>> print(mp.Model([construct]).equations[0])
    P(Y = k) / P(Y = k - 1) = exp(spread * anxiety - threshold_k)   for Y = gad1, ..., gad7
    """
    return Construct(name, expand_items(items), "partial_credit")


def GeneralisedPartialCredit(name: str, items: str | Iterable[str], *, positive: bool = False) -> Construct:
    """Return a construct measured by ordinal items, neighbouring categories compared.

    Parameters, result and errors as in :func:`GradedResponse`.

    P(Y = k) / P(Y = k - 1) = exp(slope * theta - threshold_k), thresholds in any order.

    References
    ----------
    Muraki, E. (1992). A generalized partial credit model: Application of an EM algorithm. Applied
    Psychological Measurement, 16, 159-176. doi:10.1177/014662169201600206

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.GeneralisedPartialCredit("anxiety", "gad1..gad7")
    >>> print(mp.Model([construct]).equations[0])
    P(Y = k) / P(Y = k - 1) = exp(slope * anxiety - threshold_k)   for Y = gad1, ..., gad7
    """
    return Construct(name, expand_items(items), "generalised_partial_credit", positive)


def RatingScale(name: str, items: str | Iterable[str]) -> Construct:
    """Return a construct measured by ordinal items that differ in location only.

    Parameters, result and errors as in :func:`GradedResponse`.

    P(Y = k) / P(Y = k - 1) = exp(spread * theta - location - step_k), steps common to all items; all
    items have the same number of categories.

    References
    ----------
    Andrich, D. (1978). A rating formulation for ordered response categories. Psychometrika, 43, 561-573.
    doi:10.1007/BF02293814

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.RatingScale("anxiety", "gad1..gad7")
    >>> print(mp.Model([construct]).equations[0])
    P(Y = k) / P(Y = k - 1) = exp(spread * anxiety - location - step_k)   for Y = gad1, ..., gad7
    """
    return Construct(name, expand_items(items), "rating_scale")


def Sequential(name: str, items: str | Iterable[str], *, positive: bool = False) -> Construct:
    """Return a construct measured by items whose categories are steps taken one after another.

    Parameters, result and errors as in :func:`GradedResponse`.

    P(Y >= k | Y >= k - 1) = logistic(slope * theta - threshold_k), thresholds in any order.

    References
    ----------
    Tutz, G. (1990). Sequential item response models with an ordered response. British Journal of Mathematical
    and Statistical Psychology, 43, 39-55. doi:10.1111/j.2044-8317.1990.tb00925.x

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.Sequential("anxiety", "gad1..gad7")
    >>> print(mp.Model([construct]).equations[0])
    P(Y >= k | Y >= k - 1) = logistic(slope * anxiety - threshold_k)   for Y = gad1, ..., gad7
    """
    return Construct(name, expand_items(items), "sequential", positive)


def Nominal(name: str, items: str | Iterable[str], *, positive: bool = False) -> Construct:
    """Return a construct measured by items whose categories need not be ordered.

    Parameters, result and errors as in :func:`GradedResponse`.

    P(Y = k) is proportional to p_k * exp(slope * score_k * theta), with scores 0 for the first and K - 1
    for the last category and free ones between: they show whether the categories are in order.

    References
    ----------
    Bock, R. D. (1972). Estimating item parameters and latent ability when responses are scored in two or more
    nominal categories. Psychometrika, 37, 29-51. doi:10.1007/BF02291411

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.Nominal("anxiety", "gad1..gad7")
    >>> print(mp.Model([construct]).equations[0])
    P(Y = k) proportional to p_k * exp(slope * score_k * anxiety)   for Y = gad1, ..., gad7
    """
    return Construct(name, expand_items(items), "nominal", positive)


def LinearFactor(name: str, items: str | Iterable[str], *, positive: bool = False) -> Construct:
    """Return a construct measured by continuous items: y = intercept + loading * theta + residual_sd * e.

    Parameters, result and errors as in :func:`GradedResponse`; ``positive`` is about the loadings, which are
    in units of the item.

    References
    ----------
    Jöreskog, K. G. (1969). A general approach to confirmatory maximum likelihood factor analysis.
    Psychometrika, 34, 183-202. doi:10.1007/BF02289343

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.LinearFactor("speed", "x7..x9")
    >>> print(mp.Model([construct]).equations[0])
    Y = intercept + loading * speed + residual_sd * e, e ~ N(0, 1)   for Y = x7, ..., x9
    """
    return Construct(name, expand_items(items), "gaussian", positive)
