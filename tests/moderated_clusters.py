"""Surveys of persons in clusters with moderators of the clusters, and the models that tests fit to them."""

from __future__ import annotations

import numpy as np

import medpsy as mp
from medpsy.survey.instrument import Instrument, Variable
from medpsy.survey.survey import Survey

#: What :func:`made` is made from: paths within and between, at w = 0 and per unit of w.
TRUE = {
    "a": 0.4, "a_w": -0.3, "b": 0.3, "b_w": 0.2, "c": 0.1, "c_w": 0.1,
    "a_between": 0.6, "a_between_w": -0.2, "b_between": 0.5, "b_between_w": 0.3, "c_between": 0.1,
    "c_between_w": 0.0,
}  # fmt: skip


def made(
    seed: int = 3, clusters: int = 40, size: int = 8, *, binary: bool = False, random: float = 0.0
) -> dict[str, np.ndarray]:
    """Columns school, x, m, y, w, z, age: w and z belong to the school, ``random`` is the sd of slopes a and
    b, whose correlation is a half."""
    rng, t = np.random.default_rng(seed), TRUE
    school = np.repeat(np.arange(clusters), size)
    w = np.arange(clusters) % 2.0 if binary else rng.normal(2.0, 1.0, clusters)
    z = 0.5 * w + rng.normal(size=clusters)
    u, v = rng.normal(size=(2, clusters))
    own_a, own_b = random * u, random * (0.5 * u + np.sqrt(0.75) * v)
    mean_x = 0.3 * w + rng.normal(0, 0.7, clusters)
    mean_m = (t["a_between"] + t["a_between_w"] * w) * mean_x + 0.2 * w + rng.normal(0, 0.5, clusters)
    mean_y = (t["b_between"] + t["b_between_w"] * w) * mean_m - 0.1 * w + rng.normal(0, 0.5, clusters)
    mean_y += (t["c_between"] + t["c_between_w"] * w) * mean_x
    x, age = rng.normal(size=(2, school.size))
    m = (t["a"] + t["a_w"] * w + own_a)[school] * x + 0.8 * rng.normal(size=school.size)
    y = (t["b"] + t["b_w"] * w + own_b)[school] * m + (t["c"] + t["c_w"] * w)[school] * x
    y += 0.7 * rng.normal(size=school.size)
    return {
        "school": school.astype(float), "x": 5 + mean_x[school] + x, "m": 1 + mean_m[school] + m,
        "y": mean_y[school] + y, "w": w[school], "z": z[school], "age": age,
    }  # fmt: skip


def survey(columns: dict[str, np.ndarray], levels: tuple[str, ...] = ()) -> Survey:
    """The columns as a survey; with ``levels`` w is a category of that many of equal frequency."""
    columns = dict(columns)
    if levels:
        codes = np.unique(columns["w"], return_inverse=True)[1] % len(levels)
        columns["w"] = codes.astype(np.int64)
    person = np.array([f"p{i}" for i in range(len(columns["school"]))])
    variables = tuple(
        Variable(name, "category", levels=levels) if name == "w" and levels else Variable(name)
        for name in columns
    )
    return Survey(Instrument((), variables), person, np.empty((len(person), 0), np.int8), columns)


def model(design: str = "1-1-1", moderates: object = "all", **about: object) -> mp.Mediation:
    exposure = "x" if design == "1-1-1" else "z"
    options = {"moderator": "w", "moderates": moderates, "slopes": []} | about
    return mp.Mediation(exposure, "m", "y", design=design, clusters="school", **options)  # type: ignore[arg-type]


CASES: dict[str, tuple[mp.Mediation, tuple[str, ...]]] = {
    "all paths": (model(), ()),
    "random slopes": (model(slopes=["a", "b"], covariates=["age"]), ()),
    "category": (model(moderates=["first", "direct"], slopes=["b"]), ("low", "middle", "high")),
    "2-1-1": (model("2-1-1", covariates=["age"]), ()),
    "2-1-1, slopes": (model("2-1-1", "second", slopes=["b"]), ("no", "yes")),
    "two moderators": (
        mp.Mediation("x", "m", "y", design="1-1-1", clusters="school", slopes=["a"],
                     moderation={"first": [("w", "z")], "second": ["z"]}), (),
    ),
    "exposure moderates": (
        mp.Mediation("z", ["m"], "y", design="2-1-1", clusters="school", interaction=True), (),
    ),
}  # fmt: skip
