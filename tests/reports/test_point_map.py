from __future__ import annotations

import base64

import numpy as np
import pytest

from medmodel.language import speaking
from medmodel.reports.point_map import chart_data, selected_rows

PLACES = np.array([[-1, -1], [0, 0], [1, 1], [0.5, -1]], np.float32)
GROUPS = ["a", "b", "a", "b"]


def test_coordinates_and_groups_as_the_browser_reads_them() -> None:
    data = chart_data(PLACES, GROUPS)
    places = np.frombuffer(base64.b64decode(data["places"]), "<u2")
    # round((-1 + 1) / 2 · 65535), halves to the even number
    assert places.tolist() == [0, 0, 32768, 32768, 65535, 65535, 49151, 0]
    assert base64.b64decode(data["codes"]) == bytes([0, 1, 0, 1])
    assert [group["name"] for group in data["groups"]] == ["a (2)", "b (2)"]
    assert data["count"] == 4


def test_another_colouring_is_another_version() -> None:
    versions = {
        chart_data(places, groups)["version"]
        for places in (PLACES, PLACES[::-1])
        for groups in (GROUPS, ["a", "c", "a", "c"])
    }
    assert len(versions) == 4
    assert chart_data(PLACES, GROUPS)["version"] in versions


def test_the_rest_is_named_in_the_present_language() -> None:
    groups = [str(n) for n in range(9)]
    places = np.zeros((9, 2), np.float32)
    assert chart_data(places, groups)["groups"][-1]["name"] == "other (2)"
    with speaking("zh_Hans"):
        assert chart_data(places, groups)["groups"][-1]["name"].endswith(" (2)")


@pytest.mark.parametrize(
    ("outline", "hidden", "rows"),
    [
        ([[-0.5, -0.5], [0.9, -0.5], [0.9, 0.9], [-0.5, 0.9]], [], [1]),
        ([[-2, -2], [2, -2], [2, 2], [-2, 2]], [], [0, 1, 2, 3]),
        ([[-2, -2], [2, -2], [2, 2], [-2, 2]], [0], [1, 3]),
        ([[-2, -2], [2, -2], [2, 2], [-2, 2]], [0, 1], []),
        ([[-2, -2], [2, 2]], [], []),
        ([], [], []),
    ],
)
def test_what_lies_within_the_outline(
    outline: list[list[float]], hidden: list[int], rows: list[int]
) -> None:
    selection = {"outline": outline, "hidden": hidden}
    assert selected_rows(PLACES, GROUPS, selection).tolist() == rows


def test_without_a_selection_there_is_none() -> None:
    assert selected_rows(PLACES, GROUPS, {}).tolist() == []
