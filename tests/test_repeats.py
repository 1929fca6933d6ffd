"""The same settings with other seeds."""

import math

import pytest

from medmodel.catalogue import entries
from medmodel.config import config_for
from medmodel.repeats import siblings, spread, with_other_seeds
from medmodel.runs import RunStore


def test_spread_by_hand() -> None:
    found = spread([0.8, 0.9, 0.85])
    assert (found.mean, found.low, found.high) == pytest.approx((0.85, 0.8, 0.9))
    assert found.deviation == pytest.approx(0.05)
    assert str(found) == (
        "0.850 on average, 0.800 to 0.900 (standard deviation 0.050, 3 runs)"
    )
    assert math.isnan(spread([0.8]).deviation)


def test_siblings_differ_by_seed_and_name_alone() -> None:
    store = RunStore()
    for seed, changes in ((0, {}), (1, {"name": "again"}), (2, {"epochs": 3})):
        store.create(config_for("compact", "/data/x", seed=seed, **changes))
    store.create(config_for("compact", "/data/other", seed=3))
    found = entries(store)
    first = next(entry for entry in found if entry.config.seed == 0)
    assert sorted(e.config.seed for e in siblings(first, found)) == [0, 1]


def test_other_seeds_are_new_ones() -> None:
    config = config_for("compact", "/data/x", name="CT, seed 1", seed=1)
    found = with_other_seeds(config, [1, 2], 3)
    assert [c.seed for c in found] == [0, 3, 4]
    assert [c.name for c in found] == ["CT, seed 0", "CT, seed 3", "CT, seed 4"]
    assert with_other_seeds(config_for("compact", "/x"), [], 1)[0].name == ""
    assert len(with_other_seeds(config, [], 1000)) == 20
