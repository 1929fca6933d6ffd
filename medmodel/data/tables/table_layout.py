"""Which file of a folder a table means, and what it says of it."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from medmodel.data.layouts.listing import Ignored
from medmodel.data.layouts.split_names import split_of, splits_of
from medmodel.data.segmentation_masks import stem
from medmodel.data.tables.columns import Table
from medmodel.data.tables.table_lines import ManifestRow, read_table, several_labels
from medmodel.language import _


class TableFacts(NamedTuple):
    """What tables say of a file; "" where they say nothing."""

    label: str = ""
    split: str = ""
    patient: str = ""


def facts_from_tables(
    folder: Path, tables: Sequence[Table], paths: Sequence[str]
) -> tuple[dict[str, TableFacts], Ignored]:
    """What the tables say of the files.

    Args:
        folder: The data set's.
        tables: All with labels, or all without.
        paths: Its files, relative.

    Returns:
        Path -> facts of the files that can be used, and (name, reason) of those that
        cannot: named and not there, without a label, without a split beside others.

    Raises:
        DataError: A table cannot be read.
    """
    lookup = FileLookup(paths)
    facts: dict[str, TableFacts] = {}
    ignored: Ignored = []
    unusable: dict[str, str] = {}
    source: dict[str, str] = {}
    for table in tables:
        rows = several_labels(list(read_table(table, folder)), table)
        base = table.path.parent.relative_to(folder).as_posix()
        for row, path in lookup.match_all(rows, "" if base == "." else base):
            name = table.path.name
            if path not in lookup.paths:
                ignored.append(
                    (
                        row.file[:200],
                        path or _("named in {name}, but not there", name=name),
                    )
                )
                continue
            if row.reason:
                unusable.setdefault(path, row.reason)
                continue
            fact = TableFacts(row.label, row.split, row.patient)
            other = facts.setdefault(path, fact)
            source.setdefault(path, name)
            patients = {other.patient, fact.patient} - {""}
            if other[:2] != fact[:2] or len(patients) > 1:
                ignored.append(
                    (path, _("named twice in {name}; the first line counts", name=name))
                )
            elif fact.patient:
                facts[path] = fact  # the first line may not say it
    ignored += [(p, reason) for p, reason in unusable.items() if p not in facts]
    if any(fact.split for fact in facts.values()):
        for path in [path for path, fact in facts.items() if not fact.split]:
            ignored.append((path, _("no split in {name}", name=source[path])))
            del facts[path]
    return facts, ignored


def splits_from_folders(paths: Iterable[str]) -> dict[str, str]:
    """Path -> split that its folders say; "" unknown; empty where no folder says any.

    For tables that know labels and no splits, beside folders such as train_images and
    test_images.
    """
    folders = {path: PurePosixPath(path).parts[:-1] for path in paths}
    for level in range(max(map(len, folders.values()), default=0)):
        names = {f[level] for f in folders.values() if len(f) > level}
        splits = splits_of(names)
        if any(splits.values()):
            return {
                path: splits[f[level]] if len(f) > level else ""
                for path, f in folders.items()
            }
    return {}


class FileLookup:
    """Finds the file that a table means, however it writes its path."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = set(paths)
        self._composed = {unicodedata.normalize("NFC", path): path for path in paths}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._by_number: dict[int, list[str]] = defaultdict(list)
        for path in self._composed:
            name = path.rpartition("/")[2].casefold()
            self._by_name[name].append(path)
            self._by_stem[stem(name)].append(path)
            if (number := _number(stem(name))) is not None:
                self._by_number[number].append(path)

    def match_all(
        self, rows: Sequence[ManifestRow], base: str
    ) -> Iterator[tuple[ManifestRow, str]]:
        """Each line with its file; or with why there is none, "" if it is not there.

        Args:
            rows: Of one table.
            base: The folder that the table lies in.
        """
        names = [_parts(row.file) for row in rows]
        absolute = [parts[:-1] for parts in names if parts and parts[0] == "/"]
        # Paths of another computer: what they have in common says nothing here.
        common = len(os.path.commonprefix(absolute)) if absolute else 0
        names = [parts[common:] if parts[:1] == ("/",) else parts for parts in names]
        found = [
            self._match(parts, base, row.split)
            for row, parts in zip(rows, names, strict=True)
        ]
        named = set(found)
        for row, parts, path in zip(rows, names, found, strict=True):
            yield row, path or self._match_number(parts, base, row.split, named)

    def _match(self, parts: tuple[str, ...], base: str, split: str) -> str:
        path = "/".join(parts)
        for exact in (os.path.normpath(Path(base, path)), path):
            if exact in self._composed:
                return self._composed[exact]
        if not parts or ".." in parts:
            return ""
        last = parts[-1].casefold()
        candidates = self._fitting(self._by_name.get(last, []), parts)
        candidates = candidates or self._fitting(
            self._by_stem.get(stem(last), []) + self._by_stem.get(last, []), parts
        )
        return self._choose(candidates, base, split)

    def _match_number(
        self, parts: tuple[str, ...], base: str, split: str, named: Set[str]
    ) -> str:
        """Of a line that no file is called after; those that others name are theirs."""
        number = _number(stem(parts[-1].casefold())) if parts else None
        if number is None or ".." in parts:
            return ""
        candidates = self._fitting(self._by_number.get(number, []), parts)
        free = [c for c in candidates if self._composed[c] not in named]
        return self._choose(free, base, split)

    def _choose(self, candidates: Sequence[str], base: str, split: str) -> str:
        below = [c for c in candidates if base and c.startswith(base + "/")]
        candidates = list(dict.fromkeys(below or candidates))
        if len(candidates) > 1 and split:
            said = [
                c
                for c in candidates
                if any(split_of(f) == split for f in c.split("/")[:-1])
            ]
            candidates = said or candidates
        if len(candidates) > 1:
            return _(
                "{count} files are called so: name the folder too",
                count=len(candidates),
            )
        return self._composed[candidates[0]] if candidates else ""

    def _fitting(self, candidates: Iterable[str], parts: tuple[str, ...]) -> list[str]:
        """Those that lie in folders which end as the table's do, or the other way."""
        wanted = [part.casefold() for part in parts[:-1]]
        fitting = []
        for path in candidates:
            folders = path.casefold().split("/")[:-1]
            shared = min(len(wanted), len(folders))
            if wanted[len(wanted) - shared :] == folders[len(folders) - shared :]:
                fitting.append(path)
        return fitting


def _number(name: str) -> int | None:
    """The number that a name is: of 0007 programs make 7, and 7.0 beside blanks."""
    found = re.fullmatch(r"(\d{1,18})(?:\.0)?", name, re.ASCII)
    return int(found[1]) if found else None


def _parts(name: str) -> tuple[str, ...]:
    """Parts of a path as any system writes it, "/" first if it is absolute."""
    plain = unicodedata.normalize("NFC", name.strip()).replace("\\", "/")
    rooted = re.match(r"(?:[A-Za-z]:)?/|[a-z]+://", plain)
    plain = os.path.normpath(plain[rooted.end() :] if rooted else plain)
    parts = tuple(part for part in plain.split("/") if part not in ("", "."))
    return ("/", *parts) if rooted else parts
