"""MAP scores: the most probable values of the constructs of each person."""

from __future__ import annotations

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.base import gaussian_given, observed_patterns
from medpsy.errors import FitError
from medpsy.families.base import Block
from medpsy.families.crossed import Crossed
from medpsy.families.nested import Nested
from medpsy.latent.base import system
from medpsy.ops import Numpy
from medpsy.posterior.by_group import views
from medpsy.posterior.items_at import SECOND
from medpsy.posterior.nested_items import FIRST, OFFSETS, STEP, nested_log_likelihood
from medpsy.result import Result

#: Newton steps at most, the longest step in residual sds, and the step at which a person has arrived.
MOST, LONGEST, ARRIVED = 100, 1.0, 1e-9


def person_modes(result: Result) -> tuple[np.ndarray, np.ndarray]:
    """MAP scores and their standard errors, at the posterior means of the parameters.

    Parameters
    ----------
    result : Result

    Returns
    -------
    mode, error : ndarray, shape (person, factor)
        Joint mode of all constructs given every answer, covariate and explained number of the person, and
        square roots of the diagonal of the inverse observed information; units as in ``scores``. A person
        who answered nothing has the mean of the regression. Both leave the uncertainty of the parameters
        out: prefer posterior means and sds.

    Raises
    ------
    FitError
        The model has no constructs, an explained variable without normal residuals (which has no closed
        regression) or items that measure several constructs, or the search failed.
    """
    data = result.data
    if not data.blocks:
        raise FitError(
            "this model has no constructs, so persons have no scores", hint="Use the observed values."
        )
    if data.layout.not_normal:
        raise FitError(
            f"there are no MAP scores: {data.layout.not_normal}, which persons' scores explain",
            hint="Use posterior means.",
        )
    if any(isinstance(family, Crossed) for family in data.model.families.values()):
        raise FitError(
            "there are no MAP scores of items that measure several constructs", hint="Use posterior means."
        )
    if data.groups is not None:
        mode, error = np.empty((2, data.n_person, data.n_factor))
        for rows, one in zip(data.groups.rows, views(result).values(), strict=True):
            mode[rows], error[rows] = person_modes(one)
        return mode, error
    p = posterior_means(result)
    mean, chol = system(data.model.structure.equations(p, data.layout, Numpy), data.layout, Numpy)
    mode = np.empty((data.n_person, data.n_factor))
    error = np.empty_like(mode)
    for persons, nodes in observed_patterns(data):
        location, spread, _ = gaussian_given(data, mean, chol @ chol.T, persons, nodes, Numpy)
        mode[persons], error[persons] = _climb(data, p, persons, location, np.linalg.inv(spread))
    return mode, error


def posterior_means(result: Result) -> dict[str, np.ndarray]:
    """Posterior mean of every free parameter; of correlations, the factor of their mean matrix."""
    out = {}
    values = result.values()
    for parameter in result.data.parameters:
        draws = values[parameter.name]
        if parameter.event == "correlation":
            out[parameter.name] = np.linalg.cholesky((draws @ np.swapaxes(draws, -1, -2)).mean(axis=(0, 1)))
        else:
            out[parameter.name] = draws.mean(axis=(0, 1))
    return out


def _climb(
    data: ModelData,
    p: dict[str, np.ndarray],
    persons: np.ndarray,
    location: np.ndarray,
    precision: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method for all persons at once, steps cut at ``LONGEST``."""
    theta = location.copy()
    for _ in range(MOST):
        slope = -(theta - location) @ precision
        curvature = np.tile(precision, (len(persons), 1, 1))
        for block in data.blocks:
            d = block.factor
            first, second = _derivatives(data, block, p, persons, theta[:, d])
            slope[:, d] += first
            # A family whose likelihood is not concave may bend upwards far from its mode.
            curvature[:, d, d] += np.maximum(-second, 0.0)
        step = np.linalg.solve(curvature, slope[..., None])[..., 0]
        theta += step * np.minimum(1.0, LONGEST / np.maximum(np.abs(step).max(axis=1), 1e-300))[:, None]
        if np.abs(step).max() < ARRIVED:
            return theta, np.sqrt(np.diagonal(np.linalg.inv(curvature), axis1=1, axis2=2))
    late = data.person[persons][np.abs(step).max(axis=1) >= ARRIVED]
    raise FitError(
        f"the MAP scores of {len(late)} persons were not found ({', '.join(map(str, late[:5]))})",
        hint="Use posterior means: their answers fit the model so badly that the mode is not clear.",
    )


def _derivatives(
    data: ModelData, block: Block, p: dict[str, np.ndarray], persons: np.ndarray, theta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivative (person,) of the log-probability of the answers to one block."""
    family = data.model.families[block.construct.name]
    shifted = (theta + STEP * OFFSETS[:, None]).ravel()
    values = block.values[persons]
    if isinstance(family, Nested):
        repeated = np.tile(values, (len(OFFSETS), 1))
        log = nested_log_likelihood(family, local(data, block, p), shifted, repeated)
        terms = log.reshape(len(OFFSETS), -1)
        return FIRST @ terms / STEP, SECOND @ terms / STEP**2
    if block.n_categories:
        table = family.log_prob(shifted, local(data, block, p), Numpy)
        table = table.reshape(*table.shape[:2], len(OFFSETS), -1)
        item, person = np.arange(values.shape[1])[:, None], np.arange(len(persons))
        terms = table[item, np.maximum(values.T, 0), :, person]  # (item, person, offset)
        terms = np.where((values.T >= 0)[..., None], terms, 0.0)
    else:
        mean, sd = family.log_prob(shifted, local(data, block, p), Numpy)
        mean = np.moveaxis(mean.reshape(len(mean), len(OFFSETS), -1), 1, 2)
        terms = -0.5 * ((values.T[..., None] - mean) / sd[..., None]) ** 2
        terms = np.where(np.isnan(values.T)[..., None], 0.0, terms)
    total = terms.sum(axis=0)
    return total @ FIRST / STEP, total @ SECOND / STEP**2
