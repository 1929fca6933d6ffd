import keras
import numpy as np
import pytest

from medmodel.core.preprocessing import Preprocessing
from medmodel.networks import models, precision


def test_half_precision_must_be_clearly_faster() -> None:
    chosen, sentence = precision.fastest({"float32": 50.0, "mixed_bfloat16": 104.0})
    assert chosen == "mixed_bfloat16"
    assert sentence == ("mixed_bfloat16: 104 images/s in a short trial (float32 50).")
    assert precision.fastest({"float32": 50.0, "mixed_bfloat16": 54.0})[0] == "float32"
    assert precision.fastest({"float32": 90.0, "mixed_bfloat16": 30.0})[0] == "float32"


@pytest.mark.parametrize(
    ("capability", "policies"),
    [
        ((6, 1), ["float32"]),
        ((7, 5), ["float32", "mixed_float16"]),
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
    chosen, sentence = precision.choose_precision(
        lambda: pytest.fail("nothing to try"), np.zeros((1, 28, 28, 3), np.uint8)
    )
    assert chosen == "float32"
    assert "no units" in sentence


def test_the_trial_leaves_the_policy_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def build() -> keras.Model:
        tried.append(keras.config.dtype_policy().name)
        return models.build_model("document_cnn", Preprocessing(28), 2)

    policies = ["float32", "mixed_bfloat16"]
    monkeypatch.setattr(precision, "candidates", lambda: policies)
    monkeypatch.setattr(precision, "SECONDS", 0.01)
    chosen, _ = precision.choose_precision(build, np.zeros((2, 28, 28, 3), np.uint8))
    assert tried == policies
    assert chosen in policies
    assert keras.config.dtype_policy().name == "float32"
