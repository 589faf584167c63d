"""Made-up tables with the columns of the real ones, for tests of figures and reports."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from medpsy.report.context import Context

LABELS = ["never", "rarely", "sometimes", "often", "almost every day"]
MODULES = {"mental health": 10, "meaning in life": 10, "professional mission": 6}


def nodes(kind: str = "simple") -> pd.DataFrame:
    """Nodes of a simple, parallel or serial design with three latent mediators."""
    middle = {"simple": ["m"], "parallel": ["m1", "m2", "m3"], "serial": ["m1", "m2", "m3"]}[kind]
    titles = ["Anxiety", "Depression, anhedonia and low mood", "Daytime sleepiness"]
    rows = [("x", "Mental health", "latent", 10)]
    rows += [(name, titles[at], "latent", 7) for at, name in enumerate(middle)]
    return pd.DataFrame(
        [*rows, ("y", "Professional mission", "latent", 6)], columns=["name", "title", "kind", "n_items"]
    )


def edges(kind: str = "simple") -> pd.DataFrame:
    """All paths of the design, some with intervals that include zero."""
    names = list(nodes(kind)["name"])
    pairs = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :]]
    if kind == "parallel":
        pairs = [(a, b) for a, b in pairs if "x" in (a, b) or "y" in (a, b)]
    rng = np.random.default_rng(3)
    means = rng.normal(0.2, 0.2, len(pairs)).round(3)
    rows = [
        (a, b, "~", f"p{i}", m, m - 0.15, m + 0.15)
        for i, ((a, b), m) in enumerate(zip(pairs, means, strict=True))
    ]
    return pd.DataFrame(rows, columns=["source", "target", "op", "label", "mean", "lower", "upper"])


def effects() -> pd.DataFrame:
    """Total, direct and indirect effect of a simple design."""
    rows = [
        (
            "indirect",
            "mental health -> meaning in life -> professional mission",
            0.213,
            0.211,
            0.041,
            0.137,
            0.296,
            1.0,
            0.0,
        ),
        ("direct", "mental health -> professional mission", 0.041, 0.040, 0.062, -0.081, 0.161, 0.741, 0.513),
        ("total", "mental health -> professional mission", 0.254, 0.252, 0.058, 0.141, 0.367, 0.9998, 0.002),
    ]
    frame = pd.DataFrame(
        rows, columns=["effect", "text", "mean", "median", "sd", "lower", "upper", "p_direction", "in_rope"]
    )
    return frame.assign(
        rope_low=-0.05,
        rope_high=0.05,
        std_mean=frame["mean"] * 0.8,
        std_lower=frame["lower"] * 0.8,
        std_upper=frame["upper"] * 0.8,
    )


def _items() -> list[tuple[str, str]]:
    return [
        (name, f"{''.join(w[0] for w in name.split())}{j}")
        for name, n in MODULES.items()
        for j in range(1, n + 1)
    ]


def items(seed: int = 1) -> pd.DataFrame:
    """Counts of answers for 26 items of three modules."""
    rng = np.random.default_rng(seed)
    wording = "In the last two weeks I was bothered by little interest or pleasure in doing things"
    rows = []
    for construct, item in _items():
        counts = rng.multinomial(321, rng.dirichlet(np.ones(5) * 3))
        text = wording if item.endswith("2") else "" if item.endswith("4") else "I slept badly"
        rows += [(construct, item, text, k + 1, LABELS[k], int(n)) for k, n in enumerate(counts)]
    return pd.DataFrame(rows, columns=["construct", "item", "wording", "category", "label", "count"])


def predicted(seed: int = 2) -> pd.DataFrame:
    """Observed and predicted counts per item and category."""
    frame = items(seed).rename(columns={"count": "observed"}).drop(columns="wording")
    noise = np.random.default_rng(seed).normal(0, 6, len(frame)).round(1)
    centre = np.maximum(frame["observed"] + noise, 0.5)
    return frame.assign(
        observed=frame["observed"].astype(float), predicted=centre, lower=centre * 0.8, upper=centre * 1.2
    )


def prior_scores() -> pd.DataFrame:
    """Prior expected share of persons with each sum score."""
    parts = []
    for construct, n in MODULES.items():
        score = np.arange(n, 5 * n + 1)
        share = np.full(len(score), 1 / len(score))
        parts.append(
            pd.DataFrame(
                {
                    "construct": construct,
                    "score": score,
                    "lower": share * 0.2,
                    "mean": share,
                    "upper": share * 2.4,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def curves(construct: str = "mental health", n_items: int = 10, n_categories: int = 5) -> xr.Dataset:
    """Category curves of a graded model with known thresholds; the band is 0.9 and 1.1 of the mean."""
    theta = np.linspace(-3, 3, 121)
    steps = np.linspace(-1.5, 1.5, n_categories - 1)
    slopes = np.linspace(0.8, 2.2, n_items)
    above = 1 / (1 + np.exp(-slopes[:, None, None] * (theta - steps[:, None])))
    full = np.concatenate([np.ones((n_items, 1, 121)), above, np.zeros((n_items, 1, 121))], axis=1)
    mean = full[:, :-1] - full[:, 1:]
    values = np.stack([0.9 * mean, mean, np.minimum(1.1 * mean, 1)], axis=-1)
    return xr.Dataset(
        {"probability": (("item", "category", "theta", "bound"), values)},
        coords={
            "item": [f"q{j}" for j in range(1, n_items + 1)],
            "theta": theta,
            "bound": ["lower", "mean", "upper"],
        },
        attrs={"construct": construct, "labels": (LABELS * 2)[:n_categories]},
    )


def draws(n_variables: int = 3, seed: int = 4) -> np.ndarray:
    """Independent draws, four chains of 500."""
    return np.random.default_rng(seed).normal(size=(4, 500, n_variables))


def item_table() -> pd.DataFrame:
    """The same statistics for every item."""
    frame = pd.DataFrame(_items(), columns=["construct", "item"])
    return frame.assign(wording="I slept badly", n=321, missing=0, mean=2.531, sd=1.042, item_rest=0.613)


def summary() -> pd.DataFrame:
    """Two paths and a slope."""
    rows = [
        ("paths", "meaning", "~", "mental_health", "a", 0.41, 0.307, 0.512),
        ("paths", "mission", "~", "meaning", "b", 0.52, 0.418, 0.622),
        ("slopes", "meaning", "=~", "ml1", "", 1.873, 1.51, 2.25),
    ]
    frame = pd.DataFrame(rows, columns=["section", "lhs", "op", "rhs", "label", "mean", "lower", "upper"])
    return frame.assign(sd=0.052, prior="Normal(0, 0.5)", r_hat=1.0012, ess_bulk=2312.4, ess_tail=1986.2)


def checks() -> pd.DataFrame:
    """A gate that passed, with one row for information only."""
    rows = [
        ("R-hat", "rhat", True, 1.002, 1.01, "largest R-hat 1.002 (slope ml1)", ""),
        ("Divergences", "divergences", True, 0, 0, "none of 4000 draws diverged", ""),
        ("Pareto k", "pareto_k", None, 0.41, 0.7, "largest k 0.41", ""),
    ]
    return pd.DataFrame(rows, columns=["check", "code", "passed", "value", "threshold", "text", "cure"])


def orders() -> pd.DataFrame:
    """All six orders, the first hypothesised."""
    rows = [
        (" -> ".join(p), *p, 0.1 + 0.02 * at, 0.05, 0.25, at == 0)
        for at, p in enumerate(permutations(["mental health", "meaning", "mission"]))
    ]
    columns = "order exposure mediator outcome indirect_mean lower upper hypothesised"
    return pd.DataFrame(rows, columns=columns.split())


def flow() -> pd.DataFrame:
    """340 persons read, 321 kept."""
    rows = [
        ("file", "rows of the file", "persons", 340, 340, 0, None, ()),
        ("straight lining", "the same answer 20 times", "persons", 340, 325, 15, 9, ("p012", "p031")),
        ("missing", "more than 10 % missing", "persons", 325, 321, 4, 2, ("p007", "p113", "p200")),
    ]
    return pd.DataFrame(
        rows, columns=["rule", "text", "unit", "before", "after", "removed", "only_this_rule", "places"]
    )


def sample() -> pd.DataFrame:
    """A category with two levels, and a number."""
    rows = [
        ("gender", "woman", 201, 201 / 321, np.nan, np.nan, np.nan, np.nan),
        ("gender", "man", 120, 120 / 321, np.nan, np.nan, np.nan, np.nan),
        ("age", None, np.nan, np.nan, 21.34, 1.87, 18.0, 29.0),
    ]
    return pd.DataFrame(rows, columns=["variable", "level", "n", "share", "mean", "sd", "min", "max"])


def reliability() -> pd.DataFrame:
    """One coefficient."""
    columns = "construct coefficient mean lower upper p_above_080"
    return pd.DataFrame([("meaning in life", "omega", 0.913, 0.894, 0.93, 0.9999)], columns=columns.split())


def context(**changes: Any) -> Context:
    """A full context of a simple design, every field filled."""
    rng = np.random.default_rng(8)
    full = Context(
        title="Mental health, meaning in life and professional mission",
        nodes=nodes(),
        edges=edges(),
        effects=effects(),
        items=items(),
        item_table=item_table(),
        effects_text=["The indirect effect is 0.213 (95 % interval 0.137 to 0.296)."],
        syntax="mental_health =~ mh1..mh10\nmeaning ~ a*mental_health",
        equations=["theta_2 = a theta_1 + e"],
        flow=flow(),
        sample=sample(),
        summary=summary(),
        checks=checks(),
        orders=orders(),
        reliability=reliability(),
        assumptions=["No unmeasured cause of both mediator and outcome."],
        curves=[curves()],
        predicted=predicted(),
        prior_categories=predicted(5).assign(observed=np.nan),
        prior_scores=prior_scores(),
        ranks=(draws(3), ["a", "b", "indirect"]),
        effect_draws={"indirect": rng.normal(0.213, 0.041, 2000), "direct": rng.normal(0.041, 0.06, 2000)},
        prior_effect_draws={"indirect": rng.normal(0, 0.5, 2000) * rng.normal(0, 0.5, 2000)},
        loo=pd.DataFrame([("this model", -10231.4, 88.2, 131.7)], columns=["model", "elpd", "se", "p_loo"]),
        provenance={"medpsy": "0.1.0", "data": {"persons": 321, "fingerprint": "0123456789abcdef"}},
        citations=["Vehtari et al. (2021). Rank-normalization. doi:10.1214/20-BA1221"],
    )
    return replace(full, **changes)
