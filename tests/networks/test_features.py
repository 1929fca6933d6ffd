import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medmodel.core.errors import Cancelled
from medmodel.core.job import Job
from medmodel.core.locks import Lock
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.prepared import Prepared
from medmodel.networks import features, models

SMALL = Preprocessing(28, colour="grey")
COUNT = 75


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (COUNT, *SMALL.shape), dtype=np.uint8)
    return Prepared(tmp_path, pixels, pd.DataFrame(index=range(COUNT)), {})


class Seen:
    """Remembers what `on_batch` was given."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.features = np.zeros((COUNT, features.FEATURES), np.float16)

    def __call__(self, rows: np.ndarray, values: np.ndarray) -> None:
        self.rows += rows.tolist()
        self.features[rows] = values


def after(calls: int) -> Callable[[], bool]:
    """Asks to stop at the given call."""
    left = iter(range(calls - 1))
    return lambda: next(left, None) is None


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all batches computed from now on."""
    sizes: list[int] = []
    build = features._compiled

    def compiled(preprocessing: Preprocessing, batch: int, network: str) -> Callable:
        compute = build(preprocessing, batch, network)

        def count(pixels: np.ndarray) -> np.ndarray:
            sizes.append(len(pixels))
            return compute(pixels)

        return count

    monkeypatch.setattr(features, "_compiled", compiled)
    return sizes


def test_features_are_the_networks_and_are_kept(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, told = Seen(), []
    job = Job(lambda *facts: told.append(facts))
    table = features.extract(prepared, SMALL, seen, job)
    expected = models.frozen_backbone(SMALL).predict_on_batch(prepared.pixels)
    np.testing.assert_allclose(table, expected, rtol=2e-3, atol=2e-3)
    assert sorted(seen.rows) == list(range(COUNT))
    assert seen.rows == np.random.default_rng(0).permutation(COUNT).tolist()
    np.testing.assert_array_equal(seen.features, table)
    assert told[-1] == ("features", COUNT, COUNT)

    sizes, again = counted(monkeypatch), Seen()
    np.testing.assert_array_equal(features.extract(prepared, SMALL, again), table)
    assert sizes == []
    assert again.rows == seen.rows, "a layer that learns in portions would differ"
    np.testing.assert_array_equal(again.features, table)


def test_changed_features_are_computed_again(prepared: Prepared) -> None:
    expected = np.array(features.extract(prepared, SMALL))
    (path,) = prepared.folder.glob("features_*.npy")
    facts = path.with_suffix(".json")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    for damaged, text in ((bytes(content), None), (path.read_bytes(), "{")):
        path.write_bytes(damaged)
        facts.write_text(text or facts.read_text())
        np.testing.assert_array_equal(features.extract(prepared, SMALL), expected)
    facts.unlink()  # as of an earlier version
    path.write_bytes(content)
    assert (features.extract(prepared, SMALL) != expected).sum() == 1


def test_what_was_computed_before_a_stop_is_not_computed_again(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Cancelled):
        features.extract(prepared, SMALL, job=Job(cancelled=after(2)))
    network = features.instant_network(SMALL)
    few, rows = features.cached(prepared, network)
    there = few[rows].copy()
    sizes, seen = counted(monkeypatch), Seen()
    table = features.extract(prepared, SMALL, seen)
    assert len(sizes) == 1 and 0 < len(rows) < COUNT
    np.testing.assert_array_equal(there, table[rows])
    np.testing.assert_array_equal(
        features.cached(prepared, network)[1], np.arange(COUNT)
    )
    assert sorted(seen.rows) == list(range(COUNT))
    np.testing.assert_array_equal(seen.features, table)
    assert np.abs(np.asarray(table)).max(axis=1).min() > 0


def test_nothing_is_kept_before_anything_was_computed(prepared: Prepared) -> None:
    table, rows = features.cached(prepared, features.instant_network(SMALL))
    assert len(table) == len(rows) == 0


def test_rows_that_were_not_marked_are_not_trusted(prepared: Prepared) -> None:
    with pytest.raises(Cancelled):
        features.extract(prepared, SMALL, job=Job(cancelled=after(1)))
    partial = prepared.folder / f".features_efficientnet_lite0_{features.VERSION}.npy"
    rows = np.load(partial, mmap_mode="r+")
    untouched = np.asarray(rows == 0).all(axis=1)
    assert untouched.sum() == COUNT - 32
    rows[untouched] = 77
    rows.flush()
    assert np.asarray(features.extract(prepared, SMALL)).max() < 77
    assert not partial.exists()


def test_a_full_disk_is_an_error_not_a_crash(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        features.extract(prepared, SMALL)


def test_only_one_run_computes_at_a_time(prepared: Prepared) -> None:
    with (
        Lock(prepared.folder / "features.lock"),
        pytest.raises(Cancelled),
    ):
        features.extract(prepared, SMALL, job=Job(cancelled=lambda: True))


def test_a_partial_table_of_another_size_is_made_anew(prepared: Prepared) -> None:
    with pytest.raises(Cancelled):
        features.extract(prepared, SMALL, job=Job(cancelled=after(1)))
    partial = prepared.folder / f".features_efficientnet_lite0_{features.VERSION}.npy"
    np.save(partial, np.zeros((COUNT + 1, 3), np.float16))
    assert features.extract(prepared, SMALL).shape == (COUNT, features.FEATURES)


def test_batches_are_computed_at_once_and_come_in_their_order(
    prepared: Prepared,
) -> None:
    both = threading.Barrier(2, timeout=20)

    def compute(pixels: np.ndarray) -> np.ndarray:
        both.wait()  # for ever, if batches came one after another
        return pixels.reshape(len(pixels), -1)[:, :5].astype(np.float16)

    network = features.FeatureNetwork("at_once", 5, 19, compute, workers=2)
    rows: list[int] = []
    table = features.extract(
        prepared, SMALL, lambda new, _: rows.extend(new.tolist()), network=network
    )
    expected = prepared.pixels.reshape(COUNT, -1)[:, :5]
    np.testing.assert_array_equal(table, expected)
    assert rows == np.random.default_rng(0).permutation(COUNT).tolist()


def test_what_fails_in_a_batch_is_raised_and_no_thread_is_left(
    prepared: Prepared,
) -> None:
    def fail(pixels: np.ndarray) -> np.ndarray:
        raise OSError(5, "Input/output error")

    network = features.FeatureNetwork("failing", 5, 19, fail, workers=2)
    with pytest.raises(OSError, match="Input/output"):
        features.extract(prepared, SMALL, network=network)
    assert not [t for t in threading.enumerate() if t.name.startswith("features")]
