"""Judging a questionnaire: descriptives, reliability, content validity, factors, in one call or one by one.

Every verb takes a survey, a data frame of items or an array, and ``modules``: names of modules of the survey,
or a mapping of names to items. What comes back prints as tables with notes, holds them as data frames
(``found["items"]``, ``found.table`` is the first) and draws itself (``found.plot()``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.classical.inputs import Modules, read_answers
from medpsy.errors import DataError, SpecError, nearest
from medpsy.posterior.judging.findings import Findings
from medpsy.survey.survey import Survey

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from medpsy.api.fits import Fit


class Judged(Findings):
    """Findings that draw themselves."""

    def plot(self, which: str | None = None) -> Figure:
        """Draw one figure; the first unless named: ``"items"``, ``"modules"``, ``"pearson"``, ``"scree"``.

        Raises
        ------
        SpecError
            There is no such figure.
        """
        from medpsy.plots.findings import figures

        known = figures(self)
        if not known:
            raise SpecError(f"{self.title}: there is nothing to draw", hint="Print it.")
        name = which if which is not None else next(iter(known))
        if name not in known:
            raise SpecError(f"{self.title}: no figure '{name}'", hint=nearest(str(name), known))
        return known[name][0]()


def _judged(found: Findings) -> Judged:
    return Judged(found.name, found.title, found.sheets, found.notes)


@dataclass(frozen=True)
class Judgement:
    """All findings on one questionnaire, by name of the verb."""

    parts: tuple[Judged, ...]
    title: str = "The questionnaire"

    def __getitem__(self, name: str) -> Judged:
        for part in self.parts:
            if part.name == name:
                return part
        raise SpecError(f"the judgement has no part '{name}'", hint=nearest(str(name), list(self)))

    def __iter__(self) -> Iterator[str]:
        return iter(part.name for part in self.parts)

    def __str__(self) -> str:
        return "\n\n\n".join(str(part) for part in self.parts)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write one self-contained HTML page, or Markdown where the name ends in ``.md``.

        Raises
        ------
        DataError
            The file cannot be written.
        """
        from medpsy.api.files import check_writable, write_text
        from medpsy.report.judged import sections
        from medpsy.report.render import Meta, render_html, render_markdown

        check_writable(path)
        render = render_markdown if os.fspath(path).endswith(".md") else render_html
        write_text(path, render(sections(self.parts), Meta(self.title)))


def describe(data: Any, modules: Modules | None = None, **options: Any) -> Judged:
    """Describe items and modules; see :func:`medpsy.posterior.judging.describe.describe`.

    Parameters
    ----------
    data : Survey, DataFrame or ndarray
    modules : sequence or mapping, optional
    **options
        interval, draws, seed.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> found = mp.describe(survey, ["gad"])
    >>> found["items"][["item", "n", "mean", "sd"]].round(2).head(2)
       item    n  mean    sd
    0  gad1  780  1.20  0.87
    1  gad2  779  1.06  0.94
    """
    from medpsy.posterior.judging.describe import describe as ask

    return _judged(ask(read_answers(data, modules), **options))


def correlations(data: Any, modules: Modules | None = None, **options: Any) -> Judged:
    """Correlate modules or items; see :func:`medpsy.posterior.judging.correlations.correlations`.

    Parameters
    ----------
    data : Survey, DataFrame or ndarray
    modules : sequence or mapping, optional
    **options
        of ("modules" or "items"), kinds, interval, draws, seed.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> found = mp.correlations(survey, ["gad", "phq"], draws=500)
    >>> list(found)
    ['correlations']
    """
    from medpsy.posterior.judging.correlations import correlations as ask

    return _judged(ask(read_answers(data, modules), **options))


def polychoric(data: Any, modules: Modules | None = None) -> Judged:
    """Polychoric correlations; see :func:`medpsy.posterior.judging.polychoric.polychoric`.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> found = mp.polychoric(survey, ["gad"])
    >>> list(found)
    ['correlations', 'n', 'thresholds']
    """
    from medpsy.posterior.judging.polychoric import polychoric as ask

    return _judged(ask(read_answers(data, modules)))


def reliability(data: Any, modules: Modules | None = None, *, cluster: Any = None, **options: Any) -> Judged:
    """Reliability with posteriors; see :func:`medpsy.posterior.judging.reliability.reliability`.

    Parameters
    ----------
    data : Survey, DataFrame or ndarray
    modules : sequence or mapping, optional
    cluster : str or array, optional
        Variable of the survey, column of the data frame, or one label per person: adds ICC, design effect
        and multilevel omega.
    **options
        cut (0.8), group_factors (3, behind omega hierarchical), interval, draws, seed.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> found = mp.reliability(survey, ["gad"])  # doctest: +SKIP
    >>> found["reliability"]  # doctest: +SKIP
    """
    from medpsy.posterior.judging.reliability import reliability as ask

    labels = _cluster(data, cluster)
    return _judged(ask(read_answers(_items(data, cluster), modules), cluster=labels, **options))


def discriminant(data: Any, modules: Modules | None = None, **options: Any) -> Judged:
    """HTMT and HTMT2 of all pairs of modules; see :func:`medpsy.posterior.judging.validity.discriminant`.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> found = mp.discriminant(survey, ["gad", "phq"])  # doctest: +SKIP
    >>> found["htmt"]  # doctest: +SKIP
    """
    from medpsy.posterior.judging.validity import discriminant as ask

    return _judged(ask(read_answers(data, modules), **options))


