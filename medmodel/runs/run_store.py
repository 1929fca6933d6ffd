"""All runs of a workspace: made, listed, found by id, moved to the trash."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from medmodel.core.config import TrainConfig
from medmodel.core.config_problems import check_config
from medmodel.core.environment import workspace_root
from medmodel.core.errors import MedModelError, RunError, os_reason
from medmodel.core.storage import write_json
from medmodel.language import _
from medmodel.runs import trash
from medmodel.runs.run import BATCHES, RUN_ID, RUNS, Run
from medmodel.runs.status import RunStatus, Status

UNFINISHED_SECONDS = 3600.0
"""After which nobody is making a hidden run's folder any more."""


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run's; where its status is lost, its model says so."""
    return _there(folder / "status.json") or _there(folder / "best.keras")


def _there(path: Path) -> bool:
    """Whether a file exists, also one that this user may not look at."""
    try:
        os.stat(path)  # noqa: PTH116 (thousands of them)
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR)
    return True


def _title(run: Run) -> str:
    """Its title, or its id where the settings are damaged: it can be deleted, too."""
    try:
        return run.title
    except MedModelError:
        return run.id


class RunStore:
    """All runs of a workspace.

    Args:
        root: The workspace; default as in `workspace_root`.
        place: Folder in it: `RUNS`, `BATCHES` or `RATE_TESTS`.
    """

    def __init__(self, root: Path | None = None, place: str = RUNS) -> None:
        self.root = root or workspace_root()
        self.folder = self.root / place

    def create(
        self,
        config: TrainConfig,
        beside: Mapping[str, Any] | None = None,
        fill: Callable[[Run], Status] | None = None,
    ) -> Run:
        """Makes a queued run.

        Args:
            config: Its settings.
            beside: More JSON files of its folder, name -> content.
            fill: Writes more into its folder before anybody sees it, and says what
                state it then has.

        Raises:
            ConfigError: A setting is wrong.
            RunError: The disk is full or the workspace cannot be written.
        """
        check_config(config)
        now = time.time()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
        # Parts of the second first: runs asked for at once keep their order.
        name = f"{stamp}-{int(now % 1 * 4096):03x}{secrets.token_hex(2)[:3]}"
        # A folder whose name starts with a dot is not listed: readers never see a
        # run without its files.
        hidden = self.folder / f".{name}"
        try:
            hidden.mkdir(parents=True)
            write_json(hidden / "config.json", config)
            for file, content in (beside or {}).items():
                write_json(hidden / file, content)
            status = Status(RunStatus.QUEUED, created=now, epochs=config.epochs)
            if fill is not None:
                status = replace(fill(Run(hidden)), created=now)
            Run(hidden).write_status(status)
            hidden.rename(self.folder / name)
        except MedModelError:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        except OSError as error:
            shutil.rmtree(hidden, ignore_errors=True)
            raise RunError(
                _(
                    "The run cannot be written to {folder}: {reason}. Free some "
                    "space, or see who may write there.",
                    folder=self.folder,
                    reason=os_reason(error),
                )
            ) from error
        return Run(self.folder / name)

    def get(self, run_id: str) -> Run:
        """The run with this id.

        Raises:
            RunError: The id is malformed or there is no such run.
        """
        if not RUN_ID.fullmatch(run_id):
            raise RunError(_("That is not the id of a run."))
        run = Run(self.folder / run_id)
        if not _is_run(run.folder):
            raise RunError(
                _("There is no run {id}: it may have been deleted.", id=run_id)
            )
        if self._leads_out(run.folder):
            raise RunError(
                _(
                    "The folder of run {id} is a link: it is not followed.",
                    id=run_id,
                )
            )
        return run

    def list(self) -> list[Run]:
        """All runs, newest first."""
        if not self.folder.is_dir():
            return []
        names = (p for p in self.folder.iterdir() if not p.name.startswith("."))
        folders = (p for p in names if _is_run(p) and not self._leads_out(p))
        return [Run(p) for p in sorted(folders, reverse=True)]

    def _leads_out(self, folder: Path) -> bool:
        if not folder.is_symlink():
            return False
        return not folder.resolve().is_relative_to(self.root.resolve())

    def delete(self, run: Run) -> None:
        """Moves a run that is not being trained into the trash.

        Raises:
            RunError: A worker holds it, it is gone already, or it cannot be moved.
        """
        if not run.folder.is_dir():
            raise RunError(_("There is no run {id} any more.", id=run.id))
        lock = run.lock
        if not lock.acquire():
            raise RunError(_("This run is being trained: stop it first."))
        try:
            kind = "batch" if self.folder.name == BATCHES else "run"
            trash.discard(self.root, run.folder, kind, _title(run))
        except FileNotFoundError as error:
            raise RunError(_("There is no run {id} any more.", id=run.id)) from error
        except OSError as error:
            raise RunError(
                _(
                    "{id} cannot be moved to the trash: {reason}.",
                    id=run.id,
                    reason=os_reason(error),
                )
            ) from error
        finally:
            lock.release()

    def remove_leftovers(self) -> None:
        """Removes what is too old in the trash, and what kills left half made."""
        trash.remove_expired(self.root)
        for hidden in self.folder.glob(".deleted-*"):
            shutil.rmtree(hidden, ignore_errors=True)
        for hidden in self.folder.glob(".[0-9]*"):
            with contextlib.suppress(FileNotFoundError):  # it has its name by now
                if time.time() - hidden.stat().st_mtime > UNFINISHED_SECONDS:
                    shutil.rmtree(hidden, ignore_errors=True)
