"""The model card of a model that was trained elsewhere."""

from __future__ import annotations

import pandas as pd

from medmodel.core.config import TrainConfig
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.recipes import IMPORTED
from medmodel.core.storage import write_json
from medmodel.reports.card.items import items_on_data, items_on_training
from medmodel.reports.run_facts import BLANK
from medmodel.runs.status import ModelFacts
from medmodel.runs.tables.split import SPLIT_COLUMNS, write_split
from tests.finished_run import create_ended


def test_of_an_imported_model_only_what_is_known_is_said() -> None:
    model = create_ended(TrainConfig("", name="foreign", recipe=IMPORTED))
    test = create_ended(TrainConfig("/data/there", recipe=IMPORTED))
    write_json(test.folder / "external.json", {"model": model.id})
    rows = [("a.png", "a", "", "test", ""), ("b.png", "b", "", "test", "")]
    split = pd.DataFrame(rows, columns=list(SPLIT_COLUMNS))
    write_split(test, split)
    for run in (model, test):
        run.write_model_facts(ModelFacts(["a", "b"], Preprocessing(32), [], 16))
        run.model_path.touch()
    items = [*items_on_data(test), *items_on_training(test)]
    told = {item.topic: item.text for item in items}
    assert told["Model"] == "Trained elsewhere and imported; 16 parameters"
    assert told["Training"].endswith("trained elsewhere and imported.")
    assert told["Data source"] == "Folder there"
    assert told["Partitions and their level"] == BLANK
    assert told["Sample size"] == "test: 2 (a 1, b 1)"
