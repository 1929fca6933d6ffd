"""Which test files may notice a change, the likeliest first.

Read from the text alone, so a test that was just written counts: files of the same
name, then those that name the changed function or one that calls it, then all others
by how many imports away they are. `python -m medmodel.x` and the paths of pages in
strings are imports, too: what runs in a process of its own is no blind spot.
"""

from __future__ import annotations

import ast
import re
from collections import deque
from functools import cached_property
from pathlib import Path

from .finding import Function, Mutation, name_of

# Who is reached by a name such as `read` is reached by half of all tests.
_NEAREST = 8
_MODULE = re.compile(r"(?:medmodel|pages|tests)(?:\.\w+)+")


class Selection:
    """The imports and names of all sources and tests below a folder."""

    def __init__(self, root: Path) -> None:
        paths = [root / "app.py"]
        for folder in ("medmodel", "pages", "tests"):
            paths += sorted((root / folder).rglob("*.py"))
        self._texts = {p.relative_to(root).as_posix(): p.read_text() for p in paths}
        self._pages = [path for path in self._texts if path.startswith("pages/")]
        self._modules = {_module_name(path): path for path in self._texts}
        self.tests = [
            path
            for path in self._texts
            if re.match(r"tests/(?!browser/|mutants/)(.*/)?test_\w+\.py$", path)
        ]

    def stages(self, mutation: Mutation) -> list[list[str]]:
        """Test files to run one after another until one fails.

        Returns:
            Those of the same name; those that these name, and the nearest of those that
            mention what is changed; all others but the browser tests. None is in two
            stages.
        """
        distances = self._distances(mutation.path)
        reaching = sorted(
            (path for path in self.tests if path in distances),
            key=distances.__getitem__,
        )
        namesakes = [path for path in reaching if _is_namesake(path, mutation.path)]
        names = self._names(mutation)
        # Tests reach the parts of a page through the page.
        is_page = mutation.path.startswith("pages")
        mentioning = [
            path
            for path in reaching
            if path not in namesakes and (is_page or names & self._words[path])
        ]
        if not namesakes and not mentioning:
            nearest = distances[reaching[0]] if reaching else 0
            mentioning = [path for path in reaching if distances[path] == nearest]
        # A file of tests that says where the others are: "pixels: test_image_variants".
        referred = {word for path in namesakes for word in self._words[path]}
        elsewhere = [path for path in reaching if Path(path).stem in referred]
        likeliest = [*elsewhere, *mentioning[:_NEAREST]]
        mentioning = [p for p in dict.fromkeys(likeliest) if p not in namesakes]
        likely = {*namesakes, *mentioning}
        others = sorted(
            set(self.tests) - likely, key=lambda p: (distances.get(p, 99), p)
        )
        return [namesakes, mentioning, others]

    def _distances(self, changed: str) -> dict[str, int]:
        """By how many imports each file reaches the changed one."""
        distances = {changed: 0}
        queue = deque([changed])
        while queue:
            path = queue.popleft()
            for importer in self._importers.get(path, ()):
                if importer not in distances:
                    distances[importer] = distances[path] + 1
                    queue.append(importer)
        return distances

    @cached_property
    def _importers(self) -> dict[str, set[str]]:
        importers: dict[str, set[str]] = {}
        for path, text in self._texts.items():
            # The menu knows every page: whoever starts it does not thereby test them.
            if path not in {"pages/menu.py", "app.py"}:
                for imported in self._imports(path, ast.parse(text)):
                    importers.setdefault(imported, set()).add(path)
        return importers

    def _imports(self, path: str, tree: ast.Module) -> set[str]:
        names: set[str] = set()
        pages: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = _imported_from(path, node)
                names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names |= set(_MODULE.findall(node.value))
                if path.startswith("tests/") and node.value.endswith(".py"):
                    pages |= {p for p in self._pages if p.endswith(f"/{node.value}")}
        return pages | {self._modules[name] for name in names if name in self._modules}

    @cached_property
    def _words(self) -> dict[str, set[str]]:
        return {path: set(re.findall(r"\w+", self._texts[path])) for path in self.tests}

    def _names(self, mutation: Mutation) -> set[str]:
        """The changed function, and those of its file that use it."""
        users: dict[str, set[str]] = {}
        tree = ast.parse(self._texts[mutation.path])
        named = [n for n in ast.walk(tree) if isinstance(n, Function | ast.ClassDef)]
        for node in [*named, *(n for n in tree.body if isinstance(n, ast.Assign))]:
            for inner in ast.walk(node):
                used = getattr(inner, "id", getattr(inner, "attr", ""))
                users.setdefault(used, set()).add(name_of(node))
        names: set[str] = set()
        new = set(mutation.scope.split(".")[-1:])
        while new:
            names |= new
            new = {user for name in new for user in users.get(name, ())} - names
        return names


def _module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imported_from(path: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = Path(path).parents[node.level - 1].as_posix().replace("/", ".")
    return f"{package}.{node.module}" if node.module else package


def _is_namesake(test: str, source: str) -> bool:
    stem = Path(source).stem
    return Path(test).stem in {f"test_{stem}", f"test_{stem}_page"}
