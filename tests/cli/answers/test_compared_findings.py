"""`medmodel compare` of models of several findings, as text and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medmodel.evaluation.multi_label.comparison import (
    common_of_models,
    compare_findings,
    compare_means,
)
from medmodel.runs.run import Run
from tests.cli.conftest import Invoke
from tests.findings_folder import FINDINGS, draw_findings_folder
from tests.findings_run import write_findings_run


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    folder = draw_findings_folder(tmp_path / "data" / "findings", images=96)
    return [write_findings_run(folder, name) for name in ("first", "second")]


def test_as_json_the_mean_comes_first(
    runs: list[Run], json_of: Callable[..., Any]
) -> None:
    values = json_of("compare", *(run.id for run in runs))
    common = common_of_models({run.config.name: [run] for run in runs})
    assert values["images"] == len(common.paths)
    assert [model["name"] for model in values["models"]] == ["first", "second"]
    assert [d["finding"] for d in values["differences"]] == [None, *FINDINGS]
    pairs = [*compare_means(common)]
    for of_finding in compare_findings(common).values():
        pairs += of_finding
    assert [d["sentence"] for d in values["differences"]] == list(map(str, pairs))
    # The same answers twice: nobody is better.
    assert [d["better"] for d in values["differences"]] == [None] * 3


def test_as_text_every_finding_is_named(runs: list[Run], invoke: Invoke) -> None:
    said = invoke("compare", *(run.id for run in runs)).stdout
    assert "Compared by Mean AUC:" in said
    assert all(f"{name}, compared by AUC:" in said for name in FINDINGS)
