"""Whatever became of a file: it is read, or its name is said, and it stays."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medmodel.benchmark.durability import damage
from medmodel.core import storage
from medmodel.core.errors import MedModelError
from medmodel.data import curation, datasets
from medmodel.evaluation import external_validation
from medmodel.evaluation.calibration.temperature_scaling import (
    store_temperature,
    stored_temperature,
)
from medmodel.evaluation.decision import frozen_thresholds
from medmodel.evaluation.review import gallery
from medmodel.imaging import enhance
from medmodel.reports import evaluation_html, evaluation_pdf
from medmodel.reports.pdf_canvas import PdfCanvas
from medmodel.runs import queue, run_index, run_table
from medmodel.runs.notes import notes_of
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.predictions import read_predictions
from medmodel.runs.tables.split import read_split
from tests import damaged_workspace
from tests.damaged_workspace import DAMAGES, IDS, OTHER_VALUES, PAGES

READERS: dict[str, Callable[[Run], object]] = {
    "thresholds.json": lambda run: (
        frozen_thresholds.frozen_thresholds(run),
        frozen_thresholds.later_choices(run),
    ),
    "calibration.json": stored_temperature,
    "elsewhere.json": lambda run: external_validation.external_tests(run, RunStore()),
    "doubtful.json": gallery.doubtful_labels,
    "environment.json": lambda run: run.environment,
    "notes.json": notes_of,
    "config.json": lambda run: run.check_settings(),
    "status.json": lambda run: run.status,
    "model.json": lambda run: run.model_facts,
    "history.csv": run_table.epochs,
    "predictions.csv": read_predictions,
    "split.csv": read_split,
    "../../enhancements.json": lambda run: enhance.saved_chains(),
    "@index/actions.json": lambda run: curation.actions(
        datasets.index_folder(Path(run.config.dataset))
    ),
}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old workspace; every test leaves it as it was."""
    folder = tmp_path_factory.mktemp("old") / "workspace"
    damaged_workspace.unpack(folder)
    return folder


@pytest.fixture
def run(old: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(old))
    monkeypatch.delenv("MEDMODEL_DATA")
    # A file that is too large is none that takes long to read.
    monkeypatch.setattr(storage, "MOST_JSON_BYTES", 1 << 20)
    monkeypatch.setattr(damaged_workspace, "HUGE_BYTES", 2 << 20)
    return RunStore().get(IDS["trained"])


def path_of(name: str, run: Run) -> Path:
    index = datasets.index_folder(Path(run.config.dataset))
    return Path(
        name.replace("@index", str(index)) if "@" in name else run.folder / name
    )


def read(name: str, run: Run, path: Path) -> None:
    """Reads a damaged file, and all runs: only named errors may come of it."""
    try:
        READERS[name](run)
    except MedModelError as error:
        assert path.name in str(error)
    run_index._known.pop(run.folder, None)
    run_index.entries(RunStore())
    run_index.unreadable(RunStore())


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_named(
    name: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = path_of(name, run).resolve()
    if path.suffix == ".csv":  # the benchmark reads larger ones, which takes seconds
        monkeypatch.setattr(damaged_workspace, "HUGE_BYTES", 2 << 20)
    shutil.copy2(path, tmp_path / "whole")
    for number in range(3 * len(DAMAGES)):
        damage = list(DAMAGES)[number % len(DAMAGES)]
        DAMAGES[damage](path, random.Random(number))
        try:
            read(name, run, path)
        finally:
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            path.unlink(missing_ok=True)
            shutil.copy2(tmp_path / "whole", path)
    READERS[name](run)


@pytest.mark.parametrize("name", [name for name in READERS if name.endswith("json")])
def test_a_value_of_another_type_is_read_or_named(
    name: str, run: Run, tmp_path: Path
) -> None:
    path = path_of(name, run).resolve()
    shutil.copy2(path, tmp_path / "whole")
    whole: Any = json.loads(path.read_text(encoding="utf-8"))
    try:
        for value in OTHER_VALUES:
            path.write_text(json.dumps(value), encoding="utf-8")
            read(name, run, path)
            for key in whole if isinstance(whole, dict) else ():
                text = json.dumps({**whole, key: value})
                path.write_text(text, encoding="utf-8")
                read(name, run, path)
    finally:
        shutil.copy2(tmp_path / "whole", path)


def others(run: Run) -> list[str]:
    """Names of a run's files beside the two of its model."""
    model = {"best.keras", "model.json"}
    names = {path.name for path in run.folder.iterdir() if path.is_file()}
    return sorted(names - model)


def subsets_of(names: list[str]) -> list[list[str]]:
    """Each alone, all, and some at random."""
    chance = random.Random(0)
    drawn = [[name for name in names if chance.random() < 0.5] for _ in range(9)]
    return [*([name] for name in names), names, *drawn]


def test_a_run_survives_the_loss_of_all_but_its_model(run: Run, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(run.folder, whole)
    readers = [reader for name, reader in READERS.items() if "/" not in name]
    for lost in subsets_of(others(run)):
        for name in lost:
            (run.folder / name).unlink()
        run_index._known.pop(run.folder, None)
        (entry,) = (e for e in run_index.entries(RunStore()) if e.run.id == run.id)
        assert entry.has_model and run.model_facts.class_names
        for name in {"config.json", "status.json"} & set(lost):
            assert any(name in problem for problem in entry.problems)
        for reader in readers:
            try:
                reader(run)
            except MedModelError as error:
                assert any(name in str(error) for name in lost), error
        shutil.copytree(whole, run.folder, dirs_exist_ok=True)


@pytest.mark.parametrize(
    "place", [p for p, address in PAGES.items() if address.get("run") == IDS["trained"]]
)
def test_pages_of_a_run_of_which_the_model_alone_is_left(
    place: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)
    whole = tmp_path / "whole"
    shutil.copytree(run.folder, whole)
    for name in others(run):
        (run.folder / name).unlink()
    try:
        workspace = run.folder.parents[1]
        assert not damaged_workspace.page_error(place, PAGES[place], workspace)
    finally:
        shutil.copytree(whole, run.folder, dirs_exist_ok=True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "thresholds.json",
            '{"rule": "youden", "value": 0, "thresholds": {"a": 1e999}}',
        ),
        ("thresholds.json", '{"rule": "luck", "value": 0, "thresholds": {}}'),
        ("thresholds.json", '{"rule": "youden", "thresholds": {}}'),
        ("thresholds.json", "[]"),
        (
            "thresholds.json",
            '{"rule": "youden", "value": 0, "thresholds": {}, "when": 1e300}',
        ),
        (
            "calibration.json",
            '{"value": NaN, "low": 1, "high": 1, "images": 9, "bounded": false}',
        ),
        (
            "calibration.json",
            '{"value": 1, "low": 0, "high": 1, "images": 9, "bounded": false}',
        ),
        ("elsewhere.json", "{}"),
        ("doubtful.json", "[1]"),
        ("environment.json", "[]"),
        ("../../enhancements.json", '{"a": {"steps": "invert"}}'),
        ("@index/actions.json", '{"all": [{"kind": "explode", "reason": ""}]}'),
        (
            "@index/actions.json",
            '{"all": [{"kind": "slices", "reason": "", "slicing": {"step": "x"}}]}',
        ),
    ],
)
def test_what_nobody_wrote_is_named(
    name: str, text: str, run: Run, tmp_path: Path
) -> None:
    path = path_of(name, run).resolve()
    shutil.copy2(path, tmp_path / "whole")
    path.write_text(text, encoding="utf-8")
    try:
        with pytest.raises(MedModelError, match=path.name.replace(".", r"\.")):
            READERS[name](run)
        assert path.read_text(encoding="utf-8") == text
    finally:
        shutil.copy2(tmp_path / "whole", path)


