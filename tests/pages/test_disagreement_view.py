"""The table of images on which models disagree."""

from __future__ import annotations

import numpy as np

from medmodel.evaluation.comparison.model_comparison import CommonImages
from medmodel.evaluation.predictions import Predictions
from pages._shared.comparison.disagreement_view import _disagreement_table


def test_the_score_is_that_of_the_predicted_class() -> None:
    truth, scores = np.array([0, 1]), np.array([[0.7, 0.3], [0.5, 0.5]])
    models = {
        "plain": Predictions(["a", "b"], truth, scores, None),
        "decided": Predictions(["a", "b"], truth, scores, None, np.array([1, 1])),
    }
    common = CommonImages(["0.png", "1.png"], models, {"plain": 0, "decided": 0})
    table = _disagreement_table(common, np.array([0, 1]))
    assert table["plain: score"].tolist() == [0.7, 0.5]
    assert table["decided: score"].tolist() == [0.3, 0.5]
    assert table["plain: predicted class"][1] == "a, tied with another class"
    assert table["decided: predicted class"].tolist() == ["b", "b"]
