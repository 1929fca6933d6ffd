"""Groups of a map: colours for the commonest, every point in one trace."""

from __future__ import annotations

import numpy as np

from medmodel.reports.map_figure import map_figure, members, shown_groups


def test_every_point_is_in_the_trace_of_its_group() -> None:
    groups = ["b", "a", "b", "c", "a", "b"]
    assert [name for name, _ in members(groups)] == ["b", "a", "c"]
    assert [rows.tolist() for _, rows in members(groups)] == [[0, 2, 5], [1, 4], [3]]
    places = np.arange(12, dtype=np.float32).reshape(6, 2)
    traces = map_figure(places, groups).data
    assert [list(trace.x) for trace in traces] == [[0, 4, 10], [2, 8], [6]]
    assert traces[0].name == "b (3)" and traces[0].type == "scattergl"


def test_the_rarest_share_a_colour() -> None:
    eight = [str(n) for n in range(8)]
    assert shown_groups(eight) == eight
    nine = [*eight, "8", "0"]
    assert shown_groups(nine) == ["0", "1", "2", "3", "4", "5", "6", "other"]
    assert members(nine)[-1][1].tolist() == [7, 8]


def test_names_are_no_html() -> None:
    (trace,) = map_figure(np.zeros((1, 2), np.float32), ["<b>x"]).data
    assert trace.name == "&lt;b&gt;x (1)"
