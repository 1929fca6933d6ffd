"""The model card of a model that was trained elsewhere."""

from __future__ import annotations

from medmodel.core.config import IMPORTED, TrainConfig
from medmodel.core.preprocessing import Preprocessing
from medmodel.reports import model_card
from medmodel.runs.status import ModelFacts
from tests.finished_run import create_ended


def test_of_an_imported_model_only_what_is_known_is_said() -> None:
    run = create_ended(TrainConfig("", name="foreign", recipe=IMPORTED))
    run.write_model_facts(ModelFacts(["a", "b"], Preprocessing(32), [], 16))
    run.model_path.touch()
    items = [*model_card.items_on_data(run), *model_card.items_on_training(run)]
    told = {item.topic: item.text for item in items}
    assert told["Model"] == "Trained elsewhere and imported; 16 parameters"
    assert told["Training"].endswith("trained elsewhere and imported.")
    assert told["Data source"] == model_card.BLANK
    test = create_ended(TrainConfig("/data/there", recipe=IMPORTED))
    told = {item.topic: item.text for item in model_card.items_on_data(test)}
    assert told["Data source"] == "Folder there"
