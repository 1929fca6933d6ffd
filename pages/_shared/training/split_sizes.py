"""Which classes will have too few images to learn from, or to judge by."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from medmodel.core.config import TrainConfig
from medmodel.core.errors import ConfigError, DataError
from medmodel.data.datasets import Index, load_index
from medmodel.data.layout import read_layout
from medmodel.data.multi_label.findings import row_per_finding
from medmodel.data.multi_label.sample_size import findings_warnings
from medmodel.data.sample_size import (
    SMALL_DATASET,
    class_counts,
    dataset_warnings,
    folder_warnings,
)
from medmodel.data.splits import assign_splits
from medmodel.language import SOURCE, _, join_sentences, ngettext, speaking, translate
from medmodel.quality import report_store
from pages._shared.common.words import plain
from pages._shared.training.known_files import files_of

_SPLIT_SETTINGS = (
    "seed",
    "val_fraction",
    "test_fraction",
    "patient_pattern",
    "folds",
)


@st.cache_data(max_entries=16, show_spinner=False)
def small_splits(
    folder: str, fingerprint: str, settings: dict[str, Any]
) -> tuple[str, ...]:
    """What the data set is too small for as it would be split, in English.

    Args:
        folder: The data set.
        fingerprint: Of its last check.
        settings: Those of a `TrainConfig` that decide on the splits.
    """
    index = load_index(Path(folder))
    if index is None:
        return ()
    # It is kept for all sessions.
    with speaking(SOURCE):
        return _small_splits(index, TrainConfig(dataset=folder, **settings))


def _small_splits(index: Index, config: TrainConfig) -> tuple[str, ...]:
    folds = max(1, config.folds)
    for fold in range(1, folds + 1):
        splits = replace(config, fold=fold)
        try:
            few = _size_warnings(index, assign_splits(index, splits))
        except (DataError, ConfigError) as error:
            return (str(error),)
        if few and folds > 1:
            return (_("Fold {fold} of {folds}:", fold=fold, folds=folds), *few)
        if few:
            return tuple(few)
    return ()


def _size_warnings(index: Index, table: pd.DataFrame) -> list[str]:
    if not index.multi_label:
        return dataset_warnings(class_counts(table))
    images = {str(split): n for split, n in table["split"].value_counts().items()}
    return findings_warnings(class_counts(row_per_finding(table)), images)


@st.cache_data(max_entries=256, ttl=60, show_spinner=False)
def missing_in_splits(folder: str) -> tuple[str, ...]:
    """What the folder's own splits lack, as far as names of files tell."""
    try:
        read = read_layout(Path(folder))
    except DataError:
        return ()
    counts: dict[str, Counter[str]] = {}
    if read.findings:  # of which the check says what is missing
        return ()
    for file in read.files:
        counts.setdefault(file.label, Counter())[file.split] += 1
    return tuple(folder_warnings(counts)) if len(counts) > 1 else ()


def show_small_splits(folder: Path, config: TrainConfig) -> None:
    """Says before training which classes will have no image to judge by."""
    report = report_store.load_report(folder)
    if report is None:
        files = len(files_of(str(folder))[0])
        few: tuple[str, ...] = ()
        if files < SMALL_DATASET:
            few = (
                ngettext(
                    "Only {count:,} file: if each holds one image, too few to learn "
                    "from or to judge by.",
                    "Only {count:,} files: if each holds one image, too few to learn "
                    "from or to judge by.",
                    files,
                ),
            )
        few += missing_in_splits(str(folder))
    else:
        settings = {name: getattr(config, name) for name in _SPLIT_SETTINGS}
        with st.spinner(_("Splitting the images…")):
            few = small_splits(str(folder), report.fingerprint, settings)
    if few:
        text = join_sentences(map(translate, few))
        st.warning(plain(text), icon=":material/warning:")
