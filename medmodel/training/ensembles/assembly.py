"""Makes an ensemble of finished runs, and judges it as any other model is judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from medmodel.core.errors import Cancelled, DataError, RunError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.storage import renaming
from medmodel.data.datasets import Index, index_dataset
from medmodel.data.folders import safe_folder
from medmodel.data.layout import list_files
from medmodel.data.prepared import prepare
from medmodel.ensembles.members import common_preprocessing, common_split
from medmodel.evaluation.calibration.temperature_scaling import fit_temperature
from medmodel.evaluation.predictions import split_predictions
from medmodel.inference import prediction
from medmodel.language import _
from medmodel.networks.ensemble import Part, ensemble_model, part_name
from medmodel.networks.hardware import choose_devices
from medmodel.networks.precision import FLOAT32, PrecisionChoice
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.progress.time_plan import time_plan
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import EnsembleMember, ModelFacts, RunStatus
from medmodel.runs.tables.predictions import read_predictions
from medmodel.runs.tables.split import SPLIT_COLUMNS, read_split, write_split
from medmodel.training.checkpoint import is_trained, mark_trained
from medmodel.training.context import TrainingContext
from medmodel.training.environment import write_environment
from medmodel.training.input_size import InputSizeChoice
from medmodel.training.ood_reference import write_reference
from medmodel.training.train import keep_near_copies, write_predictions

if TYPE_CHECKING:
    import pandas as pd


def assemble(run: Run, reporter: StatusWriter) -> RunStatus:
    """Makes the model of an ensemble, and asks it about validation and test images.

    Writes split.csv, environment.json, model.json, usual.npz, best.keras, copies.csv,
    predictions.csv and reference.npz. Once best.keras is whole, no member is needed.

    Args:
        run: As from `ensembles.members.submit`; this process holds its lock.
        reporter: Told everything; says when to stop.

    Returns:
        `DONE`, or `STOPPED` if somebody asked for that.

    Raises:
        RunError: A member is gone, or is none any more.
        DataError: The images cannot be read, or have changed since.
        OSError: The disk is full or fails.
    """
    try:
        _assemble(run, reporter)
    except Cancelled:
        return RunStatus.STOPPED
    return RunStatus.DONE


def _assemble(run: Run, reporter: StatusWriter) -> None:
    config = run.config
    _strategy, device = choose_devices(config.device)
    reporter.update(device=device, precision=FLOAT32, epochs=0)
    folder = safe_folder(config.dataset)
    workspace = run.folder.parent.parent
    reporter.follow(time_plan(config, len(list_files(folder)[0]), workspace))
    reporter.progress("checking", 0, 0)
    index = index_dataset(folder, reporter.job)
    if not is_trained(run):
        members = members_of(run)
        split = _with_digests(index, common_split(members))
        write_split(run, split[list(SPLIT_COLUMNS)])
        _make_model(run, members, reporter)
    facts = run.model_facts
    prepared = prepare(index.folder, read_split(run), facts.preprocessing, reporter.job)
    classes, images = facts.class_names, facts.preprocessing
    context = TrainingContext(run, config, reporter, classes, images, prepared)
    reason = _("{side} px: that of the largest member.", side=images.size)
    precision = PrecisionChoice(FLOAT32, _("An ensemble computes in float32."))
    size_choice = InputSizeChoice(images.size, reason)
    write_environment(context, size_choice, precision, device)
    reporter.progress("copies", 0, 0)
    keep_near_copies(run)
    warning = write_predictions(context)
    write_reference(context)
    if warning:
        reporter.update(message=warning)


def members_of(run: Run) -> list[Run]:
    """The runs of which an ensemble is to be made.

    Raises:
        RunError: One of them is gone.
    """
    ensemble, store = run.ensemble, RunStore(run.folder.parent.parent)
    members = []
    for run_id, title in (ensemble.members if ensemble else {}).items():
        try:
            members.append(store.get(run_id))
        except RunError as error:
            raise RunError(
                _(
                    "{title} was deleted before the ensemble was made of it: restore "
                    "it from the trash and resume this run, or make an ensemble "
                    "without it.",
                    title=title,
                )
            ) from error
    return members


def _with_digests(index: Index, split: pd.DataFrame) -> pd.DataFrame:
    """The split with digests of its images; runs of earlier versions wrote none.

    Raises:
        DataError: The images are not those any more from which the members learned.
    """
    now = index.readable.set_index("path")["digest"].reindex(split["path"])
    before = split["digest"] if "digest" in split else now.dropna()
    if not np.array_equal(now.to_numpy(str), before.to_numpy(str)):
        raise DataError(
            _(
                "The images of {folder} have changed since the members of this "
                "ensemble were trained: train them again.",
                folder=index.folder.name,
            )
        )
    return split.assign(digest=now.to_numpy())


def _make_model(run: Run, members: Sequence[Run], reporter: StatusWriter) -> None:
    """Writes model.json, usual.npz and best.keras; the last one makes it whole."""
    parts, facts, usual = [], [], dict[int, np.ndarray]()
    for number, member in enumerate(members, start=1):
        reporter.job.check()
        reporter.progress("members", number - 1, len(members))
        loaded = prediction.load(member)
        temperature = validation_temperature(member)
        parts.append(Part(loaded.model, temperature))
        facts.append(_facts(member, loaded.model.name, temperature, number))
        if loaded.usual is not None:
            usual[number] = loaded.usual
    images: Preprocessing = common_preprocessing(members)
    model = ensemble_model(parts, images)
    layers = [name for member in facts for name in member.heatmap_layers]
    if not all(member.heatmap_layers for member in facts):
        layers = []  # one of them gives no gradient: maps are made by occlusion
    first = members[0].model_facts
    run.write_model_facts(
        ModelFacts(
            first.class_names,
            images,
            layers,
            int(model.count_params()),
            flips=first.flips,
            members=facts,
            geometric=True,
        )
    )
    prediction.write_usual(run, usual)
    with renaming(run.model_path) as temporary:
        model.save(str(temporary))
    run.predictions_path.unlink(missing_ok=True)
    mark_trained(run)


def _facts(
    member: Run, network: str, temperature: float, number: int
) -> EnsembleMember:
    facts = member.model_facts
    return EnsembleMember(
        run=member.id,
        title=member.title,
        network=network,
        preprocessing=facts.preprocessing,
        heatmap_layers=[f"{part_name(number)}_{n}" for n in facts.heatmap_layers],
        temperature=temperature,
        corruption=member.config.augmentation.corruption,
    )


def validation_temperature(run: Run) -> float:
    """The temperature that calibrates a run on its validation images; 1 if unknown.

    Raises:
        RunError: Its predictions are lost.
        DataError: It has no validation image.
    """
    fitted = fit_temperature(split_predictions(read_predictions(run), "val"))
    return 1.0 if fitted.bounded else fitted.value
