"""Damages files of a workspace and opens every page, the worker and the predictor.

    python -m tests.damaged_workspace COUNT [SEED [FIRST]]

Prints a JSON line for each case: which file, which damage, where it was met, and what
was said without a name: "" where the damage did no harm or was named. The workspace is
the one of version 0.1.0 that the tests have, with all kinds of files. A case that takes
longer than `CASE_SECONDS` ends the process.
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import logging
import os
import random
import shutil
import sys
import tarfile
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medmodel.core.environment import REPOSITORY
from medmodel.core.errors import MedModelError

ARCHIVE = REPOSITORY / "tests" / "fixtures" / "workspace_0_1.tar.xz"
EXPECTED = json.loads(
    ARCHIVE.with_name("workspace_0_1.json").read_text(encoding="utf-8")
)
IDS: dict[str, str] = EXPECTED["ids"]
MENU = REPOSITORY / "pages" / "menu.py"
PAGES: dict[str, dict[str, str]] = {
    "home/start.py": {},
    "data/datasets.py": {"dataset": "@places"},
    "data/enhance.py": {},
    "models/train.py": {"dataset": "@places"},
    "models/runs.py": {},
    "models/runs.py?run": {"run": IDS["trained"]},
    "models/runs.py?interrupted": {"run": IDS["interrupted"]},
    "models/runs.py?external": {"run": IDS["external"]},
    "results/diagnose.py": {"run": IDS["trained"]},
    "results/evaluate.py": {"run": IDS["trained"]},
    "results/compare.py": {},
    "learn/network.py": {"run": IDS["trained"]},
    "system/status.py": {},
}
HUGE_BYTES = 300 << 20
CASE_SECONDS = 300.0
"""After which a case hangs; the slowest took half a minute on a busy machine."""
OTHER_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 3.5, 10**30, float("nan"), float("inf"), "", "text"),
    *([], {}, [1], {"a": 1}),
)


@dataclass(frozen=True)
class Outcome:
    """One case.

    Args:
        file: The damaged file, from the workspace.
        damage: Key of `DAMAGES`.
        place: Page or process that met it.
        unnamed: The error that gives no file's name; else "".
    """

    file: str
    damage: str
    place: str
    unnamed: str


def unpack(folder: Path) -> None:
    """The workspace as version 0.1.0 left it, where its paths say that it is."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    for path in folder.rglob("*"):
        if path.suffix in (".json", ".jsonl", ".txt"):
            before = path.stat()
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("@WORKSPACE@", str(folder)), encoding="utf-8")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    for place in (folder / "indexes").iterdir():
        dataset = folder / "datasets" / place.name
        key = hashlib.sha256(os.fsencode(dataset)).hexdigest()[:20]
        place.rename(place.with_name(key))


def flip(path: Path, chance: random.Random) -> None:
    """Changes one bit."""
    data = bytearray(path.read_bytes() or b"\0")
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def cut(path: Path, chance: random.Random) -> None:
    """Keeps the beginning alone."""
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data) or 1)])


def empty(path: Path, _: random.Random) -> None:
    """Leaves no byte."""
    path.write_bytes(b"")


def rubbish(path: Path, chance: random.Random) -> None:
    """Replaces all by random bytes."""
    path.write_bytes(chance.randbytes(chance.choice((1, 50, 5000))))


def lose(path: Path, _: random.Random) -> None:
    """Removes the file."""
    path.unlink()


def folder(path: Path, _: random.Random) -> None:
    """Puts a folder in its place."""
    path.unlink()
    path.mkdir()


def link(path: Path, _: random.Random) -> None:
    """Moves the content out of the workspace and links to it."""
    outside = Path(tempfile.mkdtemp(dir=path.parents[-2])) / path.name
    path.rename(outside)
    path.symlink_to(outside)


def pipe(path: Path, _: random.Random) -> None:
    """Puts a pipe in its place, from which nothing ever comes."""
    path.unlink()
    os.mkfifo(path)


