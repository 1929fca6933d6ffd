"""The table of runs."""

from dataclasses import replace

from medmodel.catalogue import entries
from medmodel.config import TrainConfig, config_for
from medmodel.overview import differing_settings, runs_table, searched
from medmodel.runs import RunStatus, RunStore


def test_best_epoch_and_differing_settings() -> None:
    store = RunStore()
    for seed, losses in enumerate([(0.5, 0.2, 0.9), (0.4, 0.3, 0.1)]):
        run = store.create(config_for("compact", "/data/x", seed=seed, name=f"S{seed}"))
        for epoch, loss in enumerate(losses, 1):
            row = {"epoch": epoch, "val_loss": loss, "val_accuracy": 1 - loss}
            run.append("history.csv", row)
        run.write_status(replace(run.status, state=RunStatus.DONE))
    table = runs_table(entries(store))
    best = table.set_index("name")["val_loss"].to_dict()
    assert best == {"S0": 0.2, "S1": 0.1}
    assert [c for c in map(str, table) if c.startswith("setting: ")] == [
        "setting: seed"
    ]
    assert searched(table, "s1 DONE")["name"].tolist() == ["S1"]
    assert searched(table, "s1")["name"].tolist() == ["S1"]
    assert searched(table, "s1 (").empty


def test_nested_settings_stand_for_themselves() -> None:
    plain, moved = TrainConfig("/x"), config_for("compact", "/x")
    found = differing_settings([plain, moved])
    assert found["augmentation.shift"] == [0.0, 0.05]
    assert "dataset" not in found and "name" not in found
    assert differing_settings([]) == {} == differing_settings([plain])


def test_no_runs() -> None:
    table = runs_table([])
    assert len(table) == 0 and "val_loss" in table
