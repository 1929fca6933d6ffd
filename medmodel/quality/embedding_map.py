"""Map of a data set: every image a point, similar images near each other.

The features are those of the pretrained network, brought to two dimensions by t-SNE
(van der Maaten and Hinton 2008) after PCA. Only neighbourhoods mean something; the
distance between far groups, and the axes, do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DECODER_ERRORS, NPY_HEADER_ERRORS
from medmodel.core.processes.background import BackgroundTask, TaskState
from medmodel.core.regular_files import open_regular
from medmodel.core.storage import replacing
from medmodel.data.datasets import index_folder
from medmodel.language import N_, _, translate
from medmodel.quality.issues import Issue

if TYPE_CHECKING:
    import pandas as pd

MOST_POINTS = 20_000
"""Images on a map; of more a part is drawn at random."""
SEED = 0
_DIMENSIONS = 50
_PERPLEXITY = 30.0
FILE_NAME = "map.npz"
UNKNOWN = N_("unknown")
_SPLITS = (N_("train"), N_("val"), N_("test"), N_("drawn"))
"""Of images that the index does not know any more."""


@dataclass(frozen=True)
class EmbeddingMap:
    """Where each image lies on the map.

    Args:
        fingerprint: `Index.fingerprint` of the data set that was mapped.
        paths: The images, as in the index.
        places: Shape `(n, 2)`, each coordinate in [-1, 1].
    """

    fingerprint: str
    paths: list[str]
    places: NDArray[np.float32]


def project(features: NDArray[Any], seed: int = SEED) -> NDArray[np.float32]:
    """Two dimensions of features: PCA, then t-SNE where there are enough images.

    Args:
        features: Shape `(n, d)`, finite.
        seed: The same seed, the same map, on the same machine.

    Returns:
        Shape `(n, 2)`, each coordinate in [-1, 1] around 0.
    """
    values = np.asarray(features, np.float32)
    values = values - values.mean(axis=0)
    spread = values.std(axis=0)
    values = values[:, spread > 0] / spread[spread > 0]
    places = np.zeros((len(values), 2), np.float32)
    if len(values) < 3 or not values.shape[1]:
        places[:, 0] = np.arange(len(values))
        return _within_one(places)
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    dimensions = min(_DIMENSIONS, len(values) - 1, values.shape[1])
    reduced = PCA(dimensions, random_state=seed).fit_transform(values)
    if len(values) < 5:
        places[:, : min(2, dimensions)] = reduced[:, :2]
        return _within_one(places)
    perplexity = min(_PERPLEXITY, (len(values) - 1) / 3)
    projection = TSNE(
        perplexity=perplexity,
        # Its own start needs two dimensions.
        init="pca" if dimensions > 1 else "random",
        random_state=seed,
    )
    return _within_one(projection.fit_transform(reduced))


def _within_one(places: NDArray[Any]) -> NDArray[np.float32]:
    centred = places - (places.max(axis=0) + places.min(axis=0)) / 2
    largest = float(np.abs(centred).max())
    return (centred / largest if largest else centred).astype(np.float32)


def mapped_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The images that a map shows: all, or as many as it can, drawn at random."""
    if len(table) <= MOST_POINTS:
        return table.reset_index(drop=True)
    drawn = np.random.default_rng(SEED).permutation(len(table))[:MOST_POINTS]
    return table.iloc[np.sort(drawn)].reset_index(drop=True)


def map_task(folder: Path) -> BackgroundTask:
    """The background task that makes the map of a data set."""
    place = index_folder(folder)
    return BackgroundTask(
        # A process of its own: it loads TensorFlow, which no page does.
        arguments=("medmodel.inference.embedding", str(folder)),
        state_path=place / "map.json",
        lock_path=place / "map.lock",
        log_path=place / "map.txt",
        interrupted=N_(
            "The map was not finished: its process was killed, or the machine "
            "went down. Start it again; images that were read are kept."
        ),
        unusable=N_("The workspace or the folder cannot be used"),
        folder=str(folder),
    )


def start_map(folder: Path) -> None:
    """Starts making the map, unless that is running already."""
    map_task(folder.resolve()).start()


def map_state(folder: Path) -> TaskState:
    """How far the map is."""
    return map_task(folder.resolve()).state()


def save_map(folder: Path, made: EmbeddingMap) -> None:
    """Writes the map of a data set, entirely or not at all."""
    with replacing(index_folder(folder) / FILE_NAME, "wb") as file:
        np.savez(
            file,
            fingerprint=np.array(made.fingerprint),
            paths=np.array(made.paths, dtype=str),
            places=made.places,
        )


def load_map(folder: Path) -> EmbeddingMap | None:
    """The map of a data set; None where there is none, or it is damaged."""
    path = index_folder(folder) / FILE_NAME
    try:
        with open_regular(path) as raw, np.load(raw, allow_pickle=False) as arrays:
            return _checked(dict(arrays))
    except (*DECODER_ERRORS, *NPY_HEADER_ERRORS, BadZipFile):
        return None  # It can be made again.


def _checked(arrays: Mapping[str, NDArray[Any]]) -> EmbeddingMap | None:
    paths, places = arrays["paths"], arrays["places"]
    if places.shape != (len(paths), 2) or not np.isfinite(places).all():
        return None
    return EmbeddingMap(
        str(arrays["fingerprint"]),
        [str(path) for path in paths],
        places.astype(np.float32),
    )


def colourings(
    paths: Sequence[str], table: pd.DataFrame, issues: Sequence[Issue]
) -> dict[str, list[str]]:
    """What the points can be coloured by: title -> a name for each.

    Args:
        paths: The images of a map.
        table: Columns `path, label, split, format, width, height` of an index.
        issues: What the check found; an image has the name of the gravest that it is
            part of.

    The titles are English, for `_`; what a point belongs to is in the language of
    the page.
    """
    rows = table.drop_duplicates("path").set_index("path").reindex(list(paths))
    known = rows["label"].notna()
    unknown, none = _(UNKNOWN), _("none")
    sizes = [
        f"{form}, {width:g} × {height:g}" if present else unknown
        for form, width, height, present in zip(
            rows["format"], rows["width"], rows["height"], known, strict=True
        )
    ]
    splits = rows["split"].replace("", "drawn")
    finding: dict[str, str] = {}
    for issue in issues:
        for path in (path for group in issue.groups for path in group):
            finding.setdefault(path, translate(issue.title))
    return {
        N_("Class"): rows["label"].fillna(unknown).tolist(),
        N_("Split"): [_(split) for split in splits.fillna(UNKNOWN)],
        N_("Finding"): [finding.get(path, none) for path in paths],
        N_("Source (format, size)"): sizes,
    }


def prediction_colourings(
    paths: Sequence[str], predictions: pd.DataFrame
) -> dict[str, list[str]]:
    """The same by what a run said of its test images.

    Args:
        paths: The images of a map.
        predictions: Columns `path, label, choice` of the test images.
    """
    rows = predictions.drop_duplicates("path").set_index("path").reindex(list(paths))
    tested = rows["label"].notna()
    right = rows["label"] == rows["choice"]
    verdict = np.where(right, _("correct"), _("misclassified"))
    untested = _("not in the test")
    return {
        N_("Error"): np.where(tested, verdict, untested).tolist(),
        N_("Predicted class"): rows["choice"].fillna(untested).tolist(),
    }
