"""Items explained by their properties, and ratings by several raters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from medpsy.spec.item_properties import read_properties
from medpsy.spec.model_spec import Construct
from medpsy.survey.ratings import Ratings


def explain_items(construct: Construct, properties: Any, *, residual: bool = True) -> Construct:
    """Return the construct with the difficulty of its items regressed on their properties.

    Parameters
    ----------
    construct : Construct
        With ordinal or binary items: ``mp.Rasch(...)``, ``mp.GradedResponse(...)`` and others.
    properties : mapping or DataFrame
        By property one value for every item: a list in the order of the items, or a mapping by item; or a
        data frame whose index names the items. Numbers have a slope. Texts are levels, whose effects add up
        to zero and come from a common distribution with an estimated sd (partial pooling).
    residual : bool
        Items differ beyond their properties (the linear logistic test model with error). False: they do not
        (Fischer, 1973), which is a strong claim.

    Returns
    -------
    Construct

    Raises
    ------
    SpecError
        An item without a value, a property that is the same for all items, properties that cannot be told
        apart without residuals.

    References
    ----------
    Fischer, G. H. (1973). The linear logistic test model as an instrument in educational research. Acta
    Psychologica, 37, 359-374. doi:10.1016/0001-6918(73)90003-6
    De Boeck, P., & Wilson, M. (Eds.) (2004). Explanatory item response models. doi:10.1007/978-1-4757-3990-9

    Examples
    --------
    >>> import medpsy as mp
    >>> mp.explain_items(mp.Rasch("reasoning", "r1..r4"), {"steps": [1, 2, 2, 3]}).properties.names
    ('steps',)
    """
    return replace(
        construct, properties=read_properties(construct.name, construct.items, properties, residual)
    )


def ManyFacet(name: str, ratings: Ratings, *, family: str | None = None, residual: bool = False) -> Construct:
    """Return a construct measured by ratings: each depends on the person and on every facet.

    Parameters
    ----------
    name : str
        Name of what is rated.
    ratings : Ratings
        From :func:`medpsy.read_ratings`; the model is fitted to ``ratings.survey``.
    family : str, optional
        ``"rating_scale"`` unless given (steps common to all ratings), ``"rasch"`` for two scores.
    residual : bool
        Combinations of facets differ beyond the sum of their effects: a rater is stricter with one criterion
        than with others.

    Returns
    -------
    Construct
        Levels of a facet have effects on the location (higher: more severe, more difficult) that sum to zero
        and come from a common distribution.

    Raises
    ------
    SpecError
        A facet with one level; facets that cannot be told apart.

    References
    ----------
    Linacre, J. M. (1989). Many-facet Rasch measurement. ISBN 9780941938027

    Examples
    --------
    >>> import medpsy as mp
    >>> import pandas as pd
    >>> rows = [(s, r, (i + k) % 3) for i, s in enumerate("abcdef") for k, r in enumerate(("r1", "r2"))]
    >>> frame = pd.DataFrame(rows, columns=["student", "rater", "score"])
    >>> ratings = mp.read_ratings(frame, person="student", score="score", facets="rater")
    >>> mp.ManyFacet("writing", ratings).family
    'rating_scale'
    """
    two = ratings.survey.instrument.modules[0].n_categories == 2
    chosen = family or ("rasch" if two else "rating_scale")
    return explain_items(Construct(name, ratings.items, chosen), dict(ratings.properties), residual=residual)
