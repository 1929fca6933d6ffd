"""Colours, numbers in words, and images, pixel by pixel."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medmodel.imaging.images import png_bytes
from medmodel.language import speaking
from medmodel.reports import plots


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "< 1 %"),
        (0.0099, "< 1 %"),
        (0.01, "1 %"),
        (0.874, "87 %"),
        (0.99, "99 %"),
        (0.9901, "> 99 %"),
        (1.0, "> 99 %"),
    ],
)
def test_per_cent(share: float, words: str) -> None:
    assert plots.per_cent(share) == words


def test_forty_classes_have_forty_colours() -> None:
    names = [f"class {i}" for i in range(40)]
    colours = plots.class_colours(names)
    assert len(set(colours.values())) == 40
    assert [colours[n] for n in names[:8]] == list(plots.OKABE_ITO)
    # More classes change no colour.
    assert plots.class_colours(names[:12]).items() <= colours.items()


def test_probability_bars() -> None:
    classes = ["<b>bold</b>", "a" * 60, "third"]
    colours = plots.class_colours(classes)
    drawing = plots.probability_bars(classes, np.array([0.9, 0.098, 0.002]), colours)
    bars = drawing.data[0]
    assert list(bars.text) == ["90 %", "10 %", "< 1 %"]
    assert list(bars.marker.color) == [colours[name] for name in classes]
    names = drawing.layout.yaxis.ticktext
    assert names[0] == "&lt;b&gt;bold&lt;/b&gt;"
    assert len(names[1]) <= 28
    assert bars.hovertext[0] == "&lt;b&gt;bold&lt;/b&gt;: 0.9000"


@pytest.mark.parametrize(
    ("share", "digits", "words"),
    [
        *((0.0, 0, "0 %"), (0.0004, 0, "< 1 %"), (0.01, 0, "1 %"), (0.5, 0, "50 %")),
        *((0.99, 0, "99 %"), (0.999, 0, "> 99 %"), (1.0, 0, "100 %")),
        *((2999 / 3000, 1, "> 99.9 %"), (0.0002, 1, "< 0.1 %"), (0.8204, 1, "82.0 %")),
    ],
)
def test_all_and_none_are_said_of_nothing_else(
    share: float, digits: int, words: str
) -> None:
    assert plots.measured_share(share, digits) == words


def test_nearly_all_is_not_all_in_a_confusion_matrix() -> None:
    drawn = plots.confusion_figure(["a", "b"], np.array([[999, 1], [0, 5]])).data
    assert list(drawn[1].text) == [
        "999<br>&gt; 99 %",
        "1<br>&lt; 1 %",
        "0",
        "5<br>100 %",
    ]


def test_confusion_figure() -> None:
    counts = np.array([[8, 2, 0], [0, 5, 5], [0, 0, 0]])
    heat, numbers = plots.confusion_figure(["a", "b", "never"], counts).data
    assert np.array(heat.z).tolist() == [[0.8, 0.2, 0], [0, 0.5, 0.5], [0, 0, 0]]
    assert numbers.text[:3] == ("8<br>80 %", "2<br>20 %", "0")
    assert numbers.textfont.color[:2] == (plots.BLACK, plots.WHITE)
    assert (numbers.x[1], numbers.y[1]) == (1, 0)
    assert heat.hovertext[1][2] == "5 of 10 b<br>predicted class never: 50 %"
    layout = plots.confusion_figure(["a", "b", "never"], counts).layout
    assert layout.xaxis.title.text == "Predicted class"
    assert layout.yaxis.title.text == "True class"
    assert (layout.xaxis.side, layout.yaxis.autorange) == ("top", "reversed")
    assert len(layout.xaxis.ticktext) == len(layout.yaxis.ticktext) == 3


def test_many_classes_are_read_by_pointing() -> None:
    counts = np.eye(30, dtype=np.int64)
    assert len(plots.confusion_figure([str(i) for i in range(30)], counts).data) == 1


def test_figures_take_the_page_as_background() -> None:
    layout = plots.figure(100).layout.template.layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"


def test_heat_map_rises_evenly_even_in_grey_print() -> None:
    black = np.zeros((1, 256, 1), np.uint8)
    colours = plots.overlay(black, np.linspace(0, 1, 256)[None], 1.0)[0]
    assert colours[0].tolist() == [0, 0, 0]
    assert colours[255].tolist() == [252, 255, 164]  # the last of Inferno, #FCFFA4
    grey = colours @ [0.299, 0.587, 0.114]
    assert (np.diff(grey) > -0.5).all()


def test_overlay_by_hand() -> None:
    image = np.full((2, 2, 1), 100, np.uint8)
    heat = np.array([[0.0, 1.0], [0.0, 1.0]])
    mixed = plots.overlay(image, heat, 0.5)
    assert mixed[0, 0].tolist() == [100, 100, 100]
    # Half of it and half of (252, 255, 164); 177.5 is rounded to even.
    assert mixed[0, 1].tolist() == [176, 178, 132]


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]))
def test_overlay_without_opacity_is_the_picture(h: int, w: int, c: int) -> None:
    image = np.random.default_rng(h * w).integers(0, 256, (h, w, c), np.uint8)
    shown = plots.overlay(image, np.ones((4, 5)), 0.0)
    assert shown.shape == (h, w, 3)
    assert (shown == image).all()


def test_enlarged_by_whole_factors() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    shown = plots.enlarged(image, 11)
    assert shown.shape == (6, 9, 1)
    assert (shown[3:6, 6:9] == 5).all()
    assert plots.enlarged(shown, 5).shape == shown.shape


def test_framed_is_square_and_complete() -> None:
    image = np.full((64, 128, 1), 100, np.uint8)
    shown = plots.framed(image)
    assert shown.shape == (132, 132, 1)
    assert (shown[34:98, 2:130] == 100).all()
    assert (shown == 100).sum() == image.size
    assert set(np.unique(shown)) == {16, 100}


def test_png_is_exact() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (31, 17, 3), np.uint8)
    again = np.asarray(Image.open(io.BytesIO(png_bytes(noise))))
    assert (again == noise).all()


def test_a_map_says_how_to_read_it_and_when_it_is_empty() -> None:
    full = plots.heatmap_caption(np.ones((2, 2)), "cat")
    assert full.startswith(plots.HEATMAP_CAPTION) and "Yellow: most" in full
    empty = plots.heatmap_caption(np.zeros((2, 2)), "cat")
    assert empty.startswith(plots.HEATMAP_CAPTION)
    assert "no place spoke for cat" in empty
    with speaking("zh_Hans"):
        assert "。 " not in plots.heatmap_caption(np.ones((2, 2)), "cat")


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)` (WCAG 2.2)."""
    values = [float(each) / 255 for each in colour[4:-1].split(",")]
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values
    ]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_every_cell_of_a_heat_map_can_be_read() -> None:
    from plotly.colors import sample_colorscale

    shares = np.linspace(0, 1, 501)
    texts = plots.cell_text_colours(shares)
    for ground, text in zip(
        sample_colorscale("Cividis", shares.tolist()), texts, strict=True
    ):
        below = luminance(ground) + 0.05
        ratio = below / 0.05 if text == plots.BLACK else 1.05 / below
        assert ratio >= 4.5
