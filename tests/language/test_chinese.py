"""What was made in English is said in Chinese, and what users named stays theirs."""

from __future__ import annotations

import errno
import os
from dataclasses import replace

import numpy as np
import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.config_problems import config_problems
from medmodel.core.errors import OS_WORDS, os_reason
from medmodel.data.layouts import description
from medmodel.data.layouts.layout_choice import FolderReading
from medmodel.data.layouts.split_names import Role
from medmodel.language import _, speaking, translate
from medmodel.reports.point_map import chart_data
from pages._shared.prediction.file_facts import FileFacts


def test_what_the_operating_system_says() -> None:
    error = OSError(errno.ENOENT, os.strerror(errno.ENOENT), "/data/a.png")
    assert os_reason(error) == "No such file or directory"
    kept = _(
        "{name} cannot be opened: {reason}.", name="a.png", reason="Is a directory"
    )
    with speaking("zh_Hans"):
        assert os_reason(error) == "文件或文件夹不存在"
        assert translate(kept) == "无法打开 a.png：这是一个文件夹。"


@pytest.mark.parametrize("word", OS_WORDS)
def test_its_words_are_those_of_this_system(word: str) -> None:
    assert word in {os.strerror(number) for number in errno.errorcode}
    with speaking("zh_Hans"):
        assert _(word) != word


def test_a_library_says_its_own_words() -> None:
    assert os_reason(OSError("cannot identify image file")) == (
        "cannot identify image file"
    )


def test_how_folders_were_read() -> None:
    splits: dict[str, Role] = {"a b": "train", "c": "val", "d": "test", "e": ""}
    kept = description.of_folders(FolderReading((), 1, 0, splits))
    assert "a b (training), c (validation), d (test), e (left out)" in kept
    with speaking("zh_Hans"):
        said = translate(kept)
    assert "a b（训练）" in said and "d（测试）" in said and "e（不使用）" in said
    assert not any(word in said for word in ("training", "level", "class", "left"))


def test_a_range_names_its_setting() -> None:
    kept = config_problems(TrainConfig("/data", batch_size=0))["batch_size"]
    assert kept == "“Batch size” must lie between 1 and 1024; 0 was given."
    seed = config_problems(TrainConfig("/data", seed=-1))["seed"]
    with speaking("zh_Hans"):
        assert translate(kept).startswith("“批大小”必须在 1 与 1024 之间")
        assert translate(seed).startswith("“随机种子”")


def test_a_name_that_the_program_made() -> None:
    model = TrainConfig("/data/chest", folds=5, fold=2)
    there = replace(model, dataset="/other/there", folds=1, fold=1)
    with speaking("en"):
        nameless = replace(there, name=f"{model.title}, tested on there")
    named = replace(there, name="Mine on Monday, tested on there")
    again = replace(model, name="Mine, seed 3", seed=3, folds=1, fold=1)
    assert nameless.title == "Instant on chest, fold 2 of 5, tested on there"
    assert again.title == "Mine, seed 3"
    with speaking("zh_Hans"):
        assert nameless.title == "即时（chest），第 2/5 折，在 there 上测试"
        assert named.title == "Mine on Monday，在 there 上测试"
        assert again.title == "Mine，随机种子 3"
        assert replace(again, name="Start").title == "Start"
        assert TrainConfig("", name="Run 7").title == "训练任务 7"
        assert replace(again, name="Mine, tested on here").title.endswith("on here")


def test_the_caption_of_an_image_is_of_who_looks() -> None:
    facts = FileFacts(3, 2, "NIfTI", volumes=4, frames=5, missing_frames=1)
    assert facts.text == (
        "3 × 2 pixels, NIfTI, the first of 4 volumes, 5 of 6 frames are in the file"
    )
    with speaking("zh_Hans"):
        assert "像素" in facts.text and "pixels" not in facts.text
        assert "volumes" not in facts.text and "frames" not in facts.text


def test_a_class_keeps_its_name_on_the_map() -> None:
    groups = ["Start"] * 3 + ["other"] * 2 + [str(n) for n in range(9)]
    places = np.zeros((len(groups), 2), np.float32)
    with speaking("zh_Hans"):
        names = [group["name"] for group in chart_data(places, groups)["groups"]]
    assert names[:2] == ["Start (3)", "other (2)"] and names[-1] == "其他 (4)"
