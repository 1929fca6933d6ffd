import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from medmodel.networks import hardware

ROOT = Path(__file__).resolve().parents[2]

# One strategy per process, and devices cannot be split once they were used.
TWO_DEVICES = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from medmodel.networks import hardware, models
from medmodel.core.preprocessing import Preprocessing
from medmodel.networks.pipeline import Samples, steps_per_epoch, training_batches
strategy = hardware.strategy(["/CPU:0", "/CPU:1"])
labels = np.arange(12) % 2
pixels = np.zeros((12, 28, 28, 1), np.uint8) + (labels * 90)[:, None, None, None]
samples = Samples(pixels.astype(np.uint8), np.arange(12), labels, 2)
with strategy.scope():
    model = models.build_model("document_cnn", Preprocessing(28, colour="grey"), 2)
    model.compile("adam", "categorical_crossentropy", jit_compile=False)
history = model.fit(training_batches(samples, 4), shuffle=False, epochs=4, verbose=0,
                    steps_per_epoch=steps_per_epoch(samples, 4)).history["loss"]
print(strategy.num_replicas_in_sync, history[-1] < history[0])
"""


def test_a_model_is_trained_on_two_devices_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", "True"]


@pytest.mark.parametrize("device", ["auto", "cpu", "gpu:0", "all_gpus"])
def test_without_a_gpu_the_processor_computes(
    monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    strategy, sentence = hardware.choose_devices(device)
    assert strategy.num_replicas_in_sync == 1
    assert sentence.startswith("Processor")
    assert ("no GPU was found" in sentence) == ("gpu" in device)


@pytest.mark.parametrize(
    ("device", "used", "sentence"),
    [
        ("auto", ["a"], "a"),
        ("cpu", [], "Processor"),
        ("gpu:1", ["b"], "b"),
        # The worker shows TensorFlow only the run's own GPU, which is then the first.
        ("gpu:5", ["a"], "a"),
        ("all_gpus", ["a", "b"], "2 GPUs at once: a, b"),
    ],
)
def test_each_run_takes_the_gpus_it_was_given(
    device: str, used: list[str], sentence: str
) -> None:
    assert hardware._used(["a", "b"], device) == used
    assert hardware._words(device, used) == sentence


def test_tensorflow_sees_the_chosen_gpu_and_grows_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a", "b"])
    monkeypatch.setattr(hardware, "gpu_name", "GPU {}".format)
    monkeypatch.setattr(hardware, "strategy", lambda names: names)
    monkeypatch.setattr(
        tf.config, "set_visible_devices", lambda used, kind: calls.append((used, kind))
    )
    monkeypatch.setattr(
        tf.config.experimental,
        "set_memory_growth",
        lambda gpu, grows: calls.append((gpu, grows)),
    )
    assert hardware.choose_devices("gpu:1") == (["/GPU:0"], "GPU b")
    assert calls == [(["b"], "GPU"), ("b", True)]
    assert hardware.choose_devices("all_gpus")[0] == ["/GPU:0", "/GPU:1"]
    calls.clear()
    # The GPUs are hidden: TensorFlow would compute on the first.
    assert hardware.choose_devices("cpu") == ([], "Processor")
    assert calls == [([], "GPU")]


@pytest.mark.parametrize(
    ("model", "cores", "told", "threads"),
    [
        ("compact_resnet", 2, None, "1"),
        ("compact_resnet", 1, None, "1"),
        ("compact_resnet", 4, None, None),
        ("document_cnn", 2, None, None),
        ("compact_resnet", 2, "2", "2"),
    ],
)
def test_short_operations_on_few_cores_have_one_thread_each(
    model: str,
    cores: int,
    told: str | None,
    threads: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variable = "TF_NUM_INTRAOP_THREADS"
    monkeypatch.setenv(variable, told or "")
    if told is None:
        monkeypatch.delenv(variable)
    monkeypatch.setattr(hardware, "cores", lambda: cores)
    hardware.limit_threads(model)
    assert os.environ.get(variable) == threads
