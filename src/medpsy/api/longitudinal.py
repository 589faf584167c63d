"""Models of variables that were measured at several waves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from medpsy.api.models import Model
from medpsy.spec.model_spec import ModelSpec
from medpsy.spec.same import EQUAL
from medpsy.spec.waves import Waves, read_series

if TYPE_CHECKING:
    from medpsy.survey.instrument import Instrument

#: Columns by wave: ``"x1..x4"``, ``["x1", "x2", "x3"]``, or one list of indicators a wave.
Columns = str | Iterable[str | Iterable[str]]


class _OverWaves(Model):
    """A linear model over waves; every design is a subclass that names its kind."""

    kind = ""

    def __init__(
        self,
        variables: Mapping[str, Columns],
        *,
        constant: bool = False,
        times: Iterable[float] = (),
        covariates: Iterable[str] = (),
        priors: Mapping[str, str] | None = None,
        name: str | None = None,
        instrument: Instrument | None = None,
        truth: Mapping[str, Any] | None = None,
        equal: Iterable[str] | None = None,
        release: Iterable[str] = (),
        **more: str,
    ) -> None:
        known = (covariates,) if isinstance(covariates, str) else tuple(covariates)
        shared = EQUAL if equal is None else ((equal,) if isinstance(equal, str) else tuple(equal))
        freed = (release,) if isinstance(release, str) else tuple(release)
        waves = Waves(
            self.kind, read_series(variables), constant, tuple(map(float, times)), known,
            equal=shared, release=freed, **more,
        )  # fmt: skip
        spec = ModelSpec(name=name or self.kind, waves=waves)
        super().__init__(spec, priors=priors, instrument=instrument, truth=truth)
        self.waves = waves

    @property
    def caution(self) -> str:
        """What the design cannot tell, and what it takes for granted of ordinal indicators."""
        from medpsy.mediation.waves import wave_designs

        told = wave_designs()[self.kind].caution
        if self.waves.family == "gaussian":
            return told
        same = " and ".join(word for word in ("loadings", "thresholds") if word in self.waves.equal)
        items = f"Indicators have the same {same or 'family, and nothing else,'} at every wave"
        items += f", but for {', '.join(self.waves.release)}" if self.waves.release else ""
        rest = "what is left of an indicator given its variable is taken to be unrelated between waves."
        return f"{told} {items}; {rest}".strip()


class CrossLagged(_OverWaves):
    """Cross-lagged panel model: every variable on all variables one wave before.

    Parameters
    ----------
    variables : mapping
        Name to columns, wave by wave: ``{"stress": "stress1..stress3", "sleep": ["sl1", "sl2", "sl3"]}``;
        or one list of indicators a wave, the same at every wave. Three variables are a mediation, in causal
        order: exposure, mediator, outcome.
    constant : bool
        Paths are equal over time (in raw units); by default every interval has its own.
    times : iterable of float
        When the waves were; only conversions to other intervals use it.
    covariates : iterable of str
        Person variables that explain every variable at every wave.
    family : str
        Response family of the indicators: ``"gaussian"``, or ``"graded"`` and other ordinal ones, whose
        constructs are summed over a grid up to three of them (variables times waves) and sampled beyond that.
    equal : iterable of str, optional
        What ordinal indicators share over the waves: ``"loadings"`` (their slopes) and ``"thresholds"``, both
        unless given. Means are free from the second wave on where thresholds are equal, sds where slopes are.
    release : iterable of str
        Exceptions: indicators of the first wave (``"s1_3"``: at all later ones) or of a later one (there
        alone), or ``"loadings.s1_3"``.
    priors, name, instrument, truth
        As in :class:`Model`.

    Notes
    -----
    Paths are labelled ``stress_to_sleep_12`` (from wave 1 to 2), or ``stress_to_sleep`` where they are
    constant. Of three variables over three waves or more ``indirect``, ``direct`` and ``total`` are the
    effects of the exposure over two intervals.

    Raises
    ------
    SpecError
        Fewer than two waves, variables with different numbers of waves or of indicators.

    Examples
    --------
    >>> import medpsy as mp
    >>> model = mp.CrossLagged({"stress": "s1..s3", "sleep": "z1..z3"})
    >>> model.name
    'cross_lagged'
    """

    kind = "cross_lagged"


class RandomInterceptCrossLagged(_OverWaves):
    """Cross-lagged panel model within persons: stable differences between persons are taken out first.

    Parameters, labels and effects as in :class:`CrossLagged`; covariates explain the random intercepts. Three
    waves or more are needed. Of ordinal indicators the unit of a variable is the sd of its deviations at the
    first wave.

    References
    ----------
    Hamaker, E. L., Kuiper, R. M., & Grasman, R. P. P. P. (2015). A critique of the cross-lagged panel model.
    Psychological Methods, 20, 102-116. doi:10.1037/a0038889

    Examples
    --------
    >>> import medpsy as mp
    >>> model = mp.RandomInterceptCrossLagged({"stress": "s1..s3", "sleep": "z1..z3"})
    >>> model.name
    'random_intercepts'
    """

    kind = "random_intercepts"


class LaggedMediation(_OverWaves):
    """Mediation over waves: exposure, then mediator one wave later, then outcome another wave later.

    Parameters and labels as in :class:`CrossLagged`, with exactly three variables and three waves or more;
    nothing runs backwards, and the outcome also depends on the exposure two waves before (``direct``).

    References
    ----------
    Cole, D. A., & Maxwell, S. E. (2003). Testing mediational models with longitudinal data. Journal of
    Abnormal Psychology, 112, 558-577. doi:10.1037/0021-843X.112.4.558

    Examples
    --------
    >>> import medpsy as mp
    >>> waves = {"stress": "s1..s3", "sleep": "z1..z3", "mood": "m1..m3"}
    >>> model = mp.LaggedMediation(waves)
    >>> [definition.name for definition in model.spec.definitions]
    ['indirect_13', 'direct_13', 'total_13']
    """

    kind = "lagged"


class LatentGrowth(_OverWaves):
    """Straight-line growth of one variable or more, and mediation by growth.

    Parameters
    ----------
    variables : mapping
        As in :class:`CrossLagged`. One variable: its level and slope. Two with an ``exposure``: mediator and
        outcome. Three: exposure, mediator and outcome, whose slopes mediate.
    exposure : str
        A person variable whose effect on the slope of the outcome is mediated by the slope of the mediator.
    times : iterable of float
        When the waves were: slopes are change per unit of it, levels the values at the first.
    covariates : iterable of str
        Person variables that explain every level and slope.
    family, equal, release
        As in :class:`CrossLagged`. Of ordinal indicators the unit of a variable is its sd around a person's
        line at the first wave, and the mean of the level is 0 at the means of the covariates; sds of levels
        and slopes and the means of slopes are free.
    priors, name, instrument, truth
        As in :class:`Model`.

    References
    ----------
    Cheong, J., MacKinnon, D. P., & Khoo, S. T. (2003). Investigation of mediational processes using parallel
    process latent growth curve modeling. Structural Equation Modeling, 10, 238-262.
    doi:10.1207/S15328007SEM1002_5

    Examples
    --------
    >>> import medpsy as mp
    >>> model = mp.LatentGrowth({"mood": "m1..m4"}, times=(0, 1, 2, 4))
    >>> model.name
    'growth'
    >>> answers = [[f"m{wave}_{item}" for item in (1, 2, 3)] for wave in (1, 2, 3)]
    >>> print(mp.LatentGrowth({"mood": answers}, family="graded").syntax)
    mood_1 =~ m1_1..m1_3
    mood_2 =~ m2_1..m2_3 + same*mood_1
    mood_3 =~ m3_1..m3_3 + same*mood_1
    level_mood =~ 1*mood_1 + 1*mood_2 + 1*mood_3
    slope_mood =~ 0*mood_1 + 1*mood_2 + 2*mood_3
    level_mood ~~ slope_mood
    slope_mood ~ 1
    """

    kind = "growth"

    def __init__(self, variables: Mapping[str, Columns], *, exposure: str = "", **options: Any) -> None:
        super().__init__(variables, exposure=exposure, **options)
