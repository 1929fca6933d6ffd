"""Encoders of the weights folder: pretrained networks that somebody copied there.

Each is a file, ONNX or .keras, beside a description in JSON and the text of its
licence. Nothing is fetched, and nothing of a file is used before its SHA-256 was found
to be the one that the description gives.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from medmodel.core.environment import weights_folder
from medmodel.core.errors import FileError, WeightsError, os_reason
from medmodel.core.preprocessing import Fit
from medmodel.core.regular_files import open_regular
from medmodel.core.settings.network_names import ENCODER_PREFIX
from medmodel.core.storage import file_digest, read_as
from medmodel.data.prepared import OF_ENCODER
from medmodel.language import _

Output = Literal["pooled", "tokens", "map"]
SMALLEST_SIDE, LARGEST_SIDE = 16, 1024
"""Pixels of an encoder's input."""
_FORMATS = (".onnx", ".keras")
_PLAIN_NAME = re.compile(r"[0-9A-Za-z][\w.+ -]{0,120}")
_KEY = re.compile(r"[0-9A-Za-z][\w.-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Encoder:
    """A description, as its JSON file holds it.

    Args:
        name: What people call it.
        file: Name of its file in the same folder, ending in .onnx or .keras.
        sha256: Of that file, hexadecimal.
        licence: Name of the file with the text of its licence, in the same folder.
        size: Height and width of its input in pixels.
        mean: Of each channel, of values from 0 to 1: taken away from an image.
        std: Of each channel: an image is divided by it afterwards.
        channels: Of its input, 1 or 3; grey images are repeated for 3.
        resize: How images that are not square become so, see `Preprocessing`.
        layout: Of an ONNX encoder's input; .keras takes `"NHWC"`.
        output: Name of the output to read, of an ONNX encoder with several.
        features: What comes out: `"pooled"` (n, d), `"tokens"` (n, t, d) of a vision
            transformer, or `"map"`, with height and width.
        prefix_tokens: How many tokens stand before those of the image's patches: the
            class token and registers. Features are then the class token and the mean
            of the patches, side by side; with 0 the mean of all tokens.
        data: Name of each file with more of its weights (ONNX external data) -> its
            SHA-256.
    """

    name: str
    file: str
    sha256: str
    licence: str
    size: int
    mean: list[float]
    std: list[float]
    channels: int = 3
    resize: Fit = "pad"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    output: str = ""
    features: Output = "pooled"
    prefix_tokens: int = 1
    data: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_onnx(self) -> bool:
        """Whether ONNX Runtime computes it, without gradients."""
        return self.file.lower().endswith(".onnx")

    @property
    def fingerprint(self) -> str:
        """Names its features: other weights or another recipe, another one."""
        facts = (self.sha256, sorted(self.data.items()), self.size, self.mean, self.std)
        more = (self.channels, self.layout, self.output, self.features)
        text = repr((facts, more, self.prefix_tokens))
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def table(self) -> str:
        """Name of its features beside the prepared pixels."""
        return f"{OF_ENCODER}{self.fingerprint}"


@dataclass(frozen=True)
class EncoderEntry:
    """A description in the weights folder, whether it can be used or not.

    Args:
        key: Name of the description without its ending.
        encoder: What it says; None where that is wrong.
        problem: Why it cannot be used, as a sentence; else empty.
    """

    key: str
    encoder: Encoder | None
    problem: str = ""


def encoder_settings(encoder: Encoder, key: str) -> dict[str, Any]:
    """Settings of a training on an encoder, where they differ from the recipe's.

    Args:
        encoder: What it takes.
        key: Name of its description.
    """
    return {
        "model": f"{ENCODER_PREFIX}{key}",
        "training": "frozen",
        "size": 0,
        "fit": encoder.resize,
        "colour": "grey" if encoder.channels == 1 else "rgb",
    }


def list_encoders() -> list[EncoderEntry]:
    """All descriptions in the weights folder, by name; no large file is read."""
    return sorted(_entries(), key=lambda entry: entry.key)


def _entries() -> Iterator[EncoderEntry]:
    folder = weights_folder()
    try:
        names = [name for name in os.listdir(folder) if name.endswith(".json")]  # noqa: PTH208
    except OSError:  # there is none
        return
    for key in (name.removesuffix(".json") for name in names):
        encoder = None
        try:
            encoder = read_encoder(key)
            check_files(encoder)
        except WeightsError as error:
            yield EncoderEntry(key, encoder, str(error))
        else:
            yield EncoderEntry(key, encoder)


def read_encoder(key: str) -> Encoder:
    """The description of an encoder.

    Args:
        key: Its file's name without its ending.

    Raises:
        WeightsError: It is missing, or what it says cannot be.
    """
    path = weights_folder() / f"{key}.json"
    if not _KEY.fullmatch(key):
        raise WeightsError(
            _(
                "{file} cannot describe an encoder: name it with letters, digits, "
                "points and hyphens.",
                file=path.name[:80],
            )
        )
    try:
        encoder = read_as(path, Encoder)
    except FileError as error:
        raise WeightsError(str(error)) from error
    if encoder is None:
        raise WeightsError(
            _(
                "The description {file} of an encoder is not in {folder}: copy it "
                "there, with the encoder and the licence that it names.",
                file=path.name,
                folder=path.parent,
            )
        )
    for problem in _problems(encoder):
        raise WeightsError(
            _("The description {file}: {problem}", file=path.name, problem=problem)
        )
    return encoder


def _problems(encoder: Encoder) -> Iterator[str]:
    """What cannot be in a description, a sentence each."""
    if not 1 <= len(encoder.name.strip()) <= _LONGEST_NAME:
        yield _("“name” is empty or too long.")
    for name in (encoder.file, encoder.licence, *encoder.data):
        if not _PLAIN_NAME.fullmatch(name):
            yield _("{name!r} is no name of a file in the same folder.", name=name[:80])
    if not encoder.file.lower().endswith(_FORMATS):
        yield _("“file” must end in .onnx or .keras.")
    for digest in (encoder.sha256, *encoder.data.values()):
        if not _DIGEST.fullmatch(digest):
            yield _("A SHA-256 has 64 hexadecimal digits, in small letters.")
    if not SMALLEST_SIDE <= encoder.size <= LARGEST_SIDE:
        yield _(
            "“size” must lie between {smallest} and {largest} pixels.",
            smallest=SMALLEST_SIDE,
            largest=LARGEST_SIDE,
        )
    if encoder.channels not in (1, 3):
        yield _("“channels” must be 1 or 3.")
    values = [*encoder.mean, *encoder.std]
    lengths = {len(encoder.mean), len(encoder.std)}
    if lengths != {encoder.channels} or not all(map(math.isfinite, values)):
        yield _("“mean” and “std” hold a number for each channel.")
    if any(value <= 0 for value in encoder.std):
        yield _("“std” must be above 0.")
    if not 0 <= encoder.prefix_tokens <= 64:
        yield _("“prefix_tokens” must lie between 0 and 64.")
    if not encoder.is_onnx and (encoder.layout == "NCHW" or encoder.data):
        yield _("A .keras file takes the layout NHWC, and holds all of its weights.")


def check_files(encoder: Encoder) -> None:
    """Whether all files of an encoder are there; none of them is read.

    Raises:
        WeightsError: One is missing; the message says what to copy where.
    """
    folder = weights_folder()
    digests = {encoder.file: encoder.sha256, **encoder.data}
    for name, digest in digests.items():
        if not (folder / name).is_file():
            raise missing_file(encoder, name, digest)
    licence = folder / encoder.licence
    if not licence.is_file() or not licence.stat().st_size:
        raise WeightsError(
            _(
                "The encoder {name} has no text of its licence: copy it into {folder} "
                "as {file}.",
                name=encoder.name,
                folder=folder,
                file=encoder.licence,
            )
        )


def missing_file(encoder: Encoder, name: str, digest: str) -> WeightsError:
    """The error of a file that is not there."""
    return WeightsError(
        _(
            "The file {file} of the encoder {name} is not in {folder}: copy it there "
            "(SHA-256 {digest}).",
            file=name,
            name=encoder.name,
            folder=weights_folder(),
            digest=digest,
        )
    )


def _altered_file(encoder: Encoder, name: str, digest: str) -> WeightsError:
    return WeightsError(
        _(
            "{file} in {folder} is not the file of the encoder {name} any more: its "
            "SHA-256 is not {digest}. Copy the right file there.",
            file=name,
            folder=weights_folder(),
            name=encoder.name,
            digest=digest,
        )
    )


def encoder_content(encoder: Encoder, most: int) -> bytes:
    """The encoder's file, which is the one that its description names.

    Args:
        encoder: The encoder.
        most: Bytes that the file may have.

    Raises:
        WeightsError: It is missing, too large, cannot be read, or is another one.
    """
    try:
        with open_regular(weights_folder() / encoder.file) as file:
            content = file.read(most + 1)
    except FileNotFoundError as error:
        raise missing_file(encoder, encoder.file, encoder.sha256) from error
    except OSError as error:
        raise _unreadable(encoder.file, error) from error
    if len(content) > most:
        reason = _("The model is too large.")
        raise WeightsError(
            _("The encoder {name}: {reason}", name=encoder.name, reason=reason)
        )
    if hashlib.sha256(content).hexdigest() != encoder.sha256:
        raise _altered_file(encoder, encoder.file, encoder.sha256)
    return content


def check_digest(encoder: Encoder, name: str) -> Path:
    """A file of an encoder, after its SHA-256 was found to be the one described.

    Args:
        encoder: The encoder.
        name: Of its file, or of one with more of its weights.

    Raises:
        WeightsError: It is missing, cannot be read, is another one, or the description
            gives no SHA-256 of it.
    """
    digest = {encoder.file: encoder.sha256, **encoder.data}.get(name)
    if digest is None:
        raise WeightsError(
            _(
                "The encoder {name} has weights in {file}, whose SHA-256 its "
                "description does not give: add it under “data”.",
                name=encoder.name,
                file=name[:80],
            )
        )
    path = weights_folder() / name
    try:
        if file_digest(path) != digest:
            raise _altered_file(encoder, name, digest)
    except FileNotFoundError as error:
        raise missing_file(encoder, name, digest) from error
    except OSError as error:
        raise _unreadable(name, error) from error
    return path


def _unreadable(name: str, error: OSError) -> WeightsError:
    return WeightsError(
        _("{file} cannot be read: {reason}.", file=name, reason=os_reason(error))
    )
