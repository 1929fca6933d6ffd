"""Workspace and data folders: whether they can be used, and how much room there is."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from medmodel.cli.doctor.finding import Finding
from medmodel.core.environment import data_roots, workspace_root
from medmodel.core.errors import RIGHTS_ADVICE, StorageFault, os_reason, storage_fault
from medmodel.core.locks import Lock, locked
from medmodel.core.storage import LITTLE_SPACE, unique_name, write_json
from medmodel.language import _, ngettext, translate
from medmodel.language.quantities import bytes_text


def storage_findings() -> Iterator[Finding]:
    """Workspace, disk and data folders."""
    root = workspace_root()
    usable = workspace(root)
    yield usable
    if usable.level == "ok":
        yield disk(shutil.disk_usage(root).free)
    for folder in data_roots():
        yield from data_folder(folder)


def workspace(root: Path) -> Finding:
    """Whether files can be written and locked in the workspace, by trying it."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe = unique_name(root / "doctor")
        try:
            write_json(probe, {})
            holds = _locks_hold(probe)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        fault = storage_fault(error)
        reason = fault or StorageFault(os_reason(error), RIGHTS_ADVICE)
        return Finding(
            "workspace",
            "problem",
            _(
                "The workspace {folder} cannot be written: {reason}. What to do: "
                "{advice}.",
                folder=root,
                reason=translate(reason.what),
                advice=translate(reason.advice),
            ),
            f"sudo chown -R $(id -u):$(id -g) {shlex.quote(str(root))}",
        )
    if not holds:
        return Finding(
            "workspace",
            "problem",
            _(
                "Locks do not hold in the workspace {folder}: two workers could train "
                "one run. Let it lie on a disk of this machine, or on NFS 4.",
                folder=root,
            ),
            "export MEDMODEL_WORKSPACE=/var/lib/medmodel",
        )
    return Finding(
        "workspace",
        "ok",
        _("The workspace {folder} can be written and locked.", folder=root),
    )


def _locks_hold(path: Path) -> bool:
    """Whether a lock that is held is seen, and one that was given back is not."""
    lock = Lock(path)
    if not lock.acquire():
        return False
    try:
        return locked(path)
    finally:
        lock.release()


def disk(free: float) -> Finding:
    """Whether there is room for more runs."""
    text = _("{free} free in the workspace.", free=bytes_text(free))
    if free >= LITTLE_SPACE:
        return Finding("disk", "ok", text)
    return Finding(
        "disk",
        "warning",
        _("{free} free in the workspace: runs may fail.", free=bytes_text(free)),
        "medmodel list --limit 0   # delete old runs on the Runs page, empty the trash",
    )


def data_folder(folder: Path) -> Iterator[Finding]:
    """Whether a data folder is there and can be listed."""
    default = folder == workspace_root() / "datasets"
    try:
        number = sum(1 for path in folder.iterdir() if path.is_dir())
    except FileNotFoundError:
        if not default:  # which is made when it is needed
            yield Finding(
                "data",
                "warning",
                _("The data folder {folder} does not exist.", folder=folder),
                f"mkdir -p {shlex.quote(str(folder))}",
            )
        return
    except OSError as error:
        yield Finding(
            "data",
            "problem",
            _(
                "The data folder {folder} cannot be read: {reason}.",
                folder=folder,
                reason=os_reason(error),
            ),
            f"sudo chmod a+rX {shlex.quote(str(folder))}",
        )
        return
    yield Finding(
        "data",
        "ok",
        ngettext(
            "Data folder {folder}: {count:,} folder.",
            "Data folder {folder}: {count:,} folders.",
            number,
            folder=folder,
        ),
    )
