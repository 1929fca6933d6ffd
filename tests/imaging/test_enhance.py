from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.config_problems import config_problems
from medmodel.core.environment import workspace_root
from medmodel.core.errors import ConfigError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.enhancement_steps import STEPS
from medmodel.core.storage import write_json
from medmodel.data.prepared import prepare
from medmodel.evaluation.comparison.model_comparison import common_images, compare
from medmodel.imaging import enhance, images
from medmodel.imaging.enhance import Chain
from medmodel.runs.run_store import RunStore
from medmodel.runs.run_table import differing_settings
from medmodel.runs.tables.predictions import read_predictions
from tests.finished_run import write_finished_run


def noisy(channels: int) -> enhance.Pixels:
    rng = np.random.default_rng(0)
    ramp = np.linspace(30, 220, 40)[None, :, None]
    return (ramp + rng.normal(0, 12, (32, 40, channels))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", STEPS)
def test_every_step_keeps_kind_and_channels(name: str, channels: int) -> None:
    pixels = noisy(channels)
    found = enhance.apply(pixels, [name])
    assert found.dtype == np.uint8
    blank = np.zeros((16, 16, channels), np.uint8)
    if name == "resize":
        assert found.shape == (205, 256, channels)
        assert enhance.apply(blank, [name]).shape == (256, 256, channels)
        return
    assert found.shape == pixels.shape
    assert name in ("crop", "borders") or (found != pixels).any()
    assert enhance.apply(blank, [name]).shape == blank.shape


def test_steps_by_hand() -> None:
    pixels = np.array([[[0], [51], [255]]], np.uint8)
    assert enhance.apply(pixels, ["invert"]).ravel().tolist() == [255, 204, 0]
    # (51 / 255) ** 2 * 255 = 10.2
    assert enhance.apply(pixels, ["gamma:2"]).ravel().tolist() == [0, 10, 255]
    assert enhance.apply(pixels, ["invert", "invert"]).tolist() == pixels.tolist()
    framed = np.zeros((9, 9, 1), np.uint8)
    framed[2:5, 3:8] = 200
    assert enhance.apply(framed, ["crop"]).shape == (3, 5, 1)
    white = np.full((12, 14, 1), 255, np.uint8)
    white[1:10, 2:13] = 0
    white[3:7, 4:9] = noisy(1)[:4, :5]
    assert enhance.apply(white, ["borders"]).shape == (4, 5, 1)
    assert enhance.apply(white, ["crop"]).shape == white.shape
    assert enhance.apply(noisy(3), ["resize:32"]).shape == (26, 32, 3)
    speck = np.full((9, 9, 1), 100, np.uint8)
    speck[4, 4] = 255
    assert (enhance.apply(speck, ["median:1"]) == 100).all()


def test_percentiles_become_black_and_white() -> None:
    levels = np.arange(101, dtype=np.uint8).reshape(1, 101, 1)
    # Percentiles 10 and 90 of 0 to 100: (30 - 10) / 80 and (70 - 10) / 80 of 255.
    stretched = enhance.apply(levels, ["stretch:10"]).ravel()
    assert stretched[[0, 10, 30, 70, 90, 100]].tolist() == [0, 0, 64, 191, 255, 255]
    whole = enhance.apply(levels, ["stretch:0"]).ravel()
    assert whole[[0, 20, 100]].tolist() == [0, 51, 255]
    flat = np.full((4, 4, 1), 100, np.uint8)
    assert (enhance.apply(flat, ["stretch"]) == 0).all()


def test_noise_is_what_was_added_to_a_ramp() -> None:
    rng = np.random.default_rng(0)
    ramp = np.linspace(0.1, 0.6, 201)[:, None, None] + np.linspace(0, 0.3, 161)[:, None]
    noise = rng.normal(0, 0.02, ramp.shape)
    for values, expected in (
        (ramp + noise, pytest.approx(0.02, rel=0.05)),
        (ramp, pytest.approx(0, abs=1e-6)),
        (np.ones((1, 9, 1)), 0),
    ):
        assert enhance._noise(values.astype(np.float32)) == expected


def test_denoising_keeps_edges_and_takes_noise_of_its_strength() -> None:
    rng = np.random.default_rng(0)
    step = np.where(np.arange(48) < 24, 60, 190)
    noisy_step = (step + rng.normal(0, 8, (48, 48)))[..., None].clip(0, 255)
    pixels = noisy_step.astype(np.uint8)
    for name in ("median:1", "nlm", "bilateral:0.1"):
        smooth = enhance.apply(pixels, [name])[..., 0].astype(float)
        assert smooth[:, 4:20].std() < 0.7 * pixels[:, 4:20].std(), name
        edge = smooth[:, 26].mean() - smooth[:, 21].mean()
        assert edge == pytest.approx(130, abs=10), name
    blot = np.full((9, 9, 1), 100, np.uint8)
    blot[3:6, 3:6] = 255
    assert enhance.apply(blot, ["median:1"])[4, 4] == 255
    assert (enhance.apply(blot, ["median:2"]) == 100).all()


def test_sharpening_overshoots_at_edges_alone() -> None:
    pixels = np.where(np.arange(40) < 20, 80, 160).astype(np.uint8)
    pixels = np.repeat(pixels[None, :, None], 40, axis=0)
    weak, strong = (enhance.apply(pixels, [f"unsharp:{n}"])[20, :, 0] for n in (1, 2))
    assert weak[19] < 80 and weak[20] > 160 and weak[[2, 37]].tolist() == [80, 160]
    assert strong[20] - 160 == pytest.approx(2 * (int(weak[20]) - 160), abs=1)
    edges = enhance.apply(pixels, ["edges"])[20, :, 0]
    assert edges[[18, 19, 20, 21]].tolist() == [0, 255, 255, 0]
    # One grey level is no edge that would be drawn white.
    faint = np.where(pixels == 80, 100, 101).astype(np.uint8)
    assert 0 < enhance.apply(faint, ["edges"]).max() < 255


def test_what_is_dark_and_what_is_plain() -> None:
    pixels = np.full((9, 9, 1), 12, np.uint8)
    pixels[2:4, 3:5] = 13
    assert enhance.apply(pixels, ["crop"]).shape == (2, 2, 1)
    framed = np.full((9, 9, 1), 100, np.uint8)
    framed[2:5, 3:5] = 106
    assert enhance.apply(framed, ["borders"]).shape == framed.shape
    framed[2:5, 3:5] = 107
    assert enhance.apply(framed, ["borders"]).shape == (3, 2, 1)


@pytest.mark.parametrize("step", ["crop", "borders"])
def test_a_single_row_or_column_is_no_content(step: str) -> None:
    pixels = np.zeros((9, 9, 1), np.uint8)
    pixels[4, 3:6] = 200
    for line in (pixels, pixels.swapaxes(0, 1)):
        assert enhance.apply(line, [step]).shape == (9, 9, 1)
    pixels[5, 3:6] = 200
    for lines, shape in ((pixels, (2, 3, 1)), (pixels.swapaxes(0, 1), (3, 2, 1))):
        assert enhance.apply(lines, [step]).shape == shape


@pytest.mark.parametrize(("level", "shape"), [(6, (9, 9, 1)), (7, (3, 2, 1))])
def test_a_border_is_plain_up_to_six_levels(level: int, shape: tuple[int, ...]) -> None:
    pixels = np.zeros((9, 9, 1), np.uint8)
    pixels[2:5, 3:5] = level
    assert enhance.apply(pixels, ["borders"]).shape == shape


def test_the_longer_side_is_what_was_asked_for() -> None:
    wide = np.zeros((1, 400, 1), np.uint8)
    assert enhance.apply(wide, ["resize:40"]).shape == (1, 40, 1)
    assert enhance.apply(noisy(1), ["resize:80"]).shape == (64, 80, 1)


@pytest.mark.parametrize(
    "step", ["magic", "gamma:x", "gamma:0", "gamma:5.1", "clahe:9", "gamma:nan"]
)
def test_wrong_steps_are_refused(step: str) -> None:
    with pytest.raises(ConfigError) as caught:
        enhance.apply(noisy(1), [step])
    problems = config_problems(TrainConfig("", steps=("invert", step)))
    assert problems["steps"] == str(caught.value)


def test_chains_have_an_end() -> None:
    assert config_problems(TrainConfig("", steps=("invert",) * 8)) == {}
    problems = config_problems(TrainConfig("", steps=("invert",) * 9))
    assert problems == {"steps": "At most 8 steps; 9 were given."}


def test_chain_survives_json_and_reaches_the_model(class_folders: Path) -> None:
    config = TrainConfig(str(class_folders), steps=("gamma:0.5", "invert"))
    values = json.loads(json.dumps(asdict(config)))
    assert msgspec.convert(values, TrainConfig) == config
    wanted = config.preprocessing(32)
    kept = Preprocessing(**json.loads(json.dumps(asdict(wanted))))
    assert kept == wanted and hash(kept) == hash(wanted)
    path = "dark/dark_000.png"
    plain = images.decode(class_folders / path).pixels
    seen = prepare(class_folders, pd.DataFrame({"path": [path]}), wanted).pixels[0]
    assert (seen == images.prepare_image(plain, wanted)).all()
    assert (seen != images.prepare_image(plain, replace(wanted, steps=()))).any()


def test_runs_with_and_without_a_step_compare_like_any(class_folders: Path) -> None:
    plain = TrainConfig(str(class_folders), name="Plain")
    changed = replace(plain, name="CLAHE", steps=("clahe:0.02",))
    differ = {"steps": [(), ("clahe:0.02",)]}
    assert differing_settings([plain, changed]) == differ
    runs = [write_finished_run(class_folders, n, seed=i) for i, n in enumerate("ab")]
    write_json(runs[1].folder / "config.json", changed)
    assert RunStore().get(runs[1].id).config.steps == ("clahe:0.02",)
    common = common_images({run.title: read_predictions(run) for run in runs})
    (difference,) = compare(common, "accuracy")
    assert (difference.first, difference.second) == (runs[0].title, "CLAHE")
    assert difference.values == (1.0, 1.0) and difference.estimate.value == 0


def test_chains_are_kept_by_name() -> None:
    assert enhance.saved_chains() == {}
    enhance.save_chain("soft", ["median:1", "crop"])
    enhance.save_chain("air", [], "lung")
    soft, air = Chain(("median:1", "crop")), Chain((), "lung")
    assert enhance.saved_chains() == {"soft": soft, "air": air}
    assert soft.words() == "Denoise: median 1, then Crop to content"
    assert air.words() == "Window lung" and Chain(()).words() == "None"
    assert Chain(("invert",), "40/80").words() == "Window 40/80, then Invert"


def test_chains_of_several_people_are_all_kept() -> None:
    with ThreadPoolExecutor(8) as people:
        list(people.map(lambda n: enhance.save_chain(str(n), ["crop"]), range(16)))
    assert set(enhance.saved_chains()) == {str(n) for n in range(16)}


def test_chains_of_the_first_version_are_read() -> None:
    write_json(workspace_root() / "enhancements.json", {"old": ["gamma:2"]})
    assert enhance.saved_chains() == {"old": Chain(("gamma:2",))}
