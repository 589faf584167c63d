"""Leave-one-person-out cross-validation, and the comparison of models by it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.dims import ANSWERS, CHAIN, DRAW, LOG_LIKELIHOOD, PERSON, POSTERIOR
from medpsy.errors import DataError, FitError, SpecError
from medpsy.posterior.left_clusters import CLUSTER, by_cluster
from medpsy.result import Result

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from arviz_stats.utils import ELPDData

#: Level of log-likelihood terms whose person scores are integrated out.
MARGINAL = "person"
#: The tail that Pareto smoothing fits holds a fifth of the draws and needs five.
FEWEST_DRAWS = 25
#: Smaller differences of expected log predictive density mean similar predictions.
SMALL_DIFFERENCE = 4.0
#: With fewer persons the standard error of a difference is too small, and doubled.
FEW_PERSONS = 100


#: Levels at which a whole unit is left out, with nothing of its own given.
WHOLE = (MARGINAL, CLUSTER)


def level(result: Result) -> str:
    """Return what one log-likelihood term is: ``"person"``, ``"cluster"``, or either with something given."""
    return str(result.tree[LOG_LIKELIHOOD].attrs["level"])


def loo(result: Result) -> ELPDData:
    """Return the expected log predictive density of a person left out, in a model with clusters of a cluster.

    Importance sampling with Pareto-smoothed weights. With the scores integrated out this is the density
    of all answers of a person whom the model has not seen; persons without any answer contribute 0 and
    have a Pareto k of minus infinity (leaving them out changes nothing).

    Parameters
    ----------
    result : Result

    Returns
    -------
    ELPDData
        Pointwise: ``elpd``, ``se`` and ``p`` in natural log units; ``elpd_i`` and ``pareto_k`` over persons.

    Raises
    ------
    FitError
        The fit has no log-likelihood terms, fewer than 25 draws, or a term that is no finite number.

    References
    ----------
    Vehtari, A., Gelman, A., & Gabry, J. (2017). Practical Bayesian model evaluation using leave-one-out
    cross-validation and WAIC. Statistics and Computing, 27, 1413-1432. doi:10.1007/s11222-016-9696-4
    """
    if "loo" not in result.kept:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            result.kept["loo"] = _computed(result), [one.message for one in heard]
    found, said = result.kept["loo"]
    for message in said:
        warnings.warn(message, stacklevel=2)
    return deepcopy(found)


def _computed(result: Result) -> ELPDData:
    """Leave-one-out, anew: it takes as long as some fits."""
    import xarray as xr
    from arviz_stats import loo as psis_loo

    result = by_cluster(result)
    terms = _terms(result)
    constant = _constant(terms)
    # As when the persons were chosen who need more than importance sampling: k depends on it.
    options: dict[str, Any] = {"pointwise": True, "var_name": ANSWERS, "reff": _efficiency(result)}
    if not constant.any():
        return _with_matched(psis_loo(result.tree, **options, **_weights(terms, options["reff"])), result)
    rest = xr.DataTree(
        children={
            POSTERIOR: xr.DataTree(result.tree[POSTERIOR].to_dataset()),
            LOG_LIKELIHOOD: xr.DataTree(terms.isel({PERSON: ~constant}).to_dataset(name=ANSWERS)),
        }
    )
    weights = _weights(terms.isel({PERSON: ~constant}), options["reff"])
    found = _with_constant(psis_loo(rest, **options, **weights), terms, constant)
    return _with_matched(found, result)


def _weights(terms: xr.DataArray, efficiency: float | None) -> dict[str, xr.DataArray]:
    """Smoothed weights and Pareto k for ArviZ, which would compute them twice."""
    import arviz_stats  # noqa: F401  (gives arrays their ``azstats``)

    if efficiency is None:
        return {}
    weights, k = terms.azstats.psislw(r_eff=efficiency, dim=[CHAIN, DRAW])
    return {"log_weights": weights, "pareto_k": k}


def _efficiency(result: Result) -> float | None:
    """Effective draws per draw, where the fit noted them."""
    return result.provenance.get("numerics", {}).get("efficiency")


def pareto_k(result: Result) -> np.ndarray:
    """Return the Pareto k of every person, shape (person,).

    Up to ``min(1 - 1 / log10(draws), 0.7)`` the density of a person is estimated well without refitting.
    """
    with warnings.catch_warnings():
        # The numbers are handed over: ArviZ need not say again that some are large.
        warnings.simplefilter("ignore", UserWarning)
        return loo(result).pareto_k.to_numpy()


def compare(results: Mapping[str, Result]) -> pd.DataFrame:
    """Rank models of the same answers by how well they predict a person left out.

    Parameters
    ----------
    results : mapping of str to Result
        At least two fits to the same answers of the same persons, scores integrated out.

    Returns
    -------
    DataFrame
        Best first, indexed by ``model``. Columns: ``elpd``, ``se``, ``p_loo`` (effective number of
        parameters); ``elpd_diff`` (0 for the best, negative for the others) and ``se_diff``, doubled with
        fewer than 100 persons (``attrs["se_diff"]`` says so); ``weight`` (stacking); ``verdict`` in plain
        words. Differences below 4, or below two standard errors, do not tell models apart. Natural log units.

    Raises
    ------
    SpecError
        Fewer than two models, or terms given sampled scores (alone or mixed with marginal ones).
    DataError
        Different persons, different items, or different answers.

    References
    ----------
    Yao, Y., Vehtari, A., Simpson, D., & Gelman, A. (2018). Using stacking to average Bayesian predictive
    distributions. Bayesian Analysis, 13(3), 917-1007. doi:10.1214/17-BA1091
    Sivula, T., Magnusson, M., Matamoros, A. A., & Vehtari, A. (2025). Uncertainty in Bayesian leave-one-out
    cross-validation based model comparison. doi:10.48550/arXiv.2008.10296
    """
    from arviz_stats import compare as rank

    if len(results) < 2:
        raise SpecError("a comparison needs at least two models", hint='Write compare({"one": a, "two": b}).')
    _same_level(results)
    for pair in pairwise(results.items()):
        _same_answers(*pair)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # large Pareto k stand in the verdict
        found = {name: _in_order(loo(result), result) for name, result in results.items()}
        # Stacking exponentiates; what is common to all models of a person cancels but could underflow.
        common = np.max([f.elpd_i.to_numpy() for f in found.values()], axis=0)
        shifted = {
            name: replace(one, elpd_i=one.elpd_i - common, elpd=one.elpd - common.sum())
            for name, one in found.items()
        }
        table = rank(shifted, round_to="none")
    names = list(table.index)
    table = table.rename(columns={"dse": "se_diff"}).rename_axis("model")
    table["elpd"] = [float(found[name].elpd) for name in names]
    table["se"] = [float(found[name].se) for name in names]
    table["p_loo"] = [float(found[name].p) for name in names]
    few = len(common) < FEW_PERSONS
    if few:
        table["se_diff"] *= 2
    close = (table["elpd_diff"].abs() < SMALL_DIFFERENCE) | (table["elpd_diff"].abs() < 2 * table["se_diff"])
    table["verdict"] = _verdicts(names, close.to_list(), found)
    table = table[["elpd", "se", "p_loo", "elpd_diff", "se_diff", "weight", "verdict"]]
    table.attrs = {"se_diff": f"doubled: {len(common)} persons" if few else "as it is"}
    return table


def _terms(result: Result) -> xr.DataArray:
    """Log-likelihood terms (chain, draw, person), checked."""
    if LOG_LIKELIHOOD not in result.tree.children:
        raise FitError("this fit holds no log-likelihood terms", hint="Fit the model again with medpsy.")
    terms = result.tree[LOG_LIKELIHOOD][ANSWERS].transpose(CHAIN, DRAW, PERSON)
    n_draw = terms.sizes[CHAIN] * terms.sizes[DRAW]
    if n_draw < FEWEST_DRAWS:
        raise FitError(
            f"leave-one-out cross-validation needs {FEWEST_DRAWS} draws, there are {n_draw}",
            hint="Fit again with more draws: 4 chains of 1000 are the default.",
        )
    odd = ~np.isfinite(terms.to_numpy()).all(axis=(0, 1))
    if odd.any():
        who = ", ".join(map(str, terms[PERSON].to_numpy()[odd][:5]))
        raise FitError(
            f"the log-likelihood of {int(odd.sum())} persons is not a finite number ({who})",
            hint="Look at these persons' answers, and at the parameters for draws that ran away.",
        )
    return terms


def _constant(terms: xr.DataArray) -> np.ndarray:
    """Which persons' terms do not depend on the parameters (they gave no answer)."""
    values = terms.to_numpy()
    constant = np.ptp(values, axis=(0, 1)) <= 1e-9 * np.maximum(1.0, np.abs(values).max(axis=(0, 1)))
    if constant.all():
        raise FitError(
            "no log-likelihood term varies between draws",
            hint="The sampler never moved, or nobody answered: look at the trace of the parameters.",
        )
    return constant


