"""Constructs with a structure of their own: bifactor, testlets, cross-loadings, second order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from medpsy.spec.model_spec import Construct, SecondOrder, Specific
from medpsy.survey.items import expand_items

__all__ = ["Bifactor", "CrossLoadings", "SecondOrder", "Testlets"]

Parts = Mapping[str, str | Iterable[str]]


def Bifactor(
    name: str,
    items: str | Iterable[str],
    specific: Parts,
    *,
    family: str = "graded",
    positive: bool = False,
) -> Construct:
    """Return a construct whose items also share specific factors: predictor slope * theta + slope_s * u_s.

    Parameters
    ----------
    name : str
        Name of the construct, the general factor.
    items : str or iterable of str
        All items, as in :func:`medpsy.GradedResponse`.
    specific : mapping of str to items
        Specific factors with two items or more each; an item is in one of them at most. All factors are
        independent, with variance 1.
    family : str
        Response family of the items: categorical, with one slope per item.
    positive : bool
        Give all slopes, general and specific, a positive prior; by default only the first of each factor.

    Returns
    -------
    Construct

    Raises
    ------
    SpecError
        No item, an item twice, a range that cannot be read.

    References
    ----------
    Gibbons, R. D., & Hedeker, D. R. (1992). Full-information item bi-factor analysis. Psychometrika, 57,
    423-436. doi:10.1007/BF02295430

    Examples
    --------
    >>> import medpsy as mp
    >>> construct = mp.Bifactor("distress", "d1..d6", {"mood": "d1..d3", "body": "d4..d6"})
    >>> print(mp.Model([construct]).syntax)
    distress =~ d1..d6
    mood =~ d1..d3
    mood ~~ 0*distress
    body =~ d4..d6
    body ~~ 0*distress
    """
    return Construct(name, expand_items(items), family, positive, _parts(specific))


def Testlets(
    name: str,
    items: str | Iterable[str],
    testlets: Parts,
    *,
    family: str = "graded",
    positive: bool = False,
) -> Construct:
    """Return a construct whose items come in testlets: predictor slope * (theta + sd_s * u_s).

    Parameters, result and errors as in :func:`Bifactor`; every testlet has one sd, in units of the construct.

    References
    ----------
    Bradlow, E. T., Wainer, H., & Wang, X. (1999). A Bayesian random effects model for testlets.
    Psychometrika, 64, 153-168. doi:10.1007/BF02294533

    Examples
    --------
    >>> import medpsy as mp
    >>> passages = {"text1": "r1..r3", "text2": "r4..r6"}
    >>> construct = mp.Testlets("reading", "r1..r6", passages, family="bernoulli")
    >>> print(mp.Model([construct]).syntax)
    reading =~ r1..r6
    text1 =~ r1..r3
    text1 ~~ 0*reading
    text2 =~ r4..r6
    text2 ~~ 0*reading
    """
    return Construct(name, expand_items(items), family, positive, _parts(testlets), testlets=True)


def CrossLoadings(construct: Construct, items: str | Iterable[str]) -> Construct:
    """Return a construct on which items of other constructs load as well.

    Parameters
    ----------
    construct : Construct
        With its own items, from :func:`medpsy.GradedResponse`, for example.
    items : str or iterable of str
        Items of other constructs of the model, as in :func:`medpsy.GradedResponse`.

    Returns
    -------
    Construct
        Their slopes on it are ``cross_slope`` in the table of parameters; ``priors={"cross_slope":
        "Normal(0, 0.1)"}`` says that they are hardly there (small-variance cross-loadings).

    Raises
    ------
    SpecError
        A range that cannot be read.

    References
    ----------
    Muthén, B., & Asparouhov, T. (2012). Bayesian structural equation modeling: A more flexible representation
    of substantive theory. Psychological Methods, 17, 313-335. doi:10.1037/a0026802

    Examples
    --------
    >>> import medpsy as mp
    >>> anxiety = mp.CrossLoadings(mp.GradedResponse("anxiety", "gad1..gad7"), "phq1")
    >>> depression = mp.GradedResponse("depression", "phq1..phq9")
    >>> print(mp.Model([anxiety, depression]).syntax)
    anxiety =~ gad1..gad7 + cross*phq1
    depression =~ phq1..phq9
    """
    return replace(construct, cross=expand_items(items))


def _parts(parts: Parts) -> tuple[Specific, ...]:
    return tuple(Specific(name, expand_items(items)) for name, items in parts.items())
