"""A survey from a truth: persons, their scores and their answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from medpsy.errors import DataError
from medpsy.families.crossed import draw_answers
from medpsy.model import ComposedModel
from medpsy.observed.base import observed_family
from medpsy.simulate.draw_clusters import draw_nodes
from medpsy.simulate.truth import Equation, Truth
from medpsy.survey.instrument import Instrument
from medpsy.survey.survey import NO_ANSWER, Event, Survey


@dataclass(frozen=True)
class Persons:
    """Simulated persons before they answer.

    Parameters
    ----------
    variables : dict of str to ndarray, shape (person,)
        Unexplained person variables: numbers, or level indices.
    nodes : dict of str to ndarray, shape (person,)
        True scores of the constructs; values of explained observed variables in their own unit (0/1 for
        binary ones).
    """

    variables: dict[str, np.ndarray]
    nodes: dict[str, np.ndarray]


def simulate_persons(truth: Truth, *, n: int | None = None, seed: int | None = None) -> Persons:
    """Draw the persons of :func:`simulate`: the same numbers with the same ``n`` and ``seed``.

    Parameters
    ----------
    truth : Truth
    n : int, optional
        Number of persons; that of the truth unless given.
    seed : int, optional
        Seed; that of the truth unless given.

    Returns
    -------
    Persons

    Raises
    ------
    DataError
        ``n`` is no positive whole number.
    """
    n = truth.n_person if n is None else n
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise DataError(f"{n!r} persons cannot be simulated", hint="Ask for at least one person.")
    who, score, *_ = _streams(truth, seed)
    variables = {name: spread.draw(n, who) for name, spread in truth.variables.items()}
    noise = score.standard_normal((n, len(truth.equations))) @ np.linalg.cholesky(truth.correlation).T
    if truth.clusters is not None:
        index = truth.clusters.members(n)
        for name in truth.clusters.variables:
            variables[name] = truth.variables[name].draw(truth.clusters.n, who)[index]
        variables[truth.clusters.by] = index
        return Persons(variables, draw_nodes(truth, truth.clusters, variables, noise, score))
    values: dict[str, np.ndarray] = {}
    nodes: dict[str, np.ndarray] = {}
    for equation, e in zip(truth.equations, noise.T, strict=True):
        eta = np.zeros(n) + equation.shift + _explained(equation, truth, variables, values)
        family = None if equation.family == "latent" else observed_family(equation.family)
        if family is None or family.normal:
            standard = eta + equation.residual_sd * e
        else:
            standard = family.quantile(score.random(n), eta, equation.own)
        values[equation.node] = standard
        nodes[equation.node] = equation.intercept + equation.scale * standard
    return Persons(variables, nodes)


def simulate(
    model: ComposedModel,
    instrument: Instrument,
    truth: Truth,
    *,
    n: int | None = None,
    seed: int | None = None,
    missing: float = 0.0,
) -> Survey:
    """Simulate a survey.

    Parameters
    ----------
    model, instrument, truth
        The model, what is asked, and the truth that was read with both.
    n : int, optional
        Number of persons, by default the truth's, where counts of a variable are exact (else proportional).
    seed : int, optional
        By default the truth's. Persons and answers do not change with ``missing``.
    missing : float
        Share of item answers taken away completely at random, at least 0 and below 1.

    Returns
    -------
    Survey
        ``simulated`` and the instrument's note carry the truth's note; the ledger counts what was made, left
        empty (columns outside model and truth) and taken away.

    Raises
    ------
    DataError
        ``n`` or ``missing`` is impossible.
    """
    if not 0 <= missing < 1:
        raise DataError(f"missing = {missing!r} is no share of answers", hint="From 0 to below 1.")
    persons = simulate_persons(truth, n=n, seed=seed)
    *_, answer, hole = _streams(truth, seed)
    filled = _Filled(instrument, len(next(iter(persons.nodes.values()))))
    observed = {eq.node: persons.nodes[eq.node] for eq in truth.equations if eq.family != "latent"}
    for name, values in (persons.variables | observed).items():
        filled.variable(name, values)
    for construct in model.constructs:
        family = model.families[construct.name]
        drawn = draw_answers(family, construct.name, persons.nodes, truth.items[construct.name], answer)
        for item, column in zip(construct.items, drawn.T, strict=True):
            filled.item(item, column)
    asked = [item for construct in model.constructs for item in construct.items]
    asked += observed if model.spec.linear is not None else []
    filled.take_away(asked, missing, hole)
    origin = f"model '{model.spec.name}', seed {truth.seed if seed is None else seed}"
    return Survey(
        instrument=_with_note(instrument, truth.note),
        person=np.array([str(k + 1) for k in range(filled.n)]),
        codes=filled.codes,
        variables=filled.variables,
        ledger=filled.events(f"persons simulated from {origin}"),
        simulated=truth.note,
        source=f"simulation of {origin}",
    )


def _with_note(instrument: Instrument, note: str) -> Instrument:
    """The instrument with a sentence in its note, once."""
    if note in instrument.note:
        return instrument
    return replace(instrument, note="; ".join(text for text in (instrument.note, note) if text))


def _streams(truth: Truth, seed: int | None) -> list[np.random.Generator]:
    """Separate streams for variables, scores, answers and holes: one does not move the others."""
    return np.random.default_rng(truth.seed if seed is None else seed).spawn(4)


def _explained(
    equation: Equation, truth: Truth, variables: dict[str, np.ndarray], values: dict[str, np.ndarray]
) -> np.ndarray | float:
    """What the terms of one equation add up to, for every person."""
    total: np.ndarray | float = 0.0
    for term in equation.terms:
        product: np.ndarray | float = term.coefficient
        for name, level in ((term.source, term.level), *term.by):
            if name in values:
                product = product * values[name]
            else:
                product = product * truth.variables[name].standard(variables[name], level)
        total = total + product
    return total


class _Filled:
    """Columns of the instrument, empty until they are filled, and the count of what happened."""

    def __init__(self, instrument: Instrument, n: int) -> None:
        self.n = n
        self.instrument = instrument
        self.codes = np.full((n, len(instrument.items)), NO_ANSWER, np.int8)
        self.declared = {v.name: v for v in instrument.variables}
        self.variables = {
            v.name: np.full(n, NO_ANSWER) if v.kind == "category" else np.full(n, np.nan)
            for v in instrument.variables
        }
        self._where = {item: j for j, item in enumerate(instrument.items)}
        self._empty = dict.fromkeys([*self.variables, *instrument.items])
        self._cut: dict[str, int] = {}
        self._removed = (0, 0)

    def variable(self, name: str, values: np.ndarray) -> None:
        """Keep the values of a variable; numbers stay in their range."""
        if name in self._where:
            self.item(name, values)
            return
        self._empty.pop(name)
        variable = self.declared[name]
        if variable.kind == "category":
            self.variables[name] = values.astype(int)
            return
        inside = np.clip(values.astype(float), variable.minimum, variable.maximum)
        self._count_cut(name, inside != values)
        self.variables[name] = inside

    def item(self, item: str, answers: np.ndarray) -> None:
        """Keep the answers to an item; continuous answers on an answer scale become the nearest code."""
        if item not in self._where:
            self.variable(item, answers)
            return
        self._empty.pop(item)
        last = self.instrument.module_of(item).n_categories - 1
        nearest_code = np.rint(answers)
        self._count_cut(item, (nearest_code < 0) | (nearest_code > last))
        self.codes[:, self._where[item]] = np.clip(nearest_code, 0, last).astype(np.int8)

    def take_away(self, items: list[str], share: float, rng: np.random.Generator) -> None:
        """Remove a share of the answers completely at random."""
        if share == 0:
            return
        holes = rng.random((self.n, len(items))) < share
        for item, hole in zip(items, holes.T, strict=True):
            if item in self._where:
                self.codes[hole, self._where[item]] = NO_ANSWER
            else:
                self.variables[item][hole] = np.nan
        self._removed = (holes.size, holes.size - int(holes.sum()))

    def events(self, text: str) -> tuple[Event, ...]:
        """The ledger."""
        events = [Event("simulated", text, "persons", self.n, self.n)]
        if self._empty:
            what = "columns that model and truth leave out are empty"
            events.append(Event("not_simulated", what, "persons", self.n, self.n, None, tuple(self._empty)))
        cut = sum(self._cut.values())
        if cut:
            what = f"{cut} simulated values beyond the end of their scale are set to that end"
            places = tuple(f"{name}: {count}" for name, count in self._cut.items())
            events.append(Event("cut", what, "answers", cut, cut, None, places))
        turned = tuple(
            item
            for item in self._where
            if item not in self._empty and self.instrument.module_of(item).turned(item)
        )
        if turned:
            what = "codes turned once, so that a higher code means more of the construct"
            count = self.n * len(turned)
            events.append(Event("turned", what, "answers", count, count, None, turned))
        before, after = self._removed
        if before != after:
            what = "answers taken away completely at random"
            events.append(Event("missing", what, "answers", before, after))
        return tuple(events)

    def _count_cut(self, name: str, beyond: np.ndarray) -> None:
        if beyond.any():
            self._cut[name] = int(beyond.sum())
