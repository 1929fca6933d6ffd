"""Makes a run of a foreign model.

`python -m medmodel.inference.importing.import_model STEP ...`: the step `look` reads
what the file says of itself, `convert` makes a run of it. Both are processes of their
own with a limit of memory; see `model_import.task`.
"""

from __future__ import annotations

import hashlib
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from medmodel.core.config import LARGEST_SIZE, SMALLEST_SIZE, TrainConfig
from medmodel.core.errors import DataError, FileError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.recipes import IMPORTED
from medmodel.core.storage import read_as, write_json
from medmodel.inference.importing.classifier_graph import classifier_graph
from medmodel.inference.importing.looking import look
from medmodel.language import _, speaking
from medmodel.model_import import task
from medmodel.model_import.checks import check_settings
from medmodel.model_import.description import ImportSettings, ModelDescription
from medmodel.model_import.source import find_model
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import ImportedModel, ModelFacts, RunStatus, Status

MEMORY = 12 << 30
"""Address space of the process in bytes, libraries included."""
SECONDS = 900
"""Processor time."""


def convert(place: Path, store: RunStore) -> Run:
    """Makes a run of the model.

    Raises:
        DataError: The model is refused, or gives no probabilities of classes.
        ConfigError: What was said of it does not fit.
        RunError: The workspace cannot be written.
    """
    source = find_model(place / "files")
    described = read_as(place / "facts.json", ModelDescription)
    settings = read_as(place / "asked.json", ImportSettings)
    if described is None or settings is None:
        raise DataError(_("There is no such import any more: choose the file again."))
    check_settings(settings, described)
    model = classifier_graph(source, settings)
    preprocessing = Preprocessing(
        settings.size, settings.fit, settings.colour, settings.window
    )
    config = TrainConfig(
        "",
        name=settings.name.strip()[:120],
        recipe=IMPORTED,
        size=settings.size if SMALLEST_SIZE <= settings.size <= LARGEST_SIZE else 0,
        fit=settings.fit,
        colour=settings.colour,
        window=settings.window,
    )
    origin = ImportedModel(
        file=source.path.name,
        format=source.format,
        sha256=_digest(source.path),
        scale=settings.scale,
        tool=described.tool,
        converted=source.format in ("keras", "h5"),
    )

    from medmodel.inference.class_activation import explainable_layers

    def fill(run: Run) -> Status:
        layers = explainable_layers(model) if origin.converted else []
        parameters = _parameters(model)
        run.write_model_facts(
            ModelFacts(settings.classes, preprocessing, layers, parameters)
        )
        model.save(str(run.model_path))
        _check_answers(run)
        now = time.time()
        return Status(
            RunStatus.DONE, phase="finished", message=_IMPORTED, started=now, ended=now
        )

    return store.create(config, {"imported.json": origin}, fill)


_IMPORTED = "Imported."


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*"))
    for file in files:
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _parameters(model: Any) -> int:
    inside = [len(getattr(layer, "_content", b"")) // 4 for layer in model.layers]
    return int(model.count_params()) + sum(inside)


def _check_answers(run: Run) -> None:
    """Loads the run as every page will, and asks it.

    Raises:
        DataError: It does not answer.
    """
    from medmodel.inference import prediction

    loaded = prediction.load(run)
    shape = loaded.facts.preprocessing.shape
    answer = prediction.predict(loaded, np.zeros((1, *shape), np.uint8))
    if not np.allclose(answer.sum(), 1, atol=1e-3):
        raise DataError(_("The model gives no numbers for some images."))


def _limit() -> None:
    """Before anything of the file is read."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def main() -> None:
    """Does the step of the command line."""
    step, folder, language = sys.argv[1:4]
    _limit()
    place = Path(folder).resolve()
    here = task.look_task if step == "look" else task.convert_task
    running = here(place.name)

    def work() -> None:
        with speaking(language):
            running.write(step)
            try:
                if step == "look":
                    write_json(place / "facts.json", look(place))
                    running.write("finished")
                else:
                    run = convert(place, RunStore())
                    running.write("finished", folder=run.id)
            except MemoryError as error:
                raise DataError(
                    _("The model needs more memory than an import may take.")
                ) from error
            except FileError as error:
                raise DataError(str(error)) from error

    running.run(work)


if __name__ == "__main__":
    main()
