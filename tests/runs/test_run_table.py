"""The table of runs."""

from dataclasses import replace

from medmodel.core.config import TrainConfig, config_for
from medmodel.core.settings.setting_titles import SETTING_TITLES
from medmodel.runs.notes import change_notes
from medmodel.runs.run_index import entries
from medmodel.runs.run_store import RunStore
from medmodel.runs.run_table import (
    differing_settings,
    distinct_names,
    epochs,
    runs_table,
    searched,
    settings_in_words,
    settings_that_differ,
    unlike_most,
)
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.curves import append_epoch


def test_best_epoch_and_differing_settings() -> None:
    store = RunStore()
    for seed, losses in enumerate([(0.5, 0.2, 0.9), (0.4, 0.3, 0.1)]):
        run = store.create(config_for("compact", "/data/x", seed=seed, name=f"S{seed}"))
        for epoch, loss in enumerate(losses, 1):
            row = {"epoch": epoch, "val_loss": loss, "val_accuracy": 1 - loss}
            append_epoch(run, row)
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


def test_pinned_runs_come_first_and_notes_are_found() -> None:
    store = RunStore()
    runs = [store.create(config_for("compact", "/data/x", name=n)) for n in "abc"]
    before = [e.run.id for e in entries(store)]
    pinned = before[1]
    change_notes(store.get(pinned), tags=["Friday"], note="Ask Ann", pinned=True)
    table = runs_table(entries(store))
    rest = [run for run in before if run != pinned]
    assert table["run"].tolist() == [pinned, *rest] and len(runs) == 3
    assert searched(table, "friday ann")["run"].tolist() == [pinned]


def test_unusual_settings_among_the_runs_in_sight() -> None:
    store = RunStore()
    for seed, changes in enumerate([{}, {}, {"epochs": 3, "steps": ("clahe",)}]):
        store.create(config_for("instant", "/x", name=f"S{seed}", **changes))
    table = runs_table(entries(store)).sort_values("name", ignore_index=True)
    texts = settings_that_differ(table)
    assert list(texts) == ["Enhancement steps", "Epochs at most"]
    assert texts["Enhancement steps"].tolist() == ["None", "None", "clahe"]
    assert unlike_most(texts)["Epochs at most"].tolist() == [False, False, True]
    assert settings_that_differ(table.head(2)).empty
    # Of two values that are equally common none is that of most runs.
    assert not unlike_most(texts.tail(2)).to_numpy().any()


def test_no_runs() -> None:
    table = runs_table([])
    assert len(table) == 0 and "val_loss" in table


def test_epochs_of_a_run_that_was_resumed() -> None:
    run = RunStore().create(config_for("compact", "/data/x"))
    assert epochs(run).empty
    for epoch, loss in [(1, 0.9), (2, 0.5), (2, 0.4), (3, 0.6)]:
        row = {"epoch": epoch, "val_loss": loss, "val_accuracy": 1 - loss}
        append_epoch(run, row)
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
    assert names == distinct_names(entries(store), short=True)
    assert len(set(names.values())) == 3 and "two" in names.values()
    twins = [k for k, v in names.items() if v.startswith("one (")]
    assert len(twins) == 2 and all(run in names[run] for run in twins)


def test_namesakes_are_told_apart_by_what_people_know() -> None:
    store = RunStore()
    runs = [
        store.create(config_for("compact", "/data/x", seed=seed)) for seed in (3, 4)
    ]
    runs.append(store.create(config_for("instant", "/data/x")))
    names = distinct_names(entries(store), short=True)
    assert [names[run.id] for run in runs] == [
        "Compact CNN, seed 3",
        "Compact CNN, seed 4",
        "Instant",
    ]
    assert "Instant on x" in distinct_names(entries(store)).values()
    # The place is told where it differs.
    store.create(config_for("instant", "/data/y"))
    elsewhere = set(distinct_names(entries(store), short=True).values())
    assert {"Instant on x", "Instant on y"} <= elsewhere


def test_namesakes_of_one_seed_are_told_apart_by_time_else_by_id() -> None:
    store = RunStore()

    def create(run_id: str) -> None:
        run = store.create(config_for("compact", "/data/x", seed=3))
        run.folder.rename(run.folder.with_name(run_id))

    create("20260102-030405-aaaaaa")
    create("20260102-031405-bbbbbb")
    names = distinct_names(entries(store))
    assert names["20260102-030405-aaaaaa"] == "Compact CNN on x (02 Jan 2026, 03:04)"
    assert names["20260102-031405-bbbbbb"] == "Compact CNN on x (02 Jan 2026, 03:14)"
    create("20260102-030459-cccccc")
    names = distinct_names(entries(store))
    assert all(name == f"Compact CNN on x ({run_id})" for run_id, name in names.items())


def test_settings_in_words() -> None:
    words = settings_in_words(config_for("compact", "/data/x", name="Mine"))
    assert words["Recipe"] == "Compact CNN" and words["Input size"] == "96 × 96 pixels"
    assert words["Augmentation: shift"] == "5 %" and "Name" not in words
    assert len(words) == len(SETTING_TITLES)
