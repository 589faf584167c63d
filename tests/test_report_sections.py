"""Sections: what they hold, in which order, and what they leave out when there is nothing to say."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import made_up
from medpsy.errors import DataError, SpecError
from medpsy.report import format as cells
from medpsy.report.blocks import Block, Bullets, Code, Figure, Section, Table, Text
from medpsy.report.context import Context
from medpsy.report.sections import at_a_glance, build_sections, modules, provenance
from medpsy.report.sections.provenance import flatten
from medpsy.report.tables import table

TITLES = [
    "At a glance", "Can it be trusted", "What the design cannot say", "Who answered", "The questionnaire",
    "The model", "Items", "Does the model fit the answers", "Priors in questionnaire units", "Provenance",
]  # fmt: skip


@pytest.fixture(scope="module")
def sections() -> dict[str, Section]:
    return {section.title: section for section in build_sections(made_up.context())}


def tables(section: Section) -> list[Table]:
    return [block for block in section.blocks if isinstance(block, Table)]


def figures(section: Section) -> list[Figure]:
    return [block for block in section.blocks if isinstance(block, Figure)]


def printed(one: Table) -> list[list[str]]:
    return [[text for text, _ in row] for row in cells.cells(one.frame, one.formats)]


def words(blocks: list[Block]) -> str:
    return " ".join(
        " ".join(block.paragraphs if isinstance(block, Text) else block.items)
        for block in blocks
        if isinstance(block, Text | Bullets)
    )


def only(**changes: object) -> Context:
    return Context(title="t", **changes)  # type: ignore[arg-type]


def test_sections_stand_in_order_with_unique_anchors(sections: dict[str, Section]) -> None:
    assert list(sections) == TITLES
    assert len({section.anchor for section in sections.values()}) == len(TITLES)
    assert len({module.ORDER for module in modules()}) == len(modules()) >= len(TITLES)


def test_an_empty_context_has_no_section() -> None:
    assert build_sections(only()) == []


def test_effects_are_printed_in_full(sections: dict[str, Section]) -> None:
    (effects,) = tables(sections["At a glance"])
    assert printed(effects)[1] == [
        "direct", "mental health → professional mission", "0.041", "0.062", "−0.081", "0.161",
        ".741", "51.3 %", "0.033 [−0.065, 0.129]",
    ]  # fmt: skip
    assert any("[−0.050, 0.050] for every effect" in note for note in effects.notes)
    assert [figure.alt.split(".")[0] for figure in figures(sections["At a glance"])][1] == "Forest plot"
    assert "indirect 0.213 [0.137, 0.296], P(direction) >.999" in figures(sections["At a glance"])[1].alt


def test_ropes_that_differ_get_their_column() -> None:
    effects = made_up.effects().assign(rope_low=[-0.05, -0.1, -0.1])
    (section,) = build_sections(only(effects=effects))
    frame = tables(section)[0].frame
    assert frame["ROPE"].tolist() == ["[−0.050, 0.050]", "[−0.100, 0.050]", "[−0.100, 0.050]"]


def test_effects_without_optional_columns() -> None:
    columns = ["effect", "text", "mean", "sd", "lower", "upper", "p_direction"]
    (section,) = build_sections(only(effects=made_up.effects()[columns], interval=0.9))
    assert list(tables(section)[0].frame.columns) == [
        "Effect",
        "Path",
        "Mean",
        "SD",
        "Lower",
        "Upper",
        "P(direction)",
    ]
    assert tables(section)[0].caption == "Effects with 90 % intervals."


def test_a_failed_gate_says_why_and_marks_its_row() -> None:
    checks = made_up.checks().assign(passed=[False, True, None], cure=["Run longer chains.", "", ""])
    context = only(trusted=False, gate_reasons=["R-hat 1.08"], checks=checks)
    glance, trust = build_sections(context)
    assert "gate failed" in words(list(glance.blocks))
    assert "R-hat 1.08" in words(list(trust.blocks))
    (gate,) = tables(trust)
    assert gate.marked == (0,)
    assert [row[1] for row in printed(gate)] == ["NO", "yes", "–"]
    assert printed(gate)[0][2:4] == ["1.002", "1.01"]
    assert "Run longer chains." in printed(gate)[0]


def test_cross_validation_keeps_its_index() -> None:
    loo = pd.DataFrame({"elpd": [-100.25, -104.5]}, index=pd.Index(["full", "no direct path"], name="model"))
    (section,) = build_sections(only(loo=loo))
    assert printed(tables(section)[0]) == [["full", "−100.2"], ["no direct path", "−104.5"]]


def test_orders_are_said_to_fit_equally_well_and_the_hypothesis_is_marked(
    sections: dict[str, Section],
) -> None:
    section = sections["What the design cannot say"]
    assert "all six orders of three constructs fit these data equally well" in words(list(section.blocks))
    (orders,) = tables(section)
    assert orders.marked == (0,)
    rows = printed(orders)
    assert len(rows) == 6
    assert [row[-1] for row in rows] == ["hypothesised", *[""] * 5]
    assert rows[0][4:7] == ["0.100", "0.050", "0.250"]


def test_assumptions_alone_claim_nothing_about_orders() -> None:
    (section,) = build_sections(only(assumptions=["No unmeasured cause."]))
    assert "orders" not in words(list(section.blocks))
    assert "No unmeasured cause." in words(list(section.blocks))


def test_flow_and_sample_count_everything(sections: dict[str, Section]) -> None:
    flow, sample = tables(sections["Who answered"])
    assert printed(flow)[1] == [
        "straight lining", "the same answer 20 times", "persons", "340", "325", "15", "9", "p012, p031",
    ]  # fmt: skip
    assert printed(sample)[0] == ["gender", "woman", "201", "62.6 %", "–", "–", "–", "–"]
    assert printed(sample)[2] == ["age", "–", "–", "–", "21.34", "1.87", "18.00", "29.00"]


def test_many_places_are_cut_and_counted() -> None:
    frame = made_up.flow().assign(places=[tuple(f"p{i}" for i in range(15)), "row 3", None])
    (section,) = build_sections(only(flow=frame))
    where = [row[-1] for row in printed(tables(section)[0])]
    assert where[0].endswith("p11 and 3 more")
    assert where[1:] == ["row 3", ""]


def test_parameters_stand_in_one_table_per_group(sections: dict[str, Section]) -> None:
    paths, slopes = tables(sections["The model"])
    assert paths.caption == "Parameters: paths, with 95 % intervals."
    assert printed(paths)[0] == [
        "meaning ~ mental_health", "a", "0.410", "0.052", "0.307", "0.512", "Normal(0, 0.5)", "1.001",
        "2,312", "1,986",
    ]  # fmt: skip
    assert "Label" not in slopes.frame
    codes = [block for block in sections["The model"].blocks if isinstance(block, Code)]
    assert codes[0].text.startswith("mental_health =~ mh1..mh10")
    assert codes[1].text == "theta_2 = a theta_1 + e"


def test_observed_counts_outside_their_interval_are_counted(sections: dict[str, Section]) -> None:
    table = made_up.predicted()
    rows = table[table["construct"] == "mental health"]
    outside = int((~rows["observed"].between(rows["lower"], rows["upper"])).sum())
    caption = figures(sections["Does the model fit the answers"])[0].caption
    assert f"{outside} of 50 observed counts lie outside" in caption


def test_only_indirect_effects_are_shown_against_their_prior(sections: dict[str, Section]) -> None:
    shown = figures(sections["Priors in questionnaire units"])
    assert len(shown) == 2
    assert shown[1].caption.startswith("Posterior and prior of indirect; the prior puts ")
    (section,) = build_sections(only(effect_draws={"ab": np.linspace(0, 1, 101)}))
    assert figures(section)[0].caption == "Posterior of ab."
    assert "posterior mean 0.500, 95 % interval [0.025, 0.975]" in figures(section)[0].alt


def test_curves_of_two_constructs_with_one_name_keep_apart() -> None:
    curves: list[xr.Dataset] = [made_up.curves(n_items=2), made_up.curves(n_items=3)]
    (section,) = build_sections(only(curves=curves))
    first, second = (figure.svg.split('id="', 1)[1].split('"')[0] for figure in figures(section))
    assert first != second


def test_provenance_is_flat_and_complete() -> None:
    nested = {
        "versions": {"medpsy": "0.1", "numpy": "2.5"},
        "files": [{"name": "a.csv"}, {"name": "b.csv"}],
        "n": [1, 2],
    }
    assert list(flatten(nested)) == [
        ("versions / medpsy", "0.1"), ("versions / numpy", "2.5"), ("files / 1 / name", "a.csv"),
        ("files / 2 / name", "b.csv"), ("n", "1, 2"),
    ]  # fmt: skip
    assert list(flatten({"seed": None, "note": ""})) == [("seed", ""), ("note", "")]


def test_a_table_names_its_missing_column() -> None:
    frame = pd.DataFrame({"mean": [1.0]})
    with pytest.raises(DataError, match=r"table 'Effects': no column 'maen'\n.*'mean'"):
        table("Effects", frame, {"maen": ("Mean", "estimate")})


def test_formats_are_guessed_and_misspelt_ones_are_named() -> None:
    frame = pd.DataFrame({"a": [1], "b": [0.5], "c": [True], "d": ["x -> y"], "e": [np.nan]})
    frame["f"] = pd.Series([np.True_], dtype=object)
    assert [text for text, _ in cells.cells(frame, {})[0]] == ["1", "0.500", "yes", "x → y", "–", "yes"]
    assert cells.numeric(frame, {}) == [True, True, False, False, True, False]
    with pytest.raises(SpecError, match=r"no format 'estimat' \(column 'b'\)\n.*'estimate'"):
        cells.kinds(frame, {"b": "estimat"})
    with pytest.raises(SpecError, match="format for a column 'z'"):
        cells.kinds(frame, {"z": "text"})


def test_mixed_cells_are_written_by_their_own_kind() -> None:
    written = [cells.cell(value, "value") for value in (True, np.int64(4000), 0.25, "text", None, np.nan)]
    assert written == ["yes", "4,000", "0.25", "text", "–", "–"]


def test_a_measurement_model_says_how_well_it_measures_and_what_does_not_fit() -> None:
    items = pd.DataFrame({"item": ["m1", "m2"], "flag": ["", "S-X2"]})
    pairs = pd.DataFrame({"item_1": ["m1"], "item_2": ["m2"], "flag": ["Q3, table"]})
    context = made_up.context(
        effects_text=(), edges=pd.DataFrame(), effects=pd.DataFrame(),
        parts={"item_fit": SimpleNamespace(items=items), "local_dependence": pairs},
    )  # fmt: skip
    section = at_a_glance.build(context)
    assert section is not None
    [told] = [block for block in section.blocks if isinstance(block, Bullets)]
    assert told.items[-2:] == [
        "Items that do not fit: m2.",
        "Items that go together more than their constructs explain: m1 with m2.",
    ]
    assert "(95 % interval " in told.items[0]
    assert not any(isinstance(block, Figure) for block in section.blocks)


def test_negative_numbers_in_sentences_have_a_true_minus() -> None:
    section = at_a_glance.build(made_up.context(effects_text=("It is -0.2 (95 % interval -.3 to -0.1).",)))
    assert section is not None
    assert section.blocks[0] == Bullets(["It is −0.2 (95 % interval −.3 to −0.1)."])


def test_provenance_prints_no_empty_rows_and_no_endless_digits() -> None:
    section = provenance.build(made_up.context(provenance={"note": "", "tune": None, "error": 0.00026918375}))
    assert section is not None
    [table] = [block for block in section.blocks if isinstance(block, Table)]
    assert table.frame.to_numpy().tolist() == [["error", "0.000269184"]]
