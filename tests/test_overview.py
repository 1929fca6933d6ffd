"""The table of runs."""

from dataclasses import replace

from medmodel.catalogue import entries
from medmodel.config import TrainConfig, config_for
from medmodel.overview import (
    differing_settings,
    distinct_names,
    epochs,
    runs_table,
    searched,
)
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


def test_epochs_of_a_run_that_was_resumed() -> None:
    run = RunStore().create(config_for("compact", "/data/x"))
    assert epochs(run).empty
    for epoch, loss in [(1, 0.9), (2, 0.5), (2, 0.4), (3, 0.6)]:
        row = {"epoch": epoch, "val_loss": loss, "val_accuracy": 1 - loss}
        run.append("history.csv", row)
    found = epochs(run)
    assert found["val_loss"].tolist() == [0.9, 0.4, 0.6]
    assert found.loc[found["best"], "epoch"].tolist() == [2]
    run.write_status(replace(run.status, best_epoch=3))
    found = epochs(run)
    assert found.loc[found["best"], "epoch"].tolist() == [3]
    (run.folder / "history.csv").write_text("nothing\nof use\n")
    assert epochs(run).empty


def test_namesakes_are_told_apart() -> None:
    store = RunStore()
    for name in ("one", "one", "two"):
        store.create(config_for("compact", "/data/x", name=name))
    names = distinct_names(entries(store))
    assert len(set(names.values())) == 3 and "two" in names.values()
    twins = [k for k, v in names.items() if v.startswith("one (")]
    assert len(twins) == 2 and all(run in names[run] for run in twins)
