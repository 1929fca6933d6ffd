"""Compare: runs are searched and chosen, tested on common images, and looked at."""

from __future__ import annotations

import html
import json
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from medmodel.evaluation.comparison.model_comparison import (
    common_images,
    compare,
    disagreements,
)
from medmodel.evaluation.cross_validation import fold_configs
from medmodel.evaluation.metrics.ranking_metrics import average_precision
from medmodel.evaluation.predictions import split_predictions
from medmodel.language import speaking
from medmodel.runs.copies import write_near_copies
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.predictions import (
    read_predictions,
    score_array,
    scored_classes,
    write_predictions,
)
from pages._shared.comparison import comparison_cache
from pages._shared.comparison.compared_curves_view import _curves_csv
from pages._shared.comparison.comparison_view import _marked, _metrics_csv
from pages._shared.presenter.verdict import verdict
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, said

Runs = tuple[Run, Run]


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    folder = draw_class_folders(tmp_path / "data" / "easy", images_per_class=30)
    good = write_finished_run(folder, "good *one*", sharpness=4.0)
    return good, write_finished_run(folder, "bad", sharpness=0.0, seed=1)


def answers(app: AppTest) -> str:
    """The large sentences, as people read them."""
    return html.unescape(" ".join(str(e.proto.body) for e in app.get("html")))


def chosen(app: AppTest) -> list[str]:
    value: list[str] = app.multiselect(key="models").value
    return value


def opened(*runs: Run) -> AppTest:
    address = {"runs": ",".join(run.id for run in runs)} if runs else {}
    return open_page("results/compare.py", **address)


def test_the_sentence_is_that_of_the_test(runs: Runs) -> None:
    app = opened(*runs)
    assert not app.error
    tables = {"good *one*": read_predictions(runs[0]), "bad": read_predictions(runs[1])}
    common = common_images(tables)
    pair = compare(common, "accuracy")[0]
    assert str(pair).startswith("good *one* is better than bad by")
    assert str(pair) in answers(app)
    assert "40 test images are common to all." in said(app)
    assert "intervals are wide or missing" not in said(app)
    n = int(disagreements(common).sum())
    assert f"{n} of 40 images" in said(app)
    assert {"Details 1"} <= {b.label for b in app.button}


def test_copies_of_either_model_are_left_out_and_counted(runs: Runs) -> None:
    tables = [read_predictions(run) for run in runs]
    tested = tables[0].loc[tables[0]["split"] == "test", "path"].tolist()
    write_near_copies(runs[0], set(tested[:5]))
    write_near_copies(runs[1], set())
    app = opened(*runs)
    assert not app.error
    text = said(app).replace("\\", "").replace("*", "")
    assert "35 test images are common to all" in text
    assert "own data set: good one: 5. They are left out" in text
    shown = [frame.value for frame in app.dataframe if "Metric" in frame.value]
    (beside,) = [f for f in shown if any("with copies" in name for name in f)]
    assert len(beside.columns) == 5


def test_why_there_are_no_numbers_with_copies_is_said_in_every_language(
    runs: Runs,
) -> None:
    """What is kept for all sessions may have been asked for in another language."""
    table = read_predictions(runs[1])
    tested = table[table["split"] == "test"].iloc[0]
    write_near_copies(runs[0], {tested["path"]})
    write_near_copies(runs[1], set())
    classes = scored_classes(table)
    (wrong,) = set(classes) - {tested["label"]}
    table.loc[table["path"] == tested["path"], "label"] = wrong
    (runs[1].folder / "checksums.json").unlink(missing_ok=True)
    write_predictions(runs[1], classes, table, score_array(table, classes))
    models = comparison_cache.chosen({run.config.name: [run] for run in runs})
    with speaking("zh_Hans"):
        metrics, unknown = comparison_cache.metrics_with_copies(models)
    assert not metrics and unknown.startswith("Numbers with copies are not given")


def test_three_runs_say_only_what_can_be_told(runs: Runs) -> None:
    folder = Path(runs[0].config.dataset)
    third = write_finished_run(folder, "bad too", sharpness=0.0, seed=2)
    named = zip(("good *one*", "bad", "bad too"), (*runs, third), strict=True)
    common = common_images({name: read_predictions(run) for name, run in named})
    pairs = compare(common, "accuracy")
    app = opened(*runs, third)
    assert not app.error
    text = said(app)
    sizes = [pair.size for pair in pairs if pair.better]
    assert (
        f"good *one* is better than bad by {sizes[0]}; bad too by {sizes[1]}." in text
    )
    assert "1 of 3 pairs are not significantly different (n = 40 images)" in text
    table = next(t.value for t in app.dataframe if "Images needed" in t.value)
    assert len(table) == 3
    shown = {button.key for button in app.get("download_button")}
    tables = ("roc", "precision-recall", "epochs", "settings")
    assert {f"csv-{name}-compared" for name in tables} <= shown
    charts = [json.loads(c.proto.spec) for c in app.get("plotly_chart")]
    titles = [chart["layout"]["yaxis"]["title"].get("text") for chart in charts]
    precision = charts[titles.index("Precision")]
    legend = [line["name"] for line in precision["data"] if line.get("name")]
    data = split_predictions(read_predictions(runs[0]), "test")
    assert legend[0] == f"good *one*: AP {average_precision(data, 1)}"
    assert len(legend) == 3


