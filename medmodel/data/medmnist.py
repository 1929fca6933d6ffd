"""MedMNIST: small public sets of medical images, written out as class folders.

Names, labels, counts, licences and checksums are those of the package medmnist 3.0.2
(github.com/MedMNIST/MedMNIST, medmnist/info.py), the files those of Zenodo record
10519652. ChestMNIST is not among them: its images have several labels each.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from medmodel.core.config import Progress
from medmodel.core.errors import DataError
from medmodel.data.importing import Imported, import_files, plain_name
from medmodel.imaging.images import png_bytes

SIZES = (28, 64, 128, 224)
ADDRESS = "https://zenodo.org/records/10519652/files"
CITATION = (
    "Yang, J. et al.: MedMNIST v2 - A large-scale lightweight benchmark for 2D and 3D "
    "biomedical image classification. Scientific Data 10, 41 (2023). "
    "https://doi.org/10.1038/s41597-022-01721-8"
)
_SPLITS = ("train", "val", "test")
_BY = "CC BY 4.0"
_ORGANS = (
    *("bladder", "femur-left", "femur-right", "heart", "kidney-left", "kidney-right"),
    *("liver", "lung-left", "lung-right", "pancreas", "spleen"),
)
_BAD_FILE = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    KeyError,
    EOFError,
    OverflowError,
    MemoryError,
    SyntaxError,
)


@dataclass(frozen=True)
class PublicSet:
    """One of the sets.

    Args:
        title: Its name.
        shows: What is in the pictures, and from where, in one sentence.
        classes: Names of the labels 0, 1, ...
        counts: Pictures for training, validation and test.
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
    licence: str = _BY

    @property
    def key(self) -> str:
        """Its name as in file names."""
        return self.title.lower()

    def file(self, size: int) -> str:
        """Name of the file with pictures of this height and width in pixels."""
        return f"{self.key}.npz" if size == 28 else f"{self.key}_{size}.npz"

    def address(self, size: int) -> str:
        """Where the file is published, or its mirror that MEDMODEL_MEDMNIST names."""
        place = os.environ.get("MEDMODEL_MEDMNIST", "") or ADDRESS
        return f"{place.rstrip('/')}/{self.file(size)}?download=1"

    def most_bytes(self, size: int) -> int:
        """More bytes than the file can have: those of all pixels, and a little."""
        return sum(self.counts) * (size * size * self.channels + 16) + 2**20


def _organ(view: str, counts: tuple[int, int, int], *md5: str) -> PublicSet:
    shows = f"CT of the abdomen, {view} pictures cut out around one organ each (LiTS)."
    title = f"Organ{view[0].upper()}MNIST"
    one, two, three, four = md5
    return PublicSet(title, shows, _ORGANS, counts, 1, (one, two, three, four))


