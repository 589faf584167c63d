"""Model text in lavaan's own language: fixed numbers, labels anywhere, residual covariances, means.

What :mod:`medpsy.spec.syntax` reads is the part of the language that holds for every family. This reader
takes over where a text says more than that, which only models that are linear and normal throughout can
mean::

    dem60 =~ 1*y1 + a*y2 + y3            # fixed, labelled (the same label twice: equal)
    y1 ~~ y5                             # residual covariance of indicators or of observed variables
    i =~ 1*x1 + 1*x2 + 1*x3              # an indicator of several latent variables
    x1 + x2 + x3 ~ 0*1;  i ~ 1           # intercepts, latent means
    f =~ x1 + c(a, b)*x2                 # a label, a number or NA for each group
    dem60 ~~ 1*dem60                     # a variance
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from medpsy.errors import SpecError
from medpsy.spec.check import check
from medpsy.spec.expressions import ExpressionParser
from medpsy.spec.lexer import STATEMENT_OPERATORS, Source, Token, Tokens, tokenize
from medpsy.spec.linear import Term, assembled
from medpsy.spec.model_spec import Definition, Each, ModelSpec
from medpsy.spec.problem import ElementError
from medpsy.survey.items import expand_items

#: What stands before an earlier occasion of a construct, and before an item that is not the same there.
_OCCASIONS = ("same", "free")


def is_linear(source: Source, family: str, families: Mapping[str, str]) -> bool:
    """Whether a text says what only the linear reader understands.

    Raises
    ------
    SpecError
        It does so about a construct with items of another family.
    """
    statements = [s for s in _statements(source) if s[1].text in STATEMENT_OPERATORS]
    items: dict[str, list[str]] = {}
    for left, sign, right in statements:
        if sign.text == "=~" and len(left) == 1:
            items.setdefault(left[0].text, []).extend(_indicators(right))
    found = next((token for s in statements if (token := _marks(s, items))), None) or _shared(statements)
    found = found or next((a for a, b in pairwise(tokenize(source)) if (a.text, b.text) == ("c", "(")), None)
    latent = set(items)
    if found is None and all(families.get(name, family) == "gaussian" for name in latent):
        count = Counter(name for names in items.values() for name in set(names) - latent)
        crossed = any(t.text == "cross" for _, _, right in statements for t in right)
        nested = any(sign.text == "~~" and "0" in (t.text for t in right) for _, sign, right in statements)
        return bool(items) and not crossed and not nested and max(count.values(), default=0) > 1
    if found is None:
        return False
    ordinal = {name for name in latent if families.get(name, family) != "gaussian"}
    own = {item for name in ordinal for item in items[name]} - latent
    for statement in statements:
        token = _marks(statement, items)
        left, sign, right = statement
        said = {t.text for t in left} | set(_names(right))
        about = sign.text == "=~" and left[0].text in ordinal and not said & (latent - {left[0].text})
        about = about and token is not None and token.text not in _OCCASIONS
        if token is not None and (about or (sign.text != "=~" and said & own)):
            name = next(n for n in ordinal if n in said or said & set(items[n]))
            raise source.error(
                f"fixed or labelled loadings and residual covariances of items are for linear models; "
                f"'{name}' has items of the family '{families.get(name, family)}'",
                token,
                "Say family='gaussian' for continuous items.",
            )
    return True


def _statements(source: Source) -> Iterator[tuple[list[Token], Token, list[Token]]]:
    """Tokens left of the operator, the operator, tokens right of it."""
    row: list[Token] = []
    for token in tokenize(source):
        if token.kind != "end":
            row.append(token)
            continue
        at = next((i for i, t in enumerate(row) if t.text in STATEMENT_OPERATORS and t.kind == "operator"), 0)
        if at:
            yield row[:at], row[at], _without_words(row[at + 1 :])
        row = []


def _without_words(tokens: list[Token]) -> list[Token]:
    """The right side without what stands in brackets after ``same``, ``free`` and ``c``."""
    out: list[Token] = []
    inside = False
    for token in tokens:
        opens = token.text == "(" and bool(out) and out[-1].text in (*_OCCASIONS, "c")
        inside = inside or opens
        if not inside:
            out.append(token)
        inside = inside and token.text != ")"
    return out


def _names(tokens: list[Token]) -> list[str]:
    """Variables of the right side; ends of ranges as they are."""
    after = [*tokens[1:], Token("end", "", 0, 0)]
    return [
        t.text for t, n in zip(tokens, after, strict=False) if t.kind == "name" and n.text not in ("*", "(")
    ]


def _indicators(tokens: list[Token]) -> list[str]:
    """Variables of the right side, ranges written out; a range that cannot be is left to the reader."""
    out: list[str] = []
    names = set(_names(tokens))
    for at, token in enumerate(tokens):
        if token.kind != "name" or token.text not in names:
            continue
        if at > 1 and tokens[at - 1].text == ".." and out:
            with suppress(SpecError):
                out += expand_items(f"{tokens[at - 2].text}..{token.text}")[1:]
                continue
        out.append(token.text)
    return out


def _marks(statement: tuple[list[Token], Token, list[Token]], items: Mapping[str, list[str]]) -> Token | None:
    """The token of one statement that needs the linear reader, or None."""
    left, sign, right = statement
    if sign.text == ":=":
        return None
    if len(left) > 1:
        return left[1]
    number = next((t for t in right if t.kind == "number"), None)
    if sign.text == "=~":
        found = (a for a, b in pairwise(right) if b.text == "*" and a.text != "cross")
        return next(found, None)
    if sign.text == "~":
        missing = next((t for t in right if t.text in ("NA", "start")), None)
        return number or missing
    names = [left[0].text, *_names(right)]
    # A construct with itself, or with a variable that is no construct, is for the reader of all families.
    if left[0].text in names[1:-1] or left[0].text not in items:
        return left[0]
    sets = [set(items.get(name, ())) for name in names]
    nested = any(own < sets[0] or sets[0] < own for own in sets[1:])
    return None if number is None or (float(number.text) == 0 and nested) else number


def _shared(statements: list[tuple[list[Token], Token, list[Token]]]) -> Token | None:
    """A label that stands on two paths or covariances."""
    seen: dict[str, Token] = {}
    for _, sign, right in statements:
        for token, after in pairwise(right):
            if sign.text in ("~", "~~") and token.kind == "name" and after.text == "*":
                if token.text in seen:
                    return token
                seen[token.text] = token
    return None


@dataclass(frozen=True)
class _Modifiers:
    """What stands before a variable."""

    label: str | None = None
    value: float | None = None
    free: bool = False
    words: tuple[str, ...] = ()
    each: Each = ()


def read_linear(
    source: Source, std_lv: bool | None, name: str, families: Mapping[str, str] | None = None
) -> ModelSpec:
    """Read a whole text as a linear model; ``families`` are those of constructs that are not Gaussian.

    Raises
    ------
    SpecError
        Anything that cannot be read or contradicts itself, with the line and a caret under the place.
    """
    reader = _LinearReader(source)
    reader.read()
    try:
        spec = assembled(reader.terms, tuple(reader.definitions), bool(std_lv), name, families)
        check(spec)
        return spec
    except ElementError as error:
        raise reader.located(error) from None


class _LinearReader:
    """Reads statements into terms, each with the token that made it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = Tokens(source)
        self.terms: list[Term] = []
        self.definitions: list[Definition] = []
        self.places: dict[tuple[str, ...], Token] = {}

    def located(self, error: ElementError) -> SpecError:
        """Point an error at the token that made its element."""
        for length in range(len(error.subject), 0, -1):
            token = self.places.get(error.subject[:length])
            if token is not None:
                return self.source.error(error.message, token, error.hint)
        said = {token.text: token for token in tokenize(self.source) if token.kind == "name"}
        for name in reversed(error.subject):
            if name in said:
                return self.source.error(error.message, said[name], error.hint)
        return error

    def read(self) -> None:
        """Read all statements."""
        while not self.tokens.at_end():
            if self.tokens.peek.kind == "end":
                self.tokens.next()
                continue
            left = [self._name()]
            while self.tokens.accept("+"):
                left.append(self._name())
            sign = self.tokens.next()
            if sign.text not in STATEMENT_OPERATORS or sign.kind != "operator":
                raise self.tokens.unexpected(sign, "After a name comes =~, ~, ~~ or :=.")
            self.tokens.require_operand(sign)
            if sign.text == ":=":
                self._defined(left)
            else:
                self._terms(left, sign.text)
            end = self.tokens.next()
            if end.kind != "end":
                raise self.tokens.unexpected(end)

    def _name(self) -> Token:
        token = self.tokens.next()
        if token.kind != "name":
            raise self.tokens.unexpected(token, "A statement begins with the name of a variable.")
        return token

    def _defined(self, left: list[Token]) -> None:
        if len(left) > 1:
            raise self.source.error("one quantity is defined at a time", left[1])
        parser = ExpressionParser(self.tokens)
        self.definitions.append(Definition(left[0].text, str(parser.parse())))
        self.places[("definition", left[0].text)] = left[0]
        for used, token in parser.mentions.items():
            self.places[("definition", left[0].text, used)] = token

    def _terms(self, left: list[Token], op: str) -> None:
        while True:
            how, first = self._modifiers()
            for names in self._variables(first, op):
                for target in left:
                    term = Term(target.text, op, names, how.label, how.value, how.free, how.words, how.each)
                    self.places.setdefault(("term", *term.key), first)
                    self.places.setdefault(("variable", target.text), target)
                    self.places.setdefault(("variable", names[0]), first)
                    self.places.setdefault(("path", f"{target.text}~{':'.join(names)}"), first)
                    if how.label:
                        self.places.setdefault(("label", how.label), first)
                    self.terms.append(term)
            more = self.tokens.accept("+")
            if more is None:
                return
            self.tokens.require_operand(more)

    def _modifiers(self) -> tuple[_Modifiers, Token]:
        """``1*``, ``a*``, ``NA*``, ``start(0.5)*``; and the token after them."""
        label, value, free = None, None, False
        words: tuple[str, ...] = ()
        each: Each = ()
        while True:
            negative = self.tokens.accept("-")
            token = self.tokens.next()
            if token.kind not in ("name", "number"):
                raise self.tokens.unexpected(token)
            if token.text == "start" and self.tokens.accept("("):
                # Where a search starts is of no consequence here.
                while self.tokens.accept(")") is None:
                    self.tokens.next()
                self._star(token)
                continue
            if token.text == "c" and self.tokens.accept("("):
                each = self._each()
                free = None in each and not any(isinstance(one, float) for one in each)
                self._star(token)
                continue
            if token.text in _OCCASIONS and self.tokens.accept("("):
                words = self._words()
            star = self.tokens.accept("*")
            if star is None:
                if negative or (token.kind == "number" and token.text != "1"):
                    raise self.source.error(f"'{token.text}' cannot stand for a variable", token)
                return _Modifiers(label, value, free, words, each), token
            self.tokens.require_operand(star)
            if token.kind == "number":
                value = -float(token.text) if negative else float(token.text)
            elif token.text == "NA":
                free = True
            else:
                label = token.text

    def _each(self) -> Each:
        """``a, 0.5, NA)``: a label, a number or neither for each group."""
        out: list[str | float | None] = []
        while True:
            negative = self.tokens.accept("-")
            token = self.tokens.next()
            if token.kind == "number":
                out.append(-float(token.text) if negative else float(token.text))
            elif token.kind == "name" and not negative:
                out.append(None if token.text == "NA" else token.text)
            else:
                raise self.tokens.unexpected(token, "One label or number for each group: c(a, b)*x.")
            if self.tokens.accept(")"):
                return tuple(out)
            if self.tokens.accept(",") is None:
                raise self.tokens.unexpected(self.tokens.next(), "Close the bracket: c(a, b)*x.")

    def _words(self) -> tuple[str, ...]:
        """``loadings, thresholds)``."""
        words = [self._name().text]
        while self.tokens.accept(","):
            words.append(self._name().text)
        if self.tokens.accept(")") is None:
            raise self.tokens.unexpected(self.tokens.next(), "Close the bracket: same(thresholds)*wave1.")
        return tuple(words)

    def _star(self, token: Token) -> None:
        if self.tokens.accept("*") is None:
            raise self.source.error(f"'{token.text}' stands before a variable: write {token.text}*x", token)

    def _variables(self, first: Token, op: str) -> list[tuple[str, ...]]:
        """One variable, a range of items, a product, or the 1 of an intercept."""
        if first.kind == "number":
            if op != "~":
                raise self.source.error(f"'{first.text}' cannot stand for a variable", first)
            return [("1",)]
        if dots := self.tokens.accept(".."):
            self.tokens.require_operand(dots)
            last = self._name()
            try:
                return [(item,) for item in expand_items(f"{first.text}..{last.text}")]
            except SpecError as error:
                raise self.source.error(error.message, first, error.hint) from None
        names = [first.text]
        while colon := self.tokens.accept(":"):
            self.tokens.require_operand(colon)
            names.append(self._name().text)
        return [tuple(names)]
