"""Exploratory factor analysis through factor_analyzer, the one place that touches it."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from medpsy.errors import FitError, SpecError, nearest

METHODS = ("minres", "ml")
ORTHOGONAL = ("varimax", "quartimax", "equamax", "oblimax")
OBLIQUE = ("oblimin", "promax", "quartimin")
ROTATIONS = (*ORTHOGONAL, *OBLIQUE, "none")


@dataclass(frozen=True)
class Exploratory:
    """Rotated loadings.

    Parameters
    ----------
    loading : ndarray, shape (item, factor)
        Pattern coefficients of standardised items; factors in the order of the variance they explain, each
        with a positive sum of loadings.
    phi : ndarray, shape (factor, factor)
        Correlations of the factors; the identity after an orthogonal rotation.
    uniqueness : ndarray, shape (item,)
        One minus communality.
    """

    loading: np.ndarray
    phi: np.ndarray
    uniqueness: np.ndarray

    @property
    def communality(self) -> np.ndarray:
        """Share of the variance of each item that the factors explain."""
        return np.asarray(1 - self.uniqueness)

    @property
    def heywood(self) -> np.ndarray:
        """Items (bool) whose unique variance has shrunk to nothing or below."""
        return np.asarray(self.uniqueness < 0.005 + 1e-9)


def exploratory(
    correlation: np.ndarray, factors: int, *, method: str = "minres", rotation: str = "oblimin"
) -> Exploratory:
    """Fit and rotate an exploratory factor model.

    Parameters
    ----------
    correlation : ndarray, shape (item, item)
        Pearson or polychoric, positive definite.
    factors : int
    method : str
        ``"minres"`` (Harman & Jones, 1966, doi:10.1007/BF02289468) or ``"ml"`` (Jöreskog, 1967,
        doi:10.1007/BF02289658).
    rotation : str
        ``"oblimin"``, ``"promax"``, ``"quartimin"`` (oblique), ``"varimax"``, ``"quartimax"``,
        ``"equamax"``, ``"oblimax"`` (orthogonal) or ``"none"``.

    Returns
    -------
    Exploratory

    Raises
    ------
    SpecError
        An unknown method or rotation, or more factors than the items can carry.
    FitError
        factor_analyzer is missing, does not work with the installed libraries, or found no solution.
    """
    for name, choice, known in (("method", method, METHODS), ("rotation", rotation, ROTATIONS)):
        if choice not in known:
            raise SpecError(f"there is no {name} '{choice}'", hint=nearest(str(choice), known))
    size = len(correlation)
    most = most_factors(size)
    if isinstance(factors, bool) or not isinstance(factors, int | np.integer) or not 1 <= factors <= most:
        raise SpecError(
            f"{factors!r} factors cannot be fitted to {size} items",
            hint=f"With {size} items at most {most} can be told apart from noise." if most else "Add items.",
        )
    plain = _fit(correlation, int(factors), method)
    loading = plain if rotation == "none" or factors == 1 else _rotate(plain, rotation)
    # Rotated loadings span the same factors: plain = loading @ turn, whatever the conventions of a rotation.
    turn = np.linalg.lstsq(loading, plain, rcond=None)[0]
    phi = turn @ turn.T
    uniqueness = 1 - (plain**2).sum(axis=1)
    order = np.argsort(-np.diag(phi @ loading.T @ loading), kind="stable")
    sign = np.where(loading.sum(axis=0) < 0, -1.0, 1.0)
    loading, phi = (loading * sign)[:, order], (phi * np.outer(sign, sign))[np.ix_(order, order)]
    return Exploratory(loading, phi, uniqueness)


def most_factors(items: int) -> int:
    """Largest number of factors that leaves degrees of freedom: (p - m)^2 >= p + m."""
    return max((m for m in range(1, items) if (items - m) ** 2 >= items + m), default=0)


def _fit(correlation: np.ndarray, factors: int, method: str) -> np.ndarray:
    """Unrotated loadings (item, factor)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = _module().FactorAnalyzer(factors, rotation=None, method=method, is_corr_matrix=True)
            fitted.fit(np.array(correlation))
        loading = np.array(fitted.loadings_, dtype=float)
    except (np.linalg.LinAlgError, ValueError) as error:
        raise FitError(
            f"no solution with {factors} factors: {error}", hint="Try fewer factors or another method."
        ) from error
    except (TypeError, AttributeError) as error:
        raise _broken(error) from error
    if not np.isfinite(loading).all():
        raise FitError(f"no solution with {factors} factors", hint="Try fewer factors or another method.")
    return loading


def _rotate(loading: np.ndarray, rotation: str) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.array(_module().Rotator(method=rotation).fit_transform(loading), dtype=float)
    except (TypeError, AttributeError) as error:
        raise _broken(error) from error


def _module() -> Any:
    """Return factor_analyzer's module of models, made to work with the installed scikit-learn.

    factor_analyzer 0.5.1 calls ``check_array(force_all_finite=)``, which scikit-learn 1.8 took away in favour
    of ``ensure_all_finite``; its own reference to the function is replaced by one that renames the argument.
    """
    try:
        import factor_analyzer.factor_analyzer as module
        from sklearn.utils import check_array
    except ImportError as error:
        raise FitError(
            f"exploratory factor analysis needs factor_analyzer, which cannot be imported: {error}",
            hint="Install factor_analyzer, in a version that medpsy was tested with: see constraints.txt.",
        ) from error
    if "force_all_finite" not in inspect.signature(check_array).parameters:

        def renamed(*args: Any, **options: Any) -> Any:
            if "force_all_finite" in options:
                options["ensure_all_finite"] = options.pop("force_all_finite")
            return check_array(*args, **options)

        module.check_array = renamed
    return module


def _broken(error: Exception) -> FitError:
    return FitError(
        f"factor_analyzer {_version('factor_analyzer')} does not work with scikit-learn "
        f"{_version('scikit-learn')}: {error}",
        hint="Install versions that medpsy was tested with: see constraints.txt.",
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
