"""Figures of a sweep: lines through settings, in a browser without WebGL, too."""

from __future__ import annotations

import pytest

from medmodel.sweeps.figures import parallel_coordinates
from medmodel.sweeps.sweep import Trial


def trials(name: str, *values: object) -> list[Trial]:
    """Of equal steps down to the lowest loss."""
    losses = [1.0 - 0.1 * number for number in range(len(values))]
    return [
        Trial(number, {name: value}, "", "done", val_loss=loss)
        for number, (value, loss) in enumerate(zip(values, losses, strict=True))
    ]


def test_the_best_line_is_thick_and_lies_above() -> None:
    few = trials("recipe", "compact", "instant", "document")
    texts = {"compact": "Compact", "instant": "Instant", "document": "Textbook"}
    drawn = parallel_coordinates(few, {"recipe": "Recipe"}, {"recipe": texts})
    assert {trace.type for trace in drawn.data} == {"scatter"}
    assert [trace.line.width for trace in drawn.data] == [1.5, 1.5, 4]
    assert [list(trace.y) for trace in drawn.data] == [[0, 1], [0.5, 0.5], [1, 0]]
    assert [note.text for note in drawn.layout.annotations] == [
        *("Compact", "Instant", "Textbook"),
        *("0.800", "1.000"),
    ]


@pytest.mark.parametrize(
    ("values", "heights", "texts"),
    [
        ((0.1, 0.001, 0.01), [1, 0, 0.5], ["0.001", "0.01", "0.1"]),
        ((2, 2, 2), [0, 0, 0], ["2"]),
        (tuple(range(0, 90, 10)), [n / 8 for n in range(9)], ["0", "80"]),
        (tuple(range(1016, 1025)), [n / 8 for n in range(9)], ["1016", "1024"]),
    ],
)
def test_few_numbers_are_all_named(
    values: tuple[float, ...], heights: list[float], texts: list[str]
) -> None:
    named = {"size": {value: f"{value:g}" for value in values}}
    drawn = parallel_coordinates(trials("size", *values), {"size": "Size"}, named)
    assert sorted(t.y[0] for t in drawn.data) == pytest.approx(sorted(heights))
    assert [note.text for note in drawn.layout.annotations][:-2] == texts
