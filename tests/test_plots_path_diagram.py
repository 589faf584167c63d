"""The path diagram: nothing overlaps, and what is drawn says what the table says."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Polygon
from matplotlib.transforms import Bbox

import made_up
from medpsy.errors import DataError, SpecError
from medpsy.plots.path_diagram import path_diagram
from medpsy.plots.path_layout import Box, Edge, arrange, bezier, layers

EDGE = ["source", "target", "op", "label", "mean", "lower", "upper"]


def boxes(figure: Figure) -> dict[str, Bbox]:
    """Boxes in pixels of everything that carries a name."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    axes = figure.axes[0]
    return {
        str(artist.get_label()): artist.get_window_extent(renderer)
        for artist in [*axes.texts, *axes.patches]
        if not str(artist.get_label()).startswith("_")
    }


def named(figure: Figure, prefix: str) -> dict[str, Bbox]:
    return {name: box for name, box in boxes(figure).items() if name.startswith(prefix)}


def overlapping(first: Bbox, second: Bbox) -> bool:
    wide = min(first.x1, second.x1) - max(first.x0, second.x0)
    high = min(first.y1, second.y1) - max(first.y0, second.y0)
    return wide > 0.5 and high > 0.5


def shaft(figure: Figure, name: str) -> PathPatch:
    (found,) = [p for p in figure.axes[0].patches if p.get_label() == f"edge:{name}"]
    assert isinstance(found, PathPatch)
    return found


@pytest.mark.parametrize("kind", ["simple", "parallel", "serial"])
@pytest.mark.parametrize("extra", ["", "covariates", "covariances"])
def test_labels_and_nodes_never_overlap(kind: str, extra: str) -> None:
    nodes, edges = made_up.nodes(kind), made_up.edges(kind)
    if extra == "covariates":
        rows = [("age", "age in years", "covariate", 0), ("sex", "gender: woman", "covariate", 0)]
        nodes = pd.concat([nodes, pd.DataFrame(rows, columns=nodes.columns)], ignore_index=True)
        paths = [(name, "y", "~", "", 0.1, 0.02, 0.2) for name in ("age", "sex")]
        edges = pd.concat([edges, pd.DataFrame(paths, columns=EDGE)], ignore_index=True)
    if extra == "covariances" and kind == "parallel":
        pairs = [(a, b, "~~", "", 0.1, -0.1, 0.3) for a, b in combinations(["m1", "m2", "m3"], 2)]
        edges = pd.concat([edges, pd.DataFrame(pairs, columns=EDGE)], ignore_index=True)
    figure = path_diagram(nodes, edges)
    labels, drawn = named(figure, "label:"), named(figure, "node:")
    assert len(labels) == len(edges)
    assert len(drawn) == len(nodes)
    for (a, first), (b, second) in combinations({**labels, **drawn}.items(), 2):
        assert not overlapping(first, second), f"{a} overlaps {b}"
    page = figure.bbox
    for name, box in boxes(figure).items():
        assert page.x0 <= box.x0 and box.x1 <= page.x1, f"{name} is clipped"
        assert page.y0 <= box.y0 and box.y1 <= page.y1, f"{name} is clipped"


@pytest.mark.parametrize("kind", ["simple", "parallel", "serial"])
def test_arrows_pass_beside_nodes_they_do_not_join(kind: str) -> None:
    figure = path_diagram(made_up.nodes(kind), made_up.edges(kind))
    nodes = named(figure, "node:")
    axes = figure.axes[0]
    for row in made_up.edges(kind).to_dict("records"):
        line = axes.transData.transform(shaft(figure, f"{row['target']}~{row['source']}").get_path().vertices)
        for name, box in nodes.items():
            if name.removeprefix("node:") in (row["source"], row["target"]):
                continue
            u = (line[:, 0] - (box.x0 + box.x1) / 2) / (box.width / 2)
            v = (line[:, 1] - (box.y0 + box.y1) / 2) / (box.height / 2)
            assert (u**2 + v**2 > 1).all(), f"{row['source']} -> {row['target']} runs through {name}"


def test_titles_fit_their_nodes() -> None:
    nodes = made_up.nodes("parallel")
    nodes.loc[1, "title"] = "Generalised anxiety with unusuallylongwords in the name of the scale"
    figure = path_diagram(nodes, made_up.edges("parallel"))
    titles, drawn = named(figure, "title:"), named(figure, "node:")
    for name, box in titles.items():
        node = drawn[name.replace("title:", "node:")]
        assert node.x0 <= box.x0 and box.x1 <= node.x1 and node.y0 <= box.y0 and box.y1 <= node.y1


def test_reading_order_is_exposure_mediator_outcome() -> None:
    nodes = named(path_diagram(made_up.nodes(), made_up.edges()), "node:")
    x, m, y = nodes["node:x"], nodes["node:m"], nodes["node:y"]
    assert x.x1 < m.x0 < m.x1 < y.x0
    assert m.y0 > max(x.y1, y.y1)


def test_labels_print_name_mean_and_interval() -> None:
    edges = pd.DataFrame([("x", "y", "~", "c", -0.04, -0.12, 0.04)], columns=EDGE)
    nodes = made_up.nodes().query("name != 'm'")
    (text,) = [t for t in path_diagram(nodes, edges).axes[0].texts if t.get_label() == "label:y~x"]
    assert text.get_text() == "c = −0.040\n[−0.120, 0.040]"


