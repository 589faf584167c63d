"""The path graph: order, cycles, reach, chains."""

from __future__ import annotations

import itertools
import random

import pytest

from medpsy.errors import SpecError
from medpsy.spec.graph import (
    ancestors,
    covariates,
    descendants,
    directed_paths,
    exogenous,
    explained,
    nodes,
    order,
)
from medpsy.spec.model_spec import Construct, ModelSpec, Observed, Path
from medpsy.spec.syntax import parse_model

SERIAL = parse_model(
    "y ~ c*x + b1*m1 + b2*m2 + sex\nm2 ~ a2*x + d*m1\nm1 ~ a1*x + age\nx =~ x1..x3\nm1 =~ q1..q3\ny =~ y1..y3"
)


def test_order_puts_causes_first() -> None:
    assert explained(SERIAL) == ("y", "m2", "m1")
    assert order(SERIAL) == ("m1", "m2", "y")


def test_order_keeps_the_order_of_mention_among_equals() -> None:
    assert order(parse_model("b ~ x\na ~ x\nc ~ x")) == ("b", "a", "c")
    assert order(ModelSpec()) == ()


def test_kinds_of_variables() -> None:
    assert exogenous(SERIAL) == ("x", "sex", "age")
    assert covariates(SERIAL) == ("sex", "age")
    assert nodes(SERIAL) == ("x", "m1", "y", "m2", "sex", "age")


def test_reach() -> None:
    assert ancestors(SERIAL, "m2") == ("x", "m1", "age")
    assert ancestors(SERIAL, "x") == ()
    assert descendants(SERIAL, "m1") == ("y", "m2")
    assert descendants(SERIAL, "sex") == ("y",)


def test_directed_paths_are_all_chains() -> None:
    chains = directed_paths(SERIAL, "x", "y")
    assert [tuple(path.label for path in chain) for chain in chains] == [
        ("c",), ("a2", "b2"), ("a1", "b1"), ("a1", "d", "b2"),
    ]  # fmt: skip
    assert directed_paths(SERIAL, "y", "x") == ()
    assert directed_paths(SERIAL, "x", "x") == ()
    with pytest.raises(SpecError, match="no variable 'm3'"):
        directed_paths(SERIAL, "m3", "y")


def test_the_number_of_chains_in_a_complete_graph_is_a_power_of_two() -> None:
    names = [f"v{i}" for i in range(8)]
    paths = tuple(Path(b, a) for a, b in itertools.combinations(names, 2))
    spec = ModelSpec(observed=tuple(map(Observed, names[1:])), paths=paths)
    assert len(directed_paths(spec, "v0", "v7")) == 2**6


@pytest.mark.parametrize("seed", range(20))
def test_random_acyclic_graphs_come_out_sorted(seed: int) -> None:
    rng = random.Random(seed)
    names = [f"v{i}" for i in range(9)]
    paths = [Path(b, a) for a, b in itertools.combinations(names, 2) if rng.random() < 0.4]
    rng.shuffle(paths)
    targets = dict.fromkeys(path.target for path in paths)
    spec = ModelSpec(observed=tuple(map(Observed, targets)), paths=tuple(paths))
    place = {name: at for at, name in enumerate([*exogenous(spec), *order(spec)])}
    assert len(place) == len(nodes(spec))
    assert all(place[path.source] < place[path.target] for path in paths)
    for a, b in itertools.permutations(nodes(spec), 2):
        assert (a in ancestors(spec, b)) == (b in descendants(spec, a)) == bool(directed_paths(spec, a, b))


def _spec(*edges: str, observed: str = "") -> ModelSpec:
    paths = tuple(Path(*edge.split("~")) for edge in edges)
    return ModelSpec((Construct("f", ("q1", "q2")),), tuple(map(Observed, observed.split())), paths)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (_spec("mission~meaning", "meaning~mission", observed="mission meaning"),
         "the paths form a cycle: meaning -> mission -> meaning"),
        (_spec("b~a", "c~b", "d~c", "b~d", "a~x", observed="a b c d"), "cycle: b -> c -> d -> b"),
        (_spec("z~y", "x~z", "y~x", "w~y", observed="w x y z"), "cycle: y -> z -> x -> y"),
        (_spec("y~y", observed="y"), "'y' is explained by itself"),
        (_spec("y~x", "y~x", observed="y"), "the path 'y ~ x' is listed twice"),
        (_spec("f~q1"), "'q1' is an item of 'f'"),
        (_spec("q1~x"), "'q1' is an item of 'f'"),
        (_spec("y~x", observed="z"), "'y' is explained by 'x' but is neither a construct nor an observed"),
    ],
)  # fmt: skip
def test_impossible_graphs(spec: ModelSpec, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        order(spec)
    assert message in caught.value.message
