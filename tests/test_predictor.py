"""The shell's client: one process, many threads, crashes that hurt one request."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from medmodel import predictor
from medmodel.core.config import TrainConfig
from medmodel.core.errors import PredictionError, RunError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.processes.messages import Message
from medmodel.core.settings.augmentation import Augmentation
from medmodel.predictor import FIRST_CHOICE, Predictor
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import ModelFacts

STUB = (sys.executable, str(Path(__file__).with_name("stub_predictor.py")))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Predictor]:
    monkeypatch.setattr(Predictor, "command", STUB)
    client = Predictor()
    yield client
    client.close()


def run_that(conduct: str) -> Run:
    run = RunStore().create(TrainConfig(dataset="/data", name=conduct))
    facts = ModelFacts(["a", "b"], Preprocessing(28, colour="grey"), ["conv"], 1)
    run.write_model_facts(facts)
    run.model_path.touch()
    return run


def pictures(count: int) -> np.ndarray:
    levels = np.arange(count, dtype=np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, 4, 4, 1)).copy()


def pid(client: Predictor, run: Run) -> int:
    return int(client.ask(run.id, pictures(1))[0].raw[1])


def test_starts_when_first_needed(client: Predictor) -> None:
    assert client.state == "off"
    run = run_that("answer")
    first = pid(client, run)
    assert client.state == "ready"
    assert pid(client, run) == first
    client.close()
    assert client.state == "off"
    assert not psutil.pid_exists(first)


def test_many_images_in_pieces_and_in_order(client: Predictor) -> None:
    run = run_that("answer")
    predictions = client.ask(run.id, pictures(70))
    brightness = [255 * prediction.raw[0] for prediction in predictions]
    np.testing.assert_allclose(brightness, np.arange(70), atol=1e-3)
    assert all(prediction.heatmap is None for prediction in predictions)
    assert (run.folder / "asked").read_text().split() == ["32", "32", "6"]
    with_maps = client.ask(run.id, pictures(40), [FIRST_CHOICE] * 40)
    heatmaps = np.stack([np.asarray(prediction.heatmap) for prediction in with_maps])
    assert heatmaps.shape == (40, 4, 4)
    np.testing.assert_allclose(255 * heatmaps[:, 1, 2], np.arange(40), atol=1e-3)


def test_its_log_goes_where_it_is_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code = "import sys; sys.stderr.write('no library')"
    monkeypatch.setattr(Predictor, "command", (sys.executable, "-c", code))
    with (tmp_path / "log").open("wb") as log:
        client = Predictor(stderr=log.fileno())
        with pytest.raises(PredictionError, match="could not start"):
            client.ask(run_that("answer").id, pictures(1))
        client.close()
    assert (tmp_path / "log").read_text() == "no library"


def test_no_images(client: Predictor) -> None:
    assert client.ask(run_that("answer").id, pictures(0), []) == []


def test_crash_hurts_only_its_request(client: Predictor) -> None:
    good, bad = run_that("answer"), run_that("die")
    before = pid(client, good)
    with pytest.raises(PredictionError, match="ended in the middle"):
        client.ask(bad.id, pictures(1))
    assert pid(client, good) != before


def test_process_killed_between_requests_goes_unnoticed(client: Predictor) -> None:
    run = run_that("answer")
    before = pid(client, run)
    psutil.Process(before).kill()
    while client.state != "off":
        time.sleep(0.01)
    assert pid(client, run) != before


def test_answer_that_takes_too_long(
    client: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = run_that("answer"), run_that("hang")
    before = pid(client, good)
    monkeypatch.setattr(predictor, "ANSWER_SECONDS", 0.2)
    with pytest.raises(PredictionError, match="took longer"):
        client.ask(bad.id, pictures(1))
    monkeypatch.setattr(predictor, "ANSWER_SECONDS", 60.0)
    assert not psutil.pid_exists(before)
    assert pid(client, good) != before


def test_answer_that_is_no_message(client: Predictor) -> None:
    with pytest.raises(PredictionError, match="try again"):
        client.ask(run_that("nonsense").id, pictures(1))


def test_half_an_answer_is_never_taken_for_the_next(
    client: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_that("answer")
    assert client.ask(run.id, pictures(1))[0].raw[0] == 0

    def no_memory(connection: socket.socket, seconds: float | None = None) -> Message:
        raise MemoryError

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(predictor, "receive", no_memory)
        client.ask(run.id, pictures(1))
    assert client.ask(run.id, pictures(52)[51:])[0].raw[0] == pytest.approx(0.2)


def test_a_machine_without_room_for_a_process(
    client: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", full)
    with pytest.raises(PredictionError, match="could not be started"):
        client.ask(run_that("answer").id, pictures(1))
    assert client.state == "off"


def test_process_that_cannot_start(
    client: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Predictor, "command", (sys.executable, "-c", "raise OSError"))
    with pytest.raises(PredictionError, match="could not start"):
        client.ask(run_that("answer").id, pictures(1))


def test_a_model_that_cannot_be_warmed_is_told_to_whoever_asks(
    client: Predictor,
) -> None:
    """An error in the thread would be a warning, and so an error of this test."""
    run = run_that("die")
    client.warm(run.id)
    (warming,) = [t for t in threading.enumerate() if t.name == "warm predictor"]
    warming.join()
    with pytest.raises(PredictionError):
        client.ask(run.id, pictures(1))


def test_a_question_is_answered_before_the_process_ends(client: Predictor) -> None:
    run = run_that("slow")
    client.ask(run.id, pictures(1))
    with ThreadPoolExecutor(1) as pool:
        answers = pool.submit(client.ask, run.id, pictures(1))
        while len((run.folder / "asked").read_text().split()) < 2:
            time.sleep(0.001)
        client.close()
        assert len(answers.result()) == 1


def test_run_without_model(client: Predictor) -> None:
    run = RunStore().create(TrainConfig(dataset="/data"))
    with pytest.raises(RunError):
        client.ask(run.id, pictures(1))
    with pytest.raises(RunError):
        client.ask("../../etc", pictures(1))
    assert client.state == "off"


def test_one_image_does_not_wait_behind_a_thousand(client: Predictor) -> None:
    slow, quick = run_that("slow"), run_that("answer")
    pid(client, quick)
    ends: dict[str, float] = {}

    def ask(name: str, run: Run, count: int) -> None:
        client.ask(run.id, pictures(count))
        ends[name] = time.monotonic()

    large = threading.Thread(target=ask, args=("large", slow, 250))
    large.start()
    while not (slow.folder / "asked").exists():
        time.sleep(0.01)
    small = [
        threading.Thread(target=ask, args=(f"small {i}", quick, 1)) for i in range(3)
    ]
    for thread in small:
        thread.start()
    for thread in [large, *small]:
        thread.join()
    assert max(end for name, end in ends.items() if name != "large") < ends["large"]


def test_predictor_ends_with_the_shell() -> None:
    run = run_that("answer")
    code = (
        "import sys, time, numpy as np; from medmodel.predictor import shared\n"
        f"type(shared()).command = {STUB!r}\n"
        f"answer = shared().ask({run.id!r}, np.zeros((1, 4, 4, 1), np.uint8))\n"
        "print(int(answer[0].raw[1]), flush=True); time.sleep(60)"
    )
    root = Path(__file__).resolve().parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root
    ) as shell:
        assert shell.stdout is not None
        child = psutil.Process(int(shell.stdout.readline()))
        shell.kill()
    child.wait(timeout=10)


def test_shared_is_one_and_starts_nothing() -> None:
    predictor.shared().close()  # a page that was tested before may have asked it
    predictor.shared.cache_clear()
    assert predictor.shared() is predictor.shared()
    assert predictor.shared().state == "off"


@pytest.fixture
def real_client() -> Iterator[Predictor]:
    client = Predictor()
    yield client
    client.close()


def test_real_process_agrees_with_the_table(real_client: Predictor) -> None:
    from medmodel.inference import prediction
    from tests.inference.test_prediction import SIZE, save_model

    run = RunStore().create(TrainConfig(dataset="/data"))
    save_model(run)
    real_client.warm(run.id)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, SIZE, SIZE, 1), dtype=np.uint8)
    answer = real_client.ask(run.id, images, [FIRST_CHOICE] * 40)
    raw = np.stack([prediction.raw for prediction in answer])
    expected = prediction.predict(prediction.load(run), images)
    np.testing.assert_allclose(raw, expected, atol=1e-5)
    assert answer[39].heatmap is not None
    assert answer[39].heatmap.shape == (SIZE, SIZE)
    (alone,) = real_client.ask(run.id, images[5:6])
    np.testing.assert_allclose(alone.raw, expected[5], atol=1e-5)
    with pytest.raises(PredictionError, match="uint8 images of shape"):
        real_client.ask(run.id, images[:, :4])
    changed = real_client.augment(images[:3], Augmentation(shift=0.1), seed=1)
    assert changed.shape == images[:3].shape and changed.dtype == np.uint8
