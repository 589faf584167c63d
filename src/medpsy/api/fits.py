"""A fitted model, and everything one can ask of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from medpsy.api.clustered import Clustered
from medpsy.api.fit_checks import FitChecks
from medpsy.api.grouped import Grouped
from medpsy.api.linear_verbs import LinearVerbs
from medpsy.api.mark import Mark
from medpsy.api.measured import Measured
from medpsy.api.mediated import Mediated
from medpsy.errors import SpecError, nearest
from medpsy.result import Result, load

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

    from medpsy.diagnostics.gate import Gate
    from medpsy.report.context import Context
    from medpsy.spec.model_spec import ModelSpec
    from medpsy.survey.survey import Survey

INTERVAL, ROPE = 0.95, 0.05


class Fit(FitChecks, LinearVerbs, Measured, Mediated, Grouped, Clustered):
    """The posterior of one model given one survey.

    Every table carries the verdict of the diagnostics gate: where the gate failed, a first column
    ``trusted`` says False, figures are marked across, and ``attrs`` hold the reasons. Tables of simulated
    answers have a last column ``note``.

    Parameters
    ----------
    result : Result
        What :func:`medpsy.fit.fit` returned or :func:`load_fit` read.

    Examples
    --------
    >>> import medpsy as mp
    >>> fit = mp.load_fit("fit.nc")
    >>> fit.effects()[["effect", "text"]].head(1)
         effect                                 text
    0  indirect  sleepiness -> anxiety -> depression
    >>> fit.trusted, fit.report("report.html")  # doctest: +SKIP
    """

    def __init__(self, result: Result) -> None:
        self.result = result

    # What it is

    @property
    def tree(self) -> xr.DataTree:
        """The ArviZ DataTree: every ``az.*`` function works on it."""
        return self.result.tree

    @property
    def spec(self) -> ModelSpec:
        """The fitted model."""
        return self.result.model.spec

    @property
    def survey(self) -> Survey:
        """The answers it was fitted to."""
        return self.result.survey

    @property
    def provenance(self) -> dict[str, Any]:
        """Model text, fingerprints, engine and why, route, sampler, seed, seconds, versions."""
        return self.result.provenance

    @property
    def title(self) -> str:
        """Title for reports."""
        return str(self.provenance.get("report", {}).get("title", "")) or self.spec.name

    @cached_property
    def gate(self) -> Gate:
        """The verdict of all diagnostic checks; computed once."""
        from medpsy.diagnostics.gate import gate

        return gate(self.result)

    @property
    def trusted(self) -> bool:
        """Whether no check failed."""
        return bool(self.gate.trusted)

    @cached_property
    def mark(self) -> Mark:
        """What every table and figure carries."""
        notes = [note for note in (self.survey.simulated, self.provenance.get("note", "")) if note]
        return Mark(self.trusted, tuple(self.gate.reasons), "; ".join(notes))

    @property
    def interval(self) -> float:
        """Posterior mass of intervals: that of the model file, else 0.95."""
        return float(self.provenance.get("report", {}).get("interval", INTERVAL))

    @property
    def rope(self) -> float:
        """Half width of the region of practical equivalence, standardised: the file's, else 0.05."""
        return float(self.provenance.get("report", {}).get("rope", ROPE))

    # Tables

    def summary(self, *, interval: float | None = None, kind: str = "eti") -> pd.DataFrame:
        """Return every parameter, in lavaan's order.

        Parameters
        ----------
        interval : float, optional
            Posterior mass between ``lower`` and ``upper``.
        kind : str
            ``"eti"`` (equal tails) or ``"hdi"`` (highest density).

        Returns
        -------
        DataFrame
            section, lhs, op, rhs, label, mean, sd, lower, upper, prior, r_hat, ess_bulk, ess_tail; in raw
            units: slopes and thresholds in logits, loadings in units of the item.
        """
        from medpsy.posterior.summary import summary

        return self.mark.on_table(summary(self.result, interval=self._mass(interval), kind=kind))

    def effects(
        self, *, interval: float | None = None, kind: str = "eti", rope: float | None = None
    ) -> pd.DataFrame:
        """Return the named effects: indirect, direct, total, labelled paths.

        Parameters
        ----------
        interval, kind
            As in :meth:`summary`.
        rope : float, optional
            Half width of the region of practical equivalence of products, standardised; single paths have
            twice that.

        Returns
        -------
        DataFrame
            effect, text, mean, median, sd, lower, upper, p_direction, rope_low, rope_high, in_rope,
            std_mean, std_lower, std_upper.
        """
        from medpsy.posterior.effects import effects

        return self.mark.on_table(
            effects(self.result, interval=self._mass(interval), kind=kind, rope=self._rope(rope))
        )

    def sentences(self, *, interval: float | None = None, rope: float | None = None) -> list[str]:
        """Return the effects in plain words; the first sentence is the mark, where the gate failed."""
        from medpsy.posterior.effects import effects, sentences

        table = effects(self.result, interval=self._mass(interval), rope=self._rope(rope))
        warning = [self.mark.warning] if self.mark.warning else []
        return [*warning, *sentences(table, self.result)]

    def checks(self) -> pd.DataFrame:
        """Return every diagnostic check: passed (None: for information), value, threshold, finding, cure."""
        table = self.gate.table()
        table.attrs |= self.mark.attributes()
        return table

    def reliability(self, *, interval: float | None = None) -> pd.DataFrame:
        """Return the reliability of the sum score of every construct, with intervals, and alpha."""
        from medpsy.posterior.reliability import reliability

        return self.mark.on_table(reliability(self.result, interval=self._mass(interval)))

    def orders(self, *, interval: float | None = None) -> pd.DataFrame | None:
        """Return the indirect effect in all six orders of three constructs, which fit equally well.

        None where the model is no saturated mediation of three constructs.
        """
        from medpsy.posterior.orders import orders

        table = orders(self.result, interval=self._mass(interval))
        return None if table is None else self.mark.on_table(table)

    def curves(self, construct: str, *, interval: float | None = None) -> xr.Dataset:
        """Return category response curves of one construct, with their bands.

        Raises
        ------
        SpecError
            There is no such construct.
        """
        from medpsy.posterior.curves import category_curves

        self._known(construct)
        curves = category_curves(self.result, construct, interval=self._mass(interval))
        return curves.assign_attrs(self.mark.attributes())

    def loo(self) -> Any:
        """Return leave-one-person-out cross-validation (``arviz`` ELPDData), scores integrated out."""
        from medpsy.posterior.loo import loo

        return loo(self.result)

    def compare(self, *others: Fit, names: Sequence[str] | None = None) -> pd.DataFrame:
        """Rank this model and others on the same answers by leave-one-person-out cross-validation.

        Parameters
        ----------
        *others : Fit
        names : sequence of str, optional
            One per model, this one first; by default the names of the models.

        Returns
        -------
        DataFrame
            One row per model, best first, with a column ``trusted``.

        Raises
        ------
        SpecError, DataError
            No other fit, names that do not fit, other persons or answers, terms of different kinds.
        """
        from medpsy.api.compare import compare

        fits = (self, *others)
        if not others or not all(isinstance(fit, Fit) for fit in fits):
            raise SpecError("there is nothing to compare with", hint="Pass other fits: fit.compare(other).")
        called = list(names) if names is not None else _apart([fit.spec.name for fit in fits])
        if len(called) != len(fits) or len(set(called)) != len(fits):
            raise SpecError(
                f"{len(fits)} models need {len(fits)} different names, not {called}",
                hint='Name this model first: names=["full", "without c"].',
            )
        return compare(dict(zip(called, fits, strict=True)))

    # Figures

    def plot_path(self) -> Figure:
        """Draw the path diagram with posterior means and intervals."""
        from medpsy.api.diagram import edges, nodes
        from medpsy.plots.path_diagram import path_diagram

        drawn = path_diagram(nodes(self.result), edges(self.result, self.interval))
        return self.mark.on_figure(drawn)

    def plot_effects(self) -> Figure:
        """Draw the effects with their intervals and the region of practical equivalence."""
        from medpsy.plots.effects_forest import effects_forest

        return self.mark.on_figure(effects_forest(self.effects(), interval=self.interval))

    def plot_categories(self, construct: str) -> Figure:
        """Draw the category response curves of one construct."""
        from medpsy.plots.category_curves import category_curves

        return self.mark.on_figure(category_curves(self.curves(construct)))

    def plot_counts(self, construct: str | None = None) -> Figure:
        """Draw answers counted and answers predicted, of one construct or of all."""
        from medpsy.plots.category_counts import category_counts
        from medpsy.posterior.predictive import category_counts as predicted

        table = predicted(self.result, interval=self.interval)
        if construct is not None:
            self._known(construct)
            table = table[table["construct"] == construct]
        return self.mark.on_figure(category_counts(table))

    def plot_ranks(self) -> Figure:
        """Draw the ranks of the chains for the twelve quantities on which they agree least."""
        from medpsy.diagnostics.gate import worst
        from medpsy.plots.ranks import rank_plot

        return self.mark.on_figure(rank_plot(*worst(self.result)))

    def plot_prior(self) -> Figure:
        """Draw what the priors expect before any answer is seen, in the units of the questionnaire."""
        from medpsy.plots.prior_predictive import prior_predictive
        from medpsy.posterior.predictive import prior_predictive as expected

        return self.mark.on_figure(prior_predictive(*expected(self.result.data, survey=self.result.survey)))

    # Out

    def context(self, *, interval: float | None = None, rope: float | None = None) -> Context:
        """Return everything the report is made of, as plain tables."""
        from medpsy.api.context import context

        return context(self, interval=self._mass(interval), rope=self._rope(rope))

    def report(
        self, path: str | os.PathLike[str], *, interval: float | None = None, rope: float | None = None
    ) -> None:
        """Write the report: one self-contained HTML page, or Markdown where the name ends in ``.md``.

        Raises
        ------
        DataError
            The file cannot be written.
        """
        from medpsy.api.files import check_writable, write_text
        from medpsy.report.render import Meta, render_html, render_markdown
        from medpsy.report.sections import build_sections

        check_writable(path)
        context = self.context(interval=interval, rope=rope)
        render = render_markdown if os.fspath(path).endswith(".md") else render_html
        write_text(path, render(build_sections(context), Meta.of(context)))

    def simulate(self, seed: int = 0) -> Survey:
        """Return one posterior predictive survey: new answers of the same persons at one posterior draw."""
        from medpsy.api.predicted_survey import predicted_survey

        return predicted_survey(self.result, seed)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything into one netCDF file, for :func:`load_fit`.

        Raises
        ------
        DataError
            The file cannot be written.
        """
        self.result.save(os.fspath(path))

    # How it prints

    def __str__(self) -> str:
        from medpsy.api.page import page

        return page(self)

    def __repr__(self) -> str:
        posterior = self.tree["posterior"]
        verdict = ("trusted" if self.trusted else "NOT TO BE TRUSTED") if "gate" in self.__dict__ else ""
        size = f"{self.survey.n_person} persons, {posterior.sizes['chain']} x {posterior.sizes['draw']} draws"
        return f"<Fit of '{self.spec.name}': {size}{f', {verdict}' if verdict else ''}>"

    def _known(self, construct: str) -> None:
        names = [block.name for block in self.result.data.blocks]
        if construct not in names:
            raise SpecError(f"the model has no construct '{construct}'", hint=nearest(construct, names))

    def _mass(self, interval: float | None) -> float:
        return self.interval if interval is None else interval

    def _rope(self, rope: float | None) -> float:
        return self.rope if rope is None else rope


def load_fit(path: str | os.PathLike[str]) -> Fit:
    """Read a fit that :meth:`Fit.save` or ``medpsy run`` wrote.

    Raises
    ------
    DataError
        The file is missing, cut off, or no saved fit.

    Examples
    --------
    >>> import medpsy as mp
    >>> mp.load_fit("fit.nc")  # doctest: +ELLIPSIS
    <Fit of '...': 771 persons, 4 x ... draws>
    """
    return Fit(load(os.fspath(path)))


def _apart(names: list[str]) -> list[str]:
    """Number names that occur more than once."""
    return [
        f"{name} {names[: at + 1].count(name)}" if names.count(name) > 1 else name
        for at, name in enumerate(names)
    ]
