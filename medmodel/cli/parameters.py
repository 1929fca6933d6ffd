"""What commands take: runs by their ids, data sets by their folders."""

from __future__ import annotations

import contextlib
import os
import shlex
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from medmodel.core.environment import data_roots
from medmodel.core.errors import DataError, MedModelError, RunError
from medmodel.core.settings.network_names import (
    ENCODER_PREFIX,
    FROZEN_MODELS,
    MODEL_NAMES,
)
from medmodel.language import _, translate
from medmodel.runs.run import BATCHES, Run
from medmodel.runs.run_store import RunStore

_Parameter = click.Parameter | None
_Context = click.Context | None
LATEST = "latest"
"""Stands for the newest run."""
SAMPLE = "sample"
"""Stands for the sample data set, which is drawn where it is not there yet."""


class RunParameter(click.ParamType):
    """A run's id, as `medmodel list` prints it, or `latest`."""

    name = "run"

    def convert(self, value: Any, param: _Parameter, ctx: _Context) -> Run:
        """The run.

        Raises:
            click.BadParameter: There is none.
        """
        if isinstance(value, Run):
            return value
        store = RunStore()
        if value == LATEST:
            newest = store.list()[:1]
            if not newest:
                self.fail(_("There is no run yet."), param, ctx)
            return newest[0]
        try:
            return store.get(value)
        except RunError as error:
            self.fail(translate(str(error)), param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Ids that begin so, newest first, with their titles."""
        runs = [run for run in RunStore().list() if run.id.startswith(incomplete)]
        return [CompletionItem(run.id, help=_title(run)) for run in runs]


class RunOrBatchParameter(RunParameter):
    """A run's or a batch's id, as `medmodel list` prints it, or `latest`."""

    name = "run or batch"

    def convert(self, value: Any, param: _Parameter, ctx: _Context) -> Run:
        """The run or batch; `latest` is the newest run.

        Raises:
            click.BadParameter: There is none.
        """
        if isinstance(value, str):
            with contextlib.suppress(RunError):  # then it is a run, or nothing
                return _batches().get(value)
        return super().convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Ids of runs that begin so, then those of batches, each newest first."""
        batches = [b for b in _batches().list() if b.id.startswith(incomplete)]
        return [
            *super().shell_complete(ctx, param, incomplete),
            *(CompletionItem(batch.id, help=_title(batch)) for batch in batches),
        ]


def _batches() -> RunStore:
    return RunStore(place=BATCHES)


def _title(run: Run) -> str:
    try:
        return run.title
    except MedModelError:  # damaged: `medmodel list` says so
        return ""


_NETWORKS = (*MODEL_NAMES, *FROZEN_MODELS)


class ModelParameter(click.ParamType):
    """A network's name, or `encoder:` and the name of one of the weights folder."""

    name = "network"

    def convert(self, value: Any, param: _Parameter, ctx: _Context) -> str:
        """The name.

        Raises:
            click.BadParameter: There is no such network.
        """
        model = str(value)
        if model in _NETWORKS or model.startswith(ENCODER_PREFIX):
            return model
        names = ", ".join([*_NETWORKS, f"{ENCODER_PREFIX}NAME"])
        self.fail(_("{value!r} is none of {names}.", value=model, names=names))

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What the help calls it."""
        return f"[{'|'.join(_NETWORKS)}|{ENCODER_PREFIX}NAME]"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Names that begin so."""
        from medmodel.model_import.encoders import list_encoders

        encoders = [f"{ENCODER_PREFIX}{entry.key}" for entry in list_encoders()]
        names = [n for n in (*_NETWORKS, *encoders) if n.startswith(incomplete)]
        return [CompletionItem(name) for name in names]


class FolderParameter(click.ParamType):
    """A data set's folder: a path, a name below a data folder, or `sample`."""

    name = "folder"

    def convert(self, value: Any, param: _Parameter, ctx: _Context) -> Path:
        """The folder, absolute.

        Raises:
            click.BadParameter: There is none, or no data set may lie there.
        """
        from medmodel.data.folders import safe_folder

        if value == SAMPLE:
            return sample_folder()
        here = Path(value).absolute()
        for text in (str(here), value):
            try:
                return safe_folder(text)
            except DataError as error:
                sentence = translate(str(error))
        if here.is_dir():
            sentence = _(
                "{folder} does not lie in a data folder. Name its parent for the pages "
                "and for commands alike: export MEDMODEL_DATA={parent}",
                folder=here,
                parent=shlex.quote(_with_parent(here)),
            )
        self.fail(sentence, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Names below the data folders; other paths are completed by the shell."""
        from medmodel.data.folders import subfolders

        names = [f.name for root in data_roots() for f in subfolders(root)]
        fitting = [n for n in [SAMPLE, *names] if n.startswith(incomplete)]
        if not fitting:
            return [CompletionItem(incomplete, type="dir")]
        return [CompletionItem(name) for name in fitting]


def _with_parent(folder: Path) -> str:
    """MEDMODEL_DATA as it would allow a folder, too."""
    named = os.environ.get("MEDMODEL_DATA", "")
    return os.pathsep.join(filter(None, [named, str(folder.resolve().parent)]))


def sample_folder() -> Path:
    """The sample data set, drawn on the first call."""
    from medmodel.cli.output import say
    from medmodel.core.environment import workspace_root
    from medmodel.data.synthetic import SAMPLE_NAME, ensure_sample_dataset

    if not (workspace_root() / "datasets" / SAMPLE_NAME).is_dir():
        say(_("Drawing the sample data set."), to_errors=True)
    return ensure_sample_dataset()


class OutputParameter(click.Path):
    """A file to write, in a folder that is there: a mistyped one is not made."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(self, value: Any, param: _Parameter, ctx: _Context) -> Path:
        """The path.

        Raises:
            click.BadParameter: It is a folder, or in none.
        """
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        folder = path.absolute().parent
        if not folder.is_dir():
            self.fail(_("There is no folder {folder}.", folder=folder), param, ctx)
        return path


run_argument = click.argument("run", type=RunParameter())
run_or_batch_argument = click.argument(
    "run", metavar="RUN_OR_BATCH", type=RunOrBatchParameter()
)
folder_argument = click.argument("folder", type=FolderParameter())
watch_option = click.option(
    "--watch", is_flag=True, help="Wait until it ends; exit status 1 if it fails."
)
