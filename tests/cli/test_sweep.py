"""What a sweep varies, as it is written in a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from medmodel.cli.sweep import _dimension, _space
from medmodel.core.config import config_for
from medmodel.core.processes import background
from medmodel.core.storage import write_json
from medmodel.sweeps.search_space import Dimension, best_sweep
from medmodel.sweeps.sweep import Trial, Trials, get_sweep, list_sweeps, make_sweep
from tests.cli.conftest import Invoke
from tests.encoder_files import write_encoder
from tests.findings_folder import draw_findings_folder


def test_a_list_is_a_choice_and_a_colon_makes_a_range() -> None:
    assert _dimension("16,32", int) == Dimension((16, 32))
    assert _dimension("16:64", int) == Dimension((), 16, 64, False)
    # Rates differ by factors.
    assert _dimension("0.0001:0.01", float) == Dimension((), 1e-4, 1e-2, True)


@pytest.mark.parametrize("text", ["", "a", "16:", "1,x", "1.5"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError, match="neither a list such as 16,32"):
        _dimension(text, int)


def test_an_unknown_sweep_is_wrong_use(workspace: Path, invoke: Invoke) -> None:
    assert "no sweep nope" in invoke("sweep", "--show", "nope", status=2).stderr


def test_only_what_was_asked_for_varies() -> None:
    assert _space((), {"size": None, "mixup": ""}, ()) == {}
    numbers = {"size": "96,128", "batch_size": "8:64", "mixup": "0,0.2"}
    space = _space(("resnet",), numbers, ("none", "light"))
    assert space == {
        "model": Dimension(("resnet",)),
        "size": Dimension((96, 128)),
        "batch_size": Dimension((), 8, 64, False),
        "mixup": Dimension((0.0, 0.2)),
        "augmentation": Dimension(("none", "light")),
    }


def test_every_encoder_of_the_weights_folder(
    class_folders: Path,
    workspace: Path,
    json_of: Callable[..., Any],
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background.BackgroundTask, "start", lambda self: None)
    arguments = ("sweep", str(class_folders), "--encoders")
    assert "no encoder that can be used" in invoke(*arguments, status=2).stderr
    write_encoder(workspace / "weights", "own")
    sweep = get_sweep(json_of(*arguments)["sweep"])
    assert sweep.config.compares_encoders and sweep.planned == 3
    for other in ("--recipes", "--best-in=3", "--size=64,96"):
        said = invoke(*arguments, other, status=2).stderr
        assert "nothing else varies" in said


def test_a_time_instead_of_settings(
    class_folders: Path,
    json_of: Callable[..., Any],
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background.BackgroundTask, "start", lambda self: None)
    values = json_of("sweep", str(class_folders), "--best-in", "3")
    sweep = get_sweep(values["sweep"])
    assert sweep.config.minutes == 3 and sweep.config.base.recipe == "instant"
    arguments = ("sweep", str(class_folders), "--best-in", "3", "--size", "64,96")
    assert "nothing else varies" in invoke(*arguments, status=2).stderr


def test_the_winner_in_a_time_is_told_with_the_rule(
    class_folders: Path, invoke: Invoke
) -> None:
    sweep = make_sweep(best_sweep(config_for("instant", str(class_folders)), 10))
    tried = [
        Trial(0, {"candidate": "instant"}, "first", "done", 0.4, 0.8, 20.0),
        Trial(1, {"candidate": "compact"}, "second", "done", 0.3, 0.9, 200.0, 1.0),
        Trial(2, {"candidate": "ensemble"}, "third", "done", 0.2, 0.9, 9.0, 2.5),
    ]
    sweep.task.write("finished")
    for trials, winner, reason in (
        (tried[:2], "first, of 2 candidates", "the simplest model wins"),
        (tried, "third, of 3 candidates", "lower than that of Instant by 2.50 "),
    ):
        write_json(sweep.folder / "trials.json", Trials(trials))
        said = " ".join(invoke("sweep", "--show", sweep.id).stdout.split())
        assert f"Winner: run {winner}" in said and reason in said


def test_a_time_is_not_spent_on_several_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    folder = draw_findings_folder(tmp_path / "data" / "findings")
    monkeypatch.setenv("MEDMODEL_DATA", str(folder.parent))
    refused = invoke("sweep", str(folder), "--best-in", "3", status=1)
    assert "several findings on one image" in refused.stderr
    assert list_sweeps() == []


def test_what_several_findings_do_not_take_is_refused_before_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    monkeypatch.setattr(background.BackgroundTask, "start", lambda self: None)
    folder = draw_findings_folder(tmp_path / "data" / "findings")
    monkeypatch.setenv("MEDMODEL_DATA", str(folder.parent))
    arguments = ("sweep", str(folder), "--recipe", "compact")
    refused = invoke(*arguments, "--mixup", "0,0.2", status=2)
    assert "not for several findings" in refused.stderr
    assert list_sweeps() == []
    invoke(*arguments, "--size", "32,64")
    (sweep,) = list_sweeps()
    base = sweep.config.base
    assert base.multi_label and not base.class_weights
