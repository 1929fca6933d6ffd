"""Every text that a user can see goes through gettext, and every language says it."""

from __future__ import annotations

import ast
import re
import string
import symtable
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from medmodel.core import errors
from medmodel.core.environment import REPOSITORY
from medmodel.language import LANGUAGES, SOURCE
from medmodel.language.catalogue import FOLDER

TRANSLATED = [language for language in LANGUAGES if language != SOURCE]


SOURCES = [
    path
    for folder in ("pages", "medmodel")
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
    if "benchmark" not in path.parts
]
ERRORS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.MedModelError)
}
"""What a page shows; other errors are reasons within, or mistakes of ours."""


def read(language: str) -> Catalog:
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def values(text: str) -> set[tuple[str, str]]:
    """Names and formats of the values in a text."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:  # a text without values may hold a single brace
        return set()
    return {(name, spec or "") for _text, name, spec, _how in parts if name is not None}


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_has_the_values_of_its_text(language: str) -> None:
    for message in read(language):
        if not message.id:
            continue
        english = (message.id,) if isinstance(message.id, str) else message.id
        said = (message.string,) if isinstance(message.string, str) else message.string
        wanted = set.union(*map(values, english))
        for text in filter(None, said or ()):
            assert values(text) == wanted, english


@pytest.fixture(scope="module")
def texts() -> set[str]:
    """Every text of the source; of one with a plural its form for several."""
    keywords = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
    with (FOLDER / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(
        REPOSITORY,
        methods,
        options,
        keywords,
        directory_filter=lambda path: not Path(path).name.startswith("."),
    )
    ids = (message for _file, _line, message, _comments, _context in found)
    return {text if isinstance(text, str) else text[1] for text in ids}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated_and_no_other(language: str, texts: set[str]) -> None:
    """Made up to date by the commands in docs/languages.md."""
    said = {
        message.id if isinstance(message.id, str) else message.id[1]
        for message in read(language)
        if message.id and message.string and all(message.string) and not message.fuzzy
    }
    assert texts - said == set(), "without a translation"
    assert said - texts == set(), "in no source file any more"


def test_no_text_stands_where_it_is_not_looked_for(texts: set[str]) -> None:
    """Within an f-string, Babel looks from Python 3.12 on only."""
    calls = {"_": 1, "N_": 1, "ngettext": 2}
    said = {
        argument.value
        for path in (REPOSITORY / "app.py", *SOURCES)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in calls
        for argument in node.args[calls[node.func.id] - 1 :][:1]
        if isinstance(argument, ast.Constant)
    }
    assert said - texts == set()


def shown_without_gettext(path: Path) -> list[str]:
    """Sentences in calls of Streamlit and in errors that do not go through gettext."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    sentences = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        shown = name.startswith("st.") or name in ERRORS
        if not shown or name.endswith(("st.App", "st.Page")):
            continue
        named = [k.value for k in call.keywords if k.arg in ("help", "placeholder")]
        for argument in (*call.args, *named):
            parts = (
                argument.values if isinstance(argument, ast.JoinedStr) else [argument]
            )
            words = [
                part.value
                for part in parts
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            if any(re.search("[A-Za-z]{2,} +[A-Za-z]{2,}", text) for text in words):
                sentences.append(f"{path.name}:{argument.lineno} {words[0]!r}")
    return sentences


@pytest.mark.parametrize(
    "path",
    SOURCES,
    ids=lambda path: str(path.relative_to(REPOSITORY)),
)
def test_what_is_shown_goes_through_gettext(path: Path) -> None:
    assert shown_without_gettext(path) == []


def functions(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """Every function of a module, those within others, too."""
    for child in table.get_children():
        if child.get_type() == "function":
            yield child
        yield from functions(child)


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY))
)
def test_nothing_else_is_called_like_gettext(path: Path) -> None:
    """In `_, losses = …`, `_` is a variable of the whole function."""
    module = symtable.symtable(path.read_text(encoding="utf-8"), path.name, "exec")
    for function in functions(module):
        if "_" in function.get_identifiers():
            symbol = function.lookup("_")
            assert not symbol.is_free(), function.get_name()
            throwaway = not symbol.is_referenced()
            comprehension = function.get_name() in ("listcomp", "genexpr", "setcomp")
            assert symbol.is_global() or throwaway or comprehension, function.get_name()
