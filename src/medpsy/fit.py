"""The pipeline from a composed model and a survey to a Result, on one screen."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.bind import ModelData, bind
from medpsy.derive import derived, level_coords, standardised
from medpsy.dims import (
    ANSWERS,
    CHAIN,
    CONSTANT,
    DRAW,
    LATENT,
    LOG_LIKELIHOOD,
    OBSERVED,
    PERSON,
    POSTERIOR,
    SAMPLE_STATS,
)
from medpsy.engines.base import LikelihoodEngine, choose, terms_of, without_integrated
from medpsy.engines.conditional import sampled
from medpsy.engines.two_level import TwoLevel
from medpsy.errors import SpecError
from medpsy.model import ComposedModel
from medpsy.observed.base import observed_family
from medpsy.result import Result
from medpsy.screening.incomplete_variables import RequireVariables
from medpsy.screening.screen import screen
from medpsy.spec.print_syntax import to_syntax
from medpsy.survey.survey import Survey

if TYPE_CHECKING:
    import xarray as xr

    from medpsy.inference.compiled_route import Posterior

PACKAGES = ("medpsy", "pymc", "pytensor", "nutpie", "arviz", "numpy", "scipy", "numba", "pandas", "xarray")


def fit(
    model: ComposedModel,
    survey: Survey,
    *,
    draws: int | None = None,
    tune: int | None = None,
    chains: int = 4,
    seed: int | None = None,
    cores: int | None = None,
    engine: str = "auto",
    route: str = "auto",
    sampler: str | None = None,
    target_accept: float | None = None,
    nodes: int | None = None,
    progress: bool = True,
) -> Result:
    """Sample the posterior of ``model`` given ``survey``.

    Persons whose covariates are missing leave first, and are counted in the survey's ledger.

    Parameters
    ----------
    draws, tune, chains : int
        Kept and warm-up draws per chain (left out: 1000, and as much as it takes), number of chains.
    seed : int, optional
        The same seed gives the same draws, whatever the number of cores.
    cores : int, optional
        Chains that run at the same time; all processors by default.
    engine : str
        ``"auto"``, ``"gaussian"``, ``"equations"``, ``"quadrature"``, ``"outcomes"`` or ``"conditional"``.
    route : str
        ``"auto"``, ``"compiled"`` or ``"pymc"``.
    sampler : str, optional
        ``nuts_sampler`` of ``pm.sample``; takes the PyMC route.
    target_accept, nodes : float, int, optional
        Acceptance that NUTS is tuned for; nodes per construct to begin with.

    Returns
    -------
    Result

    Raises
    ------
    DataError, SpecError, FitError
        Model and answers do not go together, or no posterior could be computed.
    """
    survey = complete(model, survey)
    data = bind(model, survey)
    chosen, verdicts = choose(data, engine, route == "pymc" or sampler is not None)
    taken, why = _route(chosen, data, route, sampler)
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    cores = cores or os.cpu_count() or 1
    options: dict[str, Any] = {
        "draws": draws, "tune": tune, "chains": chains, "seed": seed, "cores": cores,
        "target_accept": target_accept, "progress": progress, "nodes": nodes,
    }  # fmt: skip
    posterior = _sample(taken, data, chosen, sampler, options)
    tree = _tree(data, posterior, chosen)
    provenance = _provenance(model, survey, chosen, verdicts, (taken, why), options, posterior, sampler)
    return Result(tree, data, survey, provenance)


def complete(model: ComposedModel, survey: Survey) -> Survey:
    """Leave out, and count in the ledger, persons without a covariate that the model conditions on."""
    names = list(model.covariates)
    latent = {c.name for c in model.constructs}
    factors = [name for path in model.spec.paths if path.by for name in path.variables]
    names += [name for name in dict.fromkeys(factors) if name not in latent and name not in names]
    if model.spec.groups is not None and model.spec.groups.by not in names:
        names.append(model.spec.groups.by)
    if model.spec.clusters is not None:
        names.append(model.spec.clusters.by)
    if not all(observed_family(o.family).normal for o in model.spec.observed):
        # Not integrated in closed form: what explains something must be known.
        sources = {name for path in model.spec.paths for name in path.variables}
        names += [o.name for o in model.spec.observed if o.name in sources]
    if not names:
        return survey
    rule = RequireVariables(tuple(names))
    return screen(survey, [rule]).survey if rule.flags(survey).any() else survey


def _route(engine: LikelihoodEngine, data: ModelData, route: str, sampler: str | None) -> tuple[str, str]:
    """Which of the two routes is taken, and why."""
    if route not in ("auto", "compiled", "pymc"):
        raise SpecError(f"there is no route '{route}'", hint="Use 'auto', 'compiled' or 'pymc'.")
    verdict = engine.compiles(data)
    if route == "compiled" and not verdict.accepted:
        raise SpecError(f"the compiled route is closed: {verdict.reason}", hint="Use route 'auto'.")
    if route == "pymc" or (route == "auto" and sampler is not None):
        return "pymc", "asked for"
    return ("compiled" if verdict.accepted else "pymc"), verdict.reason


def _sample(
    route: str, data: ModelData, engine: LikelihoodEngine, sampler: str | None, options: dict[str, Any]
) -> Posterior:
    """Take the route; what the engine integrates out is drawn afterwards."""
    part = without_integrated(data, engine)
    if route == "compiled":
        from medpsy.inference.compiled_route import run

        posterior = run(part, engine, **options)
    else:
        from medpsy.inference.pymc_route import run as run_pymc

        posterior = run_pymc(part, engine, sampler=sampler, **options)
    if isinstance(engine, TwoLevel):
        rng = np.random.default_rng(options["seed"])
        posterior.values |= engine.recovered(data, posterior.values, rng)
    return posterior


def _tree(data: ModelData, posterior: Posterior, engine: LikelihoodEngine) -> xr.DataTree:
    """Everything as a DataTree that ArviZ understands."""
    import xarray as xr

    lead = (CHAIN, DRAW)
    n_chain, n_draw = next(iter(posterior.values.values())).shape[:2]
    coords: dict[str, Any] = {CHAIN: np.arange(n_chain), DRAW: np.arange(n_draw)}
    labels: dict[str, Any] = {}
    for parameter in data.parameters:
        labels |= dict(zip(parameter.dims, map(list, parameter.coords), strict=True))
    for block in data.blocks:
        if block.n_categories:
            labels[f"step_{block.name}"] = [str(k) for k in range(1, block.n_categories)]
    for name, steps in zip(data.layout.nodes, data.layout.categories, strict=False):
        if steps:
            labels[f"step_{name}"] = [str(k) for k in range(1, len(steps))]
    labels["regression"] = [c.name for c in data.layout.coefficients]
    labels |= level_coords(data)
    variables = {p.name: ((*lead, *p.dims), posterior.values[p.name]) for p in data.parameters}
    person = data.person.astype(str)
    if "z" in posterior.values:
        labels |= {PERSON: person, LATENT: [data.layout.nodes[i] for i in sampled(data)]}
        variables["z"] = ((*lead, PERSON, LATENT), posterior.values["z"])
    for name, (dims, value) in derived(data, posterior.values).items():
        variables[name] = ((*lead, *dims), value)
    ratio = {
        name: ((*lead, *dims), value) for name, (dims, value) in standardised(data, posterior.values).items()
    }
    blocks = {f"answers_{block.name}": ((PERSON, block.item_dim), block.values) for block in data.blocks}
    items = {block.item_dim: list(block.construct.items) for block in data.blocks}

    def dataset(content: dict[str, Any], names: dict[str, Any]) -> xr.DataTree:
        used = {dim for dims, _ in content.values() for dim in dims}
        return xr.DataTree(xr.Dataset(content, {k: v for k, v in names.items() if k in used}))

    children = {
        POSTERIOR: dataset(variables, coords | labels),
        SAMPLE_STATS: dataset({k: (lead, v) for k, v in posterior.stats.items()}, coords),
        OBSERVED: dataset(blocks, {PERSON: person} | items),
        CONSTANT: dataset({"design": ((PERSON, "column"), data.design)}, {PERSON: person}),
    }
    if posterior.log_likelihood is not None:
        dim, names = terms_of(data, engine)
        terms = dataset({ANSWERS: ((*lead, dim), posterior.log_likelihood)}, coords | {dim: names})
        given = data.layout.levels is not None and dim == PERSON
        terms.attrs["level"] = f"{engine.unit}, clusters given" if given else engine.unit
        children[LOG_LIKELIHOOD] = terms
    if posterior.matched:
        who = list(posterior.matched)
        pairs = np.array([posterior.matched[i] for i in who])
        children["loo_matched"] = dataset(
            {"elpd": ((PERSON,), pairs[:, 0]), "pareto_k": ((PERSON,), pairs[:, 1])}, {PERSON: person[who]}
        )
    if ratio:
        children["standardised"] = dataset(ratio, coords | labels)
    if posterior.log_prior is not None:
        children["log_prior"] = dataset({"joint": (lead, posterior.log_prior)}, coords)
    return xr.DataTree(children=children)


def _provenance(
    model: ComposedModel,
    survey: Survey,
    engine: LikelihoodEngine,
    verdicts: list[tuple[str, str]],
    route: tuple[str, str],
    options: dict[str, Any],
    posterior: Posterior,
    sampler: str | None,
) -> dict[str, Any]:
    """What someone needs to understand and repeat the fit."""
    kept = next(iter(posterior.values.values())).shape
    return {
        "model": {"name": model.spec.name, "text": to_syntax(model.spec), "fingerprint": model.fingerprint},
        "data": {
            "source": survey.source, "persons": survey.n_person, "fingerprint": survey.fingerprint,
            "note": survey.simulated,
        },
        "engine": {"name": engine.name, "why": [f"{n}: {reason}" for n, reason in verdicts]},
        "route": {"name": route[0], "why": route[1]},
        "sampler": {"name": sampler or posterior.method}
        | {k: v for k, v in options.items() if k != "progress"}
        | {"chains": kept[0], "draws": kept[1], "draws asked": options["draws"]},
        "note": posterior.note,
        "log": posterior.log,
        "numerics": posterior.numerics,
        "seconds": {k: round(v, 3) for k, v in posterior.seconds.items()},
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "machine": {"system": platform.system(), "processors": os.cpu_count(), "platform": sys.platform},
    }  # fmt: skip
