import keras
import numpy as np
import pytest

from medmodel.core.preprocessing import Preprocessing
from medmodel.networks import models, precision


def test_half_precision_must_be_clearly_faster() -> None:
    choice = precision.fastest({"float32": 50.0, "mixed_bfloat16": 104.0})
    assert choice.policy == "mixed_bfloat16"
    assert choice.reason == (
        "mixed_bfloat16: 104 images/s in a short trial (float32 50)."
    )
    for rate, better in ((54.9, "float32"), (55.1, "mixed_bfloat16")):
        rates = {"float32": 50.0, "mixed_bfloat16": rate}
        assert precision.fastest(rates).policy == better
    slower = precision.fastest({"float32": 90.0, "mixed_bfloat16": 30.0})
    assert slower.policy == "float32"


@pytest.mark.parametrize(
    ("capability", "policies"),
    [
        ((6, 9), ["float32"]),
        ((7, 0), ["float32", "mixed_float16"]),
        ((7, 5), ["float32", "mixed_float16"]),
        ((8, 0), ["float32", "mixed_bfloat16", "mixed_float16"]),
        ((9, 0), ["float32", "mixed_bfloat16", "mixed_float16"]),
    ],
)
def test_a_gpu_tries_what_it_has_units_for(
    capability: tuple[int, int], policies: list[str]
) -> None:
    assert precision.candidates_for(capability) == policies


def test_a_processor_without_units_is_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "candidates", lambda: ["float32"])
    choice = precision.choose_precision(
        lambda: pytest.fail("nothing to try"), np.zeros((1, 28, 28, 3), np.uint8)
    )
    assert choice.policy == "float32"
    assert "no units" in choice.reason


def test_the_trial_leaves_the_policy_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def build() -> keras.Model:
        tried.append(keras.config.dtype_policy().name)
        return models.build_model("document_cnn", Preprocessing(28), 2)

    policies = ["float32", "mixed_bfloat16"]
    monkeypatch.setattr(precision, "candidates", lambda: policies)
    monkeypatch.setattr(precision, "SECONDS", 0.01)
    choice = precision.choose_precision(build, np.zeros((2, 28, 28, 3), np.uint8))
    assert tried == policies
    assert choice.policy in policies
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("machine", "flags", "policies"),
    [
        ("x86_64", "flags : sse avx512_bf16", ["float32", "mixed_bfloat16"]),
        ("x86_64", "flags : sse amx_bf16", ["float32", "mixed_bfloat16"]),
        ("x86_64", "flags : sse bf16", ["float32"]),
        ("aarch64", "Features : fp bf16", ["float32", "mixed_bfloat16"]),
        ("aarch64", "Features : fp asimd", ["float32"]),
    ],
)
def test_a_processor_tries_what_it_has_units_for(
    monkeypatch: pytest.MonkeyPatch, machine: str, flags: str, policies: list[str]
) -> None:
    monkeypatch.setattr(precision.tf.config, "list_logical_devices", lambda kind: [])
    monkeypatch.setattr(precision.platform, "machine", lambda: machine)
    monkeypatch.setattr(precision.Path, "exists", lambda path: True)
    monkeypatch.setattr(precision.Path, "read_text", lambda path, encoding: flags)
    assert precision.candidates() == policies


def test_a_gpu_tells_its_compute_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    config = precision.tf.config
    monkeypatch.setattr(config, "list_logical_devices", lambda kind: ["/GPU:0"])
    monkeypatch.setattr(config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(
        config.experimental,
        "get_device_details",
        lambda gpu: {"compute_capability": (7, 5)},
    )
    assert precision.candidates() == ["float32", "mixed_float16"]


def test_what_else_the_machine_does_disturbs_all_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, calls = 0.0, list[str]()

    def work(name: str, seconds: float) -> None:
        nonlocal now
        calls.append(name)
        # For the first ten calls others take three quarters of the machine.
        now += seconds * (4 if len(calls) <= 10 else 1)

    monkeypatch.setattr(precision.time, "perf_counter", lambda: now)
    steps = {
        "mixed_bfloat16": lambda: work("mixed_bfloat16", 0.01),
        "float32": lambda: work("float32", 0.02),
    }
    taken = precision.quickest(steps)
    assert taken == pytest.approx({"mixed_bfloat16": 0.01, "float32": 0.02})
    assert calls[:4] == ["mixed_bfloat16", "float32"] * 2


def test_each_is_timed_once_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "SECONDS", 0.0)
    assert set(precision.quickest({"a": list, "b": list})) == {"a", "b"}
