"""Table of all runs: metrics, settings, and in what the settings differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medmodel.core.config import TrainConfig
from medmodel.core.settings.recipes import ENSEMBLE, IMPORTED, RECIPES
from medmodel.language import _, format_date
from medmodel.runs.run import Run
from medmodel.runs.run_entry import Entry
from medmodel.runs.setting_words import setting_text, setting_title
from medmodel.runs.tables.curves import read_history

if TYPE_CHECKING:
    import pandas as pd


_OF_IMPORTED = ("name", "recipe", "dataset", "fit", "colour", "window")
_KNOWN_OF = {
    IMPORTED: _OF_IMPORTED,
    ENSEMBLE: (*_OF_IMPORTED, "size", "steps", "patient_pattern"),
}
"""Recipe of models that were not trained by its settings -> those that it has."""
"""Settings that are known of a model that was trained elsewhere."""
SETTING = "setting: "
"""How the columns of settings begin in a table of runs."""


def runs_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """A row per run, pinned ones first; values of the best epoch, not of the last.

    Returns:
        Columns `run, pinned, name, tags, note, test_of, dataset, model, state, created,
        seconds, best_epoch, val_loss, val_accuracy, val_dice, val_auc,
        test_accuracy`, then one `setting: <name>` for every setting that is not the
        same in all runs. Index 0 to n - 1.
    """
    import pandas as pd

    entries = sorted(entries, key=lambda e: not e.notes.pinned)
    facts = {
        "run": [e.run.id for e in entries],
        "pinned": [e.notes.pinned for e in entries],
        "name": [e.title for e in entries],
        "tags": [list(e.notes.tags) for e in entries],
        "note": [e.notes.note for e in entries],
        "test_of": [e.test_of for e in entries],
        "dataset": [e.config.dataset for e in entries],
        "model": [_values(e.config)["model"] or "" for e in entries],
        "state": [e.status.state.value for e in entries],
        "created": [e.status.created for e in entries],
        "seconds": [e.seconds for e in entries],
        "best_epoch": [e.status.best_epoch for e in entries],
        "val_loss": [e.val_loss for e in entries],
        "val_accuracy": [e.val_accuracy for e in entries],
        "val_dice": [e.val_dice for e in entries],
        "val_auc": [e.val_auc for e in entries],
        "test_accuracy": [e.test_accuracy for e in entries],
    }
    table = pd.DataFrame(facts)
    numbers = ["val_loss", "val_accuracy", "val_dice", "val_auc", "test_accuracy"]
    table[numbers] = table[numbers].astype(float)
    differing = differing_settings([e.config for e in entries])
    shown = {f"{SETTING}{k}": v for k, v in differing.items() if k != "dataset"}
    settings = pd.DataFrame(shown, index=table.index, dtype=object)
    return pd.concat([table, settings], axis=1)


def differing_settings(configs: Sequence[TrainConfig]) -> dict[str, list[Any]]:
    """Settings that are not the same everywhere -> the value of each configuration.

    Names of runs do not count; `augmentation.shift` and the like stand for
    themselves.
    """
    flat = [_values(config) for config in configs]
    names = [name for name in (flat[0] if flat else {}) if name != "name"]
    columns = {name: [values[name] for values in flat] for name in names}
    return {k: v for k, v in columns.items() if any(x != v[0] for x in v)}


def settings_in_words(config: TrainConfig) -> dict[str, str]:
    """What each setting is called -> its value, as people say them; not its name."""
    flat = _values(config)
    return {
        setting_title(name): setting_text(name, value)
        for name, value in flat.items()
        if name != "name" and value is not None
    }


def searched(table: pd.DataFrame, text: str) -> pd.DataFrame:
    """The rows in which every word of `text` occurs somewhere, whatever its case."""
    words = text.casefold().split()
    rows = (" ".join(map(str, row)).casefold() for row in table.itertuples(index=False))
    return table[[all(word in row for word in words) for row in rows]]


def settings_that_differ(table: pd.DataFrame) -> pd.DataFrame:
    """Of a part of the table of runs, the settings that its runs do not share.

    Returns:
        Their values as text, a column for each, headed as people would say it.
    """
    names = [name for name in map(str, table) if name.startswith(SETTING)]
    keys = [name.removeprefix(SETTING) for name in names]
    texts = table[names].copy()
    for name, key in zip(names, keys, strict=True):
        texts[name] = [setting_text(key, value) for value in table[name]]
    texts.columns = [setting_title(key) for key in keys]
    return texts.loc[:, texts.nunique() > 1]


def unlike_most(texts: pd.DataFrame) -> pd.DataFrame:
    """Which cells have another value than most of their column; booleans.

    None of a column in which no value is that of more than half of the rows.
    """
    marks = texts.astype(bool)
    for name, column in texts.items():
        ((usual, count),) = Counter(column).most_common(1)
        marks[name] = (column != usual) & (2 * count > len(column))
    return marks


def epochs(run: Run) -> pd.DataFrame:
    """History of a run by epoch; of one that was trained again, the last time.

    Returns:
        Columns `epoch`, `val_loss`, that of the run's metric such as `val_accuracy`,
        `best` (whether its weights were kept) and others, epochs ascending; empty
        where nothing can be read.
    """
    import pandas as pd

    table = read_history(run)
    columns = ["epoch", "val_loss", f"val_{run.config.metric}"]
    if not set(columns) <= set(table):
        return pd.DataFrame(columns=[*columns, "best"], dtype=float)
    table[columns] = table[columns].apply(pd.to_numeric, errors="coerce")
    complete = table.dropna(subset=columns)
    latest = complete.drop_duplicates("epoch", keep="last").sort_values("epoch")
    best = latest["epoch"] == run.status.best_epoch
    if not best.any():
        best = latest["val_loss"] == latest["val_loss"].min()
    return latest.assign(best=best)


def distinct_names(runs: Sequence[Entry], short: bool = False) -> dict[str, str]:
    """Id of each run -> its name, told from namesakes by seed, else time, else id.

    Args:
        runs: Runs.
        short: Whether a data set that all of them share is left out of the names.
    """
    alone = short and len({entry.config.dataset for entry in runs}) == 1
    titles = {e.run.id: _title(e.config, alone) for e in runs}
    names: dict[str, str] = {}
    for title in dict.fromkeys(titles.values()):
        namesakes = [entry for entry in runs if titles[entry.run.id] == title]
        for candidates in (
            [title] * len(namesakes),
            [
                _("{title}, seed {seed}", title=title, seed=entry.config.seed)
                for entry in namesakes
            ],
            [
                f"{title} ({_recipe(entry.config)}{_when(entry.run.id)})"
                for entry in namesakes
            ],
            [f"{title} ({entry.run.id})" for entry in namesakes],
        ):
            if len(set(candidates)) == len(namesakes):
                names |= {
                    e.run.id: name
                    for e, name in zip(namesakes, candidates, strict=True)
                }
                break
    return {entry.run.id: names[entry.run.id] for entry in runs}


def _title(config: TrainConfig, alone: bool) -> str:
    # A name that somebody gave stays as it is.
    nameless = alone and not config.name
    return replace(config, name=config.recipe_title).title if nameless else config.title


def _when(run_id: str) -> str:
    """Day and time from a run's id: `22 Nov 2026, 22:23`."""
    moment = datetime.strptime(run_id[:13], "%Y%m%d-%H%M")
    return _("{day}, {time}", day=format_date(moment), time=moment.strftime("%H:%M"))


def _recipe(config: TrainConfig) -> str:
    """The recipe of a run whose name does not tell it, with a comma."""
    named = config.name and config.recipe in RECIPES
    return f"{_(RECIPES[config.recipe].title)}, " if named else ""


def _values(config: TrainConfig) -> dict[str, Any]:
    """Settings by name; None for those that a model which was not trained lacks."""
    flat = _flat(asdict(config))
    if config.recipe not in _KNOWN_OF:
        return flat
    known = _KNOWN_OF[config.recipe]
    return {name: flat[name] if name in known else None for name in flat}


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": x for inner, x in value.items()}
        else:
            flat[name] = value
    return flat
