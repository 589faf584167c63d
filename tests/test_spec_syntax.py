"""The model language: what it reads, and what its errors say and point at."""

from __future__ import annotations

import pytest

from medpsy.errors import SpecError
from medpsy.spec.model_spec import Construct, Covariance, Definition, ModelSpec, Observed, Path
from medpsy.spec.syntax import parse_model, to_syntax

FOUNDING = """
  mental_health =~ mh1..mh10   # symptoms, turned round
  meaning       =~ ml1..ml10
  mission       =~ pm1 + pm2 +
                   pm3..pm6
  meaning ~ a*mental_health; mission ~ b*meaning + c*mental_health + sex
  indirect := a * b
  total    := (indirect) + c
"""


def _message(text: str, **options: object) -> str:
    with pytest.raises(SpecError) as caught:
        parse_model(text, **options)  # type: ignore[arg-type]
    return str(caught.value)


def test_the_founding_model_is_read_in_full() -> None:
    spec = parse_model(FOUNDING, positive=["mission"], families={"mission": "gaussian"}, name="founding")
    assert spec == ModelSpec(
        constructs=(
            Construct("mental_health", tuple(f"mh{i}" for i in range(1, 11))),
            Construct("meaning", tuple(f"ml{i}" for i in range(1, 11))),
            Construct("mission", tuple(f"pm{i}" for i in range(1, 7)), family="gaussian", positive=True),
        ),
        paths=(
            Path("meaning", "mental_health", "a"),
            Path("mission", "meaning", "b"),
            Path("mission", "mental_health", "c"),
            Path("mission", "sex"),
        ),
        definitions=(Definition("indirect", "a*b"), Definition("total", "indirect + c")),
    )
    assert spec.name == "founding"


def test_left_sides_without_items_are_observed_variables() -> None:
    spec = parse_model("m =~ a1..a3\nm ~ x\ngrade ~ m\nleft ~ grade + m", families={"left": "bernoulli"})
    assert spec.observed == (Observed("grade"), Observed("left", "bernoulli"))


def test_covariances_labels_and_zero_padded_ranges() -> None:
    spec = parse_model("f =~ q01..q03\ng =~ r1 + r2\nf ~~ r*g\ndouble := 2*r")
    assert spec.constructs[0].items == ("q01", "q02", "q03")
    assert spec.covariances == (Covariance("f", "g", "r"),)
    assert spec.definitions == (Definition("double", "2*r"),)


def test_backquotes_allow_any_column_name() -> None:
    spec = parse_model("mood =~ `phq-1`..`phq-9`\nmood ~ `age in years`")
    assert spec.constructs[0].items[8] == "phq-9"
    assert spec.paths == (Path("mood", "age in years"),)
    assert to_syntax(spec) == "mood =~ `phq-1`..`phq-9`\nmood ~ `age in years`\n"


def test_a_statement_goes_on_after_an_operator_and_inside_brackets() -> None:
    spec = parse_model("y ~\n\n a * # label\n x +\n z\nk := (a\n + 1)\r\n")
    assert spec.paths == (Path("y", "x", "a"), Path("y", "z"))
    assert spec.definitions == (Definition("k", "a + 1"),)


def test_printing_shortens_runs_only_where_reading_restores_them() -> None:
    text = "f =~ q9 + q10 + q11 + q12 + a1 + a2 + b01 + b02 + b03 + b3 + q08 + q7\n"
    spec = parse_model(text)
    printed = to_syntax(spec)
    assert printed == "f =~ q9..q12 + a1 + a2 + b01..b03 + b3 + q08 + q7\n"
    assert parse_model(printed) == spec


def test_printing_shows_an_unexpanded_design_as_a_comment() -> None:
    from medpsy.spec.model_spec import Design

    spec = ModelSpec((Construct("m", ("m1", "m2")),), design=Design("simple", "x", ("m",), "y"))
    assert to_syntax(spec) == "m =~ m1 + m2\n# simple mediation: x -> m -> y\n"


EXACT = {
    "meaning ~ ~ mental_health": """
models/x.toml, line 7: unexpected '~'
  meaning ~ ~ mental_health
            ^""",
    "m =~ a1..a3\n   m  ~~ m": """
models/x.toml, line 8: 'm ~~ m': residual variances are fixed by identification
  m  ~~ m
        ^
  Every construct has residual variance 1, which sets its scale: remove the statement.""",
    "y ~ alpha*x\nk := 2*alhpa": """
models/x.toml, line 8: definition 'k' uses the unknown label 'alhpa'
  k := 2*alhpa
         ^
  Did you mean 'alpha'?""",
    "中文 ~ ~ x": """
models/x.toml, line 7: unexpected '~'
  中文 ~ ~ x
         ^""",
    "y ~ x +\nz ~ y": """
models/x.toml, line 7: nothing follows '+'
  y ~ x +
        ^""",
    "mission ~ meaning\nmeaning ~ mission": """
models/x.toml, line 8: the paths form a cycle: meaning -> mission -> meaning
  meaning ~ mission
            ^
  A variable cannot explain itself through others: remove or turn round one of these paths.""",
}


@pytest.mark.parametrize("text", EXACT)
def test_the_whole_text_of_an_error(text: str) -> None:
    assert _message(text, path="models/x.toml", first_line=7) == EXACT[text].lstrip("\n")


