"""MedMNIST: small public sets of medical images, written out as class folders.

Names, labels, counts, licences and checksums stand in `medmnist.json`, as in the
package medmnist 3.0.2 (github.com/MedMNIST/MedMNIST, medmnist/info.py); the files are
those of Zenodo record 10519652. ChestMNIST is not among them: its images have several
labels each.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt

from medmodel.core.errors import NPY_HEADER_ERRORS, DataError
from medmodel.core.job import UNATTENDED, Job
from medmodel.data.importing import BAD_ZIP, Imported, import_files, plain_name
from medmodel.imaging.images import png_bytes
from medmodel.language import N_, _

SIZES = (28, 64, 128, 224)
ADDRESS = "https://zenodo.org/records/10519652/files"
CITATION = (
    "Yang, J. et al.: MedMNIST v2 - A large-scale lightweight "
    "benchmark for 2D and 3D biomedical image classification. "
    "Scientific Data 10, 41 (2023). "
    "https://doi.org/10.1038/s41597-022-01721-8"
)
TRANSLATED = (
    N_("Chest X-rays of children, pneumonia or normal."),
    N_("Single normal blood cells under the microscope."),
    N_("Ultrasound of the breast, malignant or not."),
    N_("Pigmented skin lesions through a dermatoscope (HAM10000)."),
    N_("Optical coherence tomography of the retina."),
    N_("Stained tissue of colorectal cancer, nine kinds (NCT-CRC-HE-100K)."),
    N_("Fundus images, diabetic retinopathy in grades 0 to 4 (DeepDRiD)."),
    N_("CT of the abdomen, axial images cropped around one organ each (LiTS)."),
    N_("CT of the abdomen, coronal images cropped around one organ each (LiTS)."),
    N_("CT of the abdomen, sagittal images cropped around one organ each (LiTS)."),
    N_("Human kidney cortex cells, eight kinds (BBBC051)."),
    N_("CC BY-NC 4.0: not for commercial use"),
)
"""What `SETS` say in words, which are read from a file: no catalogue reads it."""
_SPLITS = ("train", "val", "test")
_BAD_FILE = (*BAD_ZIP, KeyError, *NPY_HEADER_ERRORS)


@dataclass(frozen=True)
class PublicSet:
    """One of the sets.

    Args:
        title: Its name.
        shows: What is in the images, and from where, in one sentence.
        classes: Names of the labels 0, 1, ...
        counts: Images for training, validation and test.
        channels: 1 for grey, 3 for colour.
        md5: Published checksum of the file of each of `SIZES`.
        licence: Under which it may be used.
    """

    title: str
    shows: str
    classes: tuple[str, ...]
    counts: tuple[int, int, int]
    channels: int
    md5: tuple[str, str, str, str]
    licence: str

    @property
    def key(self) -> str:
        """Its name as in file names."""
        return self.title.lower()

    def file(self, size: int) -> str:
        """Name of the file with images of this height and width in pixels."""
        return f"{self.key}.npz" if size == 28 else f"{self.key}_{size}.npz"

    def address(self, size: int) -> str:
        """Where the file is published, or its mirror that MEDMODEL_MEDMNIST names."""
        place = os.environ.get("MEDMODEL_MEDMNIST", "") or ADDRESS
        return f"{place.rstrip('/')}/{self.file(size)}?download=1"

    def most_bytes(self, size: int) -> int:
        """More bytes than the file can have: those of all pixels, and a little."""
        return sum(self.counts) * (size * size * self.channels + 16) + 2**20


def _public_sets() -> dict[str, PublicSet]:
    table = Path(__file__).with_name("medmnist.json").read_bytes()
    return {each.key: each for each in msgspec.json.decode(table, type=list[PublicSet])}


SETS = _public_sets()


def named(file: str) -> tuple[PublicSet, int] | None:
    """The set and the size that a file's name tells; None if it is another file."""
    match = re.fullmatch(r"([a-z]+mnist)(?:_(\d+))?(?: ?\(\d+\))?\.npz", file.lower())
    size = int(match[2] or 28) if match else 0
    if not match or match[1] not in SETS or size not in SIZES:
        return None
    return SETS[match[1]], size


