"""External validation of several findings: what another folder says of its images.

Only findings that the other folder tells of every image are tested. One of which it
says nothing is unknown there, not absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.data.datasets import load_index
from medmodel.data.layout import read_layout
from medmodel.data.multi_label.findings import (
    indicators,
    join_findings,
    split_findings,
)
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.tables.findings import (
    IMAGE_COLUMNS,
    read_findings,
    truth_and_score,
    write_findings,
)
from medmodel.runs.tables.predictions import SAMPLE_COLUMNS
from medmodel.runs.tables.split import write_split

if TYPE_CHECKING:
    import pandas as pd


def folder_findings(folder: Path) -> list[str]:
    """The findings that a folder tells of each image, sorted.

    Raises:
        DataError: It tells one class of each, or its files cannot be told.
    """
    index = load_index(folder)
    if index is not None:
        check_several(index.multi_label, folder)
        return index.classes
    layout = read_layout(folder)
    check_several(bool(layout.findings), folder)
    return list(layout.findings)


def check_several(multi_label: bool, folder: Path) -> None:
    """Refuses a folder that says nothing of most findings.

    Raises:
        DataError: It tells one class of each image.
    """
    if not multi_label:
        raise DataError(
            _(
                "{folder} tells one class of each image, and nothing of the other "
                "findings: a model of several findings is tested where a table tells "
                "of each image which it has.",
                folder=folder.name,
            )
        )


def mapped_label(label: str, mapping: Mapping[str, str]) -> str:
    """A label under the model's findings.

    Args:
        label: As from `join_findings`, of the other folder.
        mapping: Finding there -> finding of the model; others do not count.
    """
    names = {mapping[name] for name in split_findings(label) if mapping.get(name)}
    return join_findings(sorted(names))


def tested_findings(findings: Sequence[str], mapping: Mapping[str, str]) -> list[str]:
    """The model's findings of which the other folder tells, in the model's order."""
    return [name for name in findings if name in set(mapping.values())]


def write_tables(
    model: Run, run: Run, rows: pd.DataFrame, scores: NDArray[np.floating]
) -> None:
    """Writes findings.csv and split.csv of a test on another folder.

    Validation images stay those of training, so that thresholds and temperatures do.

    Args:
        model: The run whose model was tested.
        run: The test.
        rows: Columns `path, label, patient`, labels as from `mapped_label`.
        scores: What the model said of each, shape `(n, findings)`.

    Raises:
        RunError: The model's findings.csv is missing or damaged.
    """
    import pandas as pd

    every = model.model_facts.class_names
    findings = tested_findings(every, run.class_mapping)
    own = read_findings(model)
    validation = own[own["split"] == "val"]
    pairs = [truth_and_score(validation, name) for name in findings]
    tested = rows.assign(split="test")
    truth = indicators(list(rows["label"]), findings)
    answers = scores[:, [every.index(name) for name in findings]]
    columns = list(IMAGE_COLUMNS)
    write_findings(
        run,
        findings,
        pd.concat([validation[columns], tested[columns]], ignore_index=True),
        (
            np.concatenate([np.stack([t for t, _s in pairs], axis=1), truth]),
            np.concatenate([np.stack([s for _t, s in pairs], axis=1), answers]),
        ),
    )
    write_split(run, tested[list(SAMPLE_COLUMNS)])
