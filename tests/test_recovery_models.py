"""Every model file of a family, a structure or an outcome recovers the truth that it is simulated from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

import medpsy as mp
from medpsy.api.fits import Fit
from medpsy.bind import local
from medpsy.families.explained import Explained
from medpsy.ops import Numpy
from medpsy.simulate import Truth, read_truth

MODELS = Path(__file__).resolve().parent.parent / "models"
KINDS = ("family", "structure", "outcome")
FILES = sorted(path for kind in KINDS for path in MODELS.glob(f"{kind}-*.toml"))
#: Parameters that are no property of the items themselves: deviations, and what others make of them.
INSIDE = ("category_prob", "location_level", "location_level_sd", "location_residual", "location_mean",
          "location_sd", "location_effect", "slope_residual")  # fmt: skip


class Collected:
    """Draws of everything that a truth states, beside the truth."""

    def __init__(self, fit: Fit, truth: Truth) -> None:
        self.fit, self.truth = fit, truth
        tree = fit.tree["posterior"]
        self.posterior = {
            str(name): array.to_numpy().reshape(-1, *array.shape[2:])
            for name, array in tree.data_vars.items()
        }
        self.draws: list[np.ndarray] = []
        self.true: list[np.ndarray] = []
        for block in fit.result.data.blocks:
            self.items(block)
        self.paths()
        self.correlations()

    def add(self, draws: np.ndarray, true: Any) -> None:
        flat, target = draws.reshape(len(draws), -1), np.ravel(np.asarray(true, dtype=float))
        there = np.isfinite(flat).all(axis=0) & (flat.std(axis=0) > 0)
        self.draws.append(flat[:, there])
        self.true.append(target[there])

    def items(self, block: Any) -> None:
        """Parameters of the items, in raw units where they are numbers, and what follows from them."""
        items, name = self.truth.items[block.name], block.name
        family = self.fit.result.model.families[name]
        if not family.categorical:
            self.add(self.posterior[f"loading_{name}"] * block.unit, items["loading"])
            self.add(self.posterior[f"residual_sd_{name}"] * block.unit, items["residual_sd"])
            self.add(self.posterior[f"intercept_{name}"] * block.unit + block.centre, items["intercept"])
            return
        for role in family.roles:
            if role not in INSIDE:
                self.add(self.posterior[f"{role}_{name}"], items[role])
        for what, (_, value) in family.kept(block, items, Numpy).items():
            self.add(self.posterior[f"{what}_{name}"], value)
        if isinstance(family, Explained):
            p = local(self.fit.result.data, block, self.posterior)
            for c in range(len(family.design.categories)):
                true = family.design.level_effects(items, c)
                self.add(family.design.level_effects(p, c), true)
            if family.design.numbers:
                self.add(p["location_effect"], items["location_effect"])

    def paths(self) -> None:
        """Paths, per sd of a number; and parameters of the families of observed variables."""
        layout, truth = self.fit.result.data.layout, self.truth
        scale = {equation.node: equation.scale for equation in truth.equations}
        for c, coefficient in enumerate(layout.coefficients):
            unit = truth.variables[coefficient.path.source].sd / scale[layout.nodes[coefficient.target]]
            self.add(self.posterior["coefficient"][:, [c]] * unit, [truth.paths[coefficient.name]])
        at = 0
        for one in layout.pooled:
            true = np.array([truth.paths[f"{one.key}[{label}]"] for label in one.labels])
            drawn = self.posterior["level_effect"][:, at : at + len(true)]
            # The last one follows from the others.
            self.add(drawn[:, 1:] / scale[layout.nodes[one.target]], (true - true.mean())[1:])
            at += len(true)
        for equation in truth.equations:
            if equation.family == "latent":
                continue
            node = layout.nodes.index(equation.node)
            own = layout.own(node, self.posterior)
            for role in ("df", "overdispersion", "category_prob"):
                if role in own:
                    self.add(own[role], [equation.own[role]])

    def correlations(self) -> None:
        """Correlations of the constructs, or what a second-order construct makes of them."""
        if "second_order_loading" in self.posterior:
            loading = self.posterior["second_order_loading"]
            found = loading[:, :, None] * loading[:, None, :]
        elif "correlation" in self.posterior:
            found = self.posterior["correlation"]
        else:
            return
        pairs = np.triu_indices(found.shape[-1], 1)
        self.add(found[:, *pairs], self.truth.correlation[pairs])


def test_there_are_files() -> None:
    assert len(FILES) >= 20


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_fit_recovers_the_truth_of_the_file(path: Path) -> None:
    """Intervals of 95 % hold the truth about as often as they say, and estimates go with it."""
    model = mp.load_model(path)
    assert model.file is not None and model.file.truth is not None and model.file.instrument is not None
    truth = read_truth(model.composed, model.file.instrument, model.file.truth)
    fit = model.fit(model.simulate(), seed=1, progress=False)
    assert fit.trusted, fit.checks()
    found = Collected(fit, truth)
    draws, true = np.concatenate(found.draws, axis=1), np.concatenate(found.true)
    lower, upper = np.quantile(draws, [0.025, 0.975], axis=0)
    missed = int(((true < lower) | (true > upper)).sum())
    # Quantities of one fit go together, so that misses come in clusters: a very wide bound, and one more.
    assert missed <= binom.ppf(0.9995, len(true), 0.05) + 1, f"{missed} of {len(true)} intervals miss"
    if len(true) >= 6:
        assert np.corrcoef(draws.mean(axis=0), true)[0, 1] > 0.93
    # Not far off anywhere: six posterior sds are a mistake in a formula, not chance.
    assert (np.abs(draws.mean(axis=0) - true) / draws.std(axis=0)).max() < 6
