"""The closed list of priors: text to value and back, support, density and central interval."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medpsy.errors import SpecError, nearest

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class _Kind:
    parameters: tuple[str, ...]
    support: str


#: Names, arguments and supports. Every argument but a location ``mu`` is positive.
KINDS = {
    "Normal": _Kind(("mu", "sd"), "real"),
    "StudentT": _Kind(("nu", "mu", "sd"), "real"),
    "LogNormal": _Kind(("mu", "sd"), "positive"),
    "HalfNormal": _Kind(("sd",), "positive"),
    "HalfStudentT": _Kind(("nu", "sd"), "positive"),
    "Exponential": _Kind(("rate",), "positive"),
    "Gamma": _Kind(("shape", "rate"), "positive"),
    "Beta": _Kind(("a", "b"), "unit"),
    "Dirichlet": _Kind(("c",), "simplex"),
    "LKJ": _Kind(("eta",), "correlation"),
}


@dataclass(frozen=True)
class Prior:
    """A prior distribution from the closed list.

    Parameters
    ----------
    kind : str
        ``Normal(mu, sd)``, ``StudentT(nu, mu, sd)``, ``LogNormal(mu, sd)`` (of the logarithm),
        ``HalfNormal(sd)``, ``HalfStudentT(nu, sd)``, ``Exponential(rate)``, ``Gamma(shape, rate)``,
        ``Beta(a, b)``, ``Dirichlet(c)`` (the same concentration in every category), ``LKJ(eta)``. ``sd`` is
        the scale: the standard deviation of the normal (before folding in the half-normal), the scale of t.
    args : tuple of float
        The arguments in that order.

    Raises
    ------
    SpecError
        An unknown distribution, a wrong number of arguments, or an argument out of its range.
    """

    kind: str
    args: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SpecError(f"unknown prior distribution '{self.kind}'", hint=nearest(self.kind, KINDS))
        names = KINDS[self.kind].parameters
        if len(self.args) != len(names):
            raise SpecError(
                f"prior {self.kind} takes {len(names)} argument{'s' * (len(names) > 1)}, "
                f"{len(self.args)} given",
                hint=f"Write {signature(self.kind)}.",
            )
        for name, value in zip(names, self.args, strict=True):
            if not math.isfinite(value) or (name != "mu" and value <= 0):
                wanted = "finite" if name == "mu" else "positive"
                raise SpecError(
                    f"prior {self}: {name} must be {wanted}, not {_number(value)}",
                    hint=f"Write {signature(self.kind)}.",
                )

    @property
    def support(self) -> str:
        """``"real"``, ``"positive"``, ``"unit"``, ``"simplex"`` or ``"correlation"``."""
        return KINDS[self.kind].support

    def __getitem__(self, name: str) -> float:
        """Return one argument by name, for example ``prior["sd"]``."""
        return self.args[KINDS[self.kind].parameters.index(name)]

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(map(_number, self.args))})"


def signature(kind: str) -> str:
    """Return ``"Normal(mu, sd)"`` and the like."""
    return f"{kind}({', '.join(KINDS[kind].parameters)})"


def parse_prior(text: str) -> Prior:
    """Read a prior such as ``"Normal(0, 0.5)"`` or ``"StudentT(nu=4, mu=0, sd=1)"``.

    Raises
    ------
    SpecError
        The text is no prior of the closed list; the message says which part.
    """
    match = re.fullmatch(r"\s*(\w+)\s*\(([^()]*)\)\s*", text)
    if match is None:
        raise SpecError(
            f"'{text}' is no prior",
            hint="Write a distribution with its arguments in brackets, for example Normal(0, 0.5).",
        )
    kind, inside = match.groups()
    if kind not in KINDS:
        raise SpecError(f"unknown prior distribution '{kind}'", hint=nearest(kind, KINDS))
    pieces = [piece.strip() for piece in inside.split(",")] if inside.strip() else []
    return Prior(kind, _arguments(kind, pieces, text.strip()))


def _arguments(kind: str, pieces: list[str], text: str) -> tuple[float, ...]:
    names = KINDS[kind].parameters
    positional: list[float] = []
    named: dict[str, float] = {}
    for piece in pieces:
        name, equals, value = (part.strip() for part in piece.rpartition("="))
        number = _parse_number(value, text)
        if not equals:
            if named:
                raise SpecError(
                    f"prior {text}: {piece} stands after a named argument", hint=f"Write {signature(kind)}."
                )
            positional.append(number)
        elif name not in names:
            raise SpecError(f"prior {kind} has no argument '{name}'", hint=nearest(name, names))
        elif name in named or name in names[: len(positional)]:
            raise SpecError(f"prior {text}: '{name}' is given twice", hint=f"Write {signature(kind)}.")
        else:
            named[name] = number
    rest = names[len(positional) :]
    if named and set(rest) != set(named):
        lacking = ", ".join(name for name in rest if name not in named)
        raise SpecError(f"prior {text}: {lacking} is missing", hint=f"Write {signature(kind)}.")
    return (*positional, *(named[name] for name in rest if name in named))


def _parse_number(value: str, text: str) -> float:
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", value):
        raise SpecError(f"prior {text}: '{value}' is no number", hint="Arguments are plain numbers.")
    return float(value)


def _number(value: float) -> str:
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def density(prior: Prior, x: Any) -> np.ndarray:
    """Return the log density of a univariate prior.

    Parameters
    ----------
    prior : Prior
        Any kind but Dirichlet and LKJ.
    x : array_like
        Parameter values, on the parameter's own scale.

    Returns
    -------
    ndarray, shape of ``x``
        Natural logarithm of the density; -inf outside the support.
    """
    import numpy as np

    _require_univariate(prior)
    x = np.asarray(x, dtype=float)
    lower = -np.inf if prior.support == "real" else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = _log_density(prior, x)
    # Where log(0) met log(0) the density of a log-normal is zero.
    inside = np.where(np.isnan(inside) & ~np.isnan(x), -np.inf, inside)
    upper = 1.0 if prior.support == "unit" else np.inf
    return np.where((x < lower) | (x > upper), -np.inf, inside)


def _log_density(prior: Prior, x: np.ndarray) -> np.ndarray:
    import numpy as np

    match prior.kind, prior.args:
        case "Normal", (mu, sd):
            return _normal(x, mu, sd)
        case "HalfNormal", (sd,):
            return math.log(2) + _normal(x, 0.0, sd)
        case "LogNormal", (mu, sd):
            return _normal(np.log(x), mu, sd) - np.log(x)
        case "StudentT", (nu, mu, sd):
            return _student_t(x, nu, mu, sd)
        case "HalfStudentT", (nu, sd):
            return math.log(2) + _student_t(x, nu, 0.0, sd)
        case "Exponential", (rate,):
            return math.log(rate) - rate * x
        case "Gamma", (shape, rate):
            # At x = 0 and shape 1 the power term is 0 * log(0), whose limit is 0.
            power = (shape - 1) * np.log(x) if shape != 1 else np.zeros_like(x)
            return shape * math.log(rate) - math.lgamma(shape) + power - rate * x
        case "Beta", (a, b):
            constant = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
            left = (a - 1) * np.log(x) if a != 1 else np.zeros_like(x)
            right = (b - 1) * np.log1p(-x) if b != 1 else np.zeros_like(x)
            return constant + left + right
    raise AssertionError(prior)


def _normal(x: np.ndarray, mu: float, sd: float) -> np.ndarray:
    return -0.5 * ((x - mu) / sd) ** 2 - math.log(sd) - 0.5 * math.log(2 * math.pi)


def _student_t(x: np.ndarray, nu: float, mu: float, sd: float) -> np.ndarray:
    import numpy as np

    constant = math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2) - 0.5 * math.log(nu * math.pi) - math.log(sd)
    return constant - (nu + 1) / 2 * np.log1p(((x - mu) / sd) ** 2 / nu)


def interval(prior: Prior, prob: float = 0.95) -> tuple[float, float]:
    """Return the central (equal-tailed) interval of a univariate prior.

    Parameters
    ----------
    prior : Prior
        Any kind but Dirichlet and LKJ.
    prob : float
        Probability inside, between 0 and 1.

    Returns
    -------
    lower, upper : float
        On the parameter's own scale.
    """
    from scipy import stats

    _require_univariate(prior)
    if not 0 < prob < 1:
        raise SpecError(f"prob must lie between 0 and 1, not {prob}", hint="For example prob=0.95.")
    match prior.kind, prior.args:
        case "Normal", (mu, sd):
            frozen = stats.norm(mu, sd)
        case "HalfNormal", (sd,):
            frozen = stats.halfnorm(0, sd)
        case "LogNormal", (mu, sd):
            frozen = stats.lognorm(sd, scale=math.exp(mu))
        case "StudentT", (nu, mu, sd):
            frozen = stats.t(nu, mu, sd)
        case "HalfStudentT", (nu, sd):
            # |t|: a tail of |t| is twice the tail of t.
            lower, upper = (float(sd * stats.t.ppf(0.5 + q / 2, nu)) for q in _tails(prob))
            return lower, upper
        case "Exponential", (rate,):
            frozen = stats.expon(scale=1 / rate)
        case "Gamma", (shape, rate):
            frozen = stats.gamma(shape, scale=1 / rate)
        case "Beta", (a, b):
            frozen = stats.beta(a, b)
    lower, upper = (float(frozen.ppf(q)) for q in _tails(prob))
    return lower, upper


def _tails(prob: float) -> tuple[float, float]:
    return (1 - prob) / 2, (1 + prob) / 2


def _require_univariate(prior: Prior) -> None:
    if prior.support in ("simplex", "correlation"):
        raise SpecError(
            f"{prior} is a prior on several numbers at once and has no single density or interval",
            hint="Look at the prior predictive distribution instead.",
        )
