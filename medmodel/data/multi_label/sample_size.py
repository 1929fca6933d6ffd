"""Warnings about sample size where an image may have several findings.

An AUC needs images with and without the finding; images of one finding are counted
once for each finding that they have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from medmodel.data.multi_label.findings import NO_FINDING
from medmodel.data.sample_size import SMALL_CLASS, SMALL_DATASET, SMALL_TEST
from medmodel.language import _, ngettext

_NAMED = 5


def findings_warnings(
    counts: Mapping[str, Mapping[str, int]], images: Mapping[str, int]
) -> list[str]:
    """What a split data set is too small for, a sentence each, the worst first.

    Args:
        counts: Finding, or `NO_FINDING` -> split -> images with it.
        images: Split -> images.
    """
    total, tested = sum(images.values()), images.get("test", 0)
    warnings = []
    if total < SMALL_DATASET:
        warnings.append(
            ngettext(
                "{count:,} image in all: too few to learn from or to judge by, enough "
                "to try the program.",
                "{count:,} images in all: too few to learn from or to judge by, enough "
                "to try the program.",
                total,
            )
        )
    if not tested:
        warnings.append(_("No test images: nothing can be measured."))
    elif tested < SMALL_TEST:
        warnings.append(
            ngettext(
                "Only {count:,} test image: intervals are wide or missing, and a "
                "perfect result means little.",
                "Only {count:,} test images: intervals are wide or missing, and a "
                "perfect result means little.",
                tested,
            )
        )
    findings = {name: each for name, each in counts.items() if name != NO_FINDING}
    return [*warnings, *_of_splits(findings, images)]


def _of_splits(
    findings: Mapping[str, Mapping[str, int]], images: Mapping[str, int]
) -> list[str]:
    """What a split lacks: images with a finding, or without it."""
    warnings = []
    tested, validated = images.get("test", 0), images.get("val", 0)
    in_test = {name: each.get("test", 0) for name, each in findings.items()}
    in_val = {name: each.get("val", 0) for name, each in findings.items()}
    if tested and (names := _listed(in_test, lambda n: n in (0, tested))):
        warnings.append(
            _(
                "All test images, or none, have {findings}: no AUC can be measured "
                "there, and the mean leaves them out.",
                findings=names,
            )
        )
    if tested and (names := _listed(in_test, lambda n: 0 < n < SMALL_CLASS)):
        warnings.append(
            _(
                "Fewer than {least} test images with {findings}: no interval is given "
                "there.",
                least=SMALL_CLASS,
                findings=names,
            )
        )
    if validated and (names := _listed(in_val, lambda n: n in (0, validated))):
        warnings.append(
            _(
                "All validation images, or none, have {findings}: threshold and "
                "calibration cannot be chosen there.",
                findings=names,
            )
        )
    return warnings


def _listed(counts: Mapping[str, int], chosen: Callable[[int], bool]) -> str:
    names = [name for name, count in counts.items() if chosen(count)]
    if len(names) <= _NAMED:
        return ", ".join(names)
    more = len(names) - _NAMED
    return ngettext(
        "{names} and {count:,} more finding",
        "{names} and {count:,} more findings",
        more,
        names=", ".join(names[:_NAMED]),
    )
