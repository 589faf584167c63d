"""A construct of constructs (Schmid & Leiman, 1957, doi:10.1007/BF02289209).

theta_d = (gamma_d G + e_d) / sqrt(1 + gamma_d^2) given the covariates, with G and all e_d standard normal:
every construct keeps variance 1, its loading on G is lambda_d = gamma_d / sqrt(1 + gamma_d^2), and constructs
correlate by lambda_c lambda_d. No loading can exceed one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.latent.base import Equations, Layout
from medpsy.latent.correlated import CorrelatedStructure
from medpsy.ops import Numpy
from medpsy.parameter import Parameter
from medpsy.spec.model_spec import Path, SecondOrder
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.priors import parse_prior

ROLE = "second_order_slope"


class SecondOrderStructure(CorrelatedStructure):
    """Parameters ``second_order_slope`` gamma (construct,), and ``covariate_effect`` as without it.

    Parameters
    ----------
    of : SecondOrder, optional
        Bound by :func:`second_order`; the registered part has none.
    """

    name = "second_order"

    def __init__(self, of: SecondOrder | None = None) -> None:
        self.of = of

    @property
    def higher(self) -> str:
        """Name of the second-order construct."""
        assert self.of is not None
        return self.of.name

    def rows(self, paths: tuple[Path, ...], layout: Any) -> list[ParameterRow]:
        """One slope per construct, the first positive, and the covariate rows."""
        rows = []
        for position, name in enumerate(layout.nodes):
            prior = parse_prior("StudentT(4, 1, 1)" if position else "LogNormal(0, 0.6)")
            target = f"{ROLE}.{self.higher}.{name}"
            rows.append(ParameterRow("Second order", self.higher, "=~", name, None, target, prior))
        return rows + super().rows(paths, layout)

    def parameters(self, layout: Layout, table: ParameterTable) -> tuple[Parameter, ...]:
        """The slopes, and the covariate effects where they exist."""
        priors = tuple(table.prior(f"{ROLE}.{self.higher}.{name}") for name in layout.nodes)
        slope = Parameter(ROLE, ("second_order_indicator",), (layout.nodes,), priors)
        return (slope, *super().parameters(layout, table))

    def loading(self, p: dict[str, Any], xp: Any) -> Any:
        """Standardised loadings lambda (..., construct)."""
        gamma = p[ROLE]
        return gamma / xp.sqrt(1.0 + gamma**2)

    def derived(self, p: dict[str, Any], layout: Layout, xp: Any) -> dict[str, tuple[tuple[str, ...], Any]]:
        """``second_order_loading``: dimensions and values."""
        return {"second_order_loading": (("second_order_indicator",), self.loading(p, xp))}

    def equations(self, p: dict[str, Any], layout: Layout, xp: Any) -> Equations:
        """B = 0, D = 1, Z the Cholesky factor of lambda lambda' + diag(1 - lambda^2)."""
        eq = super().equations(p, layout, xp)
        where = np.arange(len(layout.nodes))
        lam = self.loading(p, xp)
        unique = xp.place((where.size, where.size), where, where, 1.0 - lam**2)
        return Equations(eq.b, eq.g, eq.d, xp.cholesky(lam[..., :, None] * lam[..., None, :] + unique))

    def reverse(self, p: dict[str, np.ndarray], layout: Layout, d: Equations) -> dict[str, np.ndarray]:
        """Through the Cholesky factor, the correlations and the loadings to the slopes."""
        out = super().reverse(p, layout, d)
        lam = self.loading(p, Numpy)
        chol = self.equations(p, layout, Numpy).z
        d_r = cholesky_reverse(chol, np.tril(d.z))
        np.fill_diagonal(d_r, 0.0)
        return out | {ROLE: 2.0 * (d_r @ lam) * (1.0 + p[ROLE] ** 2) ** -1.5}

    def given_constructs(self, p: dict[str, np.ndarray], residual: np.ndarray) -> tuple[np.ndarray, float]:
        """Mean (person,) and variance of G given the residuals of the constructs (person, construct)."""
        lam = self.loading(p, Numpy)
        weight = np.linalg.solve(np.outer(lam, lam) + np.diag(1.0 - lam**2), lam)
        return residual @ weight, float(1.0 - weight @ lam)


def cholesky_reverse(chol: np.ndarray, d_chol: np.ndarray) -> np.ndarray:
    """Gradient with respect to a symmetric matrix, given it with respect to its lower Cholesky factor.

    Murray (2016, arXiv:1602.07527); entries of both triangles count.
    """
    inner = np.tril(chol.T @ d_chol)
    inner[np.diag_indices_from(inner)] *= 0.5
    half = np.linalg.solve(chol.T, np.linalg.solve(chol.T, inner.T).T)
    return 0.5 * (half + half.T)


STRUCTURE = SecondOrderStructure()
