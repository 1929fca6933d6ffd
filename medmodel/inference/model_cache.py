"""Least-recently-used cache of loaded models, as many as fit into some bytes."""

from __future__ import annotations

import gc
from collections import OrderedDict
from pathlib import Path

from medmodel.evaluation.ood.detector import FILE_NAME as REFERENCE
from medmodel.inference.prediction import LoadedModel, load
from medmodel.runs.run import Run


class ModelCache:
    """Least-recently-used cache of loaded models, limited in bytes.

    Args:
        limit: Bytes that all models together may take; the newest is always kept.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._models: OrderedDict[Path, tuple[tuple[int, int], LoadedModel]] = (
            OrderedDict()
        )

    def __len__(self) -> int:
        return len(self._models)

    def take(self, run: Run) -> LoadedModel:
        """The run's model, loaded anew if one of its files has changed.

        Raises:
            RunError: The run has no model yet.
            PredictionError: The file is damaged.
        """
        changed = _changed(run.model_path), _changed(run.folder / REFERENCE)
        version, loaded = self._models.pop(run.folder, (None, None))
        if loaded is None or version != changed:
            loaded = load(run)
        self._models[run.folder] = changed, loaded
        self._make_room()
        return loaded

    def clear(self) -> None:
        """Forgets all models."""
        self._models.clear()
        gc.collect()

    def _make_room(self) -> None:
        sizes = [loaded.bytes for _, loaded in self._models.values()]
        while len(self._models) > 1 and sum(sizes) > self.limit:
            self._models.popitem(last=False)
            del sizes[0]
            gc.collect()


def _changed(path: Path) -> int:
    """When a file was changed last, in nanoseconds since 1970; 0 if there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