def huge(path: Path, _: random.Random) -> None:
    """Makes it 300 MB of zeros longer, which take no space."""
    with path.open("r+b") as file:
        file.truncate(HUGE_BYTES)


def retype(path: Path, chance: random.Random) -> None:
    """JSON: one value of another type; CSV: one cell; else a flipped bit."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return retype_cell(path, chance)
    places = list(_places(values))
    if not places or chance.random() < 0.2:
        values = chance.choice(OTHER_VALUES)
    else:
        holder, key = chance.choice(places)
        holder[key] = chance.choice(OTHER_VALUES)
    path.write_text(json.dumps(values), encoding="utf-8")


def retype_cell(path: Path, chance: random.Random) -> None:
    """Writes nonsense into a cell of a CSV file."""
    if path.suffix != ".csv":
        return flip(path, chance)
    lines = path.read_text(encoding="utf-8").splitlines()
    at = chance.randrange(len(lines))
    cells = lines[at].split(",")
    nonsense = ("inf", "nan", "", "text", "-1", "1e999", "9" * 40, "../../x")
    cells[chance.randrange(len(cells))] = chance.choice(nonsense)
    lines[at] = ",".join(cells)
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def shape(path: Path, chance: random.Random) -> None:
    """CSV: a column less, or rows twice; JSON: a key less; else cut."""
    if path.suffix == ".csv":
        lines = path.read_text(encoding="utf-8").splitlines()
        if chance.random() < 0.5:
            at = chance.randrange(lines[0].count(",") + 1)
            rows = (line.split(",") for line in lines)
            lines = [",".join(row[:at] + row[at + 1 :]) for row in rows]
        else:
            lines += lines[1:3]
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        holder, key = chance.choice(list(_places(values)))
    except (ValueError, IndexError):
        return cut(path, chance)
    del holder[key]
    path.write_text(json.dumps(values), encoding="utf-8")


def _places(values: Any) -> Iterator[tuple[Any, Any]]:
    """Every value inside of values, as what holds it and its key there."""
    items: Any = ()
    if isinstance(values, dict):
        items = list(values.items())
    elif isinstance(values, list):
        items = list(enumerate(values))
    for key, value in items:
        yield values, key
        yield from _places(value)


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "flip": flip,
    "cut": cut,
    "empty": empty,
    "rubbish": rubbish,
    "lose": lose,
    "folder": folder,
    "link": link,
    "pipe": pipe,
    "huge": huge,
    "retype": retype,
    "shape": shape,
}


def page_error(page: str, address: dict[str, str], workspace: Path) -> str:
    """Opens a page; the first error on it that has no name, else ""."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(MENU), default_timeout=60).run()
    app.session_state["consent"] = True
    for name, value in address.items():
        value = value.replace("@places", str(workspace / "datasets" / "places"))
        app.query_params[name] = value
    app.switch_page(page.partition("?")[0]).run()
    for error in app.exception:
        text = f"{error.proto.type}: {error.message}"
        if error.proto.type not in NAMED and str(workspace) not in error.message:
            return text + " " + " | ".join(list(error.stack_trace)[-2:])
    return ""


def worker_error(workspace: Path) -> str:
    """What the worker does with a run until its training begins."""
    from medmodel.data.datasets import index_dataset
    from medmodel.data.folders import safe_folder
    from medmodel.runs import claims, queue, run_index
    from medmodel.runs.progress.status_writer import StatusWriter
    from medmodel.runs.run_store import RunStore
    from medmodel.training import train

    store = RunStore(workspace)
    run_index.entries(store)
    list(queue.waiting(store))
    run = store.get(IDS["interrupted"])
    claim = claims.claim_run(run)
    assert claim is not None
    try:
        run.check_settings()
        with StatusWriter(run) as reporter:
            reporter.rewind(3, 1)
            index = index_dataset(safe_folder(run.config.dataset), reporter.job)
            table = train._split(run, index, run.config)
            preprocessing = run.config.preprocessing(run.config.size or 32)
            train.prepare(index.folder, table, preprocessing, reporter.job)
    finally:
        claim.lock.release()
        for lock in claim.device_locks:
            lock.release()
    return ""