def test_a_page_and_a_process_are_driven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver of the benchmark: a case is the same each time, and is judged."""
    monkeypatch.setattr(damaged_workspace, "PAGES", {"models/runs.py": {}})
    monkeypatch.setattr(
        damaged_workspace, "PROCESSES", {"report": damaged_workspace.report_error}
    )
    monkeypatch.setenv("MEDMODEL_WORKSPACE", "")
    monkeypatch.delenv("MEDMODEL_DATA")
    first, again = (damaged_workspace.one_case(3, 0, tmp_path) for _ in range(2))
    assert first == again and not first.unnamed

    def fail(workspace: Path) -> str:
        raise KeyError("x")

    monkeypatch.setattr(damaged_workspace, "PROCESSES", {"report": fail})
    assert "KeyError('x')" in damaged_workspace.met("report", tmp_path)


def test_a_case_over_which_the_process_ends_is_bad_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[int] = []

    def run(count: int, seed: str, first: int) -> Iterator[dict[str, str]]:
        ran.append(first)
        for number in range(first, 2 if first < 2 else count):
            yield {"file": f"{number}", "damage": "d", "place": "p", "unnamed": ""}

    monkeypatch.setattr(damage, "_run_cases", run)
    monkeypatch.setenv("MEDMODEL_DAMAGE_CASES", "5")
    (measured,) = damage.damage()
    assert (measured.value, measured.ok, ran) == (1, False, [0, 3])
    assert "case 2" in measured.note and "hung" in measured.note


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("calibration.json", "Whether scores are calibrated is not known"),
        ("thresholds.json", "Which thresholds were chosen is not known"),
    ],
)
def test_reports_say_what_is_damaged(
    name: str, words: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    paragraphs: list[str] = []
    monkeypatch.setattr(
        PdfCanvas, "paragraph", lambda self, text, *_: paragraphs.append(text)
    )
    kept = (run.folder / name).read_bytes()
    (run.folder / name).write_bytes(b"{")
    try:
        assert words in evaluation_html.model_card_html(run)
        page = evaluation_html.evaluation_page(run)
        assert (words in page) is (name == "thresholds.json")
        evaluation_pdf.evaluation_sheet(run)
        assert any(words in text for text in paragraphs)
    finally:
        (run.folder / name).write_bytes(kept)
    assert words not in evaluation_html.model_card_html(run)


def test_a_calibration_takes_the_place_of_a_damaged_one(run: Run) -> None:
    path = run.folder / "calibration.json"
    kept = stored_temperature(run)
    assert kept is not None
    path.write_bytes(b"{")
    store_temperature(run, kept)
    aside = path.with_name("calibration.json.damaged")
    assert stored_temperature(run) == kept and aside.read_bytes() == b"{"
    aside.unlink()


@pytest.mark.parametrize("name", ["@index/actions.json", "../interrupted/config.json"])
def test_the_page_train_names_what_is_damaged_and_stands(
    name: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)
    path = path_of(name.replace("interrupted", IDS["interrupted"]), run).resolve()
    kept = path.read_bytes()
    path.write_bytes(b"{")
    try:
        workspace = run.folder.parents[1]
        page = "models/train.py"
        assert not damaged_workspace.page_error(page, PAGES[page], workspace)
    finally:
        path.write_bytes(kept)
