"""Models: a specification, and what one can ask of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from medpsy.api.measurement import measurement, with_prior_texts
from medpsy.api.prior_verbs import PriorVerbs
from medpsy.errors import SpecError
from medpsy.model import ComposedModel, compose
from medpsy.spec.clusters import Clusters, read_clusters
from medpsy.spec.groups import Groups, read_groups
from medpsy.spec.levels_text import joined, read_text
from medpsy.spec.model_file import ModelFile, read_model_file
from medpsy.spec.model_spec import Construct, ModelSpec, Path, SecondOrder
from medpsy.spec.print_syntax import to_syntax
from medpsy.spec.regression import with_regression
from medpsy.spec.same import with_same

if TYPE_CHECKING:
    import pandas as pd
    import pymc as pm

    from medpsy.api.fits import Fit
    from medpsy.bind import ModelData
    from medpsy.screening.screen import Screened
    from medpsy.simulate import Truth
    from medpsy.survey.instrument import Instrument
    from medpsy.survey.survey import Survey


class Model(PriorVerbs):
    """A model, checked on construction; nothing is fitted before :meth:`fit`.

    Parameters
    ----------
    model : str, ModelSpec or iterable of Construct
        lavaan-like text, a specification, or constructs that correlate freely.
    family : str
        For text: response family of every construct that ``families`` does not name (``"graded"``,
        ``"bernoulli"``, ``"gaussian"``).
    families : mapping of str to str, optional
        For text: family by construct, or by explained observed variable (``"gaussian"``, ``"bernoulli"``).
    positive : iterable of str
        For text: constructs whose slopes are all positive a priori.
    testlets : iterable of str
        For text: constructs whose specific factors (``mood ~~ 0*distress``) are testlets.
    std_lv : bool, optional
        For text about Gaussian variables, as in lavaan: scales of latent variables from residual variances of
        1, or (False) from first loadings of 1. Saying it makes the model a linear one.
    priors : mapping of str to str, optional
        Prior by parameter or group of parameters, such as ``{"slope": "LogNormal(0, 0.5)"}``; the most
        specific wins. ``parameters`` lists the names. ``{"preset": "weak"}`` or ``"published"`` sets many at
        once; what is named beside it wins.
    groups : str or Groups, optional
        Person variable whose levels have models of their own, or all that can be said about it.
    equal : iterable of str, optional
        What groups, or occasions of a construct (``same*``), share: ``"loadings"``, ``"thresholds"``,
        ``"intercepts"`` (unless given), and of groups ``"residuals"``, ``"regressions"``, ``"correlations"``.
    release : iterable of str
        Items (``"ml3"``, ``"loadings.ml3"``) that are exceptions.
    clusters : str or Clusters, optional
        Person variable of who belongs together: constructs and explained variables vary between clusters.
    slopes : iterable of str, optional
        Labels of paths (or ``"y~x"``) that differ between clusters as well.
    regression : str or mapping of str to str, optional
        Latent regression, of every construct or by construct: ``"age + sex + (1|centre)"``.
    name, instrument : str, Instrument, optional
        Name of the model in tables and reports; what is asked (needed to simulate).
    truth : mapping, optional
        Parameter values to simulate from, as in the ``[truth]`` table of a model file.

    Attributes
    ----------
    spec : ModelSpec
        Expanded and in canonical order: equal for the same model, however it was written.
    composed : ComposedModel
        The specification with its parts and its parameter table.
    file : ModelFile or None
        Where the model comes from, with data, screening and sampling.

    Raises
    ------
    SpecError
        The model cannot be read or contradicts itself; texts are quoted with a caret under the place.

    Examples
    --------
    >>> import medpsy as mp
    >>> model = mp.Model("anxiety =~ gad1..gad7; depression =~ phq1..phq9")
    >>> model
    <Model 'model': anxiety (7 graded items), depression (9 graded items)>
    >>> fit = model.fit(mp.load_example("students"), seed=1)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | ModelSpec | Iterable[Construct | SecondOrder],
        *,
        family: str = "graded",
        families: Mapping[str, str] | None = None,
        positive: Iterable[str] = (),
        testlets: Iterable[str] = (),
        std_lv: bool | None = None,
        priors: Mapping[str, str] | None = None,
        groups: str | Groups | None = None,
        equal: Iterable[str] | None = None,
        release: Iterable[str] = (),
        clusters: str | Clusters | None = None,
        slopes: Iterable[str] | None = None,
        regression: str | Mapping[str, str] | None = None,
        name: str | None = None,
        instrument: Instrument | None = None,
        truth: Mapping[str, Any] | None = None,
    ) -> None:
        between: tuple[Path, ...] = ()
        if isinstance(model, str):
            spec, between = read_text(
                model, family=family, families=families, positive=positive, testlets=testlets, std_lv=std_lv
            )
        elif families or positive or testlets or family != "graded" or std_lv is not None:
            raise SpecError(
                "family, families, positive, testlets and std_lv are for models written as text",
                hint="Say the family of a construct where the construct is made.",
            )
        else:
            spec = model if isinstance(model, ModelSpec) else measurement(model)
        if regression is not None:
            spec = with_regression(spec, regression)
        if groups is None and spec.linear is not None and (equal is not None or release):
            spec = with_same(spec, equal, release)
        elif groups is not None or equal is not None or release:
            spec = replace(spec, groups=read_groups(groups, equal, release))
        if clusters is not None or slopes is not None or between:
            spec = replace(spec, clusters=joined(read_clusters(clusters, slopes), between))
        if priors:
            spec = with_prior_texts(spec, priors)
        self.composed: ComposedModel = compose(replace(spec, name=name) if name else spec)
        self.instrument = instrument
        self.truth = truth
        self.file: ModelFile | None = None

    # What the model says

    @property
    def spec(self) -> ModelSpec:
        """The composed specification."""
        return self.composed.spec

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.spec.name

    @property
    def title(self) -> str:
        """Title for reports."""
        return (self.file.title if self.file else "") or self.name

    @property
    def syntax(self) -> str:
        """The model as lavaan-like text."""
        return to_syntax(self.spec)

    @property
    def equations(self) -> list[str]:
        """The model in formulas, one a line."""
        from medpsy.api.equations import equations

        return equations(self.composed)

    @property
    def parameters(self) -> pd.DataFrame:
        """The parameter table.

        Columns: section, lhs, op, rhs, label, prior, free, name (what ``priors`` calls it), note.
        """
        import pandas as pd

        rows = [
            (r.section, r.lhs, r.op, r.rhs, r.label or "", str(r.prior or ""), r.free, r.target, r.note)
            for r in self.composed.table
        ]
        columns = ["section", "lhs", "op", "rhs", "label", "prior", "free", "name", "note"]
        return pd.DataFrame(rows, columns=columns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.spec == other.spec

    def __hash__(self) -> int:
        return hash(self.spec)

    def __repr__(self) -> str:
        parts = [f"{c.name} ({len(c.items)} {c.family} items)" for c in self.spec.constructs]
        design = self.spec.design
        how = ""
        if design is not None:
            roles = (design.exposures, design.mediators, design.outcomes)
            chain = " -> ".join(" + ".join(names) for names in roles if names)
            how = f"; {design.kind}{' mediation' if design.mediators else ''} {chain}"
        return f"<Model '{self.name}': {', '.join(parts) or 'observed variables only'}{how}>"

    # What it does

    def fit(self, survey: Survey | pd.DataFrame | None = None, **options: Any) -> Fit:
        """Sample the posterior.

        Parameters
        ----------
        survey : Survey or DataFrame, optional
            Screened answers. Left out, those that the model file names (see :meth:`answers`). A data frame
            without an instrument: the answer categories of a construct are all whole numbers from the lowest
            to the highest answer given, or those of ordered categoricals, and no item is reversed.
        **options
            Instead of answers to a Gaussian model ``cov``, ``n`` and ``means``, as in
            :func:`medpsy.read_covariance`. Those of :func:`medpsy.fit.fit`: draws, tune, chains, seed, cores,
            engine, route, sampler, target_accept, nodes, progress. What is not said is taken from the model
            file, if there is one.

        Returns
        -------
        Fit

        Raises
        ------
        DataError, SpecError
            Model and answers do not go together, or an option is unknown or impossible.
        FitError
            No posterior could be computed.
        """
        from medpsy.api.fits import Fit
        from medpsy.api.options import sampling_options
        from medpsy.fit import fit
        from medpsy.survey.covariance import instead_of

        if "cov" in options:
            survey = instead_of(survey, *(options.pop(name, None) for name in ("cov", "n", "means")))
        settings = sampling_options({**(self.file.sampling if self.file else {}), **options})
        result = fit(self.composed, self._survey(survey), **settings)
        about = {"title": self.title, **(self.file.report if self.file else {})}
        return Fit(replace(result, provenance={**result.provenance, "report": about}))

    def to_pymc(self, survey: Survey | None = None, engine: str = "auto") -> pm.Model:
        """Return the same model as a ``pm.Model``, to read, teach and extend.

        Parameters
        ----------
        survey : Survey, optional
            As in :meth:`fit`.
        engine : str
            ``"auto"``, ``"gaussian"``, ``"quadrature"`` or ``"conditional"`` (person scores sampled).

        Returns
        -------
        pm.Model
            Its likelihood ``answers`` has one term per person.

        Raises
        ------
        DataError, SpecError
            Model and answers do not go together.
        """
        from medpsy.engines.base import choose, without_integrated
        from medpsy.inference.pymc_model import build

        data = self._data(survey)
        chosen, _ = choose(data, engine, pymc=True)
        return build(without_integrated(data, chosen), chosen, chosen.settings(data))

    def simulate(self, n: int | None = None, seed: int | None = None, *, missing: float = 0.0) -> Survey:
        """Simulate answers from the known truth.

        Parameters
        ----------
        n : int, optional
            Number of persons; that of the truth unless given.
        seed : int, optional
            That of the truth unless given: the same seed gives the same survey.
        missing : float
            Share of answers taken away completely at random.

        Returns
        -------
        Survey
            Its ``simulated`` is the sentence that every output carries.

        Raises
        ------
        SpecError
            No truth or no instrument is known, or the truth is impossible.
        DataError
            ``n`` or ``missing`` is impossible.
        """
        from medpsy.simulate import simulate

        truth = self.known_truth()
        assert self.instrument is not None
        return simulate(self.composed, self.instrument, truth, n=n, seed=seed, missing=missing)

    def known_truth(self) -> Truth:
        """Return the truth, checked and solved for thresholds and residual variances.

        Raises
        ------
        SpecError
            No truth or no instrument is known, or the truth is impossible.
        """
        from medpsy.simulate import read_truth

        if self.truth is None or self.instrument is None:
            what = "a truth" if self.truth is None else "an instrument"
            raise SpecError(
                f"model '{self.name}' cannot simulate: it has no {what.split()[-1]}",
                hint=f"Pass {what} to Model(...), or write {_TABLES[what]} in the model file.",
                path=self.file.path if self.file else None,
            )
        return read_truth(self.composed, self.instrument, self.truth, self.file.source if self.file else None)

    def answers(self, *, seed: int | None = None) -> Screened:
        """Return the persons that the model file asks for, screened by its rules.

        Read from its data where it names any, else simulated from its truth (then ``survey.simulated`` says
        so).

        Raises
        ------
        DataError, SpecError
            There are neither data nor a truth, or they cannot be used.
        """
        from medpsy.api.answers import answers

        return answers(self, seed=seed)

    def _survey(self, survey: Survey | pd.DataFrame | None) -> Survey:
        from medpsy.api.guess import as_survey

        return self.answers().survey if survey is None else as_survey(survey, self)

    def _data(self, survey: Survey | None) -> ModelData:
        from medpsy.bind import bind
        from medpsy.fit import complete

        return bind(self.composed, complete(self.composed, self._survey(survey)))


_TABLES = {"a truth": "[truth]", "an instrument": "[instrument]"}


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model file.

    Parameters
    ----------
    path : path
        A TOML file with ``schema = 1``.

    Returns
    -------
    Model
        It carries the file's instrument, truth, data, screening and sampling: ``model.fit()`` does what
        ``medpsy run`` does.

    Raises
    ------
    SpecError
        The file cannot be read or says something impossible; the message names the line.

    Examples
    --------
    >>> import medpsy as mp
    >>> model = mp.load_model("students.toml")
    >>> model.title
    'Sleepiness, anxiety and depression of medical students'
    """
    file = read_model_file(path)
    try:
        model = Model(file.spec, instrument=file.instrument, truth=file.truth)
    except SpecError as error:
        raise file.located(error) from None
    model.file = file
    return model
