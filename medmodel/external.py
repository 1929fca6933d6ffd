"""A finished model tested on another folder: on patients of another place.

The result is a run like any other, with a copy of the model, the other folder as its
data set and all of its images as test images. It appears only when it is complete. Its
validation images stay those of training, so that thresholds and temperature do.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medmodel.config import Progress
from medmodel.datasets import Index, index_dataset, load_index
from medmodel.errors import DataError, MedModelError
from medmodel.evaluation import SCORE, read_predictions
from medmodel.images import Pixels, decode, prepare_image
from medmodel.runs import Run, RunStatus, RunStore
from medmodel.splits import known_patients
from medmodel.storage import read_json, write_json

if TYPE_CHECKING:
    import pandas as pd

Ask = Callable[[Pixels], NDArray[np.floating]]
_AT_ONCE = 64
_OWN = {"config.json", "status.json", "predictions.csv", "split.csv", "lock", "stop"}
_OWN |= {"thresholds.json", "doubtful.json", "log.txt", "steps.csv", "external.json"}


@dataclass
class Attempt:
    """A test that is being made, or was.

    Args:
        done: Images that were asked about.
        total: Images in all; 0 while unknown.
        run: Id of the finished test; empty before.
        error: Why it failed, as a sentence; empty if it did not.
    """

    done: int = 0
    total: int = 0
    run: str = ""
    error: str = ""

    @property
    def working(self) -> bool:
        """Whether it goes on."""
        return not self.run and not self.error


_attempts: dict[str, Attempt] = {}


def attempt_of(run: Run) -> Attempt | None:
    """The latest test of a run's model since the server was started."""
    return _attempts.get(run.id)


def start(
    run: Run, folder: Path, mapping: Mapping[str, str], store: RunStore, ask: Ask
) -> None:
    """Begins a test in the background; `attempt_of` tells how it goes."""
    attempt = _attempts[run.id] = Attempt()

    def progress(phase: str, done: int, total: int) -> None:
        attempt.done, attempt.total = (done, total) if phase == "predicting" else (0, 0)

    def work() -> None:
        try:
            attempt.run = test_elsewhere(run, folder, mapping, store, ask, progress).id
        except (MedModelError, OSError) as error:
            attempt.error = str(error)
        except BaseException:
            attempt.error = "The test failed through a fault of this program."
            raise

    threading.Thread(target=work, name="external-test", daemon=True).start()


def test_elsewhere(
    run: Run,
    folder: Path,
    mapping: Mapping[str, str],
    store: RunStore,
    ask: Ask,
    progress: Progress | None = None,
) -> Run:
    """Tests a model on the images of another folder.

    Args:
        run: The finished run.
        folder: The other data set.
        mapping: Class of the folder -> class of the model; others are left out.
        store: Where the result becomes a run.
        ask: Pictures as the model sees them, shape `(n, h, w, c)` -> scores `(n, k)`.
        progress: Told how far it is.

    Raises:
        DataError: No image is left, or images were part of training.
        MedModelError: The model cannot be asked.
    """
    index = load_index(folder) or index_dataset(folder)
    rows = _rows(index, mapping, run.config.patient_pattern)
    shared = _identical(index, run)
    if shared:
        raise DataError(
            f"{shared:,} images of {folder.name} are also in {run.title}'s own data "
            "set: that is no external test."
        )
    scores = []
    preprocessing = run.model_facts.preprocessing
    for at in range(0, len(rows), _AT_ONCE):
        part = rows.iloc[at : at + _AT_ONCE]
        images = [
            prepare_image(
                decode(folder / path, window=preprocessing.window).pixels, preprocessing
            )
            for path in part["path"]
        ]
        scores.append(ask(np.stack(images)))
        if progress:
            progress("predicting", at + len(part), len(rows))
    return _written(run, folder, rows, np.concatenate(scores), store)


def tested_elsewhere(run: Run) -> str:
    """Id of the run whose model this run tested on another folder; empty if none."""
    values = read_json(run.folder / "external.json")
    return str(values["model"]) if isinstance(values, dict) else ""


def guessed_mapping(own: list[str], other: list[str]) -> dict[str, str]:
    """Class of the other folder -> class of the model with the same name, or ""."""
    simple = {name.casefold().strip(): name for name in own}
    return {name: simple.get(name.casefold().strip(), "") for name in other}


def _rows(index: Index, mapping: Mapping[str, str], pattern: str) -> pd.DataFrame:
    rows = index.readable.sort_values("path", ignore_index=True)
    rows = rows[["path", "label"]].assign(patient=known_patients(index, pattern))
    rows["label"] = rows["label"].map(lambda name: mapping.get(name, ""))
    rows = rows[rows["label"] != ""].reset_index(drop=True)
    if rows.empty:
        raise DataError(f"No image of {index.folder.name} has a class of this model.")
    return rows


def _identical(index: Index, run: Run) -> int:
    folder = Path(run.config.dataset)
    if not folder.is_dir():  # nothing is left to compare with
        return 0
    own = load_index(folder) or index_dataset(folder)
    return int(index.readable["digest"].isin(set(own.readable["digest"])).sum())


def _written(
    run: Run,
    folder: Path,
    rows: pd.DataFrame,
    scores: NDArray[np.floating],
    store: RunStore,
) -> Run:
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    hidden = store.folder / f".{name}"
    hidden.mkdir(parents=True)
    try:
        for file in run.folder.iterdir():
            if file.is_file() and file.name not in _OWN:
                shutil.copy2(file, hidden)
        made = Run(hidden)
        title = f"{run.title}, tested on {folder.name}"
        config = replace(run.config, dataset=str(folder), name=title)
        write_json(hidden / "config.json", config.to_json())
        write_json(hidden / "external.json", {"model": run.id})
        _write_tables(run, made, rows, scores)
        if (run.folder / "thresholds.json").exists():
            # Later than the predictions: they were chosen before these were seen.
            shutil.copyfile(run.folder / "thresholds.json", hidden / "thresholds.json")
        now = time.time()
        status = replace(run.status, state=RunStatus.DONE, created=now, ended=now)
        made.write_status(replace(status, started=now))
        hidden.rename(store.folder / name)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    return store.get(name)


def _write_tables(
    run: Run, made: Run, rows: pd.DataFrame, scores: NDArray[np.floating]
) -> None:
    table = read_predictions(run)
    classes = run.model_facts.class_names
    columns = ["path", "patient", "split", "label", *(SCORE + c for c in classes)]
    validation: list[list[Any]] = table[table["split"] == "val"][
        columns
    ].values.tolist()
    tested = [
        [row.path, row.patient, "test", row.label, *map(float, score)]
        for row, score in zip(rows.itertuples(), scores, strict=True)
    ]
    made.write_table("predictions.csv", [columns, *validation, *tested])
    made.write_table("split.csv", [columns[:4], *(row[:4] for row in tested)])
