"""Groups of a map: colours for the commonest, every point in one group."""

from __future__ import annotations

from medmodel.reports.map_groups import members, shown_groups


def test_every_point_is_in_one_group() -> None:
    groups = ["b", "a", "b", "c", "a", "b"]
    assert [name for name, _ in members(groups)] == ["b", "a", "c"]
    assert [rows.tolist() for _, rows in members(groups)] == [[0, 2, 5], [1, 4], [3]]


def test_the_rarest_share_a_colour() -> None:
    eight = [str(n) for n in range(8)]
    assert shown_groups(eight) == eight
    nine = [*eight, "8", "0"]
    assert shown_groups(nine) == ["0", "1", "2", "3", "4", "5", "6", ""]
    assert members(nine)[-1][1].tolist() == [7, 8]
