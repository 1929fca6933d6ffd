"""Models stay loaded as long as they fit, and are read anew when they change."""

from __future__ import annotations

import os
import time

from medmodel.inference.model_cache import ModelCache
from medmodel.inference.prediction import load
from tests.inference.test_prediction import create_run, save_model


def test_keeps_what_fits_and_sees_a_new_file() -> None:
    runs = [create_run() for _ in range(3)]
    for run in runs:
        save_model(run)
    one = load(runs[0]).bytes
    cache = ModelCache(limit=2 * one)
    first = cache.take(runs[0])
    assert cache.take(runs[0]) is first
    cache.take(runs[1])
    cache.take(runs[0])
    cache.take(runs[2])  # The model that was not used for longest goes.
    assert len(cache) == 2
    assert cache.take(runs[0]) is first

    save_model(runs[0], bias=3.0)
    later = time.time_ns() + 10**9
    os.utime(runs[0].model_path, ns=(later, later))
    assert cache.take(runs[0]) is not first

    again = cache.take(runs[0])
    (runs[0].folder / "reference.npz").write_bytes(b"")
    assert cache.take(runs[0]).detector_problem and not again.detector_problem

    tiny = ModelCache(limit=1)
    tiny.take(runs[0])
    tiny.take(runs[1])
    assert len(tiny) == 1
