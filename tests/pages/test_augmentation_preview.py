"""What augmentation does, shown on a few images of the data set."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

from medmodel.core.config import TrainConfig, config_for
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.augmentation import KEPT_SHARP, Augmentation
from medmodel.imaging.images import decode, prepare_image
from medmodel.predictor import Predictor
from pages._shared.training import augmentation_preview
from pages._shared.training.augmentation_preview import SEEDS, show_augmentation
from tests.conftest import draw_class_folders
from tests.pages.page import said, show_part

SHIFT = Augmentation(shift=0.1)
Asked = list[tuple[NDArray[np.uint8], Augmentation, int]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the process with TensorFlow is asked; its answers are ever darker."""
    questions: Asked = []

    def augment(
        self: Predictor,
        images: NDArray[np.uint8],
        augmentation: Augmentation,
        seed: int,
        kept_sharp: float,
    ) -> NDArray[np.uint8]:
        assert kept_sharp == KEPT_SHARP
        questions.append((images, augmentation, seed))
        return images // (len(questions) + 1)

    monkeypatch.setattr(Predictor, "augment", augment)
    return questions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_class_folders(tmp_path / "data" / "easy", ("a", "b", "c"), 3)


def opened(folder: Path, config: TrainConfig) -> AppTest:
    return show_part(partial(show_augmentation, folder, config))


def config_of(folder: Path, augmentation: Augmentation = SHIFT) -> TrainConfig:
    changes = {"colour": "grey", "size": 32, "augmentation": augmentation}
    return config_for("compact", str(folder), **changes)


def test_each_image_as_it_is_and_changed_three_times(
    folder: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[NDArray[np.uint8]] = []
    monkeypatch.setattr(
        DeltaGenerator, "image", lambda self, pixels, **_: drawn.append(pixels)
    )
    config = config_of(folder)
    app = opened(folder, config)
    assert not asked
    app.toggle[0].set_value(True).run()
    assert not app.exception and not app.error
    captions = ["As they are", "Changed, try 1", "Changed, try 2", "Changed, try 3"]
    sharp, *others = [caption.value for caption in app.caption]
    assert "a chance of 25 % to be neither shifted nor" in sharp and others == captions
    names = ["a/a_000", "b/b_000", "c/c_000", "a/a_001"]
    preprocessing = config.preprocessing(32)
    files = [folder / f"{name}.png" for name in names]
    images = np.stack([prepare_image(decode(f).pixels, preprocessing) for f in files])
    assert images.shape == (4, 32, 32, 1)
    assert tuple(seed for *_, seed in asked) == SEEDS
    assert all((sent == images).all() for sent, *_ in asked)
    assert all(augmentation == SHIFT for _, augmentation, _ in asked)
    expected = [*images, *images // 2, *images // 3, *images // 4]
    assert len(drawn) == 16
    for pixels, wanted in zip(drawn, expected, strict=True):
        assert pixels.shape == (32, 32) and (pixels == wanted[..., 0]).all()


def test_nothing_is_said_of_sharp_images_where_all_are(
    folder: Path, asked: Asked
) -> None:
    app = opened(folder, config_of(folder, Augmentation(flip_horizontal=True)))
    app.toggle[0].set_value(True).run()
    assert asked and app.caption[0].value == "As they are"


def test_what_cannot_be_read_is_left_out(folder: Path) -> None:
    """Of every class three files are tried, no more."""
    for number in range(3):
        (folder / "a" / f"a_00{number}.png").write_bytes(b"no image")
    (folder / "a" / "a_003.png").write_bytes((folder / "b/b_000.png").read_bytes())
    preprocessing = Preprocessing(16, colour="grey")
    images = augmentation_preview._images(str(folder), preprocessing)
    names = ["b/b_000", "c/c_000", "b/b_001", "c/c_001"]
    files = [folder / f"{name}.png" for name in names]
    expected = [prepare_image(decode(f).pixels, preprocessing) for f in files]
    assert len(images) == 4
    assert all((a == b).all() for a, b in zip(images, expected, strict=True))


def test_a_file_that_goes_away_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ["a/gone.png", "a/a_000.png"]
    monkeypatch.setattr(augmentation_preview, "_candidates", lambda folder: iter(files))
    assert len(augmentation_preview._images(str(folder), Preprocessing(16))) == 1


def test_a_folder_without_a_readable_image_says_so(
    tmp_path: Path, asked: Asked
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"no image")
    app = opened(tmp_path, config_of(tmp_path))
    app.toggle[0].set_value(True).run()
    assert "no image that can be read" in said(app)
    assert not asked and not app.exception


def test_nothing_is_offered_where_training_changes_nothing(folder: Path) -> None:
    config = config_of(folder)
    assert opened(folder, config).toggle
    assert not opened(folder, config_of(folder, Augmentation())).toggle
    # Frozen training reads each image once.
    assert not opened(folder, replace(config, training="frozen")).toggle
