"""Classes whose names are written in several ways are one class, which is said."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from medmodel.data.layouts.listing import Ignored
from medmodel.data.multi_label.findings import join_findings, split_findings
from medmodel.language import _

_YES, _NO = {"1", "true", "yes"}, {"0", "false", "no"}
"""Words for the same two classes, where all classes of a data set are among them."""


def label_key(label: str) -> str:
    """What classes have in common that are told apart by no reader.

    Capitals, kinds and numbers of spaces, invisible characters, how letters with
    accents are composed, and how a whole number is written make no other class.
    """
    text = unicodedata.normalize("NFKC", label)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf").casefold()
    text = " ".join(unicodedata.normalize("NFKC", text).split())
    number = re.fullmatch(r"([+-]?)(\d+)(?:[.,]0*)?", text)
    if not number:
        return text
    sign, digits = number.groups()
    # 1, 1.0, 1. and 1,0; +1; 0 and -0. 01 is a code, which is not 1.
    return ("-" if sign == "-" and digits.strip("0") else "") + digits


def one_spelling(labels: Sequence[str], ignored: Ignored) -> dict[str, str]:
    """Label -> its class, called as the first of its labels.

    Args:
        labels: In any order.
        ignored: Grows by the labels that count as another one.
    """
    keys = {label: label_key(label) or label for label in dict.fromkeys(labels)}
    is_answer = set(keys.values()) <= _YES | _NO
    first: dict[str, str] = {}
    classes = {}
    for label, key in keys.items():
        group = str(key in _YES) if is_answer else key
        classes[label] = unicodedata.normalize("NFC", first.setdefault(group, label))
    shared = Counter(classes.values())
    for label, name in classes.items():
        if shared[name] > 1:
            classes[label] = " ".join(name.split())
    for label, name in classes.items():
        if unicodedata.normalize("NFC", label) != name:
            ignored.append((label, _why_the_same(label, name)))
    return classes


def _why_the_same(label: str, name: str) -> str:
    if label_key(label) != label_key(name):
        return _("counts as class {name!r}, which means the same", name=name)
    return _("counts as class {name!r}, which looks alike", name=name)


def spelled_findings(
    labels: Sequence[str], ignored: Ignored
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Label -> the same with each finding in one spelling, and all findings."""
    names = Counter(name for label in labels for name in split_findings(label))
    spelling = one_spelling([name for name, _n in names.most_common()], ignored)
    findings = tuple(sorted(set(spelling.values())))
    spelled = {}
    for label in set(labels):
        present = {spelling[name] for name in split_findings(label)}
        spelled[label] = join_findings(name for name in findings if name in present)
    return spelled, findings
