"""A model of several findings tested on another folder, with a real model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medmodel.core.errors import DataError
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.datasets import index_dataset
from medmodel.evaluation import external_validation
from medmodel.evaluation.multi_label.external_findings import mapped_label
from medmodel.evaluation.multi_label.run_findings import run_decisions, run_findings
from medmodel.imaging.images import decode, prepare_image
from medmodel.inference import prediction
from medmodel.networks.models import build_model
from medmodel.reports.multi_label import documents, facts
from medmodel.runs import queue, run_index
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import ModelFacts, RunStatus
from medmodel.runs.tables.findings import finding_names, read_findings
from medmodel.training import external_run
from tests.conftest import draw_class_folders
from tests.findings_folder import FINDINGS, draw_findings_folder
from tests.findings_run import write_findings_run

SEEN = Preprocessing(32, colour="grey")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(queue, "notify_queue", lambda store: None)
    run = write_findings_run(draw_findings_folder(tmp_path / "data" / "f", images=96))
    model = build_model("compact_resnet", SEEN, 2, seed=1, activation="sigmoid")
    model.save(run.model_path)
    run.write_model_facts(ModelFacts(list(FINDINGS), SEEN, [], 9))
    return run


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Other images, of a finding with another name and one that the model lacks."""
    folder = draw_findings_folder(tmp_path / "data" / "there", images=24, side=44)
    table = folder / "findings.csv"
    header = "file,patient,Bright,rare"
    table.write_text("\n".join([header, *table.read_text().splitlines()[1:]]))
    return folder


def test_findings_that_the_folder_tells_are_tested(run: Run, there: Path) -> None:
    assert external_validation.classes_there(run, there) == ["Bright", "rare"]
    mapping = external_validation.match_classes(FINDINGS, ["Bright", "rare"])
    assert mapping == {"Bright": "bright", "rare": ""}
    test = external_validation.submit(run, there, mapping, RunStore())
    with StatusWriter(test) as reporter:
        assert external_run.test(test, reporter) is RunStatus.DONE
        reporter.update(state=RunStatus.DONE)
    table = read_findings(test)
    assert finding_names(table) == ["bright"]
    tested = table[table["split"] == "test"]
    labels = index_dataset(there).table.set_index("path")["label"]
    truth = ["Bright" in labels[path] for path in tested["path"]]
    assert list(tested["true_bright"]) == truth and 0 < sum(truth) < 24
    paths = [there / path for path in tested["path"]]
    images = [prepare_image(decode(path).pixels, SEEN) for path in paths]
    expected = prediction.predict(prediction.load(run), np.stack(images))[:, 0]
    np.testing.assert_allclose(tested["score_bright"], expected, atol=1e-5)
    # Thresholds are those of training.
    assert run_decisions(test) == run_decisions(run)[:1]
    findings = run_findings(test)
    assert findings.evaluation.images == 24 and findings.copies.external
    assert "nothing of them: striped" in " ".join(facts.limits(test, findings))
    assert "external: all of there" in facts.tested_on(test, findings.evaluation)
    assert "external: all of there" in documents.model_card_html(test)
    [entry] = [e for e in run_index.entries(RunStore()) if e.test_of]
    assert entry.test_images == 24
    assert np.isfinite(findings.evaluation.mean_auc.value)


def test_a_folder_of_classes_says_nothing_of_most_findings(
    run: Run, tmp_path: Path
) -> None:
    folder = draw_class_folders(tmp_path / "data" / "classes", ("bright", "dark"), 3)
    with pytest.raises(DataError, match="tells one class of each image"):
        external_validation.classes_there(run, folder)
    with pytest.raises(DataError, match="tells one class of each image"):
        external_validation.submit(run, folder, {"bright": "bright"}, RunStore())
    with pytest.raises(DataError, match="counts as one of this model"):
        external_validation.submit(run, folder, {"bright": ""}, RunStore())


def test_findings_of_two_names_may_be_one() -> None:
    mapping = {"a": "x", "b": "x", "c": ""}
    assert mapped_label("a|b|c", mapping) == "x"
    assert mapped_label("c", mapping) == mapped_label("No finding", mapping)