def predictor_error(workspace: Path) -> str:
    """What the predictor does when it is asked for a run's model."""
    from medmodel.evaluation.calibration.temperature_scaling import stored_temperature
    from medmodel.inference import prediction
    from medmodel.runs.run_store import RunStore

    run = RunStore(workspace).get(IDS["trained"])
    prediction.load(run)
    stored_temperature(run)
    return ""


def report_error(workspace: Path) -> str:
    """What the reports say of a run."""
    from medmodel.reports import evaluation_html
    from medmodel.runs.run_store import RunStore

    run = RunStore(workspace).get(IDS["trained"])
    evaluation_html.evaluation_page(run)
    evaluation_html.model_card_html(run)
    return ""


PROCESSES = {
    "worker": worker_error,
    "predictor": predictor_error,
    "report": report_error,
}


def met(place: str, workspace: Path) -> str:
    """Goes to a page or does a process's work; the error without a name, else ""."""
    if place in PAGES:
        return page_error(place, PAGES[place], workspace)
    try:
        return PROCESSES[place](workspace)
    except MedModelError:
        return ""
    except OSError as error:
        if str(workspace) in str(error):
            return ""
        return f"{error!r} {traceback.extract_tb(error.__traceback__)[-1]}"
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        return f"{error!r:.300} {' | '.join(map(str, frames))}"


def _kinds(error: type[Exception]) -> Iterator[str]:
    yield error.__name__
    for child in error.__subclasses__():
        yield from _kinds(child)


NAMED = set(_kinds(MedModelError))


def one_case(number: int, seed: int, root: Path) -> Outcome:
    """The `number`-th case of a seed, always the same."""
    chance = random.Random(f"{seed} {number}")
    workspace = root / f"{number}" / "workspace"
    unpack(workspace)
    os.environ["MEDMODEL_WORKSPACE"] = str(workspace)
    files = sorted(
        path
        for path in workspace.rglob("*")
        if path.is_file() and "datasets" not in path.relative_to(workspace).parts
    )
    kinds: dict[str, list[Path]] = {}
    for path in files:  # a kind of file as often as any other
        kinds.setdefault(path.name if len(path.name) < 20 else path.suffix, []).append(
            path
        )
    path = chance.choice(kinds[chance.choice(sorted(kinds))])
    damage = chance.choice(list(DAMAGES))
    place = chance.choice([*PAGES, *PAGES, *PROCESSES, *PROCESSES, *PROCESSES])
    DAMAGES[damage](path, chance)
    unnamed = met(place, workspace)
    shutil.rmtree(workspace.parent, ignore_errors=True)
    return Outcome(str(path.relative_to(workspace)), damage, place, unnamed)


def without_processes() -> None:
    """Lets no page start a worker or a predictor."""
    from medmodel.core.errors import PredictionError
    from medmodel.core.processes.messages import Message
    from medmodel.predictor import Predictor
    from medmodel.runs import queue

    def refuse(self: Predictor, question: Message) -> Message:
        raise PredictionError("There is no predictor here.")

    queue.ensure_worker = lambda store: None
    Predictor._exchange = refuse  # type: ignore[method-assign, assignment]


def main(count: int, seed: int, first: int = 0) -> None:
    """Prints the cases from the first on."""
    logging.disable(logging.CRITICAL)
    without_processes()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        for number in range(first, count):
            faulthandler.dump_traceback_later(CASE_SECONDS, exit=True)
            outcome = one_case(number, seed, Path(temporary))
            faulthandler.cancel_dump_traceback_later()
            sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    count, seed, first = [*map(int, sys.argv[1:]), 0, 0][:3]
    main(count, seed, first)