_ALL = [
    PublicSet(
        "PneumoniaMNIST",
        "Chest X-rays of children, pneumonia or normal.",
        ("normal", "pneumonia"),
        (4708, 524, 624),
        1,
        (
            "28209eda62fecd6e6a2d98b1501bb15f",
            "8f4eceb4ccffa70c672198ea285246c6",
            "05b46931834c231683c68f40c47b2971",
            "d6a3c71de1b945ea11211b03746c1fe1",
        ),
    ),
    PublicSet(
        "BloodMNIST",
        "Single normal blood cells under the microscope.",
        (
            *("basophil", "eosinophil", "erythroblast"),
            "immature granulocytes(myelocytes, metamyelocytes and promyelocytes)",
            *("lymphocyte", "monocyte", "neutrophil", "platelet"),
        ),
        (11959, 1712, 3421),
        3,
        (
            "7053d0359d879ad8a5505303e11de1dc",
            "2b94928a2ae4916078ca51e05b6b800b",
            "adace1e0ed228fccda1f39692059dd4c",
            "b718ff6835fcbdb22ba9eacccd7b2601",
        ),
    ),
    PublicSet(
        "BreastMNIST",
        "Ultrasound of the breast, malignant or not.",
        ("malignant", "normal, benign"),
        (546, 78, 156),
        1,
        (
            "750601b1f35ba3300ea97c75c52ff8f6",
            "742edef2a1fd1524b2efff4bd7ba9364",
            "363e4b3f8d712e9b5de15470a2aaadf1",
            "b56378a6eefa9fed602bb16d192d4c8b",
        ),
    ),
    PublicSet(
        "DermaMNIST",
        "Pigmented skin lesions through a dermatoscope (HAM10000).",
        (
            "actinic keratoses and intraepithelial carcinoma",
            "basal cell carcinoma",
            "benign keratosis-like lesions",
            "dermatofibroma",
            "melanoma",
            "melanocytic nevi",
            "vascular lesions",
        ),
        (7007, 1003, 2005),
        3,
        (
            "0744692d530f8e62ec473284d019b0c7",
            "b70a2f5635c6199aeaa28c31d7202e1f",
            "2defd784463fa5243564e855ed717de1",
            "8974907d8e169bef5f5b96bc506ae45d",
        ),
        "CC BY-NC 4.0: not for commercial use",
    ),
    PublicSet(
        "OCTMNIST",
        "Optical coherence tomography of the retina.",
        ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
        (97477, 10832, 1000),
        1,
        (
            "c68d92d5b585d8d81f7112f81e2d0842",
            "e229e9440236b774d9f0dfef9d07bdaf",
            "0a97e76651ace45c5d943ee3f65b63ae",
            "abc493b6d529d5de7569faaef2773ba3",
        ),
    ),
    PublicSet(
        "PathMNIST",
        "Stained tissue of colorectal cancer, nine kinds (NCT-CRC-HE-100K).",
        (
            *("adipose", "background", "debris", "lymphocytes", "mucus"),
            *("smooth muscle", "normal colon mucosa", "cancer-associated stroma"),
            "colorectal adenocarcinoma epithelium",
        ),
        (89996, 10004, 7180),
        3,
        (
            "a8b06965200029087d5bd730944a56c1",
            "55aa9c1e0525abe5a6b9d8343a507616",
            "ac42d08fb904d92c244187169d1fd1d9",
            "2c51a510bcdc9cf8ddb2af93af1eadec",
        ),
    ),
    PublicSet(
        "RetinaMNIST",
        "Fundus pictures, diabetic retinopathy in grades 0 to 4 (DeepDRiD).",
        ("0", "1", "2", "3", "4"),
        (1080, 120, 400),
        3,
        (
            "bd4c0672f1bba3e3a89f0e4e876791e4",
            "afda852cc34dcda56f86ad2b2457dbcc",
            "e48e916a24454daf90583d4e6efb1a18",
            "eae7e3b6f3fcbda4ae613ebdcbe35348",
        ),
    ),
    _organ(
        "axial",
        (34561, 6491, 17778),
        "68e3f8846a6bd62f0c9bf841c0d9eacc",
        "2dcccc29b88e6da5a01161ef20cda288",
        "eeae80d0a227a8d099027e1b3cfd3b60",
        "50747347e05c87dd3aaf92c49f9f3170",
    ),
    _organ(
        "coronal",
        (12975, 2392, 8216),
        "b9ceb9546e10131b32923c5bbeaea2b1",
        "3ce34a8724ea6f548e6db4744d03b6a9",
        "773c1f009daa3fe5d9a2a201b2a7ed94",
        "050f5e875dc056f6768abf94ec9995d1",
    ),
    _organ(
        "sagittal",
        (13932, 2452, 8827),
        "9ab87b696fb54e2a387ebe992d6ed5f1",
        "53a6d115339d874c25e309a994ff46d3",
        "ded0c5fa01a95dc4978b956f613e9b8e",
        "b354719e553fbbb2513d5533f52a4cb1",
    ),
    PublicSet(
        "TissueMNIST",
        "Human kidney cortex cells, eight kinds (BBBC051).",
        (
            "Collecting Duct, Connecting Tubule",
            "Distal Convoluted Tubule",
            "Glomerular endothelial cells",
            "Interstitial endothelial cells",
            "Leukocytes",
            "Podocytes",
            "Proximal Tubule Segments",
            "Thick Ascending Limb",
        ),
        (165466, 23640, 47280),
        1,
        (
            "ebe78ee8b05294063de985d821c1c34b",
            "123ece2eba09d0aa5d698fda57103344",
            "61b955355d7425a89687b06cca3ce0c2",
            "b077128c4a949f0a4eb01517f9037b9c",
        ),
    ),
]
SETS: dict[str, PublicSet] = {found.key: found for found in _ALL}


