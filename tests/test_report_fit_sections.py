"""The sections on items, pairs and persons: what they say, and that they stay away when there is nothing."""

from __future__ import annotations

import pytest

import hand_made
import made_up
from medpsy.report.blocks import Figure, Section, Table, Text
from medpsy.report.sections import item_fit, local_dependence, person_fit
from test_fit_of_answers import at_truth, simulated

MODULES = {"item_fit": item_fit, "local_dependence": local_dependence, "person_fit": person_fit}


@pytest.fixture(scope="module")
def sections() -> dict[str, Section]:
    codes = simulated(150)[1]
    codes[:, 1] = codes[:, 0]
    codes[3] = [0, 0, 3, 0, 3, 0, 3, 0]
    codes[codes[:, 6] == 3, 6] = 2
    fitted = at_truth(codes, draws=30)
    context = made_up.context(parts={name: part.gather(fitted, 0.95) for name, part in MODULES.items()})
    found = {name: part.build(context) for name, part in MODULES.items()}
    return {name: section for name, section in found.items() if section is not None}


def test_titles(sections: dict[str, Section]) -> None:
    titles = [section.title for section in sections.values()]
    assert titles == ["Item fit", "Local dependence", "Persons who answered unexpectedly"]


def test_every_section_counts_flags_beside_chance_and_has_table_and_figure(
    sections: dict[str, Section],
) -> None:
    for section in sections.values():
        [first, *_] = [block for block in section.blocks if isinstance(block, Text)]
        assert "by chance" in first.paragraphs[0]
        assert any(isinstance(block, Table) for block in section.blocks)
        assert any(isinstance(block, Figure) for block in section.blocks)
        for block in section.blocks:
            if isinstance(block, Figure):
                assert block.svg.startswith("<svg") and block.alt and block.caption


def test_tables_show_the_worst_first_and_mark_them(sections: dict[str, Section]) -> None:
    [pairs] = [block for block in sections["local_dependence"].blocks if isinstance(block, Table)]
    assert pairs.frame.iloc[0][["Item", "with"]].tolist() == ["q1", "q2"] and 0 in pairs.marked
    [persons] = [block for block in sections["person_fit"].blocks if isinstance(block, Table)]
    assert "p3" in persons.frame["Person"].tolist() and len(persons.frame) == 15
    assert persons.frame["Least likely answers"].iloc[0]
    [items] = [block for block in sections["item_fit"].blocks if isinstance(block, Table)]
    assert items.frame["Item"].tolist() == [f"q{j}" for j in range(1, 9)]


def test_unused_categories_are_named(sections: dict[str, Section]) -> None:
    said = " ".join(
        line for block in sections["item_fit"].blocks if isinstance(block, Text) for line in block.paragraphs
    )
    assert "Nobody chose q7 4 always (0 answers)." in said


def test_models_without_categories_have_no_such_section() -> None:
    numbers = hand_made.result("f =~ n1 + n2 + n3", families={"f": "gaussian"}, draws=10)
    for module in MODULES.values():
        assert module.gather(numbers, 0.95) is None
        assert module.build(made_up.context(parts={})) is None
