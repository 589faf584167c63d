"""A fitted model: the DataTree, what it was fitted to, and where everything came from."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.bind import ModelData, bind
from medpsy.dims import PERSON, POSTERIOR
from medpsy.errors import DataError, writing_cure
from medpsy.model import ComposedModel, compose
from medpsy.spec.clusters import Clusters
from medpsy.spec.groups import Groups
from medpsy.spec.method import Method
from medpsy.spec.model_spec import (
    Construct,
    Covariance,
    Definition,
    Design,
    Intercept,
    Linear,
    ModelSpec,
    Observed,
    SecondOrder,
    Specific,
)
from medpsy.spec.model_spec import Path as SpecPath
from medpsy.spec.pooled import Pooled
from medpsy.spec.same import Same
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.survey import Event, Survey

if TYPE_CHECKING:
    import xarray as xr

FORMAT = 1


@dataclass(frozen=True)
class Result:
    """Posterior, model and answers.

    Parameters
    ----------
    tree : xarray.DataTree
        Groups ``posterior``, ``standardised``, ``sample_stats``, ``log_likelihood`` (one term per person),
        ``observed_data``, ``constant_data``; every ``az.*`` function works on it.
    data : ModelData
    survey : Survey
    provenance : dict
        Model text, fingerprints, engine and why, route, sampler, seed, seconds, versions.
    """

    tree: xr.DataTree
    data: ModelData
    survey: Survey
    provenance: dict[str, Any]

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What was computed from this result and is asked for again, by name."""
        return {}

    @property
    def model(self) -> ComposedModel:
        """The composed model."""
        return self.data.model

    def values(self) -> dict[str, np.ndarray]:
        """Free parameters by name, each (chain, draw, *shape), internal scale."""
        posterior = self.tree[POSTERIOR]
        return {p.name: posterior[p.name].to_numpy() for p in self.data.parameters}

    def save(self, path: str | Path) -> None:
        """Write everything into one netCDF file.

        Raises
        ------
        DataError
            The file cannot be written.
        """
        import xarray as xr

        tree = self.tree.copy()
        held = {
            "spec": _dump(self.model.spec) | {"name": self.model.spec.name, "note": self.model.spec.note},
            "instrument": _dump(self.survey.instrument),
            "ledger": [asdict(event) for event in self.survey.ledger],
            "simulated": self.survey.simulated,
            "source": self.survey.source,
            "provenance": self.provenance,
        }
        tables: dict[str, Any] = {
            f"variable_{name}": ((PERSON,), v) for name, v in self.survey.variables.items()
        }
        tables["codes"] = ((PERSON, "all_items"), self.survey.codes)
        tree["survey"] = xr.DataTree(
            xr.Dataset(tables | {"held": json.dumps(held), "format": FORMAT}, {PERSON: self.survey.person})
        )
        part = Path(f"{os.fspath(path)}.part")  # an interruption leaves an earlier file as it was
        try:
            need_room(part.parent, tree.nbytes)
            tree.to_netcdf(part, engine="h5netcdf")
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise DataError(
                f"the fit cannot be written to '{path}': {error.strerror or error}", hint=writing_cure(error)
            ) from None


def need_room(folder: Path, size: float) -> None:
    """Refuse a folder whose disk has less room than ``size`` bytes; the HDF5 library crashes on a full one.

    Raises
    ------
    DataError
    """
    free = shutil.disk_usage(folder).free
    if free < size:
        raise DataError(
            f"the fit needs about {size / 1e6:.0f} MB; the disk of '{folder}' has {free / 1e6:.0f} MB left",
            hint="Free some space, or choose a folder on another disk.",
        )


def load(path: str | Path) -> Result:
    """Read a fit that `Result.save` wrote.

    Raises
    ------
    DataError
        The file is missing, cut off, or no saved fit.
    """
    import xarray as xr

    if not Path(path).exists():
        raise DataError(f"there is no file '{path}'", hint="Check the path of the saved fit.")
    try:
        tree = xr.load_datatree(path, engine="h5netcdf")
        group = tree["survey"].to_dataset()
        held = json.loads(group["held"].item())
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"'{path}' is no saved fit, or it is damaged: {error}", hint="Fit the model again and save it."
        ) from None
    survey = Survey(
        instrument=_instrument(held["instrument"]),
        person=group[PERSON].to_numpy().astype(str),
        codes=group["codes"].to_numpy().astype(np.int8),
        variables={
            str(name)[9:]: array.to_numpy()
            for name, array in group.data_vars.items()
            if str(name).startswith("variable_")
        },
        ledger=tuple(Event(**{**e, "places": tuple(e["places"])}) for e in held["ledger"]),
        simulated=held["simulated"],
        source=held["source"],
    )
    del tree["survey"]
    data = bind(compose(_spec(held["spec"])), survey)
    return Result(tree, data, survey, held["provenance"])


def _dump(value: Any) -> dict[str, Any]:
    return asdict(value)


def _tuples(value: Any) -> Any:
    """JSON lists back to tuples."""
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _fields(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: _tuples(value) for key, value in entry.items()}


def _spec(held: dict[str, Any]) -> ModelSpec:
    kinds: dict[str, Any] = {
        "constructs": _construct, "observed": Observed, "paths": SpecPath, "covariances": Covariance,
        "definitions": Definition, "pooled": Pooled,
    }  # fmt: skip
    parts: dict[str, Any] = {
        key: tuple(kind(**_fields(e)) for e in held.get(key, ())) for key, kind in kinds.items()
    }
    design = Design(**_fields(held["design"])) if held["design"] else None
    groups = Groups(**_fields(held["groups"])) if held.get("groups") else None
    clusters = _clusters(held["clusters"]) if held.get("clusters") else None
    higher = SecondOrder(**_fields(held["second_order"])) if held.get("second_order") else None
    linear = _linear(held["linear"]) if held.get("linear") else None
    method = Method(**_fields(held["method"])) if held.get("method") else None
    return ModelSpec(
        **parts, priors=_tuples(held["priors"]), design=design, groups=groups, second_order=higher,
        clusters=clusters, linear=linear, method=method,
        name=held["name"], note=held["note"],
    )  # fmt: skip


def _linear(held: dict[str, Any]) -> Linear:
    intercepts = tuple(Intercept(**_fields(one)) for one in held.pop("intercepts"))
    same = tuple(Same(**_fields(one)) for one in held.pop("same", ()))
    return Linear(**_fields(held), intercepts=intercepts, same=same)


def _clusters(held: dict[str, Any]) -> Clusters:
    between = tuple(SpecPath(**_fields(path)) for path in held.pop("between"))
    return Clusters(**_fields(held), between=between)


def _construct(**held: Any) -> Construct:
    specific = tuple(Specific(**_fields(part)) for part in held.pop("specific", ()))
    return Construct(**held, specific=specific)


def _instrument(held: dict[str, Any]) -> Instrument:
    rest = {k: _tuples(v) for k, v in held.items() if k not in ("modules", "variables")}
    modules = tuple(Module(**_fields(m)) for m in held["modules"])
    return Instrument(
        modules=modules, variables=tuple(Variable(**_fields(v)) for v in held["variables"]), **rest
    )
