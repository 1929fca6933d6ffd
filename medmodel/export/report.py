"""What is known of an exported model: how it was compared, how large and fast it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medmodel.core.storage import newer, read_if_whole
from medmodel.export.formats import FORMATS, INT8_AGREEMENT, TOLERANCE
from medmodel.runs.run import Run


@dataclass(frozen=True)
class ExportReport:
    """An exported model, compared with the one that it was made from.

    Args:
        format: Key of `formats.FORMATS`.
        model: SHA-256 of the best.keras that it was made from, hexadecimal.
        bytes: Size of the model's file, or of all files of its folder.
        images: Test images of the run that both models were asked about.
        drawn: Images of noise beside them, where these are few or cannot be read.
        largest_difference: Between two probabilities of one image and class.
        same_class: Share of the images with the same predicted class; of a
            segmentation, of their pixels; of several findings, of the images' findings
            that are predicted by both or by neither.
        latency: Seconds for one image, the median of several; on this processor.
        original_latency: The same of the model itself, measured in the same way.
        memory: Bytes by which the process grew that loaded and ran it.
        versions: Name of a package -> its version, of those that wrote and ran it.
        temperature: With which the run's scores are calibrated; 0 for none.
        thresholds: Whether thresholds were chosen, which stand in the metadata.
        dice: Of a segmentation the lowest Dice between both models' outlines, of the
            whole foreground and of each class; None where neither outlines anything,
            and for other models.
        rounded: What has 8 bits: `"all"`, weights and values between layers;
            `"weights"`, those of large layers; `"mixed"`, those of the largest layers,
            where those of other large ones have 16; `"half"`, nothing, as no layer is
            large enough, but those of large layers have 16; `"none"`, nothing, as no
            layer is large. "" for other formats.
    """

    format: str
    model: str
    bytes: int
    images: int
    drawn: int
    largest_difference: float
    same_class: float
    latency: float
    original_latency: float
    memory: int
    versions: dict[str, str]
    temperature: float = 0.0
    thresholds: bool = False
    rounded: str = ""
    dice: float | None = None

    @property
    def faithful(self) -> bool:
        """Whether it answers as the model does.

        To `TOLERANCE`; of 8 bits: the same class for `INT8_AGREEMENT` of the images, of
        a segmentation also such a Dice.
        """
        if FORMATS[self.format].quantised:
            dice = 1.0 if self.dice is None else self.dice
            return min(self.same_class, dice) >= INT8_AGREEMENT
        return self.largest_difference <= TOLERANCE


def export_folder(run: Run, key: str) -> Path:
    """Where a run's export in one format lies."""
    return run.folder / "exports" / FORMATS[key].key


def archive_path(run: Run, key: str) -> Path:
    """The ZIP file with the exported model and all that belongs to it."""
    return export_folder(run, key) / "export.zip"


def load_report(run: Run, key: str) -> ExportReport | None:
    """What is known of a run's export.

    Returns:
        None where there is none, it is damaged, or the run has another model now.
    """
    path = export_folder(run, key) / "report.json"
    if newer(run.model_path, path) or not archive_path(run, key).is_file():
        return None
    return read_if_whole(path, ExportReport)