# text of the model -> line, what the caret stands under (to the end of that line), part of message or hint
POINTED = [
    ("y ~ x == 3", 1, "== 3", "Constraints between parameters"),
    ("y <~ x", 1, "<~ x", "Formative"),
    ("y | t1", 1, "| t1", "Thresholds are estimated automatically"),
    ("y ~ x:z", 1, "x:z", "by the product 'x:z' but not by 'x'"),
    ("y ～ x", 1, "～ x", "plain character '~'"),
    ("y ~ x & z", 1, "& z", "unknown symbol '&'"),
    ("y ~ `x", 1, "`x", "not closed"),
    ("y ~ x\n+ z", 2, "+ z", "only if its line ends with '+'"),
    ("~ x", 1, "~ x", "begins with the name of a variable"),
    ("y", 1, "", "unexpected end of line"),
    ("y ~ x z", 1, "z", "Is a '+' missing before 'z'?"),
    ("y ~ a*b*x", 1, "*x", "unexpected '*'"),
    ("y ~ a*\nz ~ y", 1, "*", "nothing follows '*'"),
    ("y ~ x +;", 1, "+;", "nothing follows '+'"),
    ("f =~", 1, "=~", "nothing follows '=~'"),
    ("f =~ \ng ~ f", 1, "=~", "nothing follows '=~'"),
    ("f =~ q1..", 1, "..", "nothing follows '..'"),
    ("f =~ q1..3", 1, "3", "last item in full"),
    ("f =~ q3..q1", 1, "q3..q1", "is empty"),
    ("f =~ q1..r3", 1, "q1..r3", "same prefix"),
    ("f =~ 1*q1 + q2", 1, "1*q1 + q2", "loadings and residual covariances of items"),
    ("f =~ l*q1 + q2", 1, "l*q1 + q2", "loadings and residual covariances of items"),
    ("f =~ q1..q4 + q3", 1, "q3", "item 'q3' is listed twice in construct 'f'"),
    ("f =~ q1\nf =~ q2", 2, "f =~ q2", "construct 'f' is defined twice"),
    ("f =~ q1\ng =~ q2 + q1", 2, "q1", "item 'q1' measures both 'f' and 'g'"),
    ("f =~ q1\ng =~ f + q2", 2, "f + q2", "which is a construct itself"),
    ("y ~ x\ny ~ x", 2, "x", "the path 'y ~ x' is listed twice"),
    ("y ~ y", 1, "y", "'y' is explained by itself"),
    ("f =~ q1..q3\nf ~ q2", 2, "q2", "'q2' is an item of 'f'"),
    ("f =~ q1..q3\nq2 ~ x", 2, "q2 ~ x", "'q2' is an item of a construct"),
    ("y ~ 7", 1, "7", "cannot stand for a variable"),
    ("y ~ 0.5x", 1, "0.5x", "cannot stand for a variable"),
    ("f =~ q1\nf ~~ x", 2, "x", "only constructs have covariances, and 'x' is none"),
    ("f =~ q1\ng =~ r1\nf ~~ g\ng ~~ f", 4, "f", "the covariance 'g ~~ f' is listed twice"),
    ("y ~ a*x\na := 2", 2, "a := 2", "a label or an earlier definition has that name"),
    ("y ~ a*x\nk := a\nk := 2", 3, "k := 2", "a label or an earlier definition has that name"),
    ("y ~ a*x\nk := j\nj := k", 2, "j", "in a circle: k -> j -> k"),
    ("y ~ a*x\nk := k + 1", 2, "k + 1", "in a circle: k -> k"),
    ("y ~ a*x\nk := j\nj := a", 2, "j", "which is defined after it"),
    ("y ~ x\nk := a", 2, "a", "No path has a label"),
    ("y ~ a*x\nk := (a + 1\nj := a", 2, "(a + 1", "'(' is never closed"),
    ("y ~ a*x\nk := sqr(a)", 2, "sqr(a)", "Did you mean 'sqrt'?"),
    ("y ~ a*x\nk := a ** 2", 2, "* 2", "unexpected '*'"),
    ("y ~ a*x\nk := a +\nj := a", 2, "+", "nothing follows '+'"),
    ("y ~ a*x\nk := a a", 2, "a", "unexpected 'a'"),
    ("y ~ a*x\nk := 1e999", 2, "1e999", "too large"),
]


@pytest.mark.parametrize(("text", "line", "under", "part"), POINTED)
def test_errors_point_at_the_place(text: str, line: int, under: str, part: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_model(text, path="m.toml", first_line=11)
    error = caught.value
    assert (error.path, error.line) == ("m.toml", 10 + line)
    assert part in str(error)
    _, shown, caret = error.message.split("\n")
    at = caret.index("^")
    if at <= len(shown):  # a wide character takes two columns and one place in the text
        assert shown[at:] == under
    assert shown.strip() == text.split("\n")[line - 1].strip()


@pytest.mark.parametrize("text", ["", "  \n# only words\n", "k := 3"])
def test_an_empty_model_is_refused(text: str) -> None:
    assert "says nothing about any variable" in _message(text)


def test_families_and_positive_name_what_exists() -> None:
    text = "meaning =~ m1..m3\nmeaning ~ sex\ny ~ meaning"
    assert "Did you mean 'meaning'?" in _message(text, families={"meening": "gaussian"})
    assert "'sex' is a covariate" in _message(text, families={"sex": "gaussian"})
    assert "Did you mean 'bernoulli'?" in _message(text, families={"y": "bernouli"})
    assert "positive names 'y', which is no construct" in _message(text, positive=["y"])
    assert parse_model(text, positive="meaning").constructs[0].positive


@pytest.mark.parametrize("items", ["x1..x6", "x1 + x2 + x3 + x4..x6"])
def test_a_specific_factor_whose_items_are_a_range_is_no_linear_model(items: str) -> None:
    spec = parse_model(f"x =~ {items}\ns =~ x1..x3\ns ~~ 0*x")
    assert spec.linear is None and spec.constructs[0].specific[0].items == ("x1", "x2", "x3")