def _with_constant(found: ELPDData, terms: xr.DataArray, constant: np.ndarray) -> ELPDData:
    """Put persons whose terms never vary back into their places."""
    elpd = terms.isel({CHAIN: 0, DRAW: 0}, drop=True).copy()
    elpd[~constant] = found.elpd_i.to_numpy()
    k = np.full(len(constant), -np.inf)
    k[~constant] = found.pareto_k.to_numpy()
    values = elpd.to_numpy()
    return replace(
        found,
        elpd=float(values.sum()),
        se=float(np.sqrt(values.size * values.var(ddof=1))),
        n_data_points=values.size,
        elpd_i=elpd,
        pareto_k=elpd.copy(data=k),
    )


def _with_matched(found: ELPDData, result: Result) -> ELPDData:
    """Put in the terms of persons whom moment matching was needed for."""
    if "loo_matched" not in result.tree.children:
        return found
    matched = result.tree["loo_matched"]
    elpd, k = found.elpd_i.copy(deep=True), found.pareto_k.copy(deep=True)
    place = np.flatnonzero(np.isin(result.data.person.astype(str), matched[PERSON].to_numpy().astype(str)))
    elpd[place], k[place] = matched["elpd"].to_numpy(), matched["pareto_k"].to_numpy()
    values = elpd.to_numpy()
    return replace(
        found,
        elpd=float(values.sum()),
        se=float(np.sqrt(values.size * values.var(ddof=1))),
        p=float(found.p + found.elpd - values.sum()),
        elpd_i=elpd,
        pareto_k=k,
        warning=bool((k.to_numpy() > found.good_k).any()),
    )


