"""A run on disk: one folder of small readable files; see `run_store` for all of them.

Only evidence decides whether a run is alive: its worker holds the lock of the folder.
A run whose status says running while nobody holds the lock was interrupted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from medmodel.core.config import TrainConfig
from medmodel.core.config_problems import config_problems
from medmodel.core.errors import (
    ConfigError,
    FileError,
    RunError,
)
from medmodel.core.locks import Lock, locked
from medmodel.core.storage import Content, damaged, read_as, write_json
from medmodel.language import N_, _
from medmodel.runs.status import (
    BatchRequest,
    Ensemble,
    ExternalTest,
    Failure,
    ImportedModel,
    ModelFacts,
    Refit,
    RunStatus,
    Status,
)

LARGEST_SIDE = 4096
"""Height and width of a model's input at most, in pixels."""
STATUS_LOST = N_("Its status is lost.")
"""Message of a run of which only the model tells what became of it."""
RUNS, BATCHES, RATE_TESTS = "runs", "batches", "rate_tests"
"""Folders of the workspace with what the queue works on."""
RUN_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


class Run:
    """One run's folder.

    Args:
        folder: The folder; its name is the run's id.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def id(self) -> str:
        """The folder's name: time of creation and a few random characters."""
        return self.folder.name

    @property
    def is_batch(self) -> bool:
        """Whether it is one of the batches, which are not trained."""
        return self.folder.parent.name == BATCHES

    @property
    def config(self) -> TrainConfig:
        """Settings from config.json.

        Where they are lost and there is a model, which answers without them: settings
        of no data set, see `lost_files`.

        Raises:
            RunError: They are lost, and so is the model.
        """
        try:
            return self._read("config.json", TrainConfig)
        except RunError:
            if not self.has_model:
                raise
            return TrainConfig("", name=f"Run {self.id}")

    def check_settings(self) -> None:
        """To be called before it is trained.

        Raises:
            RunError: Its settings are lost.
            ConfigError: One of them was changed to something that cannot be trained.
        """
        config = self._read("config.json", TrainConfig)
        for name, problem in config_problems(config).items():
            raise ConfigError(
                name,
                _(
                    "The config.json of run {id}: {problem}",
                    id=self.id,
                    problem=problem,
                ),
            )

    @property
    def title(self) -> str:
        """Its name, or recipe and data set where it has none."""
        return self.config.title

    @property
    def status(self) -> Status:
        """status.json, with `interrupted` where the worker is gone.

        Where it is lost and there is a model: done if its predictions are there.

        Raises:
            RunError: It is lost, and so is the model.
        """
        try:
            status = self._read("status.json", Status)
        except RunError:
            if not self.has_model:
                raise
            done = self.predictions_path.exists()
            state = RunStatus.DONE if done else RunStatus.STOPPED
            return Status(
                state,
                "finished",
                STATUS_LOST,
                created=_submitted(self.id),
            )
        if status.state is RunStatus.RUNNING and not self.alive:
            # The worker may have ended between the two looks: read once more.
            status = self._read("status.json", Status)
            if status.state is RunStatus.RUNNING:
                status = replace(
                    status,
                    state=RunStatus.INTERRUPTED,
                    failure=Failure(
                        "killed",
                        N_(
                            "The training process ended without a word: it was killed, "
                            "ran out of memory, or the machine went down."
                        ),
                        N_("Nothing that was saved is lost: press Resume."),
                    ),
                )
        return status

    @property
    def has_model(self) -> bool:
        """Whether the files of a model are there."""
        return self.model_path.exists() and (self.folder / "model.json").exists()

    def lost_files(self) -> list[str]:
        """A sentence for each file of the run that is missing or cannot be used.

        Of those without which it still answers: settings and status.
        """
        sentences = []
        for name, kind in (("config.json", TrainConfig), ("status.json", Status)):
            try:
                self._read(name, kind)
            except RunError as error:
                sentences.append(str(error))
        return sentences

    def _read(self, name: str, kind: type[Content]) -> Content:
        try:
            content = read_as(self.folder / name, kind)
        except FileError as error:
            raise RunError(
                _(
                    "The {file} of run {id}: {reason}",
                    file=name,
                    id=self.id,
                    reason=error,
                )
            ) from error
        if content is None:
            raise RunError(
                _("The run {id} has no {file} any more.", id=self.id, file=name)
            )
        return content

    @property
    def alive(self) -> bool:
        """Whether a worker holds this run."""
        return locked(self.lock.path)

    @property
    def lock(self) -> Lock:
        """The lock that the run's worker holds from start to end."""
        return Lock(self.folder / "lock")

    @property
    def notes_lock(self) -> Lock:
        """Held while people's notes and choices on a run change: none may be lost.

        Not in the run's folder, which may be gone.
        """
        return Lock(self.folder.parent.parent / "notes.lock")

    @property
    def model_facts(self) -> ModelFacts:
        """How to feed and read the run's best model.

        Raises:
            RunError: The run has no model yet, or model.json is damaged.
        """
        if not self.model_path.exists():
            raise RunError(
                _("The run {title} has no trained model yet.", title=self.title)
            )
        facts = self._read("model.json", ModelFacts)
        names, side = facts.class_names, facts.preprocessing.size
        if len(set(names)) < max(len(names), 1) or not 1 <= side <= LARGEST_SIDE:
            reason = _(
                "a name of a class occurs twice, or its size is none of an image"
            )
            raise RunError(str(damaged(self.folder / "model.json", reason)))
        threshold = facts.threshold
        if threshold and (len(names) != 2 or threshold.name not in names):
            reason = _("its threshold is of none of two classes")
            raise RunError(str(damaged(self.folder / "model.json", reason)))
        return facts

    def check_classifies(self) -> None:
        """To be called before it is asked for classes.

        Raises:
            RunError: It is a segmentation, which has classes of pixels, or gives
                several findings.
        """
        self.check_single_label()
        if self.config.segments:
            raise RunError(
                _(
                    "The run {title} is a segmentation: this is for models that "
                    "classify.",
                    title=self.title,
                )
            )

    def check_single_label(self) -> None:
        """To be called where several findings on one image are not supported.

        Raises:
            RunError: It gives an image several findings.
        """
        if self.config.multi_label:
            raise RunError(
                _(
                    "The run {title} finds several findings on one image: this is for "
                    "models that give an image one class.",
                    title=self.title,
                )
            )

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, device and precision from environment.json; empty without one.

        Raises:
            FileError: It is damaged.
        """
        return read_as(self.folder / "environment.json", dict[str, Any]) or {}

    @property
    def model_path(self) -> Path:
        """The best model so far: uint8 pixels in, probabilities out."""
        return self.folder / "best.keras"

    @property
    def predictions_path(self) -> Path:
        """Table of validation and test images with their scores, see `tables`."""
        return self.folder / "predictions.csv"

    @property
    def segmentation_path(self) -> Path:
        """Of a segmentation, how it outlines validation and test images; `tables`."""
        return self.folder / "segmentation.csv"

    @property
    def findings_path(self) -> Path:
        """Of a run on several findings, what it says of validation and test images."""
        return self.folder / "findings.csv"

    @property
    def split_path(self) -> Path:
        """Table of all images: training, validation or test."""
        return self.folder / "split.csv"

    @property
    def history_path(self) -> Path:
        """Table of the finished epochs."""
        return self.folder / "history.csv"

    @property
    def steps_path(self) -> Path:
        """Table of training steps: loss and accuracy."""
        return self.folder / "steps.csv"

    @property
    def tested_model(self) -> str:
        """Id of the run whose model this external validation tests; empty if none.

        Raises:
            FileError: external.json is damaged.
        """
        test = self._external_test
        return test.model if test else ""

    @property
    def class_mapping(self) -> dict[str, str]:
        """Class there -> class of the model, of an external validation; else empty.

        Raises:
            FileError: external.json is damaged.
        """
        test = self._external_test
        return dict(test.mapping) if test else {}

    @property
    def imported(self) -> ImportedModel | None:
        """Where its model came from; None where it was trained here.

        Raises:
            FileError: imported.json is damaged.
        """
        return read_as(self.folder / "imported.json", ImportedModel)

    @property
    def refit(self) -> Refit | None:
        """Which run it refits with corrected labels; None where it is no refit.

        Raises:
            FileError: refit.json is damaged.
        """
        return self._naming_runs("refit.json", Refit, lambda refit: [refit.run])

    @property
    def ensemble(self) -> Ensemble | None:
        """Of whose models it is made; None where it is no ensemble.

        Raises:
            FileError: ensemble.json is damaged.
        """
        return self._naming_runs(
            "ensemble.json", Ensemble, lambda ensemble: ensemble.members
        )

    @property
    def _external_test(self) -> ExternalTest | None:
        return self._naming_runs(
            "external.json", ExternalTest, lambda test: [test.model]
        )

    @property
    def batch(self) -> BatchRequest | None:
        """Whose model it asks about which images; None where it is no batch.

        Raises:
            FileError: batch.json is damaged.
        """
        return self._naming_runs(
            "batch.json", BatchRequest, lambda batch: [batch.model]
        )

    def _naming_runs(
        self, file: str, kind: type[Content], ids: Callable[[Content], Iterable[str]]
    ) -> Content | None:
        """What a file of the run says; None without one.

        Raises:
            FileError: It is damaged, or what it names cannot be runs.
        """
        path = self.folder / file
        content = read_as(path, kind)
        if content is not None and not all(map(RUN_ID.fullmatch, ids(content))):
            raise damaged(path, _("that is not the id of a run"))
        return content

    def write_config(self, config: TrainConfig) -> None:
        """Replaces config.json, with what a run finds out about its data set."""
        write_json(self.folder / "config.json", config)

    def write_model_facts(self, facts: ModelFacts) -> None:
        """Writes model.json; to be called before best.keras is first saved."""
        write_json(self.folder / "model.json", facts)

    def write_status(self, status: Status) -> None:
        """Replaces status.json."""
        write_json(self.folder / "status.json", status)

    def request_stop(self) -> None:
        """Asks the worker to stop after the current step."""
        (self.folder / "stop").touch()

    def request_kill(self) -> None:
        """Asks for the end of a worker that does not stop, on a node of a cluster."""
        (self.folder / "kill").touch()

    @property
    def kill_requested(self) -> bool:
        """Whether somebody asked to end the worker by force."""
        return (self.folder / "kill").exists()

    def clear_stop(self) -> None:
        """Forgets an earlier request to stop."""
        for name in ("stop", "kill"):
            (self.folder / name).unlink(missing_ok=True)

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked the worker to stop."""
        return (self.folder / "stop").exists()


def _submitted(run_id: str) -> float:
    """When a run was submitted, as its id says, in seconds since 1970; 0 unknown."""
    try:
        return time.mktime(time.strptime(run_id[:15], "%Y%m%d-%H%M%S"))
    except (ValueError, OverflowError):
        return 0.0
