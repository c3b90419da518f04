"""HeadGrid without a browser: values, selection, linking, words, strict arguments, size on the wire."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from toolkit.errors import InputError
from toolkit.figures.colors import DIVERGING, DIVERGING_DARK, NAN, color
from toolkit.figures.heatmap import mark_of
from toolkit.panels.base.bundle import PANELS
from toolkit.panels.base.selection import Selection
from toolkit.panels.head_grid.panel import HeadGrid

VALUES = np.arange(12.0).reshape(3, 4) - 5


def sent(grid):
    """The values as the browser gets them."""
    return np.frombuffer(grid._data, "<f4").reshape(grid._shape["rows"], grid._shape["columns"])


def test_values_travel_as_binary_and_are_replaced_in_place():
    grid = HeadGrid(VALUES, layers=[4, 5, 6])
    assert (sent(grid) == VALUES.astype("f4")).all()
    assert grid.layers == (4, 5, 6)
    grid.values = VALUES * 2
    assert (grid.values == VALUES * 2).all()
    assert grid.layers == (4, 5, 6)
    grid.values = np.ones((2, 5))
    assert grid.layers == (0, 1)
    assert sent(grid).shape == (2, 5)


def test_a_new_map_keeps_what_is_still_there_selected():
    grid = HeadGrid(VALUES)
    grid.selected = [(0, 1), (2, 3)]
    grid.values = np.ones((2, 3))
    assert grid.selected == ((0, 1),)


@pytest.mark.parametrize("spelling", ["L1.H2 L0.H0", [(1, 2), (0, 0)], [[1, 2], [0, 0]], np.array([[1, 2], [0, 0]])])
def test_selection_takes_any_spelling_and_is_observable(spelling):
    grid, seen = HeadGrid(VALUES), []
    grid.observe(lambda change: seen.append(change["new"]), "selected")
    grid.selected = spelling
    assert grid.selected == ((1, 2), (0, 0))
    assert seen == [((1, 2), (0, 0))]
    assert grid._picked == [[1, 2], [0, 0]]


def test_a_click_in_the_browser_is_the_same_event():
    grid, seen = HeadGrid(VALUES, layers=[8, 9, 10]), []
    grid.observe(lambda change: seen.append(change["new"]), "selected")
    grid._picked = [[9, 3], [99, 0]]
    assert grid.selected == ((9, 3),)
    assert seen == [((9, 3),)]
    grid.hovered = [9, 1]
    assert grid.hovered == (9, 1)


@pytest.mark.parametrize("heads", ["L3.H0", [(0, 4)], "L9.H9"])
def test_an_unknown_head_is_refused_and_nothing_changes(heads):
    grid = HeadGrid(VALUES)
    grid.selected = "L1.H1"
    with pytest.raises(InputError, match=r"unknown head.*layers 0, 1, 2 and heads 0…3"):
        grid.selected = heads
    assert grid.selected == ((1, 1),)


def test_grids_on_one_selection_follow_each_other():
    shared = Selection(heads="L0.H1")
    a, b = HeadGrid(VALUES, selection=shared), HeadGrid(-VALUES, selection=shared)
    assert a.selected == b.selected == ((0, 1),)
    a.selected = "L2.H2 L1.H0"
    assert b.selected == shared.heads == ((2, 2), (1, 0))
    shared.heads = []
    assert a.selected == b.selected == ()


def test_a_grid_of_some_layers_leaves_the_others_selected():
    shared = Selection()
    whole, last = HeadGrid(VALUES, selection=shared), HeadGrid(VALUES[2:], layers=[2], selection=shared)
    whole.selected = "L0.H0 L2.H1"
    assert last.selected == ((2, 1),)
    last.selected = "L2.H3"
    assert shared.heads == whole.selected == ((0, 0), (2, 3))


def test_grids_of_overlapping_layers_settle_and_keep_the_users_order():
    shared = Selection(heads="L0.H0")
    grids = [HeadGrid(VALUES[list(rows)], layers=rows, selection=shared) for rows in ([0, 1], [1, 2], [0, 2])]
    shared.heads = "L2.H0 L1.H0 L0.H0"
    assert shared.heads == ((2, 0), (1, 0), (0, 0))
    assert [g.selected for g in grids] == [((1, 0), (0, 0)), ((2, 0), (1, 0)), ((2, 0), (0, 0))]
    assert [g.error for g in grids] == [""] * 3
    grids[0].selected = "L1.H0"
    assert shared.heads == ((2, 0), (1, 0))


def test_heads_to_select_can_be_given_at_once():
    assert HeadGrid(VALUES, selected="L0.H1").selected == ((0, 1),)
    shared = Selection(heads="L9.H9")
    assert HeadGrid(VALUES, selection=shared, selected="L1.H1").selected == ((1, 1),)
    assert shared.heads == ((9, 9), (1, 1))


def test_the_limit_can_be_set_and_stays():
    grid = HeadGrid(VALUES)
    grid.limit = 2.0
    assert "beyond the colour scale (±2)" in grid.summary
    grid.values = VALUES * 3
    assert grid.limit == 2.0
    for wrong in (0, -1.0, np.nan):
        with pytest.raises(InputError, match="limit="):
            grid.limit = wrong


def test_values_cannot_be_written_behind_the_browsers_back():
    with pytest.raises(ValueError, match="read-only"):
        HeadGrid(VALUES).values[0, 0] = 7


def test_words_are_words_in_every_figure():
    grid = HeadGrid(VALUES, title="costs $5 to $6", unit="$\\foo$ <b>")
    data, _ = grid._repr_mimebundle_()
    assert "image/png" in data
    assert grid.error == ""
    assert "&lt;b&gt;" in grid.to_plotly().to_json()


def test_selection_knows_its_names():
    with pytest.raises(InputError, match="did you mean 'image'"):
        Selection(imgae="a")
    with pytest.raises(InputError, match="did you mean 'heads'"):
        Selection().head = "L0.H0"
    assert repr(Selection(edit=np.zeros(3), text="a bird")) == "Selection(text='a bird', edit=…)"


def test_summary_says_what_is_to_be_seen():
    values = VALUES.copy()
    values[0, 0], values[2, 3] = np.nan, 400
    grid = HeadGrid(values, title="map", unit="cosine", limit=6)
    grid.selected = "L1.H1"
    assert grid.summary == (
        "map: 3 layers × 4 heads, from −4 to +400 cosine; strongest positive: L2.H3 +400, L2.H2 +5; strongest "
        "negative: L0.H1 −4, L0.H2 −3; 1 beyond the colour scale (±6); 1 not finite; selected: L1.H1."
    )
    assert grid.summary in repr(grid)


def test_bundle_has_view_picture_and_words():
    data, _ = HeadGrid(np.random.default_rng(0).normal(size=(24, 16)))._repr_mimebundle_()
    picture = base64.b64decode(data["image/png"])
    assert len(picture) < 40_000
    assert np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).std() > 20
    assert "24 layers × 16 heads" in data["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_table_and_figures():
    grid = HeadGrid(VALUES, layers=[8, 9, 10])
    grid.selected = "L9.H1"
    frame = grid.to_dataframe()
    assert frame[frame.selected].values.tolist() == [[9, 1, 0.0, True]]
    assert len(frame) == 12
    assert type(grid.to_plotly()).__module__.startswith("plotly.graph_objs")
    assert len(grid.to_plotly().layout.shapes) == 1
    assert len(grid.to_matplotlib().axes[0].patches) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tittle": "x"}, "did you mean 'title'"),
        ({"layers": [1, 2]}, "2 layers"),
        ({"layers": [1, 1, 2]}, "distinct layer numbers"),
        ({"layers": [-2, -1, 0]}, "distinct layer numbers"),
        ({"layers": ["a", 1, 2]}, "distinct layer numbers"),
        ({"layers": -4}, "layers=-4"),
        ({"selection": "L0.H0"}, "pass selected="),
        ({"limit": -1}, "limit=-1"),
        ({"values": np.zeros(4)}, r"shape \(4,\)"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        HeadGrid(**{"values": VALUES, **arguments})


def test_what_an_observer_raises_is_shown_not_swallowed():
    grid = HeadGrid(VALUES)
    grid._picked = [["a", "b"]]
    assert grid.error.startswith("ValueError")
    grid._picked = [[1, 1]]
    assert grid.error == ""


def test_opening_is_small():
    grid = HeadGrid(np.random.default_rng(0).normal(size=(24, 16)))
    state = grid.get_state()
    size = sum(len(v) if isinstance(v, bytes) else len(json.dumps(v, default=str)) for v in state.values())
    assert size < 40_000


@settings(max_examples=30)
@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)), st.booleans())
def test_any_map_can_be_shown(values, dark):
    grid = HeadGrid(values, theme="dark" if dark else "light")
    assert grid.limit > 0
    np.testing.assert_array_equal(sent(grid), values)
    assert grid.summary.endswith("selected.")


def test_the_browsers_colours_and_marks_equal_pythons(tmp_path):
    """The same functions in JavaScript, run by node where there is one; the browser tests check the paint itself."""
    node = shutil.which("node")
    values = [-9.0, -1.0, -0.37, 0.0, 1e-9, 0.5, 0.99, 1.0, 3.0, float("nan"), float("inf"), float("-inf")]
    for dark in (False, True):
        palette = (DIVERGING_DARK if dark else DIVERGING).tolist()
        expected = [color(np.array([v]), 1.0, dark)[0].tolist() for v in values]
        if node:
            shutil.copy(PANELS / "head_grid" / "values.js", tmp_path / "values.mjs")
            numbers = "[-9, -1, -0.37, 0, 1e-9, 0.5, 0.99, 1, 3, NaN, Infinity, -Infinity]"
            code = (
                f"import {{ colorOf, markOf }} from '{tmp_path / 'values.mjs'}';"
                f"const f = v => [colorOf(v, 1, {palette}, {list(NAN[dark])}), markOf(v, 1)];"
                f"console.log(JSON.stringify({numbers}.map(f)));"
            )
            out = subprocess.run([node, "--input-type=module", "-e", code], capture_output=True, text=True, check=True)
            found = json.loads(out.stdout)
            assert [f[0] for f in found] == expected
            assert [f[1] for f in found] == [mark_of(v, 1.0) for v in values]
        assert expected[0] == palette[0]


def test_several_maps_to_choose_between():
    grid = HeadGrid({"A": VALUES, "B": 10 * VALUES}, title="badness", selected="L1.H1")
    assert grid.scores == ("A", "B")
    assert grid.score == "A"
    low = grid.limit
    grid.score = "B"
    assert grid.limit == pytest.approx(10 * low)
    np.testing.assert_array_equal(grid.values, 10 * VALUES)
    assert grid.summary.startswith("badness – B:")
    assert grid.selected == ((1, 1),)
    assert list(grid.to_dataframe().columns) == ["layer", "head", "A", "B", "selected"]
    with pytest.raises(InputError, match="'A', 'B'"):
        grid.score = "C"
    grid.values = {"B": VALUES, "C": -VALUES}
    assert grid.score == "B", "the choice stays where it can"
    grid.values = VALUES
    assert grid.scores == ("",)
    with pytest.raises(InputError, match="maps of one shape"):
        HeadGrid({"A": VALUES, "B": VALUES[:1]})
    with pytest.raises(InputError, match="without maps"):
        HeadGrid({})


def test_all_maps_are_sent_once():
    grid = HeadGrid({"A": VALUES, "B": -VALUES}, score="B")
    both = np.frombuffer(grid._data, "<f4").reshape(2, *VALUES.shape)
    np.testing.assert_array_equal(both, np.stack([VALUES, -VALUES]).astype(np.float32))


def test_a_limit_that_is_set_holds_for_every_map():
    grid = HeadGrid({"A": VALUES, "B": 10 * VALUES})
    grid.limit = 3.0
    grid.score = "B"
    assert grid.limit == 3.0
    assert grid._limits == [3.0, 3.0]


def test_pins_are_checked_and_forgotten_with_their_rows():
    grid = HeadGrid(np.eye(4), layers=[8, 9, 10, 11], pinned_layers=[10], pinned_heads=[3, 3, 1])
    assert grid.pinned_layers == [10]
    assert grid.pinned_heads == [3, 1]
    with pytest.raises(InputError, match="8…11"):
        grid.pinned_layers = [2]
    grid.values = np.eye(2)
    assert grid.pinned_layers == []
    assert grid.pinned_heads == [1]


def test_linked_grids_point_at_the_head_under_the_pointer():
    shared = Selection()
    a, b, small = (
        HeadGrid(np.eye(4), selection=shared),
        HeadGrid(np.eye(4), selection=shared),
        HeadGrid(np.eye(2), selection=shared),
    )
    a.hovered = (3, 2)
    assert (a._pointed, b._pointed, small._pointed) == (None, [3, 2], None)
    a.hovered = None
    assert b._pointed is None


@pytest.mark.parametrize("end", ["png", "svg", "pdf", "html", "csv"])
def test_saving(end, tmp_path):
    grid = HeadGrid({"A": VALUES, "B": -VALUES}, title="t")
    path = grid.save(tmp_path / f"map.{end}")
    assert path.stat().st_size > 40
    assert [p.name for p in tmp_path.iterdir()] == [f"map.{end}"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    grid = HeadGrid(VALUES)
    (tmp_path / "map.csv").write_text("years of work")
    with pytest.raises(InputError, match=r"\.csv, \.html"):
        grid.save(tmp_path / "map.bmp")

    def breaks(*args, **options):
        raise OSError("disk full")

    monkeypatch.setattr("pandas.DataFrame.to_csv", breaks)
    with pytest.raises(OSError, match="disk full"):
        grid.save(tmp_path / "map.csv")
    assert (tmp_path / "map.csv").read_text() == "years of work"
    assert len(list(tmp_path.iterdir())) == 1