def _same_level(results: Mapping[str, Result]) -> None:
    levels = {name: _left_out(result) for name, result in results.items()}
    if set(levels.values()) == {CLUSTER}:
        return
    if CLUSTER in levels.values():
        raise SpecError(
            "of some models a person is left out, of others a cluster",
            hint="Compare models with the same clusters; sds near zero say that clusters matter little.",
        )
    given = [name for name, one in levels.items() if one != MARGINAL]
    cure = "Fit every model with engine='quadrature' or engine='gaussian', which integrate the scores out."
    if given and len(given) < len(levels):
        raise SpecError(
            "marginal and conditional LOO answer different questions: the terms of "
            f"'{given[0]}' are given sampled scores, those of the others are not",
            hint=cure,
        )
    if given:
        raise SpecError(
            f"the log-likelihood terms of {_quoted(given)} are given sampled scores: "
            "they tell how well a person's own scores repeat the answers, and rank no model",
            hint=cure,
        )


def _same_answers(one: tuple[str, Result], two: tuple[str, Result]) -> None:
    """Refuse two fits that do not predict the same answers of the same persons."""
    (first, a), (second, b) = one, two
    persons, others = sorted(a.data.person.astype(str)), sorted(b.data.person.astype(str))
    if persons != others:
        only = [sorted(set(x) - set(y)) for x, y in ((persons, others), (others, persons))]
        raise DataError(
            f"'{first}' and '{second}' were fitted to different persons: {len(only[0])} only in '{first}' "
            f"({_few(only[0])}), {len(only[1])} only in '{second}' ({_few(only[1])})",
            hint="Screen the survey once, for the variables of all models, and fit each to what is left.",
        )
    left, right = _answered(a), _answered(b)
    if left.keys() != right.keys():
        odd = sorted(left.keys() ^ right.keys())
        raise DataError(
            f"'{first}' and '{second}' do not predict the same items: {_few(odd)} in one of them only",
            hint="Compare models of the same items (one factor against three, with or without a path).",
        )
    for name, (kind, values) in left.items():
        if kind != right[name][0]:
            raise DataError(
                f"'{name}' is {kind} in '{first}' and {right[name][0]} in '{second}'",
                hint="Probabilities of categories and densities of numbers have no common scale.",
            )
        if not np.array_equal(values, right[name][1], equal_nan=True):
            raise DataError(
                f"the answers to '{name}' differ between '{first}' and '{second}'",
                hint="Fit both models to the same survey.",
            )


def _answered(result: Result) -> dict[str, tuple[str, np.ndarray]]:
    """What a model predicts: item or variable -> (kind, values), persons sorted by name."""
    order = _order(result)
    data = result.data
    out: dict[str, tuple[str, np.ndarray]] = {}
    for block in data.blocks:
        kind = "categorical" if block.n_categories else "a number"
        for j, item in enumerate(block.construct.items):
            out[item] = (kind, block.values[order, j])
    for node, name in enumerate(data.layout.nodes):
        if data.layout.families[node] != "latent":
            family = data.layout.observed[node]
            assert family is not None
            out[name] = (family.kind, data.observed[order, node])
    return out


def _left_out(result: Result) -> str:
    """What leaving one out is about."""
    found = level(result)
    clustered = result.data.layout.levels is not None and "scores given" not in found
    return CLUSTER if clustered else found


def _order(result: Result) -> np.ndarray:
    return np.argsort(result.data.person.astype(str), kind="stable")


def _in_order(found: ELPDData, result: Result) -> ELPDData:
    """Pointwise values with the persons sorted by name, as every model of a comparison has them."""
    order, levels = _order(result), result.data.layout.levels
    if _left_out(result) == CLUSTER and levels is not None:
        order = np.argsort(levels.labels, kind="stable")
    return replace(
        found, elpd_i=found.elpd_i.isel({PERSON: order}), pareto_k=found.pareto_k.isel({PERSON: order})
    )


def _verdicts(names: list[str], close: list[bool], found: Mapping[str, Any]) -> list[str]:
    """The table in words, one sentence a model."""
    best = names[0]
    rivals = [name for name, near in zip(names[1:], close[1:], strict=True) if near]
    out = ["predicts best" + (f", but is indistinguishable from {_quoted(rivals)}" if rivals else "")]
    out += [
        f"indistinguishable from '{best}'" if near else f"predicts worse than '{best}'" for near in close[1:]
    ]
    for i, name in enumerate(names):
        high = int((found[name].pareto_k > found[name].good_k).sum())
        if high:
            out[i] += f"; unreliable: Pareto k too high for {high} person{'s' * (high > 1)}"
    return out


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") if names else "none"
