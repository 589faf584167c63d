"""The catalogue of model files, and the surveys they simulate."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from medpsy.bind import bind
from medpsy.errors import DataError
from medpsy.model import ComposedModel, compose
from medpsy.screening.screen import screen
from medpsy.simulate import Truth, read_truth, simulate, simulate_persons
from medpsy.spec.model_file import ModelFile, read_model_file
from medpsy.survey.examples import load_example
from medpsy.survey.instrument import Instrument
from medpsy.survey.read import read_survey
from medpsy.survey.survey import Survey
from medpsy.survey.write import write_csv

MODELS = Path(__file__).resolve().parent.parent / "models"
NOTE = "simulated stand-in with the published margins, not the study's data"
SYMPTOMS = {"mh1": 2.41, "mh2": 2.27, "mh3": 2.45, "mh4": 2.43}


@cache
def opened(name: str) -> tuple[ModelFile, ComposedModel, Instrument, Truth]:
    file = read_model_file(MODELS / f"{name}.toml")
    model = compose(file.spec)
    assert file.instrument is not None and file.truth is not None
    return file, model, file.instrument, read_truth(model, file.instrument, file.truth, file.source)


def made(name: str, n: int | None = None, seed: int | None = None, missing: float = 0.0) -> Survey:
    _, model, instrument, truth = opened(name)
    return simulate(model, instrument, truth, n=n, seed=seed, missing=missing)


def printed(survey: Survey, item: str) -> np.ndarray:
    """Codes as they stand in the file, before turning; answers only."""
    module = survey.instrument.module_of(item)
    codes = survey.item_codes([item])[:, 0]
    codes = codes[codes >= 0]
    return np.array(module.codes)[module.n_categories - 1 - codes if module.turned(item) else codes]


def alpha(answers: np.ndarray) -> float:
    """Coefficient alpha of complete answers (person, item)."""
    k = answers.shape[1]
    return k / (k - 1) * (1 - answers.var(axis=0).sum() / answers.sum(axis=1).var())


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_model_file_simulates_a_survey_that_its_model_takes(path: Path) -> None:
    file, model, _, truth = opened(path.stem)
    survey = made(path.stem)
    assert survey.n_person == truth.n_person
    assert "simulated" in survey.simulated
    assert survey.simulated in survey.instrument.note
    assert truth.seed == file.sampling["seed"]
    kept = screen(survey, file.screening).survey
    data = bind(model, kept)
    assert data.n_person == survey.n_person
    assert len(data.blocks) == len(model.constructs)


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_model_file_has_its_line_in_the_readme(path: Path) -> None:
    assert f"- `{path.name}`: " in (MODELS / "README.md").read_text(encoding="utf-8")


def test_mission_is_the_founding_case() -> None:
    file, model, instrument, _ = opened("mission")
    assert [(m.name, len(m.items), m.n_categories, m.polarity) for m in instrument.modules] == [
        ("mental_health", 10, 5, -1), ("meaning", 10, 5, 1), ("mission", 6, 5, 1),
    ]  # fmt: skip
    assert file.data_file is None and file.example is None
    assert file.note == instrument.note == model.spec.note == NOTE
    assert all(module.wording and len(module.wording) == len(module.items) for module in instrument.modules)
    assert model.structure.name == "correlated"
    survey = made("mission")
    assert survey.simulated == survey.instrument.note == NOTE
    assert np.bincount(survey.variables["gender"]).tolist() == [115, 206]
    imaging = survey.variable("major").levels.index("medical imaging")
    assert int((survey.variables["major"] == imaging).sum()) == 100
    assert sorted(np.unique(survey.variables["year"])) == [1, 2, 3]


def test_gender_stays_exact_from_seed_to_seed_and_proportional_in_size() -> None:
    for seed in range(5):
        assert int((made("mission", seed=seed).variables["gender"] == 0).sum()) == 115
    assert int((made("mission", n=1000).variables["gender"] == 0).sum()) == 358


def test_mission_has_the_published_means() -> None:
    """Expected item means, with 200 000 persons: symptoms on the printed codes, before turning."""
    file, *_ = opened("mission")
    n = 200_000
    survey = made("mission", n=n)
    assert file.truth is not None
    for construct in ("mental_health", "meaning", "mission"):
        items = survey.instrument.modules[("mental_health", "meaning", "mission").index(construct)].items
        for item, mean in zip(items, file.truth["items"][construct]["mean"], strict=True):
            answers = printed(survey, item)
            assert abs(answers.mean() - mean) < 4 * answers.std() / np.sqrt(n), item
            assert SYMPTOMS.get(item, mean) == mean
    meaning = file.truth["items"]["meaning"]["mean"]
    mission = file.truth["items"]["mission"]["mean"]
    assert (min(meaning), max(meaning)) == (3.81, 3.96)
    assert min(mission) >= 3.6
    assert max(mission) == mission[0] <= 4.1
    assert "society" in dict(survey.instrument.modules[2].wording)["pm1"]


def test_every_mission_module_is_reliable_in_twenty_samples() -> None:
    for seed in range(20):
        survey = made("mission", seed=seed)
        for module in survey.instrument.modules:
            assert alpha(survey.item_codes(module.items).astype(float)) > 0.8, (seed, module.name)


def test_mission_modules_correlate_positively_after_turning() -> None:
    survey = made("mission")
    scores = [survey.item_codes(module.items).mean(axis=1) for module in survey.instrument.modules]
    symptoms = np.mean([printed(survey, f"mh{k}") for k in range(1, 11)], axis=0)
    assert np.corrcoef(scores).min() > 0.15
    assert np.corrcoef(symptoms, scores[1])[0, 1] < -0.15


def test_true_scores_have_the_correlations_of_the_paths() -> None:
    *_, truth = opened("mission")
    persons = simulate_persons(truth, n=200_000)
    man = persons.variables["gender"] == 0
    mental_health, meaning, mission = (
        persons.nodes[name] for name in ("mental_health", "meaning", "mission")
    )
    assert meaning[~man].mean() - meaning[man].mean() == pytest.approx(0.2, abs=0.02)
    seen = np.corrcoef([mental_health[man], meaning[man], mission[man]])
    xm, my, xy = 0.45, 0.5 + 0.1 * 0.45, 0.1 + 0.5 * 0.45
    np.testing.assert_allclose(seen[np.triu_indices(3, 1)], [xm, xy, my], atol=0.015)
    for values in (mental_health, meaning, mission):
        assert values[man].var() == pytest.approx(1, abs=0.02)


def test_true_scores_are_those_behind_the_answers() -> None:
    *_, truth = opened("mission")
    survey, persons = made("mission"), simulate_persons(truth)
    assert survey.variables["gender"].tolist() == persons.variables["gender"].tolist()
    for module in survey.instrument.modules:
        total = survey.item_codes(module.items).sum(axis=1)
        assert np.corrcoef(total, persons.nodes[module.name])[0, 1] > 0.9


def test_symptom_means_survive_writing_and_reading(tmp_path: Path) -> None:
    survey = made("mission", missing=0.05)
    write_csv(survey, tmp_path / "answers.csv")
    again = read_survey(tmp_path / "answers.csv", survey.instrument)
    assert again.fingerprint == survey.fingerprint
    assert again.instrument.note == NOTE
    lines = (tmp_path / "answers.csv").read_text(encoding="utf-8").splitlines()
    column = lines[0].split(",").index("mh2")
    raw = np.array([int(line.split(",")[column]) for line in lines[1:] if line.split(",")[column]])
    assert raw.mean() == pytest.approx(2.27, abs=0.2)
    assert raw.tolist() == printed(again, "mh2").tolist()
    turned = [event for event in survey.ledger if event.rule == "turned"]
    assert turned[0].places == tuple(f"mh{k}" for k in range(1, 11))
    assert turned[0].text == next(event.text for event in again.ledger if event.rule == "turned")


def test_same_seed_same_survey() -> None:
    assert made("mission").fingerprint == made("mission", seed=20250321).fingerprint
    assert made("mission").fingerprint != made("mission", seed=2).fingerprint


def test_missing_answers_are_counted_and_move_nothing_else() -> None:
    whole, holed = made("mission"), made("mission", missing=0.1)
    gone = holed.codes < 0
    event = next(event for event in holed.ledger if event.rule == "missing")
    assert (event.unit, event.before, event.before - event.after) == ("answers", 321 * 26, int(gone.sum()))
    assert gone.mean() == pytest.approx(0.1, abs=0.015)
    assert np.array_equal(whole.codes[~gone], holed.codes[~gone])
    assert not any(event.rule == "missing" for event in whole.ledger)


def test_students_look_like_the_example() -> None:
    """Item means of 100 000 simulated students against those of the 783 real ones."""
    real, survey = load_example("students"), made("students", n=100_000)
    for item in survey.instrument.items:
        answers = real.item_codes([item])[:, 0].astype(float)
        assert survey.item_codes([item]).mean() == pytest.approx(answers[answers >= 0].mean(), abs=0.02), item
    *_, truth = opened("students")
    assert (
        np.bincount(made("students").variables["sex"]).tolist() == np.bincount(real.variables["sex"]).tolist()
    )
    assert truth.labels == {"a": 0.44, "b": 0.69, "c": 0.19}
    assert "not the students' own" in made("students").instrument.note


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"missing": 1.0}, "missing = 1.0 is no share"),
        ({"missing": -0.1}, "missing = -0.1 is no share"),
        ({"n": 0}, "0 persons cannot be simulated"),
        ({"n": 2.5}, "2.5 persons cannot be simulated"),
    ],
)
def test_impossible_requests_are_refused(kwargs: dict[str, float], message: str) -> None:
    _, model, instrument, truth = opened("mission")
    with pytest.raises(DataError, match=message.replace(".", r"\.")):
        simulate(model, instrument, truth, **kwargs)  # type: ignore[arg-type]
