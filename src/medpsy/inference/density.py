"""The posterior density of the compiled route: priors, Jacobians and likelihood over one vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import CompiledLikelihood
from medpsy.errors import FitError
from medpsy.inference.transforms import Unconstrained, unconstrain_start


class Density:
    """Log-posterior and gradient in unconstrained coordinates, up to a constant.

    Parameters
    ----------
    data : ModelData
    likelihood : CompiledLikelihood
    products : bool
        See :class:`~medpsy.inference.transforms.Unconstrained`.
    """

    def __init__(self, data: ModelData, likelihood: CompiledLikelihood, products: bool = False) -> None:
        self.data = data
        self.likelihood = likelihood
        self.space = Unconstrained(data.parameters, products)
        #: Its C function, or why there is none; None until `medpsy.inference.native` has looked.
        self.native: Any = None

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.space.size

    def value_and_gradient(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-density at ``u`` (size,) and its gradient; minus infinity where it does not exist."""
        with np.errstate(all="ignore"):
            values, prior, gradient = self.space.point(u)
            try:
                likelihood, d_values = self.likelihood.value_and_gradient(values)
            except np.linalg.LinAlgError:
                return -np.inf, np.zeros(self.size)
            self.space.pull_back(values, d_values, gradient)
        total = prior + likelihood
        if not np.isfinite(total) or not np.isfinite(gradient).all():
            return -np.inf, np.zeros(self.size)
        return total, gradient

    def terms_at(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-prior with Jacobian at points (point, size), every person's log-likelihood (point, person)."""
        prior, terms = [], []
        for one in u:
            values, at, _ = self.space.point(one)
            prior.append(at)
            with np.errstate(all="ignore"):
                terms.append(self.likelihood.per_person(values))
        return np.array(prior), np.array(terms)

    def check_start(self, u: np.ndarray) -> None:
        """Raise FitError naming the parameters whose gradient is not a number at ``u``."""
        value, _ = self.value_and_gradient(u)
        if np.isfinite(value):
            return
        values, _, prior = self.space.point(u)
        try:
            with np.errstate(all="ignore"):
                likelihood, d_values = self.likelihood.value_and_gradient(values)
        except np.linalg.LinAlgError:
            raise FitError(
                "the covariance of the constructs is singular at the starting point",
                hint="Check for constructs or variables that are copies of one another.",
            ) from None
        bad = [name for name, d in d_values.items() if not np.isfinite(d).all()]
        bad += [label for label, g in zip(self.space.labels(), prior, strict=True) if not np.isfinite(g)]
        raise FitError(
            f"the log-density is {likelihood} at the starting point"
            + (f"; not a number: {', '.join(bad[:5])}" if bad else ""),
            hint="Check the priors of these parameters and the range of the data.",
        )


def start_point(data: ModelData) -> np.ndarray:
    """Coordinates to start from: what the families suggest, and zero for the structure."""
    space = Unconstrained(data.parameters)
    values = space.constrain(np.zeros(space.size))
    start = getattr(data.model.structure, "start", None)
    values |= {} if start is None else start(data.layout)
    for block in data.blocks:
        for role, value in data.model.families[block.name].start(block).items():
            values[f"{role}_{block.name}"] = value
    return unconstrain_start(data.parameters, values)