def named(file: str) -> tuple[PublicSet, int] | None:
    """The set and the size that a file's name tells; None if it is another file."""
    found = re.fullmatch(r"([a-z]+mnist)(?:_(\d+))?(?: ?\(\d+\))?\.npz", file.lower())
    size = int(found[2] or 28) if found else 0
    if not found or found[1] not in SETS or size not in SIZES:
        return None
    return SETS[found[1]], size


def md5_of(path: Path) -> str:
    """The MD5 checksum of a file in hexadecimal digits."""
    with path.open("rb") as file:
        digest = hashlib.md5(usedforsecurity=False)
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()


def import_npz(path: Path, name: str, progress: Progress | None = None) -> Imported:
    """Writes a MedMNIST file out as a data set with train, val and test.

    Never more than one picture is in memory, and nothing in the file is ever run.

    Args:
        path: The file.
        name: What it was called, such as `bloodmnist_64.npz`; classes of files that
            are not known are called by their numbers.
        progress: Told ("importing", done, total) in pictures.

    Raises:
        DataError: It is no such file, damaged, or has several labels per picture.
        OSError: The disk is full or fails.
    """
    known = named(name)
    title = plain_name(Path(name).stem)
    try:
        with zipfile.ZipFile(path) as archive:
            labels = {split: _labels(archive, split) for split in _SPLITS}
            total = sum(map(len, labels.values())) + 1
            files = _files(archive, labels, known, _origin(path, name, known))
            return import_files(files, title, total, progress)
    except _BAD_FILE as error:
        raise DataError(
            f"{name} cannot be read: it is no MedMNIST file, or damaged. Get it again."
        ) from error


def _files(
    archive: zipfile.ZipFile,
    labels: dict[str, npt.NDArray[Any]],
    known: tuple[PublicSet, int] | None,
    origin: str,
) -> Iterator[tuple[str, BinaryIO]]:
    yield "ORIGIN.txt", io.BytesIO(origin.encode())
    classes = known[0].classes if known else ()
    for split, numbers in labels.items():
        with archive.open(f"{split}_images.npy") as file:
            shape = _shape(file)
            if shape[0] != len(numbers):
                raise ValueError("more labels than pictures, or fewer")
            for at, number in enumerate(numbers.tolist()):
                pixels = np.frombuffer(_exactly(file, shape), np.uint8)
                label = classes[number] if number < len(classes) else str(number)
                place = f"{split}/{label}/{at:06d}.png"
                yield place, io.BytesIO(png_bytes(pixels.reshape(*shape[1:3], -1)))


def _labels(archive: zipfile.ZipFile, split: str) -> npt.NDArray[Any]:
    """The label of each picture, (n,), whole numbers from 0."""
    with archive.open(f"{split}_labels.npy") as file:
        data = file.read(2**24)
    found = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    if found.ndim == 2 and found.shape[1] > 1:
        raise DataError(
            "This set has several labels per picture, as ChestMNIST has: MedModel "
            "learns one class per picture."
        )
    if found.dtype.kind not in "iu" or found.ndim not in (1, 2) or found.min() < 0:
        raise ValueError("labels are no whole numbers")
    return found.reshape(-1)


def _shape(file: IO[bytes]) -> tuple[int, ...]:
    """Reads the header of an array of pictures: (n, height, width) or (n, h, w, 3)."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    flat = len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)
    # A negative side would mean to read all that is there.
    sides = flat and all(1 <= side <= 1024 for side in shape[1:3])
    if not sides or fortran or dtype != np.uint8:
        raise DataError("Only sets of flat pictures are read, grey or RGB with 8 bits.")
    return tuple(int(n) for n in shape)


def _exactly(file: IO[bytes], shape: tuple[int, ...]) -> bytes:
    size = int(np.prod(shape[1:]))
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _origin(path: Path, name: str, known: tuple[PublicSet, int] | None) -> str:
    """What stands beside the pictures: whence, under which licence, whether genuine."""
    if known is None:
        return f"From the file {plain_name(name)}.\n"
    found, size = known
    genuine = md5_of(path) == found.md5[SIZES.index(size)]
    checked = "as published" if genuine else "NOT as published: it was changed"
    return (
        f"{found.title}, {size} x {size} pixels. {found.shows}\nLicence: "
        f"{found.licence}\nCite: {CITATION}\nand the data set it was made from.\n"
        f"Source: {ADDRESS}/{found.file(size)}\nChecksum (MD5): {checked}.\n"
    )
