"""Model text cut into tokens, and errors that point at one of them with a caret."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from medpsy.errors import SpecError

#: Operators that make a statement, longest first.
STATEMENT_OPERATORS = ("=~", "~~", ":=", "~")

_TOKEN = re.compile(
    r"(?P<space>[^\S\n]+|\#[^\n]*)"
    r"|(?P<end>[\n;])"
    r"|(?P<name>[^\W\d]\w*|`[^`\n]+`)"
    r"|(?P<number>(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<pooled>\(\s*1\s*\|\s*(?:[^\W\d]\w*|`[^`\n]+`)\s*\))"
    r"|(?P<operator>=~|~~|:=|\.\.|[~+\-*/^():,])"
)

_FOREIGN = {
    "==": "Constraints between parameters are not available.",
    "<~": "Formative constructs are not available; a construct is measured with =~.",
    "|": "Thresholds are estimated automatically; pooled levels are written (1|variable).",
    "<": "Constraints between parameters are not available.",
    ">": "Constraints between parameters are not available.",
    "=": "A construct is measured with =~, a quantity is defined with :=.",
}


def is_plain(name: str) -> bool:
    """Whether a name is letters, digits and underscores, and does not begin with a digit."""
    return re.fullmatch(r"[^\W\d]\w*", name) is not None


@dataclass(frozen=True)
class Token:
    """A piece of model text. ``line`` and ``column`` count from 0 within that text.

    ``kind`` is ``"name"``, ``"number"``, ``"operator"``, ``"pooled"`` (the variable of ``(1|variable)``) or
    ``"end"`` (of a statement, or of the text).
    """

    kind: str
    text: str
    line: int
    column: int

    def __str__(self) -> str:
        return "end of line" if self.kind == "end" and self.text != ";" else f"'{self.text}'"


@dataclass(frozen=True)
class Source:
    """A model text and where it came from.

    ``first_line`` is the one-based line of the file in which the text begins.
    """

    text: str
    path: str | None = None
    first_line: int = 1

    def error(self, message: str, at: Token, hint: str = "") -> SpecError:
        """Return a SpecError whose message shows the source line with a caret under ``at``."""
        line = self.text.split("\n")[at.line]
        shown = line.strip()
        before = line[len(line) - len(line.lstrip()) : at.column]
        caret = " " * sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in before) + "^"
        text = f"{message}\n  {shown.expandtabs(1)}\n  {caret}"
        return SpecError(text, hint=hint, path=self.path, line=self.first_line + at.line)


def tokenize(source: Source) -> list[Token]:
    """Cut a model text into tokens.

    A line end is an ``"end"`` token, except inside brackets and after an operator, where the statement goes
    on. Names in backquotes may hold any character (columns such as `` `phq-1` ``). The last token is an end.

    Raises
    ------
    SpecError
        A character that has no meaning here.
    """
    tokens: list[Token] = []
    line, line_start, position, depth = 0, 0, 0, 0
    text = source.text
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unknown(source, Token("operator", text[position], line, position - line_start))
        kind, piece = str(match.lastgroup), match.group()
        position = match.end()
        token = Token(kind, piece, line, match.start() - line_start)
        if kind == "pooled":
            tokens.append(Token(kind, piece.partition("|")[2].strip(" \t)`"), token.line, token.column))
        elif kind == "end":
            goes_on = piece == "\n" and (depth > 0 or (bool(tokens) and _continues(tokens[-1])))
            if not goes_on:
                tokens.append(token)
        elif kind != "space":
            depth += (piece == "(") - (piece == ")")
            tokens.append(token if piece[0] != "`" else Token(kind, piece[1:-1], token.line, token.column))
        if piece == "\n":
            line, line_start = line + 1, position
    tokens.append(Token("end", "", line, len(text) - line_start))
    return tokens


def _continues(token: Token) -> bool:
    return token.kind == "operator" and token.text != ")"


def _unknown(source: Source, at: Token) -> SpecError:
    rest = source.text.split("\n")[at.line][at.column :]
    for symbol, hint in _FOREIGN.items():
        if rest.startswith(symbol):
            return source.error(f"unknown symbol '{symbol}'", at, hint)
    plain = unicodedata.normalize("NFKC", at.text)
    if plain != at.text and re.fullmatch(r"[=~+\-*/^(),.;:#0-9]", plain):
        return source.error(f"unknown symbol '{at.text}'", at, f"Write the plain character '{plain}'.")
    if at.text == "`":
        return source.error("a backquote is not closed", at, "Close the name on the same line.")
    return source.error(f"unknown symbol '{at.text}'", at, "Write names, =~ ~ ~~ := + and *.")


class Tokens:
    """A reading position in the tokens of a model text."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._tokens = tokenize(source)
        self._at = 0

    @property
    def peek(self) -> Token:
        """The next token; the last one is never passed."""
        return self._tokens[self._at]

    def at_end(self) -> bool:
        """Whether nothing but the end of the text is left."""
        return self._at == len(self._tokens) - 1

    def next(self) -> Token:
        """Return the next token and step over it."""
        token = self.peek
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def accept(self, *texts: str) -> Token | None:
        """Step over the next token if it is one of these operators."""
        return self.next() if self.peek.kind == "operator" and self.peek.text in texts else None

    def require_operand(self, operator: Token) -> None:
        """Refuse an operator that ends its statement, also where the next statement hides that."""
        token = self.peek
        following = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        new_statement = token.line > operator.line and following.text in STATEMENT_OPERATORS
        if token.kind == "end" or (token.kind == "name" and new_statement):
            raise self.source.error(f"nothing follows '{operator.text}'", operator)

    def unexpected(self, token: Token, hint: str = "") -> SpecError:
        """Return the error for a token that cannot stand where it stands."""
        return self.source.error(f"unexpected {token}", token, hint)
