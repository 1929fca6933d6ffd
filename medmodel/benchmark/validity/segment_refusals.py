"""Row on a segmentation's refusals: new drawn nodules, and chest X-rays."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medmodel.benchmark import Measurement, at_least, at_most, bench_data
from medmodel.benchmark.servers import temporary_workspace
from medmodel.core.config import config_for
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.datasets import index_dataset
from medmodel.data.splits import guess_patient_pattern
from medmodel.data.synthetic import (
    ensure_segmentation_sample,
    write_masked_phantoms,
)
from medmodel.evaluation.ood.detector import FILE_NAME, OodDetector
from medmodel.evaluation.ood.vectors import ood_vectors
from medmodel.imaging.images import decode, prepare_image
from medmodel.inference.ood_features import frozen_features
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run_store import RunStore
from medmodel.training.ood_reference import write_reference
from medmodel.training.train import prepare_context

_ASKED = 200


def segment_refusals() -> list[Measurement]:
    """As a segmentation's training leaves the detector; the U-Net has no part in it."""
    with temporary_workspace(), tempfile.TemporaryDirectory() as folder:
        sample = ensure_segmentation_sample()
        patients = guess_patient_pattern(index_dataset(sample).readable["path"])
        config = config_for("segmentation", str(sample), patient_pattern=patients)
        run = RunStore().create(config)
        with StatusWriter(run) as reporter:
            context, _size = prepare_context(run, reporter)
            write_reference(context)
        detector = OodDetector.load(run.folder / FILE_NAME)
        write_masked_phantoms(Path(folder), patients=_ASKED, slices=1, seed=1)
        new = sorted((Path(folder) / "images").iterdir())
        familiar = _refused(detector, new, context.preprocessing)
    xrays = sorted(bench_data("chest_xray").rglob("*.jpeg"))
    xrays += sorted(bench_data("chest_xray").rglob("*.jpg"))
    drawn = np.random.default_rng(0).permutation(len(xrays))[:_ASKED]
    strange = _refused(detector, [xrays[i] for i in drawn], context.preprocessing)
    basis = detector.basis
    note = (
        f"of {len(new)} new drawn images; 95 % interval of that share "
        f"{100 * basis.low:.0f} to {100 * basis.high:.0f} % by {basis.units} patients"
    )
    of = f"of {len(drawn)} chest X-rays"
    return [
        at_most("segment_refusals", 100 * familiar, 10, "%", note),
        at_least("segment_refusals", 100 * strange, 95, "%", of),
    ]


def _refused(
    detector: OodDetector, paths: Sequence[Path], preprocessing: Preprocessing
) -> float:
    """Share of images beyond the threshold, as Diagnose compares them."""
    images = np.stack(
        [prepare_image(decode(path).pixels, preprocessing) for path in paths]
    )
    vectors = ood_vectors(frozen_features(images, detector.size), images)
    return float(np.mean(detector.distances(vectors) > detector.threshold))
