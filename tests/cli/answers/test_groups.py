"""`medmodel evaluate --by-group`: metrics by group, as text and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medmodel.runs.run import Run
from tests.cli.conftest import Invoke
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_class_folders(tmp_path / "data" / "set", images_per_class=30)
    return write_finished_run(folder, "a model", patients=25)


def test_by_group_from_a_table_beside_the_images(
    run: Run, json_of: Callable[..., Any], invoke: Invoke
) -> None:
    folder = Path(run.config.dataset)
    names = sorted(path.stem for path in folder.glob("*/*"))
    lines = [f"{name},{'FM'[at % 2]}" for at, name in enumerate(names)]
    (folder / "about.csv").write_text("\n".join(["file,sex", *lines]))
    values = json_of("evaluate", run.id, "--by-group")
    assert [g["group"] for g in values["groups"]["Sex"]] == ["F", "M"]
    assert sum(g["images"] for g in values["groups"]["Sex"]) == 40
    assert "groups" not in json_of("evaluate", run.id)
    assert "Sex" in invoke("evaluate", run.id, "--by-group").output
