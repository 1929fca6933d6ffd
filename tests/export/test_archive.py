"""What goes into an export: a drawn image, and facts without anybody's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medmodel.core.environment import workspace_root
from medmodel.core.preprocessing import Preprocessing
from medmodel.export.archive import drawn_sample
from medmodel.export.formats import FORMATS
from medmodel.export.metadata import model_metadata
from medmodel.export.report import ExportReport, export_folder
from medmodel.runs.run import Run
from medmodel.runs.status import ModelFacts
from tests.finished_run import write_finished_run


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 64, 3)])
def test_the_drawn_sample_is_no_plain_image(shape: tuple[int, int, int]) -> None:
    sample = drawn_sample(shape)
    assert sample.shape == shape and sample.dtype == np.uint8
    assert np.ptp(sample) > 100
    np.testing.assert_array_equal(sample, drawn_sample(shape))
    if shape[2] == 3:
        assert (sample[..., 0] != sample[..., 2]).any()


@pytest.fixture
def run(class_folders: Path) -> Run:
    run = write_finished_run(class_folders, "named", patients=8)
    facts = ModelFacts(["dark", "light"], Preprocessing(48, colour="grey"), [], 7)
    run.write_model_facts(facts)
    run.model_path.touch()
    return run


def test_metadata_of_a_run(run: Run, class_folders: Path) -> None:
    facts = model_metadata(run)
    assert facts["classes"] == ["dark", "light"]
    assert facts["input"]["shape"] == [48, 48, 1]
    assert facts["preprocessing"]["fit"] == "pad"
    assert facts["temperature"] is None and facts["thresholds"] is None
    assert len(facts["data_fingerprint"]) == 64
    assert "Not for clinical use" in facts["intended_use"]
    for secret in (str(class_folders), str(workspace_root()), "p1", "dark_00"):
        assert secret not in str(facts)


def report(**values: object) -> ExportReport:
    facts: dict[str, object] = {
        **{"format": "onnx", "model": "", "bytes": 1, "images": 32, "drawn": 0},
        **{"largest_difference": 0.0, "same_class": 1.0, "latency": 0.0},
        **{"original_latency": 0.0, "memory": 0, "versions": {}},
    }
    return ExportReport(**{**facts, **values})  # type: ignore[arg-type]


def test_faithful_to_a_tolerance() -> None:
    assert report(largest_difference=1e-4).faithful
    assert not report(largest_difference=1.01e-4).faithful
    assert report(
        format="litert_int8", largest_difference=0.3, same_class=0.98
    ).faithful
    assert not report(format="litert_int8", same_class=0.979).faithful
    assert not report(format="litert_int8", same_class=0.999, dice=0.97).faithful
    assert report(format="litert_int8", same_class=0.999, dice=0.98).faithful


def test_a_format_is_named_by_its_key(run: Run) -> None:
    assert [export_folder(run, key).name for key in FORMATS] == list(FORMATS)
    with pytest.raises(KeyError):
        export_folder(run, "../elsewhere")
