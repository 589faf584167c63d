"""A model as lavaan-like text: parsed with line and caret in every error.

The language is a subset of lavaan's (Rosseel, 2012, 10.18637/jss.v048.i02) plus item ranges::

    meaning =~ ml1..ml10                      # is measured by
    mission =~ pm1 + pm2 + pm3
    mission ~ b*meaning + c*mental_health     # is explained by, with labels
    meaning ~~ hope                           # residual covariance
    goals =~ ml1..ml4; goals ~~ 0*meaning     # a specific factor of some items of meaning (bifactor)
    mission =~ pm1..pm6 + cross*ml3           # an item of another construct that loads on this one as well
    wellbeing =~ calm + meaning + mission     # a second-order construct: its indicators are constructs
    mission ~ year + meaning:year             # a product: how the effect of meaning changes with year
    mission ~ (1|centre)                      # effects of levels that come from a common distribution
    indirect := a*b                           # defined quantity
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from medpsy.errors import SpecError, nearest
from medpsy.spec.check import check
from medpsy.spec.expressions import ExpressionParser
from medpsy.spec.graph import covariates
from medpsy.spec.lexer import STATEMENT_OPERATORS, Source, Token, Tokens
from medpsy.spec.linear_syntax import is_linear, read_linear
from medpsy.spec.model_spec import Construct, Covariance, Definition, ModelSpec, Observed, Path
from medpsy.spec.nesting import split_second_order, split_specific
from medpsy.spec.pooled import Pooled
from medpsy.spec.print_syntax import to_syntax
from medpsy.spec.problem import ElementError
from medpsy.survey.items import expand_items

__all__ = ["parse_model", "to_syntax"]


def parse_model(
    text: str,
    *,
    family: str = "graded",
    families: Mapping[str, str] | None = None,
    positive: Iterable[str] = (),
    testlets: Iterable[str] = (),
    name: str = "model",
    path: str | None = None,
    first_line: int = 1,
    std_lv: bool | None = None,
) -> ModelSpec:
    """Read a model written in lavaan-like syntax.

    Statements end with a line or a semicolon and go on after an operator; ``#`` begins a comment. Names that
    are not plain words stand in backquotes. What stands left of ``~`` and is no construct is an observed
    variable; what is only ever right of ``~`` is a covariate.

    Parameters
    ----------
    text : str
        The model.
    family : str
        Response family of every construct that ``families`` does not name.
    families : mapping of str to str, optional
        Response family of a construct, or distribution of an observed variable (default ``"gaussian"``).
    positive : iterable of str
        Constructs whose slopes are all positive a priori.
    testlets : iterable of str
        Constructs whose specific factors are testlets.
    name : str
        Name of the model.
    path, first_line : str and int, optional
        File the text comes from and its one-based line there, for errors.
    std_lv : bool, optional
        Makes a text of numbers a linear model, scaled by variances or (False) first loadings of 1.

    Returns
    -------
    ModelSpec
        Checked by :func:`medpsy.spec.check.check`; priors and design are empty.

    Raises
    ------
    SpecError
        Anything that cannot be read or contradicts itself, with the line and a caret under the place.
    """
    source, given = Source(text.replace("\r\n", "\n"), path, first_line), dict(families or {})
    if std_lv is not None or is_linear(source, family, given):
        spec = _linear(source, family, given, std_lv, name)
        return _with_flag(_with_flag(spec, "positive", positive), "testlets", testlets)
    reader = _Reader(source)
    reader.read()
    try:
        spec = _with_flag(reader.spec(family, given, name), "positive", positive)
        spec = _with_flag(spec, "testlets", testlets)
        check(spec)
    except ElementError as error:
        raise reader.located(error) from None
    return spec


class _Families(dict[str, str]):
    """Families by construct, with one for those that are not named."""

    def __init__(self, default: str, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self.default = default

    def __missing__(self, name: str) -> str:
        return self.default


def _linear(
    source: Source, family: str, families: Mapping[str, str], std_lv: bool | None, name: str
) -> ModelSpec:
    """Read a text as a linear model; constructs of other families keep their items."""
    other = _Families(family, families)
    spec = read_linear(source, std_lv, name, other)
    for one in families:
        if one not in {c.name for c in spec.constructs} and families[one] != "gaussian":
            raise SpecError(
                f"beside fixed numbers, shared labels and residual covariances '{one}' has to be Gaussian, "
                f"not '{families[one]}'",
                hint="Leave these out, or the family.",
            )
    return spec


def _with_flag(spec: ModelSpec, flag: str, names: Iterable[str]) -> ModelSpec:
    """Set ``positive`` or ``testlets`` of the constructs named."""
    wanted = (names,) if isinstance(names, str) else tuple(names)
    known = [construct.name for construct in spec.constructs]
    for name in wanted:
        if spec.linear is not None and name in spec.latents:
            raise ElementError(
                f"{flag} names '{name}', whose items are numbers",
                subject=(flag, name),
                hint="Only constructs of items with categories take it; leave it out.",
            )
        if name not in known:
            raise ElementError(
                f"{flag} names '{name}', which is no construct",
                subject=(flag, name),
                hint=nearest(name, known),
            )
    constructs = tuple(
        replace(c, positive=c.name in wanted) if flag == "positive" else replace(c, testlets=c.name in wanted)
        for c in spec.constructs
    )
    return replace(spec, constructs=constructs)


class _Reader:
    """Reads statements into tuples and remembers the token of every element, for errors found later."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = Tokens(source)
        self.constructs: list[tuple[str, tuple[str, ...]]] = []
        self.paths: list[Path] = []
        self.pooled: list[Pooled] = []
        self.covariances: list[Covariance] = []
        self.orthogonal: list[tuple[str, str]] = []
        self.cross: dict[str, list[str]] = {}
        self.definitions: list[Definition] = []
        self.places: dict[tuple[str, ...], Token] = {}

    def read(self) -> None:
        while not self.tokens.at_end():
            if self.tokens.peek.kind == "end":
                self.tokens.next()
            else:
                self._statement()
        if not self.constructs and not self.paths and not self.pooled:
            raise SpecError(
                "the model says nothing about any variable",
                hint="Write at least one statement such as 'meaning =~ ml1..ml10'.",
                path=self.source.path,
                line=self.source.first_line,
            )

    def located(self, error: ElementError) -> SpecError:
        """Point an error about an element at the token that made it."""
        for length in range(len(error.subject), 0, -1):
            token = self.places.get(error.subject[:length])
            if token is not None:
                return self.source.error(error.message, token, error.hint)
        return error

    def spec(self, family: str, families: dict[str, str], name: str) -> ModelSpec:
        """Put the statements together, each construct and observed variable with its family."""
        measured, second_order = split_second_order(self.constructs)
        measured, specific = split_specific(measured, self.orthogonal)
        for owner, parts in specific.items():
            for part in parts:
                self.places[("specific", owner, part.name)] = self.places[("construct", part.name)]
        if second_order is not None:
            self.places[("second_order", second_order.name)] = self.places[("construct", second_order.name)]
        constructs = tuple(
            Construct(
                c,
                items,
                families.pop(c, family),
                specific=tuple(specific.get(c, ())),
                cross=tuple(self.cross.get(c, ())),
            )
            for c, items in measured
        )
        latent = {construct.name for construct in constructs}
        latent |= {second_order.name} if second_order is not None else set()
        explained = [*(path.target for path in self.paths), *(one.target for one in self.pooled)]
        targets = dict.fromkeys(target for target in explained if target not in latent)
        observed = tuple(Observed(target, families.pop(target, "gaussian")) for target in targets)
        spec = ModelSpec(
            constructs=constructs,
            observed=observed,
            paths=tuple(self.paths),
            covariances=tuple(self.covariances),
            definitions=tuple(self.definitions),
            second_order=second_order,
            pooled=tuple(self.pooled),
            name=name,
        )
        for stray in families:
            subject = ("family", stray)
            if stray in covariates(spec):
                raise ElementError(
                    f"'{stray}' is a covariate: no distribution is assumed for it, so it has no family",
                    subject=subject,
                    hint="Remove it from the families.",
                )
            known = [*latent, *targets]
            raise ElementError(
                f"families names '{stray}', which is no construct and not explained by others",
                subject=subject,
                hint=nearest(stray, known),
            )
        return spec

    def _statement(self) -> None:
        left = self.tokens.next()
        if left.kind != "name":
            raise self.tokens.unexpected(left, _begin_hint(left))
        sign = self.tokens.next()
        if sign.kind != "operator" or sign.text not in STATEMENT_OPERATORS:
            hint = "After a name comes =~ (is measured by), ~ (is explained by), ~~ or :=."
            raise self.tokens.unexpected(sign, hint)
        self.tokens.require_operand(sign)
        rules = {"=~": self._measured, "~": self._explained, "~~": self._related, ":=": self._defined}
        rules[sign.text](left)
        end = self.tokens.next()
        if end.kind != "end":
            raise self.tokens.unexpected(end, self._missing_plus(end))

    def _missing_plus(self, token: Token) -> str:
        return f"Is a '+' missing before '{token.text}'?" if token.kind == "name" else ""

    def _measured(self, construct: Token) -> None:
        items: list[str] = []
        more: Token | None = construct
        while more:
            for item, token in self._items(construct.text):
                if item in items:
                    raise self.source.error(
                        f"item '{item}' is listed twice in construct '{construct.text}'",
                        token,
                        "Remove one of the two mentions.",
                    )
                items.append(item)
                self.places[("item", construct.text, item)] = token
            more = self.tokens.accept("+")
            if more:
                self.tokens.require_operand(more)
        self.places[("construct", construct.text)] = construct
        self.constructs.append((construct.text, tuple(items)))

    def _items(self, construct: str) -> list[tuple[str, Token]]:
        """Read one item or one range; of ``cross*item`` keep that it loads on the construct as well."""
        first = self.tokens.next()
        fixed = "Loadings are all estimated and cannot be labelled or fixed: list the items alone."
        if first.kind != "name":
            raise self.tokens.unexpected(first, fixed if first.kind == "number" else "")
        if star := self.tokens.accept("*"):
            if first.text != "cross":
                raise self.tokens.unexpected(star, fixed)
            self.tokens.require_operand(star)
            for item, token in self._items(construct):
                self.cross.setdefault(construct, []).append(item)
                self.places[("cross", construct, item)] = token
            return []
        dots = self.tokens.accept("..")
        if dots is None:
            return [(first.text, first)]
        self.tokens.require_operand(dots)
        last = self.tokens.next()
        if last.kind != "name":
            raise self.tokens.unexpected(last, f"A range needs its last item in full: {first.text}..name.")
        try:
            return [(item, first) for item in expand_items(f"{first.text}..{last.text}")]
        except SpecError as error:
            raise self.source.error(error.message, first, error.hint) from None

    def _explained(self, target: Token) -> None:
        for label, source, *by in self._terms():
            if source.kind == "pooled":
                self.pooled.append(Pooled(target.text, source.text))
                self.places[("pooled", self.pooled[-1].key)] = source
                self.places.setdefault(("observed", target.text), target)
                continue
            factors = tuple(token.text for token in by)
            path = Path(target.text, source.text, label.text if label else None, factors)
            self.places[("path", path.key)] = source
            self.places.setdefault(("observed", target.text), target)
            if label:
                self.places[("label", label.text, path.key)] = label
            self.paths.append(path)

    def _related(self, left: Token) -> None:
        if (self.tokens.peek.kind, self.tokens.peek.text) == ("number", "0"):
            return self._orthogonal(left)
        for label, right, *by in self._terms():
            if right.kind == "pooled":
                raise self.source.error(
                    "levels explain a variable; they have no covariance", right, "Write ~."
                )
            if by:
                raise self.source.error("a covariance is between two constructs, not products", by[0])
            key = f"{left.text}~~{right.text}"
            self.places[("covariance", key)] = right
            if label:
                self.places[("label", label.text, key)] = label
            self.covariances.append(Covariance(left.text, right.text, label.text if label else None))

    def _orthogonal(self, left: Token) -> None:
        """Read ``0*name + 0*name ...``: specific factors are independent of their construct."""
        more: Token | None = left
        while more:
            zero = self.tokens.next()
            if (zero.kind, zero.text) != ("number", "0") or not self.tokens.accept("*"):
                raise self.tokens.unexpected(zero, f"Write {left.text} ~~ 0*name.")
            right = self._variable()
            self.places[("orthogonal", left.text, right.text)] = right
            self.orthogonal.append((left.text, right.text))
            more = self.tokens.accept("+")

    def _terms(self) -> Iterable[tuple[Token | None, Token, *tuple[Token, ...]]]:
        """Read ``label*name + name + label*name:name ...``."""
        more: Token | None = None
        while True:
            if more:
                self.tokens.require_operand(more)
            pooled = self.tokens.peek.kind == "pooled"
            label, term = None, self.tokens.next() if pooled else self._variable()
            if star := self.tokens.accept("*"):
                self.tokens.require_operand(star)
                label, term = term, self._variable()
            factors: list[Token] = []
            while colon := self.tokens.accept(":"):
                self.tokens.require_operand(colon)
                factors.append(self._variable())
            yield label, term, *factors
            more = self.tokens.accept("+")
            if more is None:
                return

    def _variable(self) -> Token:
        token = self.tokens.next()
        if token.kind == "number":
            if self.tokens.accept("*"):
                raise self.source.error(
                    f"a coefficient cannot be fixed to {token.text}",
                    token,
                    "Leave the term out to fix it to 0; every other coefficient is estimated.",
                )
            hint = "Intercepts are estimated automatically: remove it." if token.text in ("0", "1") else ""
            raise self.source.error(f"'{token.text}' cannot stand for a variable", token, hint)
        if token.kind == "pooled":
            hint = f"Levels have no label and no product: write (1|{token.text}) as a term of its own."
            raise self.source.error(f"unexpected '(1|{token.text})'", token, hint)
        if token.kind != "name":
            raise self.tokens.unexpected(token)
        return token

    def _defined(self, name: Token) -> None:
        parser = ExpressionParser(self.tokens)
        expression = parser.parse()
        self.places[("definition", name.text)] = name
        for used, token in parser.mentions.items():
            self.places[("definition", name.text, used)] = token
        self.definitions.append(Definition(name.text, str(expression)))


def _begin_hint(token: Token) -> str:
    if token.kind == "operator" and token.text in ("+", "-", "*", "/", "^"):
        return f"A statement goes on in the next line only if its line ends with '{token.text}'."
    return "A statement begins with the name of a variable."