def test_overlaid_curves_as_numbers(runs: Runs) -> None:
    chosen = comparison_cache.chosen({"good": [runs[0]], "bad": [runs[1]]})
    curves = {
        name: roc for name, (roc, _) in comparison_cache.curves(chosen, 1).items()
    }
    table = _curves_csv(curves, "1-specificity", "sensitivity")
    assert list(table) == ["model", "1-specificity", "sensitivity", "threshold"]
    good = table[table["model"] == "good"]
    assert good["sensitivity"].tolist() == curves["good"].y.tolist()
    metrics = _metrics_csv(comparison_cache.metrics(chosen), {"bad": "None."})
    accuracy = metrics.loc[metrics["metric"] == "Accuracy", "value"].tolist()
    assert len(accuracy) == 2 and accuracy[0] > accuracy[1]


def test_settings_unlike_those_of_the_first_run_are_marked() -> None:
    table = pd.DataFrame(
        {"Setting": ["size", "seed"], "a": ["32", "1"], "b": ["32", "2"], "c": "1"}
    )
    styler = _marked(table)
    styler._compute()
    assert {cell for cell, styles in styler.ctx.items() if styles} == {
        *((1, 2), (0, 3)),
    }


def folds_of(run: Run, count: int = 2) -> list[Run]:
    """Runs that each test every so manyth of the test images of another one."""
    made = []
    header, *lines = (run.folder / "predictions.csv").read_text().splitlines()
    tested = [line for line in lines if ",test," in line]
    for at, config in enumerate(fold_configs(replace(run.config, name="deal"), count)):
        fold = RunStore().create(config)
        own = "\n".join([header, *tested[at::count], ""])
        (fold.folder / "predictions.csv").write_text(own)
        shutil.copy(run.folder / "split.csv", fold.folder)
        fold.write_status(run.status)
        made.append(fold)
    return made


def test_a_fold_stands_for_its_whole_cross_validation(runs: Runs) -> None:
    folds = folds_of(runs[0])
    app = opened(folds[1], runs[1])
    assert not app.error
    text = said(app)
    assert "40 test images are common to all." in text
    assert "deal, all 2 folds is better than bad by" in answers(app)
    assert "predicted by the fold's model that had not seen it" in text
    common = common_images(
        {"a": read_predictions(runs[0]), "b": read_predictions(runs[1])}
    )
    assert [comparison_cache.asked(folds, p).id for p in common.paths[:2]] == [
        fold.id for fold in folds
    ]
    assert any("folds of one cross-validation" in x.value for x in opened(*folds).info)


def test_other_metrics(runs: Runs) -> None:
    app = opened(*runs)
    for metric in ("auc", "log_loss", "mcc"):
        box = next(b for b in app.selectbox if b.label == "Compare by")
        box.set_value(metric).run()
        assert not app.exception and not app.error, metric
        # 20 test images of a class: a difference has no interval that would hold.
        assert "to tell them apart" in answers(app), metric


def test_what_the_common_images_are_too_few_for(runs: Runs) -> None:
    tables = [read_predictions(run) for run in runs]
    tested = tables[0].loc[tables[0]["split"] == "test"]
    light = tested.loc[tested["label"] == "light", "path"].tolist()
    for run in runs:
        write_near_copies(run, set(light[1:]))
    text = said(opened(*runs))
    assert "Only 21 test images: intervals are wide or missing" in text
    assert "One test image of light: sensitivity can only be" in text


def test_small_classes_and_small_sets_are_said_as_on_evaluate(
    tmp_path: Path,
) -> None:
    folder = draw_class_folders(tmp_path / "data" / "small", ("a", "b"), 12)
    large = draw_class_folders(tmp_path / "data" / "large", ("a", "b"), 40)
    small = [write_finished_run(folder, name) for name in ("one", "two")]
    text = said(opened(*small))
    assert "Fewer than 10 test images of a, b: one image more or less" in text
    assert " 24 images in all: too few to learn from" in text
    for path in sorted((folder / "a").iterdir()):
        (large / "a" / path.name).write_bytes(path.read_bytes())
    other = write_finished_run(large, "other")
    text = said(opened(small[0], other))
    assert "one: 24 images in all: too few" in text


