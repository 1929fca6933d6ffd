"""Finds the mutations of a source file.

Left alone is what no test should pin: logs and messages, annotations, `__repr__`,
waiting times, and the numbers of what is only drawn.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

from .operators import OPERATORS, Function, called

_SILENT = re.compile(r"(log|logger|logging|warnings|os\.environ)\.|print$")
_DRAWS = re.compile(
    r"(st|go|fig|figure|canvas|axes|column)\.(?!rerun|stop|switch_page)"
)
_DRAWING_FILE = re.compile(r"(svg|plots|\w*figures|\w*pdf\w*|charts|synthetic)\.py$")
_LOOKS_OR_WAITS = re.compile(
    r"seconds|timeout|sleep|poll|opacity|font|stroke|indent|dpi|stacklevel|maxsize"
    r"|max_entries|daemon|^ttl$|^help$",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"time\.|seconds", re.IGNORECASE)
_WARNINGS = re.compile(r"warnings\.|errstate")
_OF_NUMBERS = {
    "constant",
    "arithmetic",
    "operands",
    "bound",
    "argument_order",
    "keyword",
}
_NEVER_CHANGED = {"annotation", "returns", "decorator_list", "bases"}


@dataclass(frozen=True)
class Mutation:
    """One change of one file: bytes `start` to `end` become `text`."""

    path: str
    line: int
    scope: str
    operator: str
    weight: float
    before: str
    after: str
    start: int
    end: int
    text: str
    occurrence: int = 0

    @property
    def change(self) -> str:
        return f"{self.before} -> {self.after}"

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Names it without its line, which moves when the file grows above."""
        return self.path, self.scope, self.change, self.occurrence

    def apply(self, source: bytes) -> bytes:
        """The file with the change."""
        return source[: self.start] + self.text.encode() + source[self.end :]


def optional_keywords(sources: Iterable[bytes]) -> dict[str, set[str]]:
    """Parameters with a default, by name of the function; no other can be left out."""
    optional: dict[str, set[str]] = {}
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, Function):
                plain = [*node.args.posonlyargs, *node.args.args]
                first = len(plain) - len(node.args.defaults)
                pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                names = {argument.arg for argument in plain[first:]}
                names |= {argument.arg for argument, default in pairs if default}
                optional.setdefault(node.name, set()).update(names)
    return optional


def mutations_of(
    path: str, source: bytes, optional: Mapping[str, set[str]] | None = None
) -> list[Mutation]:
    """All mutations of one file, in the order of the text.

    Args:
        path: Where the file lies in the repository.
        source: What it holds.
        optional: Of `optional_keywords`; other functions are taken to need no keyword.
    """
    unique: dict[tuple[int, int, str], Mutation] = {}
    for mutation in _Finder(path, source, optional or {}).mutations():
        unique.setdefault((mutation.start, mutation.end, mutation.text), mutation)
    occurrences: Counter[tuple[str, str, str, int]] = Counter()
    numbered = []
    for _, mutation in sorted(unique.items()):
        numbered.append(replace(mutation, occurrence=occurrences[mutation.key]))
        occurrences[mutation.key] += 1
    return numbered


class _Finder:
    def __init__(
        self, path: str, source: bytes, optional: Mapping[str, set[str]]
    ) -> None:
        self.path, self.source, self.optional = path, source, optional
        line_lengths = [len(line) + 1 for line in source.split(b"\n")]
        self.line_starts = [0, *accumulate(line_lengths)]
        self.is_drawing = bool(_DRAWING_FILE.search(path))

    def mutations(self) -> Iterator[Mutation]:
        yield from self._visit(ast.parse(self.source), "", self.is_drawing)

    def _visit(self, node: ast.AST, scope: str, drawn: bool) -> Iterator[Mutation]:
        """Mutations of a node and below; where it is drawn, not those of numbers."""
        if _is_left_out(node):
            return
        name = name_of(node)
        if isinstance(node, Function | ast.ClassDef):
            scope = f"{scope}.{name}".lstrip(".")
        else:
            drawn = drawn or _is_looks_or_waits(name)
            if not scope and isinstance(node, ast.stmt):
                scope = name
        for weight, kind, operator in OPERATORS:
            word = operator.__name__
            if isinstance(node, kind) and not (drawn and word in _OF_NUMBERS):
                for target, changed in operator(node):
                    if not self._is_noise(word, target, changed):
                        yield self._mutation(target, changed, scope, word, weight)
        for field, value in ast.iter_fields(node):
            if field not in _NEVER_CHANGED:
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from self._visit(child, scope, drawn)

    def _is_noise(self, operator: str, target: ast.AST, changed: ast.AST) -> bool:
        if operator == "deletion":
            return _is_left_out(target) or _is_looks_or_waits(name_of(target))
        if operator == "context":
            header = ast.unparse(target).partition("\n")[0]
            is_layout = self.path.startswith("pages") and "lock" not in header
            return is_layout or bool(_WARNINGS.search(header))
        if operator == "boundary":
            return bool(_CLOCK.search(ast.unparse(target))) or self.is_drawing
        if operator == "keyword":
            assert isinstance(target, ast.Call) and isinstance(changed, ast.Call)
            (dropped,) = set(target.keywords) - set(changed.keywords)
            own = self.optional.get(called(target))
            needed = own is not None and dropped.arg not in own
            return needed or _is_looks_or_waits(dropped.arg or "")
        return False

    def _mutation(
        self,
        target: ast.AST,
        changed: ast.AST,
        scope: str,
        operator: str,
        weight: float,
    ) -> Mutation:
        """The change as text; blocks are shown by their first line."""
        assert isinstance(target, ast.expr | ast.stmt)
        assert target.end_lineno is not None and target.end_col_offset is not None
        before, after = ast.unparse(target), ast.unparse(changed)
        text = after
        if isinstance(target, ast.stmt):
            text = after.replace("\n", "\n" + " " * target.col_offset)
        elif not isinstance(target, ast.Slice):
            text = f"({after})"
        return Mutation(
            path=self.path,
            line=target.lineno,
            scope=scope,
            operator=operator,
            weight=weight,
            before=before.partition("\n")[0],
            after=after.partition("\n")[0],
            start=self.line_starts[target.lineno - 1] + target.col_offset,
            end=self.line_starts[target.end_lineno - 1] + target.end_col_offset,
            text=text,
        )


def name_of(node: ast.AST) -> str:
    """Name of the function defined or called, or of what is assigned to."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name
        case ast.Assign(targets=[named, *_]) | ast.Call(func=named):
            return ast.unparse(named)
        case ast.AnnAssign(target=named) | ast.AugAssign(target=named):
            return ast.unparse(named)
        case ast.Expr(value=value) | ast.Await(value=value):
            return name_of(value)
        case ast.keyword(arg=str(word)):
            return word
    return ""


def _is_looks_or_waits(name: str) -> bool:
    return bool(_DRAWS.match(name) or _LOOKS_OR_WAITS.search(name))


def _is_left_out(node: ast.AST) -> bool:
    """Whether it is text, a log, or runs under no test."""
    if isinstance(node, ast.If):
        return bool(re.search("__name__|TYPE_CHECKING", ast.unparse(node.test)))
    if isinstance(node, ast.Call | ast.Expr):
        return bool(_SILENT.match(name_of(node)))
    is_text = isinstance(node, ast.JoinedStr | ast.Raise)
    return is_text or name_of(node) == "__repr__"
