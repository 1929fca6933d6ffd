"""What a reader of a comparison must know beside its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medmodel.language import _

if TYPE_CHECKING:
    import pandas as pd

    from medmodel.evaluation.comparison.model_comparison import CommonImages
    from medmodel.evaluation.cross_validation import Models
    from medmodel.evaluation.intervals.estimate import Estimate
    from medmodel.runs.run import Run


def table_of(runs: Sequence[Run]) -> pd.DataFrame:
    """Predictions of a model; of a cross-validation those of all folds."""
    from medmodel.evaluation.cross_validation import pooled_predictions
    from medmodel.runs.copies import independent_predictions

    return (
        independent_predictions(runs[0]) if len(runs) == 1 else pooled_predictions(runs)
    )


def copies_sentences(models: Models) -> list[str]:
    """What is known of copies among the test images, a sentence each.

    Raises:
        FileError: A table of a run is damaged.
    """
    from medmodel.runs.copies import compared_copies, copies_of

    said = compared_copies(
        {name: [copies_of(run) for run in runs] for name, runs in models.items()}
    )
    return [*filter(None, (said.left_out, said.remembered)), *said.unknown]


def limits(models: Models, common: CommonImages) -> list[str]:
    """What the common images of classifications allow, a sentence each."""
    import numpy as np

    from medmodel.data.sample_size import test_warnings
    from medmodel.evaluation.intervals.minima import MINIMA
    from medmodel.reports.run_facts import few_patients

    model = next(iter(common.models.values()))
    images = np.bincount(model.truth, minlength=len(model.classes)).tolist()
    counts = zip(model.classes, images, strict=True)
    said = copies_sentences(models)
    said += test_warnings({name: {"test": count} for name, count in counts})
    if 0 < model.patient_count < MINIMA["accuracy"].patients:
        said.append(few_patients(model.patient_count))
    if not model.patient_count and len(common.paths) >= MINIMA["accuracy"].images:
        said.append(
            _(
                "Patients are not known: images count as independent, so intervals "
                "may be too narrow."
            )
        )
    return said


def metrics_with_copies(models: Models) -> tuple[dict[str, dict[str, Estimate]], str]:
    """Name of each model -> its metrics on all common images, copies among them.

    Empty where no copy was left out, or where labels of copies differ, with a sentence.
    """
    from medmodel.evaluation.comparison import model_comparison
    from medmodel.evaluation.cross_validation import digests_of_models
    from medmodel.runs.copies import copies_of, pooled_copies

    copies = [pooled_copies(list(map(copies_of, runs))) for runs in models.values()]
    if not any(found.paths and not found.all_are_copies for found in copies):
        return {}, ""
    tables = {name: table_of(runs) for name, runs in models.items()}
    return model_comparison.metrics_with_copies(tables, digests_of_models(models))
