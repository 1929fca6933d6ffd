"""Items of CLAIM and TRIPOD+AI: those on data and training, and on a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from medmodel.data.datasets import load_index
from medmodel.language import _, join_sentences, ngettext, translate
from medmodel.reports import run_facts
from medmodel.reports.card.model_texts import (
    described_network,
    imbalance_text,
    preprocessing_text,
    training_text,
)
from medmodel.reports.run_facts import BLANK
from medmodel.runs.run import Run


class GuidelineItem(NamedTuple):
    """One topic of the reporting guidelines.

    Args:
        topic: In a few words.
        claim: Its items in CLAIM 2024; empty if it has none there.
        tripod: Its items in TRIPOD+AI; empty if it has none there.
        text: What is known, or `BLANK`.
    """

    topic: str
    claim: str
    tripod: str
    text: str


def items_on_data(run: Run) -> list[GuidelineItem]:
    """CLAIM 5 to 21."""
    facts = run.model_facts if run.model_path.exists() else None
    seen = preprocessing_text(facts.preprocessing) if facts else BLANK
    model = run_facts.origin(run)
    named = (Path(each.config.dataset).name for each in filter(None, [model, run]))
    # A model that was trained elsewhere has no folder here.
    folders = dict.fromkeys(filter(None, named))
    checked, level = run_facts.data_quality(run), run_facts.split_level(run)
    sizes = run_facts.sample_sizes(run)
    return [
        GuidelineItem(_("Study design and goal"), "5–6", "4", BLANK),
        GuidelineItem(
            _("Data source"),
            "7",
            "5a",
            _("Folder {folder}", folder=_(", ").join(folders)) if folders else BLANK,
        ),
        GuidelineItem(_("Dates and sites of acquisition"), "7", "5b, 6a", BLANK),
        GuidelineItem(_("Inclusion and exclusion of patients"), "8", "6b", BLANK),
        GuidelineItem(_("Pre-processing and selection"), "9–10", "7", seen),
        GuidelineItem(_("De-identification"), "11", "", BLANK),
        GuidelineItem(_("Missing and unreadable data"), "12", "11", _unreadable(run)),
        GuidelineItem(_("Image acquisition protocol"), "13", "", BLANK),
        GuidelineItem(_("Quality and leakage checks"), "9, 20", "7", checked),
        GuidelineItem(_("Reference standard and annotators"), "14–18", "8", BLANK),
        GuidelineItem(_("Partitions and their level"), "19–20", "16", level),
        GuidelineItem(_("Sample size"), "21, 35", "10, 20a", sizes),
    ]


def items_on_training(run: Run) -> list[GuidelineItem]:
    """CLAIM 22 to 26."""
    model = run_facts.origin(run)
    best = model.status.best_epoch if model else 0
    chosen = (
        _("Epoch {epoch} was kept, for its validation loss.", epoch=best)
        if best
        else BLANK
    )
    return [
        GuidelineItem(_("Model"), "22", "12c, 22", described_network(run)),
        GuidelineItem(_("Software and hardware"), "23", "12", _environment(model)),
        GuidelineItem(_("Training"), "24–25", "12c, 21", training_text(run)),
        GuidelineItem(_("Rare classes"), "25", "13", imbalance_text(run)),
        GuidelineItem(_("How the final model was chosen"), "26", "12c", chosen),
    ]


def items_on_test(
    run: Run,
    tested_on: str,
    metrics: str,
    uncertainty: str,
    performance: str,
    limits: Sequence[str],
    explainability: str = "",
) -> list[GuidelineItem]:
    """CLAIM 28 to 44 where the program knows less than of classes.

    Args:
        run: The run.
        tested_on: On which images, in a sentence.
        metrics: Their titles.
        uncertainty: See `uncertainty_text`.
        performance: The main result.
        limits: In sentences.
        explainability: How an answer is explained; empty if it is not.
    """
    internal, external = (BLANK, tested_on) if run.tested_model else (tested_on, BLANK)
    intended = _("None: research and teaching.")
    explained = GuidelineItem(_("Explainability"), "31", "", explainability)
    return [
        GuidelineItem(_("Metrics"), "28", "12e", metrics),
        GuidelineItem(_("Uncertainty"), "29", "12e, 23a", uncertainty),
        GuidelineItem(_("Robustness"), "30", "", BLANK),
        *([explained] if explainability else []),
        GuidelineItem(_("Internal test"), "32", "16", internal),
        GuidelineItem(_("External test"), "33", "16", external),
        GuidelineItem(_("Performance"), "37–38", "23a", performance),
        GuidelineItem(_("Fairness and subgroups"), "38", "14, 23a", BLANK),
        GuidelineItem(_("Failure analysis"), "39", "", BLANK),
        GuidelineItem(_("Limitations"), "40", "26", join_sentences(limits)),
        GuidelineItem(_("Intended use and clinical role"), "41", "27", intended),
        GuidelineItem(_("Funding and interests"), "44", "18a, 18b", BLANK),
    ]


def uncertainty_text(patients: int) -> str:
    """What intervals took as independent.

    Args:
        patients: How many there are; 0 if unknown.
    """
    if patients:
        return _("95 % intervals: patients kept together.")
    return _("95 % intervals: images as independent.")


def _unreadable(run: Run) -> str:
    index = load_index(Path(run.config.dataset))
    if index is None:
        return BLANK
    broken = int((index.table["error"] != "").sum())
    return ngettext(
        "{count:,} image file could not be read and was left out.",
        "{count:,} image files could not be read and were left out.",
        broken,
    )


_SOFTWARE = {
    "python": "Python ",
    "tensorflow": "TensorFlow ",
    "keras": "Keras ",
    "numpy": "NumPy ",
    "platform": "",
    "device": "",
}
"""Fact of environment.json -> what stands before it."""


def _environment(model: Run | None) -> str:
    values = model.environment if model else {}
    return _(", ").join(
        f"{title}{translate(str(values[name]))}"
        for name, title in _SOFTWARE.items()
        if values.get(name)
    )
