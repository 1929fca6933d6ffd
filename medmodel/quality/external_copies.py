"""Copies of a model's own images among those of another folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medmodel.core import samples
from medmodel.core.errors import DataError
from medmodel.data.datasets import Index, index_dataset, load_index
from medmodel.quality import near_duplicates
from medmodel.runs.copies import ExternalCopies, has_near_copies
from medmodel.runs.run import Run
from medmodel.runs.tables.split import read_split

if TYPE_CHECKING:
    import pandas as pd


def find_external_copies(index: Index, model: Run) -> ExternalCopies:
    """Which images of a folder are copies of images in the model's own data set.

    Training, validation and test images count: a test on them is no external one.

    Args:
        index: Of the other folder.
        model: The run whose model is tested.
    """
    split_table = read_split(model) if model.split_path.exists() else None
    own_index = _own_index(model)
    own = None if own_index is None else _of_the_run(own_index.readable, split_table)
    digests = set() if own is None else set(own["digest"])
    # Those of runs without copies.csv may be of a version that counted them otherwise.
    comparable = split_table is not None and has_near_copies(model)
    if comparable and split_table is not None and "digest" in split_table:
        digests |= set(split_table["digest"])
    digests.discard("")
    if not digests:
        return ExternalCopies(None, None)
    rows = index.readable
    equal = rows["digest"].isin(digests)
    identical = sorted(rows.loc[equal, "path"])
    if own_index is None or own is None or not _all_there(own_index.folder, own):
        return ExternalCopies(identical, None)
    alike = near_duplicates.near_copies_between(
        (index.folder, rows[~equal]), (own_index.folder, own)
    )
    digest_of = dict(zip(rows["path"], rows["digest"], strict=True))
    near = rows["digest"].isin({digest_of[path] for path in alike}) & ~equal
    return ExternalCopies(identical, sorted(rows.loc[near, "path"]))


def _own_index(model: Run) -> Index | None:
    """Index of the model's own data set; None where that is gone."""
    folder = Path(model.config.dataset)
    if not model.config.dataset or not folder.is_dir():
        return None
    try:
        return load_index(folder, comparable=True) or index_dataset(folder)
    except DataError:  # what is there now is no data set any more
        return None


def _all_there(folder: Path, rows: pd.DataFrame) -> bool:
    """Whether no file was removed since it was indexed."""
    files = {samples.file_of(path) for path in rows["path"]}
    return all((folder / file).is_file() for file in files)


def _of_the_run(rows: pd.DataFrame, split_table: pd.DataFrame | None) -> pd.DataFrame:
    """Those that the run was made with, all where that is not known."""
    if split_table is None:
        return rows
    return rows[rows["path"].isin(split_table["path"])]