def md5_of(path: Path) -> str:
    """The MD5 checksum of a file in hexadecimal digits."""
    with path.open("rb") as file:
        digest = hashlib.md5(usedforsecurity=False)
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()


def import_npz(path: Path, name: str, job: Job = UNATTENDED) -> Imported:
    """Writes a MedMNIST file out as a data set with train, val and test.

    Never more than one image is in memory, and nothing in the file is ever run.

    Args:
        path: The file.
        name: What it was called, such as `bloodmnist_64.npz`; classes of files that
            are not known are called by their numbers.
        job: Told ("importing", done, total) in images.

    Raises:
        DataError: It is no such file, damaged, or has several labels per image.
        OSError: The disk is full or fails.
    """
    public_set = named(name)
    title = plain_name(Path(name).stem)
    try:
        with zipfile.ZipFile(path) as archive:
            labels = {split: _labels(archive, split) for split in _SPLITS}
            total = sum(map(len, labels.values())) + 1
            files = _files(archive, labels, public_set, _origin(path, name, public_set))
            return import_files(files, title, total, job)
    except _BAD_FILE as error:
        raise DataError(
            _(
                "{name} cannot be read: it is no MedMNIST file, or damaged. Get it "
                "again.",
                name=name,
            )
        ) from error


def _files(
    archive: zipfile.ZipFile,
    labels: dict[str, npt.NDArray[Any]],
    public_set: tuple[PublicSet, int] | None,
    origin: str,
) -> Iterator[tuple[str, BinaryIO]]:
    yield "ORIGIN.txt", io.BytesIO(origin.encode())
    classes = public_set[0].classes if public_set else ()
    for split, numbers in labels.items():
        with archive.open(f"{split}_images.npy") as file:
            shape = _shape(file)
            if shape[0] != len(numbers):
                raise ValueError("more labels than images, or fewer")
            for at, number in enumerate(numbers.tolist()):
                pixels = np.frombuffer(_exactly(file, shape), np.uint8)
                label = classes[number] if number < len(classes) else str(number)
                place = f"{split}/{label}/{at:06d}.png"
                yield place, io.BytesIO(png_bytes(pixels.reshape(*shape[1:3], -1)))


def _labels(archive: zipfile.ZipFile, split: str) -> npt.NDArray[Any]:
    """The label of each image, (n,), whole numbers from 0."""
    with archive.open(f"{split}_labels.npy") as file:
        data = file.read(2**24)
    values = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    if values.ndim == 2 and values.shape[1] > 1:
        raise DataError(
            _(
                "This set has several labels per image, as ChestMNIST has: "
                "MedModel learns one class per image."
            )
        )
    if values.dtype.kind not in "iu" or values.ndim not in (1, 2) or values.min() < 0:
        raise ValueError("labels are no whole numbers")
    return values.reshape(-1)


def _shape(file: IO[bytes]) -> tuple[int, ...]:
    """Reads the header of an array of images: (n, height, width) or (n, h, w, 3)."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    flat = len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)
    # A negative side would mean to read all that is there.
    sides = flat and all(1 <= side <= 1024 for side in shape[1:3])
    if not sides or fortran or dtype != np.uint8:
        raise DataError(
            _("Only sets of flat images are read, grey or RGB with 8 bits.")
        )
    return tuple(int(n) for n in shape)


def _exactly(file: IO[bytes], shape: tuple[int, ...]) -> bytes:
    size = int(np.prod(shape[1:]))
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _origin(path: Path, name: str, public_set: tuple[PublicSet, int] | None) -> str:
    """What stands beside the images: whence, under which licence, whether genuine."""
    if public_set is None:
        return f"From the file {plain_name(name)}.\n"
    dataset, size = public_set
    genuine = md5_of(path) == dataset.md5[SIZES.index(size)]
    checked = "as published" if genuine else "NOT as published: it was changed"
    return (
        f"{dataset.title}, {size} x {size} pixels. {dataset.shows}\nLicence: "
        f"{dataset.licence}\nCite: {CITATION}\nand the data set it was made from.\n"
        f"Source: {ADDRESS}/{dataset.file(size)}\nChecksum (MD5): {checked}.\n"
    )
