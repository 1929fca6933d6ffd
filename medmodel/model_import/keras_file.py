"""Keras files as data: the graph of layers, and arrays by name; nothing is run.

A .keras file is a ZIP of config.json and an HDF5 file, and an older .h5 holds the same
config as an attribute. HDF5 itself can point to other files (external links, external
storage, virtual data sets), which are refused.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import h5py

from medmodel.core.errors import DataError
from medmodel.language import _
from medmodel.model_import.keras_config import DEEPEST, check_config

MOST_WEIGHTS = 2 * 2**30
"""Bytes of all arrays together, unpacked."""
LARGEST_CONFIG = 32 * 2**20


@dataclass(frozen=True)
class KerasFile:
    """A model's graph, and in what it was written.

    Args:
        config: As Keras writes it: class_name and config with layers.
        native: Whether it is a .keras file.
        version: Of the Keras that wrote it; "" if unknown.
        metadata: medmodel.json inside it, or None.
    """

    config: dict[str, Any]
    native: bool
    version: str = ""
    metadata: dict[str, Any] | None = None


def read_keras_file(path: Path) -> KerasFile:
    """Reads and checks the graph of a .keras or .h5 file.

    Raises:
        DataError: It is damaged, too large, holds weights alone, or a layer that is
            refused, which is named.
    """
    try:
        file = _read_native(path) if zipfile.is_zipfile(path) else _read_hdf5(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, RuntimeError) as error:
        raise DataError(_("{file} is damaged.", file=path.name)) from error
    check_config(file.config)
    return file


def _read_native(path: Path) -> KerasFile:
    with zipfile.ZipFile(path) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        allowed = {"config.json", "metadata.json", "model.weights.h5", "medmodel.json"}
        others = sorted(name for name in set(sizes) - allowed if not name.endswith("/"))
        if others:
            raise DataError(
                _("It holds more than a model: {name}. It is not read.", name=others[0])
            )
        if sum(sizes.values()) > MOST_WEIGHTS or len(sizes) < len(archive.infolist()):
            raise DataError(_("The model is too large, or its archive is odd."))
        config = json.loads(_bounded(archive, "config.json"))
        facts = _dictionary(json.loads(_bounded(archive, "metadata.json")))
        own = None
        if "medmodel.json" in sizes:
            own = json.loads(_bounded(archive, "medmodel.json"))
        with archive.open("model.weights.h5") as weights:
            _check_hdf5(io.BytesIO(weights.read(MOST_WEIGHTS)))
    version = str(facts.get("keras_version") or "")
    return KerasFile(_dictionary(config), True, version, own)


def _bounded(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        content = file.read(LARGEST_CONFIG + 1)
    if len(content) > LARGEST_CONFIG:
        raise DataError(_("The model is too large, or its archive is odd."))
    return content


def _read_hdf5(path: Path) -> KerasFile:
    with path.open("rb") as opened:
        _check_hdf5(opened)
    with h5py.File(path, "r") as file:
        config = file.attrs.get("model_config")
        if config is None:
            raise DataError(
                _(
                    "{file} holds weights without the network that they belong to. "
                    "Save the whole model: model.save(...).",
                    file=path.name,
                )
            )
        text = config.decode() if isinstance(config, bytes) else str(config)
        version = file.attrs.get("keras_version", "")
        said = version.decode() if isinstance(version, bytes) else str(version)
    return KerasFile(_dictionary(json.loads(text)), False, said)


def _dictionary(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not the config of a model")
    return value


def _check_hdf5(opened: IO[bytes]) -> None:
    """Refuses what points to another file, and more than memory is there for.

    Raises:
        DataError: It does.
    """
    with h5py.File(opened, "r") as file:
        bytes_left = MOST_WEIGHTS
        for dataset in _datasets(file, 0):
            if dataset.external or dataset.is_virtual:
                raise DataError(
                    _("Its weights lie in another file, which is not opened.")
                )
            bytes_left -= int(dataset.nbytes)
            if bytes_left < 0:
                raise DataError(_("The model is too large, or its archive is odd."))


def _datasets(group: h5py.Group, depth: int) -> Iterator[h5py.Dataset]:
    if depth > 4 * DEEPEST:
        raise DataError(_("The model is too large, or its archive is odd."))
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise DataError(_("Its weights lie in another file, which is not opened."))
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _datasets(item, depth + 1)
        elif isinstance(item, h5py.Dataset):
            yield item
