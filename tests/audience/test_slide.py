"""Slides as JSON values, and curves that are thinned without losing their ends."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.audience.slide import Bar, Chart, Curve, Image, Slide, thinned

IMAGE = Image("As uploaded", "A chest", b"png")


def test_a_slide_is_json_whatever_its_numbers() -> None:
    curve = Curve("Training", [1, 2, 3], [0.5, math.nan, math.inf], "0.5", thin=True)
    slide = Slide(
        "Train",
        "T",
        progress=math.nan,
        bars=(Bar("a", math.nan, "?"), Bar("b", 1.5, "> 99 %", "#123456", -0.1, 2.0)),
        charts=(Chart("Loss", "step", (curve,), marked=2),),
    )
    facts = json.loads(json.dumps(slide.facts(), allow_nan=False))
    assert facts["progress"] is None
    assert [bar["share"] for bar in facts["bars"]] == [0, 1]
    assert (facts["bars"][1]["low"], facts["bars"][1]["high"]) == (0, 1)
    assert facts["bars"][0]["low"] is None
    (chart,) = facts["charts"]
    assert chart["marked"] == 2 and not chart["perCent"]
    (drawn,) = chart["curves"]
    assert drawn == {
        "name": "Training",
        "text": "0.5",
        "thin": True,
        "dotted": False,
        "x": [1],
        "y": [0.5],
    }


def test_images_travel_by_name_or_within() -> None:
    slide = Slide("Diagnose", "T", images=(IMAGE,))
    (by_name,) = slide.facts()["images"]
    (within,) = slide.facts(inline=True)["images"]
    # SHA-256 of the three bytes, and the same in base 64.
    assert by_name["source"] == f"image/{IMAGE.digest}" and len(IMAGE.digest) == 64
    assert within["source"] == "data:image/png;base64,cG5n"
    assert (within["title"], within["alt"]) == ("As uploaded", "A chest")


def test_without_images_it_says_so() -> None:
    slide = Slide("Diagnose", "T", images=(IMAGE,), notes=("A note.",))
    held = slide.for_phones(with_images=False)
    assert held.images == () and held.notes[0] == "A note."
    assert "projector only" in held.notes[1]
    assert slide.for_phones(with_images=True) is slide
    bare = Slide("Data", "T")
    assert bare.for_phones(with_images=False) is bare


def test_what_went_wrong_names_no_file_on_phones() -> None:
    message = "Smith^John.dcm cannot be read."
    slide = Slide("Data", "Failed", message, state="failed", notes=(message,))
    for with_images in (False, True):
        facts = slide.for_phones(with_images).facts()
        assert facts["title"] == "Failed" and "Smith" not in str(facts)
        assert "projector only" in facts["sentence"]


def test_thinning_keeps_peaks() -> None:
    y = [0.0] * 1000
    y[333], y[777] = 5.0, -5.0
    x, kept = thinned(list(range(1000)), y, 20)
    assert len(x) <= 20 and x == sorted(x)
    assert dict(zip(x, kept, strict=True))[333] == 5
    assert dict(zip(x, kept, strict=True))[777] == -5


@given(
    st.lists(st.one_of(st.floats(-9, 9), st.just(math.nan)), max_size=60),
    st.integers(4, 12),
)
def test_thinned_curves_are_short_and_of_the_same_values(
    y: list[float], most: int
) -> None:
    x, kept = thinned(list(range(len(y))), y, most)
    finite = [i for i, value in enumerate(y) if math.isfinite(value)]
    assert len(x) == len(kept) <= most
    assert [y[int(i)] for i in x] == kept and x == sorted(set(x))
    if finite:
        assert x[0] == finite[0] and x[-1] == finite[-1]
        assert max(kept) == max(y[i] for i in finite)
    if len(finite) <= most:
        assert x == finite


@pytest.mark.parametrize("text", ["</script>", "\u2028", "data: x\n\nevent: end"])
def test_text_stays_text(text: str) -> None:
    assert Slide("Data", text, text).facts()["title"] == text
