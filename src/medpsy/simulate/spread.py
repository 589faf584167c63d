"""Distributions of person variables: how they are drawn, and the points that represent them in integrals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Half-width, in sds, over which a normal is represented.
REACH = 8.0
_GAUSS_POINTS = 80


@dataclass(frozen=True)
class Spread:
    """What a variable can be, and how often.

    Parameters
    ----------
    values : ndarray, shape (point,)
        Level indices of a category, values of a discrete number, nodes of a continuous one.
    mass : ndarray, shape (point,)
        Probability of each point; sums to 1.
    """

    values: np.ndarray
    mass: np.ndarray

    @property
    def mean(self) -> float:
        """Mean, in the variable's unit."""
        return float(self.mass @ self.values)

    @property
    def sd(self) -> float:
        """Standard deviation, in the variable's unit."""
        return float(np.sqrt(self.mass @ (self.values - self.mean) ** 2))

    def standard(self, x: np.ndarray, level: int | None = None) -> np.ndarray:
        """Return ``x`` as it enters a regression: z-scored, or the indicator of a level less its share."""
        if level is None:
            return (x - self.mean) / self.sd
        return (x == level).astype(float) - float(self.mass[self.values == level].sum())

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw ``n`` values, independent persons."""
        return rng.choice(self.values, n, p=self.mass)


@dataclass(frozen=True)
class Quota(Spread):
    """Fixed counts: every draw of n persons holds the shares as exactly as whole persons allow."""

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw ``n`` values in random order; counts are rounded by largest remainders."""
        wanted = n * self.mass
        # Guards whole numbers such as 321 * (115 / 321) against the last bit.
        counts = np.floor(wanted + 1e-9).astype(int)
        rest = np.argsort(counts - wanted, kind="stable")[: n - counts.sum()]
        counts[rest] += 1
        return rng.permutation(np.repeat(self.values, counts))


@dataclass(frozen=True)
class CutNormal(Spread):
    """A normal, cut off outside [low, high]; ``centre`` and ``scale`` are those before the cut."""

    centre: float
    scale: float
    low: float
    high: float

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw by the inverse distribution function."""
        from scipy.special import ndtr, ndtri

        below, within = (float(ndtr((end - self.centre) / self.scale)) for end in (self.low, self.high))
        x = self.centre + self.scale * ndtri(rng.uniform(below, within, n))
        return np.clip(x, self.low, self.high)


def cut_normal(centre: float, scale: float, low: float = -np.inf, high: float = np.inf) -> CutNormal | None:
    """Return the normal cut to [low, high], or None where less than a millionth of it lies inside."""
    from scipy.special import ndtr

    if ndtr((high - centre) / scale) - ndtr((low - centre) / scale) < 1e-6:
        return None
    start, end = max(low, centre - REACH * scale), min(high, centre + REACH * scale)
    nodes, weights = np.polynomial.legendre.leggauss(_GAUSS_POINTS)
    values = 0.5 * (start + end) + 0.5 * (end - start) * nodes
    mass = weights * np.exp(-0.5 * ((values - centre) / scale) ** 2)
    return CutNormal(values, mass / mass.sum(), centre, scale, low, high)