def test_pairs_of_too_few_images_are_not_called_equal(tmp_path: Path) -> None:
    """`No pair is significantly different` is the answer of a test; here is none."""
    folder = draw_class_folders(tmp_path / "data" / "few", ("a", "b"), 6)
    several = [write_finished_run(folder, name, seed=n) for n, name in enumerate("xyz")]
    text = said(opened(*several)).replace("\\", "")
    assert "* 3 of 3 pairs cannot be told apart: too few (8 images)." in text
    assert "significantly different" not in text
    models = {run.title: [run] for run in several}
    pairs = comparison_cache.differences(comparison_cache.chosen(models), "accuracy")
    assert verdict(pairs) == ("No pair can be told apart: too few (8 images)", [])


def test_settings_that_differ(runs: Runs) -> None:
    app = opened(*runs)
    differing = app.dataframe[-1].value
    assert list(differing["Setting"]) == ["Seed"]


def test_one_run_alone(runs: Runs) -> None:
    app = opened(runs[0])
    assert r"**good \*one\*** is chosen" in app.info[0].value


def test_without_a_link_the_last_model_and_another_are_compared(runs: Runs) -> None:
    app = opened()
    assert chosen(app) == [runs[1].id, runs[0].id]
    assert "is better than" in answers(app)


def test_runs_of_a_link_that_are_gone_are_said_and_the_address_stays(
    runs: Runs,
) -> None:
    gone = "20200101-000000-abcdef"
    app = open_page("results/compare.py", runs=f"{runs[0].id},{gone}")
    assert "1 of 2 runs of this link are not here any more" in said(app)
    assert chosen(app) == [runs[0].id]
    assert not answers(app)
    assert app.query_params["runs"] == f"{runs[0].id},{gone}"
    app = open_page("results/compare.py", runs="nonsense")
    assert "1 of 1 runs" in said(app) and not answers(app)
    assert app.query_params["runs"] == "nonsense"


def test_runs_without_results_and_of_other_images_are_not_offered(
    runs: Runs, tmp_path: Path
) -> None:
    other = draw_class_folders(tmp_path / "data" / "other", ("x", "y"))
    stranger = write_finished_run(other, "stranger")
    failed = RunStore().create(replace(runs[0].config, name="failed"))
    failed.write_status(replace(failed.status, state=RunStatus.FAILED))
    app = opened(*runs)
    offered = " ".join(app.multiselect(key="models").options)
    assert "good" in offered and "bad" in offered
    assert "stranger" not in offered and "failed" not in offered
    app = opened(failed, runs[0])
    assert "1 of 2 runs of this link have no test results" in said(app)
    app = opened(stranger, runs[0])
    assert any("no test image in common" in error.value for error in app.error)


def test_namesakes_are_told_apart_by_recipe_and_date(runs: Runs) -> None:
    write_finished_run(Path(runs[0].config.dataset), "bad", seed=2)
    options = [o for o in opened(*runs).multiselect(key="models").options if "bad" in o]
    assert len(set(options)) == 2
    assert all("Instant" in o and f"{datetime.now():%b %Y}" in o for o in options)


def test_one_model_offers_the_others_and_a_training(runs: Runs) -> None:
    app = opened(runs[0])
    assert chosen(app) == [runs[0].id]
    assert "With which model is it compared?" in app.info[0].value
    buttons = {button.label: button for button in app.main.button}
    assert "Train another model" in buttons
    (other,) = [label for label in buttons if label.startswith("easy · bad")]
    buttons[other].click().run()
    assert chosen(app) == [run.id for run in runs]
    assert "good *one* is better than bad by" in answers(app)


def test_one_model_that_nothing_is_comparable_with(tmp_path: Path) -> None:
    first = draw_class_folders(tmp_path / "data" / "one")
    other = draw_class_folders(tmp_path / "data" / "two")
    run = write_finished_run(first, "alone")
    write_finished_run(other, "elsewhere")
    app = opened(run)
    assert "no other model knows the same classes" in app.info[0].value
    (button,) = [b for b in app.main.button if b.proto.type == "primary"]
    assert button.label == "Train another model"


def test_an_interval_that_contradicts_its_p_value_is_explained(runs: Runs) -> None:
    """2 against 9 that only one model gets wrong: p = 0.065."""
    explained = "near the limit they may disagree"
    assert explained not in said(opened(*runs))
    tables = [read_predictions(run) for run in runs]
    for run, table, wrong in zip(
        runs, tables, ({0, 1}, set(range(2, 11))), strict=True
    ):
        classes = scored_classes(table)
        tested = table[table["split"] == "test"].index
        scores = np.array(
            [[float(c == label) for c in classes] for label in table["label"]]
        )
        for at in wrong:
            scores[table.index.get_loc(tested[at])] = scores[
                table.index.get_loc(tested[at])
            ][::-1]
        (run.folder / "checksums.json").unlink(missing_ok=True)
        write_predictions(run, classes, table, scores)
    pair = compare(
        common_images({"a": read_predictions(runs[0]), "b": read_predictions(runs[1])}),
        "accuracy",
    )[0]
    assert pair.is_borderline and not pair.better
    assert explained in said(opened(*runs))
