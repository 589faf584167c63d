"""The definition that people read, extend and teach from: the model as a pm.Model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from medpsy.bind import ModelData, local
from medpsy.dims import ANSWERS, LATENT, PERSON
from medpsy.engines.base import LikelihoodEngine, terms_of
from medpsy.engines.conditional import sampled
from medpsy.inference.tensor_ops import Tensor
from medpsy.parameter import NEVER, Group, Parameter
from medpsy.spec.expressions import parse_expression


def build(data: ModelData, engine: LikelihoodEngine, settings: Any = None) -> pm.Model:
    """State the model in PyMC.

    Free variables carry the names of the parameters, derived ones (thresholds, labelled paths, defined
    effects) are Deterministics, and the likelihood is one CustomDist named ``answers`` with one
    log-likelihood term per person, so that ``az.loo`` leaves out persons.

    Parameters
    ----------
    data : ModelData
    engine : LikelihoodEngine
    settings : object
        What the engine needs (the grid).

    Returns
    -------
    pm.Model
    """
    with pm.Model(coords=_coords(data)) as model:
        p: dict[str, Any] = {}
        for parameter in data.parameters:
            p[parameter.name] = _variable(parameter, p)
        if engine.person_normals(data):
            p["z"] = pm.Normal("z", 0.0, 1.0, dims=(PERSON, LATENT))
        _deterministics(data, p)
        _likelihood(data, engine, settings, p)
    return model


def _coords(data: ModelData) -> dict[str, Any]:
    """Labels of every dimension."""
    coords: dict[str, Any] = {PERSON: data.person.astype(str)}
    if data.layout.levels is not None:
        coords["cluster"] = list(data.layout.levels.labels)
    coords[LATENT] = [data.layout.nodes[i] for i in sampled(data)]
    for parameter in data.parameters:
        for dim, labels in zip(parameter.dims, parameter.coords, strict=True):
            coords[dim] = list(labels)
    for block in data.blocks:
        if block.n_categories:
            coords[f"step_{block.name}"] = [f"{k}" for k in range(1, block.n_categories)]
    for name, steps in zip(data.layout.nodes, data.layout.categories, strict=False):
        if steps:
            coords[f"step_{name}"] = [f"{k}" for k in range(1, len(steps))]
    if data.layout.coefficients:
        coords["regression"] = [c.name for c in data.layout.coefficients]
    return coords


def _variable(parameter: Parameter, known: dict[str, Any]) -> Any:
    """One random variable, or several joined when entries differ in kind of prior or number of categories."""
    if parameter.copy_of:
        return pm.Deterministic(parameter.name, known[parameter.copy_of], dims=parameter.dims)
    if parameter.made is not None:
        value = parameter.made.forward(known, Tensor)[parameter.name]
        return pm.Deterministic(parameter.name, value, dims=parameter.dims)
    if parameter.event == "correlation":
        return pm.LKJCorr(parameter.name, n=parameter.shape[0], eta=parameter.priors[0].args[0])
    groups = parameter.groups()
    if parameter.event == "simplex":
        if len(groups) == 1:
            return _simplexes(groups[0], dims=parameter.dims)
        pieces = [_padded(_simplexes(group), group, parameter.shape[1]) for group in groups]
        order = np.argsort(np.concatenate([group.index for group in groups]))
        return pm.Deterministic(parameter.name, pt.concatenate(pieces)[order], dims=parameter.dims)
    if len(groups) == 1 and parameter.exists.all():
        return _scalars(groups[0], parameter.shape, dims=parameter.dims)
    pieces = [_scalars(group, (len(group.index),)) for group in groups]
    where = np.concatenate([group.index for group in groups])
    flat = pt.zeros(int(np.prod(parameter.shape)))[where].set(pt.concatenate(pieces))
    return pm.Deterministic(parameter.name, flat.reshape(parameter.shape), dims=parameter.dims)


def _simplexes(group: Group, **where: Any) -> Any:
    """Probabilities (entry, category) of items with equally many categories."""
    return pm.Dirichlet(group.name, np.repeat(group.args[:, :1], group.length, axis=1), **where)


def _padded(value: Any, group: Group, width: int) -> Any:
    """Add the categories that items with fewer of them do not have."""
    rest = np.full((len(group.index), width - group.length), NEVER)
    return pt.concatenate([value, pt.as_tensor(rest)], axis=1)


def _scalars(group: Group, shape: tuple[int, ...], **where: Any) -> Any:
    """An array of scalars with one kind of prior."""
    a = [column.reshape(shape) for column in group.args.T]
    where = where or {"shape": shape}
    make = {
        "Normal": lambda: pm.Normal(group.name, a[0], a[1], **where),
        "StudentT": lambda: pm.StudentT(group.name, nu=a[0], mu=a[1], sigma=a[2], **where),
        "LogNormal": lambda: pm.LogNormal(group.name, a[0], a[1], **where),
        "HalfNormal": lambda: pm.HalfNormal(group.name, a[0], **where),
        "HalfStudentT": lambda: pm.HalfStudentT(group.name, nu=a[0], sigma=a[1], **where),
        "Exponential": lambda: pm.Exponential(group.name, lam=a[0], **where),
        "Gamma": lambda: pm.Gamma(group.name, alpha=a[0], beta=a[1], **where),
        "Beta": lambda: pm.Beta(group.name, alpha=a[0], beta=a[1], **where),
    }
    return make[group.kind]()


def _deterministics(data: ModelData, p: dict[str, Any]) -> None:
    """Thresholds, correlations, paths and defined effects (construct sds; z-scored observed variables)."""
    for block in data.blocks:
        kept = data.model.families[block.name].kept(block, local(data, block, p), Tensor)
        for name, (dims, value) in kept.items():
            pm.Deterministic(f"{name}_{block.name}", value, dims=dims)
    for name, cut in data.layout.thresholds(p, Tensor).items():
        pm.Deterministic(f"threshold_{name}", cut, dims=(f"step_{name}",))
    for parameter in data.parameters:
        if parameter.event == "correlation":
            chol = p[parameter.name]
            name = parameter.name.replace("correlation_chol", "correlation")
            pm.Deterministic(name, chol @ chol.T, dims=parameter.dims)
    more = getattr(data.model.structure, "derived", None)
    for name, (dims, value) in more(p, data.layout, Tensor).items() if more is not None else ():
        pm.Deterministic(name, value, dims=dims)
    values = data.model.structure.coefficients(p, data.layout, Tensor)
    if values is None or not data.layout.coefficients:
        return
    pm.Deterministic("coefficient", values, dims=("regression",))
    by_label: dict[str, Any] = {c.label: values[i] for i, c in enumerate(data.layout.coefficients) if c.label}
    for definition in data.model.spec.definitions:
        expression = parse_expression(definition.expression)
        if set(expression.names) <= set(by_label):
            by_label[definition.name] = pm.Deterministic(definition.name, expression.evaluate(by_label))


def _likelihood(data: ModelData, engine: LikelihoodEngine, settings: Any, p: dict[str, Any]) -> None:
    """One CustomDist over persons; its parameters travel as one flat vector."""
    names = [parameter.name for parameter in data.parameters] + (["z"] if "z" in p else [])
    shapes = [parameter.shape for parameter in data.parameters]
    if "z" in p:
        shapes.append((data.n_person, engine.person_normals(data)))
    sizes = [int(np.prod(shape)) for shape in shapes]
    ends = np.cumsum(sizes)
    dim, names_of_terms = terms_of(data, engine)
    flat = pt.concatenate([p[name].ravel() for name in names])

    def logp(value: Any, vector: Any) -> Any:
        vector = vector.ravel()
        parts = {
            name: vector[end - size : end].reshape(shape)
            for name, size, end, shape in zip(names, sizes, ends, shapes, strict=True)
        }
        # The answers are constants of the engine; adding 0 * value ties the term to its observation.
        return engine.log_likelihood(data, parts, Tensor, settings) + 0.0 * value

    pm.CustomDist(
        ANSWERS,
        flat,
        logp=logp,
        signature="(n)->()",
        observed=np.arange(len(names_of_terms), dtype=float),
        dims=(dim,),
    )
