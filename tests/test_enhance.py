from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medmodel import enhance, images
from medmodel.config import Preprocessing, TrainConfig
from medmodel.errors import ConfigError
from medmodel.prepared import prepare


def noisy(channels: int) -> enhance.Pixels:
    rng = np.random.default_rng(0)
    ramp = np.linspace(30, 220, 40)[None, :, None]
    return (ramp + rng.normal(0, 12, (32, 40, channels))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", enhance.STEPS)
def test_every_step_keeps_kind_and_channels(name: str, channels: int) -> None:
    pixels = noisy(channels)
    found = enhance.apply(pixels, [name])
    assert found.dtype == np.uint8 and found.shape == pixels.shape
    assert name == "crop" or (found != pixels).any()
    blank = np.zeros((16, 16, channels), np.uint8)
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
    speck = np.full((9, 9, 1), 100, np.uint8)
    speck[4, 4] = 255
    assert (enhance.apply(speck, ["median:1"]) == 100).all()


@pytest.mark.parametrize(
    "step", ["magic", "gamma:x", "gamma:0", "clahe:9", "gamma:nan"]
)
def test_wrong_steps_are_refused(step: str) -> None:
    with pytest.raises(ConfigError):
        enhance.apply(noisy(1), [step])


def test_chain_survives_json_and_reaches_the_model(class_folders: Path) -> None:
    config = TrainConfig(str(class_folders), steps=("gamma:0.5", "invert"))
    again = TrainConfig.from_json(json.loads(json.dumps(config.to_json())))
    assert again == config
    wanted = config.preprocessing(32)
    kept = Preprocessing(**json.loads(json.dumps(asdict(wanted))))
    assert kept == wanted and hash(kept) == hash(wanted)
    path = "dark/dark_000.png"
    plain = images.decode(class_folders / path).pixels
    seen = prepare(class_folders, pd.DataFrame({"path": [path]}), wanted).pixels[0]
    assert (seen == images.prepare_image(plain, wanted)).all()
    assert (seen != images.prepare_image(plain, replace(wanted, steps=()))).any()


def test_chains_are_kept_by_name() -> None:
    assert enhance.saved_chains() == {}
    enhance.save_chain("soft", ["median:1", "crop"])
    assert enhance.saved_chains() == {"soft": ["median:1", "crop"]}
    words = "Denoise: median 1, then Crop to content"
    assert enhance.describe(["median:1", "crop"]) == words
    assert enhance.describe([]) == "None"