def test_dashed_and_hollow_unless_the_interval_excludes_zero() -> None:
    rows = [("x", "m", "~", "a", 0.3, 0.1, 0.5), ("m", "y", "~", "b", 0.1, -0.1, 0.3)]
    figure = path_diagram(made_up.nodes(), pd.DataFrame(rows, columns=EDGE))
    assert shaft(figure, "m~x").get_linestyle() == "solid"
    assert shaft(figure, "y~m").get_linestyle() != "solid"
    heads = {p.get_label(): p.get_facecolor()[:3] for p in figure.axes[0].patches if isinstance(p, Polygon)}
    assert heads["head:y~m"] == (1, 1, 1)
    assert heads["head:m~x"] != (1, 1, 1)


def test_before_fitting_only_names_are_shown() -> None:
    edges = made_up.edges().assign(mean=np.nan, lower=np.nan, upper=np.nan)
    figure = path_diagram(made_up.nodes(), edges)
    labels = {t.get_text() for t in figure.axes[0].texts if str(t.get_label()).startswith("label:")}
    assert labels == {"p0", "p1", "p2"}
    assert not any(t.get_label() == "note" for t in figure.axes[0].texts)


def test_many_covariates_share_a_box_and_the_figure_says_so() -> None:
    covariates = [(f"c{i}", f"covariate {i}", "covariate", 0) for i in range(4)]
    nodes = made_up.nodes()
    nodes = pd.concat([nodes, pd.DataFrame(covariates, columns=nodes.columns)], ignore_index=True)
    paths = [(f"c{i}", t, "~", "", 0.1, 0, 0.2) for i in range(4) for t in ("m", "y")]
    edges = pd.concat([made_up.edges(), pd.DataFrame(paths, columns=EDGE)], ignore_index=True)
    figure = path_diagram(nodes, edges, note="a note of its own")
    texts = {str(t.get_label()): t.get_text() for t in figure.axes[0].texts}
    assert (
        texts["title:c0, c1, c2, c3"].replace("\n", " ")
        == "covariate 0, covariate 1, covariate 2, covariate 3"
    )
    assert "their estimates are in the table" in texts["note"].replace("\n", " ")
    assert texts["note"].endswith("a note of its own")
    assert sum(name.startswith("label:") for name in texts) == 3


def test_one_node_without_edges() -> None:
    nothing = pd.DataFrame(columns=EDGE)
    figure = path_diagram(made_up.nodes().head(1), nothing)
    assert list(named(figure, "node:")) == ["node:x"]


def test_unknown_node_circle_and_self_path_are_named() -> None:
    with pytest.raises(SpecError, match=r"no node 'mm'\n.*Did you mean 'm'"):
        path_diagram(made_up.nodes(), made_up.edges().replace({"target": {"m": "mm"}}))
    pairs = [("x", "m"), ("m", "x"), ("m", "y")]
    circle = pd.DataFrame([(*pair, "~", "", 1, 0, 2) for pair in pairs], columns=EDGE)
    with pytest.raises(SpecError, match=r"go in a circle: (x -> m -> x|m -> x -> m)\n"):
        path_diagram(made_up.nodes(), circle)
    itself = pd.DataFrame([("m", "m", "~~", "", 1, 0, 2)], columns=EDGE)
    with pytest.raises(SpecError, match="'m' points at itself"):
        path_diagram(made_up.nodes(), itself)


def test_missing_column_and_empty_table_are_named() -> None:
    with pytest.raises(DataError, match="no column 'kind'"):
        path_diagram(made_up.nodes().drop(columns="kind"), made_up.edges())
    with pytest.raises(DataError, match="has no rows"):
        path_diagram(made_up.nodes().head(0), made_up.edges().head(0))


def test_layers_are_longest_chains_and_outcomes_come_last() -> None:
    edges = [Edge("x", "m"), Edge("m", "n"), Edge("n", "y"), Edge("x", "z"), Edge("x", "n")]
    assert layers(["x", "m", "n", "y", "z"], edges) == {"x": 0, "m": 1, "n": 2, "y": 3, "z": 3}
    assert layers(["a", "b", "c"], [Edge("a", "b", both=True)]) == {"a": 0, "b": 1, "c": 2}


def test_boxes_know_their_overlap_and_what_lies_inside() -> None:
    box = Box(0, 0, 2, 1)
    assert box.overlap(Box(1.5, 0, 2, 1)) == pytest.approx(0.5)
    assert box.overlap(Box(2, 0, 2, 1)) == 0
    corner = np.array([[0.95, 0.45]])
    assert box.inside(corner).all()
    assert not Box(0, 0, 2, 1, oval=True).inside(corner).any()


def test_arrows_end_at_the_outline_of_their_nodes() -> None:
    layout = arrange({"a": (1.0, 0.5), "b": (1.0, 0.5)}, [Edge("a", "b")], ovals=frozenset(), row=())
    line = bezier(layout.curves[0])
    assert line[0, 0] == pytest.approx(layout.nodes["a"].x + 0.5, abs=0.01)
    assert line[-1, 0] == pytest.approx(layout.nodes["b"].x - 0.53, abs=0.01)