def validity(fit: Fit, **options: Any) -> Judged:
    """Latent correlations, variance extracted and Fornell-Larcker of a fitted model.

    See :func:`medpsy.posterior.judging.latent_validity.latent_validity`.

    Parameters
    ----------
    fit : Fit
    **options
        interval, draws, seed.

    Examples
    --------
    >>> import medpsy as mp
    >>> fit = mp.load_fit("fit.nc")
    >>> found = mp.validity(fit)  # doctest: +SKIP
    >>> found["convergent"]  # doctest: +SKIP
    """
    from medpsy.posterior.judging.latent_validity import latent_validity

    found = latent_validity(fit.result, **options)
    return _judged(found.noted(fit.mark.warning, fit.mark.note))


def factorability(data: Any, modules: Modules | None = None, **options: Any) -> Judged:
    """KMO, Bartlett, Harman; see :func:`medpsy.posterior.judging.factorability.factorability`.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> found = mp.factorability(survey, ["gad"])
    >>> list(found)
    ['kmo', 'tests']
    """
    from medpsy.posterior.judging.factorability import factorability as ask

    return _judged(ask(read_answers(data, modules), **options))


def number_of_factors(data: Any, modules: Modules | None = None, **options: Any) -> Judged:
    """Parallel analysis, MAP, cross-validation, side by side.

    See :func:`medpsy.posterior.judging.number_of_factors.number_of_factors`.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> found = mp.number_of_factors(survey, ["gad"])  # doctest: +SKIP
    >>> list(found)  # doctest: +SKIP
    """
    from medpsy.posterior.judging.number_of_factors import number_of_factors as ask

    return _judged(ask(read_answers(data, modules), **options))


def efa(data: Any, factors: int, modules: Modules | None = None, **options: Any) -> Judged:
    """Exploratory factor analysis; see :func:`medpsy.posterior.judging.efa.efa`.

    Parameters
    ----------
    data : Survey, DataFrame or ndarray
    factors : int
    modules : sequence or mapping, optional
    **options
        method ("minres", "ml", "bayes"), rotation ("oblimin", ...), correlation ("polychoric", "pearson").

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> found = mp.efa(survey, 2, ["gad", "phq"])
    >>> list(found)
    ['loadings', 'factors']
    """
    from medpsy.posterior.judging.efa import efa as ask

    return _judged(ask(read_answers(data, modules), factors, **options))


def content_validity(
    ratings: Any, *, lowest: int = 1, highest: int = 4, relevant: int | None = None, **options: Any
) -> Judged:
    """Content validity from expert ratings: I-CVI, S-CVI, modified kappa, Aiken's V.

    See :func:`medpsy.posterior.judging.content.content_validity`.

    Parameters
    ----------
    ratings : DataFrame or ndarray, shape (item, expert)
    lowest, highest, relevant : int
        The rating scale, and its lowest rating that means relevant.
    **options
        interval, item_cut, scale_cut, v_cut, draws, seed.

    Examples
    --------
    >>> import medpsy as mp
    >>> import pandas as pd
    >>> ratings = pd.DataFrame({"q1": [4, 4, 3, 4], "q2": [2, 4, 3, 1]}, index=["e1", "e2", "e3", "e4"])
    >>> found = mp.content_validity(ratings)
    >>> list(found)
    ['items', 'scale']
    """
    from medpsy.classical.content import read_ratings
    from medpsy.posterior.judging.content import content_validity as ask

    found = read_ratings(ratings, lowest=lowest, highest=highest, relevant=relevant)
    return _judged(ask(found, **options))


def audit(
    declared: Mapping[str, Mapping[str, Any]], *, n: int | None = None, survey: Survey | None = None
) -> pd.DataFrame:
    """Check a declared sample table by arithmetic and against the answers.

    See :func:`medpsy.classical.audit.audit`.

    Examples
    --------
    >>> import medpsy as mp
    >>> print(mp.audit({"sex": {"men": 40, "women": 59}}, n=100)["text"].item())
    the counts add up to 99, the sample has 100 persons
    """
    from medpsy.classical.audit import audit as ask

    return ask(declared, n=n, survey=survey)


def judge(data: Any, modules: Modules | None = None, *, cluster: Any = None, **options: Any) -> Judgement:
    """Ask everything at once; see :func:`medpsy.posterior.judging.judge.judge`.

    Parameters
    ----------
    data : Survey, DataFrame or ndarray
    modules : sequence or mapping, optional
    cluster : str or array, optional
    **options
        cut, factors, correlation, repetitions, loo, interval, seed.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> found = mp.judge(survey, ["gad"])  # doctest: +SKIP
    >>> found.report("questionnaire.html")  # doctest: +SKIP
    """
    from medpsy.posterior.judging.judge import judge as ask

    labels = _cluster(data, cluster)
    parts = ask(read_answers(_items(data, cluster), modules), cluster=labels, **options)
    name = data.instrument.name if isinstance(data, Survey) else ""
    return Judgement(tuple(_judged(part) for part in parts), name or "The questionnaire")


def _cluster(data: Any, cluster: str | Sequence[Any] | np.ndarray | None) -> np.ndarray | None:
    """Labels of the persons' clusters."""
    if cluster is None:
        return None
    if not isinstance(cluster, str):
        return np.asarray(cluster)
    if isinstance(data, Survey):
        return data.variables[data.variable(cluster).name]
    if not hasattr(data, "columns"):
        raise DataError(
            f"cluster '{cluster}' names a variable, but these answers have no names",
            hint="Pass one label per person.",
        )
    if cluster not in data.columns:
        raise DataError(f"there is no column '{cluster}'", hint=nearest(cluster, map(str, data.columns)))
    return np.array(data[cluster])


def _items(data: Any, cluster: Any) -> Any:
    """The answers without the column that names the clusters."""
    named = isinstance(cluster, str) and hasattr(data, "columns") and cluster in data.columns
    return data.drop(columns=[cluster]) if named else data
