"""The posterior of one quantity, with its interval, zero and what counts as practically nothing."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from medpsy.errors import DataError
from medpsy.plots import style
from medpsy.plots.numbers import estimate
from medpsy.plots.numbers import interval as bounds


def density(draws: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return a Gaussian kernel density of ``draws`` on ``grid``, both in the units of the draws.

    The bandwidth is 0.9 min(sd, IQR / 1.34) n^(-1/5) (Silverman, 1986, ISBN 9780412246203, p. 48).
    """
    quartiles = np.subtract(*np.quantile(draws, (0.75, 0.25))) / 1.34
    spread = min(draws.std(), quartiles) or draws.std()
    width = 0.9 * spread * len(draws) ** -0.2
    edges = np.linspace(grid[0] - 4 * width, grid[-1] + 4 * width, 2001)
    heights, _ = np.histogram(draws, edges)
    middles = (edges[1:] + edges[:-1]) / 2
    kernel = np.exp(-0.5 * ((grid[:, None] - middles) / width) ** 2)
    return kernel @ heights / (len(draws) * width * np.sqrt(2 * np.pi))


@style.styled
def posterior_density(
    draws: np.ndarray,
    prior_draws: np.ndarray | None = None,
    *,
    rope: tuple[float, float] | None = None,
    label: str = "",
    interval: float = 0.95,
) -> Figure:
    """Draw the posterior density of one quantity, over its prior where that is given.

    Parameters
    ----------
    draws : ndarray, shape (draw,)
        Posterior draws; draws that are not finite are left out and counted in the axis label.
    prior_draws : ndarray, shape (draw,), optional
        Prior draws of the same quantity. The axis follows the posterior; the tails of a wide prior are cut.
    rope : (float, float), optional
        Region of practical equivalence, drawn as a band.
    label : str
        Name of the quantity.
    interval : float
        Mass of the equal-tailed interval.

    Raises
    ------
    DataError
        If there are fewer than two finite draws.
    """
    every = np.asarray(draws, dtype=float).ravel()
    kept = every[np.isfinite(every)]
    if len(kept) < 2:
        raise DataError(f"posterior density of '{label}': fewer than two finite draws", hint="Leave it out.")
    prior = None if prior_draws is None else np.asarray(prior_draws, dtype=float).ravel()
    prior = None if prior is None else prior[np.isfinite(prior)]
    tail = (1 - interval) / 2
    low, high = np.quantile(kept, (tail, 1 - tail))
    grid = _grid(kept, prior, rope)
    figure = Figure(figsize=(4.9, 2.5), layout="constrained")
    axes = style.quiet(figure.add_subplot())
    if rope is not None:
        axes.axvspan(*rope, color=style.ROPE, linewidth=0, label="practical equivalence")
    if prior is not None and len(prior) > 1 and np.ptp(prior) > 0:
        axes.plot(
            grid, density(prior, grid), color=style.GREY, linewidth=1.1, linestyle=(0, (4, 2)), label="prior"
        )
    if np.ptp(kept) > 0:
        heights = density(kept, grid)
        axes.plot(grid, heights, color=style.BLUE, linewidth=1.4, label="posterior")
        within = (grid >= low) & (grid <= high)
        axes.fill_between(grid[within], 0, heights[within], color=style.BLUE, alpha=0.25, linewidth=0)
    else:
        axes.axvline(kept[0], color=style.BLUE, linewidth=1.4, label="posterior (constant)")
    axes.axvline(0, color=style.INK, linewidth=0.7)
    axes.set_title(f"mean {estimate(kept.mean())}, {100 * interval:g} % interval {bounds(low, high)}")
    lost = len(every) - len(kept)
    axes.set_xlabel(label + (f" ({lost} of {len(every)} draws not finite)" if lost else ""))
    axes.set(ylim=(0, None), yticks=[], xlim=(grid[0], grid[-1]))
    axes.spines["left"].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0.2, handlelength=1.4)
    return figure


def _grid(kept: np.ndarray, prior: np.ndarray | None, rope: tuple[float, float] | None) -> np.ndarray:
    """Return 400 points that hold the posterior, zero, the ROPE and the middle half of the prior."""
    ends = [*np.quantile(kept, (0.0005, 0.9995)), 0.0, *(rope or ())]
    if prior is not None and len(prior) > 1:
        ends += [*np.quantile(prior, (0.25, 0.75))]
    room = 0.06 * (max(ends) - min(ends)) or 1.0
    return np.linspace(min(ends) - room, max(ends) + room, 400)
