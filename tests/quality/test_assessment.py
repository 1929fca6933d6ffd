from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medmodel.core.config import TrainConfig
from medmodel.core.samples import Slicing
from medmodel.data import curation, datasets, image_stats, splits
from medmodel.data.curation import Action
from medmodel.imaging import images
from medmodel.language import speaking
from medmodel.quality import assessment, file_issues, quality_report
from medmodel.quality.checks import examine
from medmodel.quality.issues import Issue, verdict
from tests.conftest import draw_class_folders
from tests.dicom_files import dicom_bytes, dicom_dataset, dicom_file
from tests.volumes import draw_series, draw_stacks


def smooth(seed: int, size: int = 96) -> Image.Image:
    """A grey image with structure of its own."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(40, 215, (8, 8), np.uint8))
    return coarse.resize((size, size), Image.Resampling.BICUBIC)


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """20 images per class and split, and one of everything that is odd."""
    folder = tmp_path / "data" / "odd"
    seed = 0
    for split in ("train", "val", "test"):
        for label in ("a", "b"):
            place = folder / split / label
            place.mkdir(parents=True)
            for number in range(20):
                seed += 1
                smooth(seed).save(place / f"{number}.png")
    first = smooth(1)
    first.save(folder / "test" / "a" / "copy.bmp")
    smooth(2).save(folder / "train" / "a" / "again.png")
    smooth(21).save(folder / "train" / "a" / "label.png")  # train/b/0.png
    smaller = smooth(3).resize((80, 80), Image.Resampling.BICUBIC)
    smaller.save(folder / "val" / "a" / "near.jpg", quality=70)
    Image.new("L", (96, 96), 90).save(folder / "train" / "b" / "blank.png")
    smooth(900, 20).save(folder / "train" / "b" / "tiny.png")
    white = np.asarray(smooth(901)).copy()
    white[:60] = 255
    Image.fromarray(white).save(folder / "train" / "b" / "white.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    smooth(902).save(folder / "train" / "b" / "turned.jpg", exif=turned)
    (folder / "train" / "b" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    return folder


def findings(folder: Path) -> tuple[dict[str, Issue], str]:
    index = datasets.index_dataset(folder)
    table = splits.assign_splits(index, TrainConfig(str(folder)))
    report = examine(index, table)
    found = assessment.find_issues(index, table, report, assessment.measure(index))
    values = json.loads(json.dumps([asdict(issue) for issue in found]))
    assert msgspec.convert(values, list[Issue]) == found
    return {f.kind: f for f in found}, verdict(report, found)


def test_every_oddity_is_found_and_nothing_else(odd: Path) -> None:
    found, level = findings(odd)
    assert level == "problem"
    assert {kind: f.groups for kind, f in found.items()} == {
        "same-splits": [["test/a/copy.bmp", "train/a/0.png"]],
        "same-labels": [["train/a/label.png", "train/b/0.png"]],
        "same-inside": [["train/a/1.png", "train/a/again.png"]],
        "near-validation": [["train/a/2.png", "val/a/near.jpg"]],
        "blank": [["train/b/blank.png"]],
        "tiny": [["train/b/tiny.png"]],
        "clipped": [["train/b/white.png"]],
        "rotated": [["train/b/turned.jpg"]],
        "size": [["train/b/tiny.png"]],
        "brightness": [["train/b/blank.png"], ["train/b/white.png"]],
        "unreadable": [],
    }


@pytest.mark.parametrize(
    ("kind", "usual", "limit", "beyond"),
    [
        ("blank", {"spread": 40}, {"spread": 3}, {"spread": 2}),
        ("tiny", {"width": 99}, {"width": 28}, {"width": 27}),
        ("tiny", {"height": 99}, {"height": 28}, {"height": 27}),
        ("clipped", {"white": 0}, {"white": 50}, {"white": 51}),
        ("rotated", {"rotated": 0}, {"rotated": 0}, {"rotated": 1}),
    ],
)
def test_limits_of_odd_files(
    kind: str, usual: dict[str, int], limit: dict[str, int], beyond: dict[str, int]
) -> None:
    plain = {"spread": 40, "white": 0, "rotated": 0, "format": "PNG"}
    plain |= dict.fromkeys(("width", "height"), 99)
    rows = [{**plain, **part} for part in (usual, limit, beyond, usual)]
    table = pd.DataFrame(rows).assign(path=list("abcd"))
    (issue,) = file_issues._single_files(table)
    assert (issue.kind, issue.groups) == (kind, [["c"]])
    # What is true of more than half of them is how the data set is.
    half, most = table.iloc[[1, 2]], table.iloc[[1, 2, 2]]
    assert file_issues._single_files(half) and not file_issues._single_files(most)


@pytest.mark.parametrize(
    ("name", "file_format", "misnamed"),
    [
        ("x.png", "PNG", False),
        ("x.jpg", "PNG", True),
        ("x.JPEG", "JPEG", False),
        ("x.Jpeg", "TIFF", True),
        ("x.tif", "TIFF", False),
        ("x.webp", "JPEG", True),
        ("x.dcm", "DICOM", False),
        ("x.dcm", "PNG", True),
        ("x.nii#axial=3", "NIfTI", False),
        ("x.png.nii", "PNG", True),
        ("x", "PNG", False),
        ("x.1.2", "DICOM", False),
    ],
)
def test_names_of_another_format(name: str, file_format: str, misnamed: bool) -> None:
    table = pd.DataFrame({"path": [name], "format": [file_format]})
    assert file_issues._misnamed(table).tolist() == [misnamed]


def test_far_is_beyond_the_limit() -> None:
    values = np.zeros(9)
    values[:2] = 32, 33
    assert file_issues._far(values, 32).tolist() == [False, True, *[False] * 7]


@pytest.mark.parametrize(("many", "kinds"), [(5, ["size"]), (6, [])])
def test_what_is_true_of_many_is_not_odd(many: int, kinds: list[str]) -> None:
    side = np.where(np.arange(100) < many, 400, 100)
    table = pd.DataFrame({"path": map(str, range(100)), "width": side, "height": side})
    table[["mean", "colour", "red", "blue"]] = 0
    assert [issue.kind for issue in file_issues._outliers(table)] == kinds


@pytest.mark.parametrize(("seen", "kinds"), [("", ["letters"]), ("CT as lung", [])])
def test_marks_in_ct_slices_are_no_letters(seen: str, kinds: list[str]) -> None:
    paths = [f"{n % 2}/{n}.dcm" for n in range(40)]
    table = pd.DataFrame({"path": paths, "label": [p[0] for p in paths]})
    table = table.assign(format="DICOM", mode="L", colour=0, seen=seen, patient="")
    table[["width", "height"]] = 512
    marks = [[path, 0.0, 0.0, float(path[0])] for path in paths]
    measured = assessment.Measured("", [], marks)
    found = [issue.kind for issue in assessment._classes(table, measured)]
    assert [kind for kind in found if kind != "shortcut"] == kinds


def test_actions_mend_and_can_be_undone(odd: Path) -> None:
    before = {p: p.read_bytes() for p in odd.rglob("*") if p.is_file()}
    place = datasets.index_folder(odd)
    found, _ = findings(odd)
    for kind in (
        "same-splits",
        "near-validation",
        "same-labels",
        "same-inside",
        "blank",
    ):
        action = found[kind].action()
        assert action
        curation.add(place, action)
    after, level = findings(odd)
    assert not {"same-splits", "near-validation", "same-labels", "blank"} & set(after)
    index = datasets.index_dataset(odd)
    rows = index.table.set_index("path")
    assert rows.loc["test/a/copy.bmp", "split"] == "train"
    assert rows.loc["val/a/near.jpg", "split"] == "train"
    assert "train/b/blank.png" not in rows.index
    reasons = dict(zip(index.ignored["path"], index.ignored["reason"], strict=True))
    assert reasons["train/b/blank.png"].startswith("left out: blank")
    assert "train/a/again.png" in reasons and "train/a/1.png" not in reasons
    for action in curation.actions(place):
        curation.undo(place, action.id)
    assert set(findings(odd)[0]) == set(found)
    assert before == {p: p.read_bytes() for p in odd.rglob("*") if p.is_file()}


def test_groups_stay_together_in_a_drawn_split(class_folders: Path) -> None:
    place = datasets.index_folder(class_folders)
    pair = ["dark/dark_000.png", "dark/dark_001.png"]
    curation.add(place, Action("together", "they look alike", [pair]))
    index = datasets.index_dataset(class_folders)
    for seed in range(8):
        table = splits.assign_splits(index, TrainConfig("", seed=seed))
        drawn = table.set_index("path")["split"]
        assert drawn[pair[0]] == drawn[pair[1]]


def test_classes_are_renamed_merged_and_left_out(odd: Path) -> None:
    place = datasets.index_folder(odd)
    curation.add(place, Action("classes", "", names={"a": "c", "b": "c"}))
    with pytest.raises(datasets.DataError, match="only the class 'c'"):
        datasets.index_dataset(odd)
    curation.undo(place, curation.actions(place)[0].id)
    curation.add(place, Action("classes", "", names={"a": "<b>&"}))
    assert datasets.index_dataset(odd).classes == ["<b>&", "b"]


def test_shortcut_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "leak"
    for label, size in (("ill", 96), ("well", 90)):
        (folder / label).mkdir(parents=True)
        for number in range(30):
            smooth(number + 100 * size, size).save(folder / label / f"{number}.png")
    found, level = findings(folder)
    assert "balanced accuracy of 1.00" in found["shortcut"].sentence
    assert level == "warning"


def test_each_kind_of_difference_reaches_the_report(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "leak"
    for label in ("ill", "well"):
        (folder / label).mkdir(parents=True)
        for number in range(30):
            picture = smooth(number + 30 * (label == "ill"))
            if label == "ill":
                picture = picture.convert("RGB")
                picture.paste((0, 0, 0), (0, 88, 96, 96))
                picture.paste((200, 30, 30), (40, 40, 60, 60))
                if number == 7:
                    picture.paste((20, 20, 250), (0, 0, 96, 80))
            picture.save(folder / label / f"{'ct' * (label == 'ill')}{number}.png")
    found, level = findings(folder)
    told = {kind: f.sentence for kind, f in found.items()}
    assert told["black-frames"].startswith("100 % of ill have a black border, and 0 %")
    assert told["colours"].startswith("100 % of ill are in colour")
    assert told["formats"].startswith("100 % of ")
    assert "accuracy of 1.00" in told["sources"] and level == "warning"
    assert found["sources"].level == "ok" and "(ill: ct#; well: #)" in told["sources"]
    assert ["ill/ct7.png"] in found["colour"].groups


def test_copies_under_two_labels_that_reach_the_test_are_copies_too(
    tmp_path: Path,
) -> None:
    """A wrong label does not make them unknown to a model that was trained on one."""
    folder = tmp_path / "data" / "conflict"
    for seed, split in enumerate(("train", "val", "test")):
        draw_class_folders(folder / split, ("a", "b"), 4, seed=seed)
    learned, tested = (
        folder / "train" / "a" / "a_000.png",
        folder / "test" / "b" / "b_000.png",
    )
    shutil.copyfile(learned, tested)
    found, level = findings(folder)
    pair = ["test/b/b_000.png", "train/a/a_000.png"]
    assert found["same-labels"].groups == [pair]
    assert found["same-splits"].groups == [pair] and level == "problem"
    assert "same-inside" not in found
    inside = folder / "train" / "b" / "b_000.png"
    shutil.copyfile(folder / "test" / "b" / "b_001.png", tested)
    shutil.copyfile(learned, inside)
    found, _ = findings(folder)
    assert found["same-labels"].groups == [["train/a/a_000.png", "train/b/b_000.png"]]
    assert "same-splits" not in found


def test_oddities_of_real_pictures_are_found(
    real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    """Copies of some files each; `oddities` of the benchmark does it with all."""
    folder = tmp_path / "data" / "cells"
    cells = real_data("blood_cells")
    for label in ("eosinophil", "neutrophil"):
        (folder / label).mkdir(parents=True)
        for path in sorted((cells / label).iterdir())[:22]:
            shutil.copy(path, folder / label)
    pair = ["eosinophil/EO_225902.jpg", "neutrophil/BNE_191112.jpg"]
    for name in pair:
        shutil.copy(cells / name, folder / name)
    found, level = findings(folder)
    assert found["same-labels"].groups == [pair] and level == "warning"
    ignored = datasets.load_index(folder)
    assert ignored and "neutrophil/.DS_169665.jpg" in set(ignored.ignored["path"])


def test_export_escapes_names(odd: Path) -> None:
    index = datasets.index_dataset(odd)
    table = splits.assign_splits(index, TrainConfig(str(odd)))
    report = examine(index, table)
    bad = Issue("x", "<script>", "<i>", "warning", 1, [["<img src=x>"]])
    decided = [Action("classes", "", names={"<a>": "", "b": "c"})]
    text = quality_report.as_html(odd, report, [bad], decided)
    assert "<script>" not in text and "<img src=x>" not in text and "<a>" not in text
    assert "&lt;a&gt; → left out, b → c" in text
    values = json.loads(quality_report.as_json(odd, report, [bad], decided))
    assert values["verdict"] == "Data leakage found"
    assert "shared_patients" not in values["report"]
    assert [item["item"] for item in values["claim"]][0::14] == ["7", "20"]
    told = {item["topic"]: item["known"] for item in values["claim"]}
    number = {item["topic"]: item["item"] for item in values["claim"]}
    assert told["Data sources"] == f"Folder odd: {report.num_images} images."
    rated, missing = (
        "Inter- and intra-rater variability",
        "How missing data were handled",
    )
    assert told[rated] == "1 image lies under two labels."
    assert "take no part: 1; images" in told[missing]
    # As in the update of 2024; in 2020 these were 13 and 12, and 13 was another.
    assert (number[missing], number["De-identification methods"]) == ("12", "11")
    assert told["How data were assigned to partitions"].endswith("As the folders say.")
    assert told["Source of its annotations"] == ""
    stored = told["Image acquisition protocol"]
    assert stored.startswith("Stored as PNG, L (") and "20 × 20 to 96 × 96" in stored
    assert "2024 update" in values["claim_source"] and quality_report.CLAIM in text
    blanks = sum(not known for known in told.values())
    assert text.count("not known: ____") == blanks == 8


def test_hash_of_a_smaller_recompressed_picture_is_near() -> None:
    large = np.asarray(smooth(5))[..., None]
    small = images.thumbnail(large, 70)
    hashes = [image_stats.measure(b"", p, "PNG")["hash"] for p in (large, small)]
    one, other = image_stats.hash_array(hashes) / 127
    assert np.linalg.norm(one) == pytest.approx(1, abs=0.02)
    assert np.linalg.norm(one - other) < 0.05


def test_files_of_several_pictures_are_told(tmp_path: Path) -> None:
    folder = draw_stacks(tmp_path / "data" / "stacks", count=4)
    told = findings(folder)[0]["several"]
    assert (told.count, told.level, told.action()) == (16, "ok", None)
    assert told.sentence.startswith(
        "They hold 72 slices, frames or pages, of which 16 "
    )
    every = Action(
        "slices", "", slicing=Slicing(frames="every", frame_step=1).to_json()
    )
    curation.add(datasets.index_folder(folder), every)
    assert "several" not in findings(folder)[0]


def test_series_of_volumes_are_told(tmp_path: Path) -> None:
    told = findings(draw_series(tmp_path / "data" / "vols"))[0]["series"]
    assert told.groups == [["dark/0.nii"], ["dark/1.nii"]] and told.level == "ok"
    assert "hold 3 to 5 volumes each" in told.sentence


def test_ct_without_hounsfield_units_is_told(tmp_path: Path) -> None:
    """The automatic window cannot show it like the others; it says which files."""
    values = np.arange(1024, dtype=np.int16).reshape(32, 32)
    for n in range(6):
        for label in ("a", "b"):
            place = tmp_path / "ct" / label
            place.mkdir(parents=True, exist_ok=True)
            units = {"RescaleSlope": "1", "RescaleIntercept": "-1024"}
            facts = units if n or label == "b" else {}
            data = dicom_file(
                values + n, Modality="CT", PatientID=f"{label}{n}", **facts
            )
            (place / f"{n}.dcm").write_bytes(data)
    found, _ = findings(tmp_path / "ct")
    told = found["uncalibrated"]
    assert told.groups == [["a/0.dcm"]] and told.level == "warning"
    assert "the other 11 as soft tissue" in told.sentence
    assert told.action() is not None


def test_files_that_lack_frames_are_named_once(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "frames"
    rng = np.random.default_rng(0)
    for n in range(6):
        for label in ("a", "b"):
            (folder / label).mkdir(parents=True, exist_ok=True)
            stack = rng.integers(0, 999, (3, 32, 32)).astype("<i2")
            dataset = dicom_dataset(
                stack, Modality="CT", PatientID=f"{label}{n}", NumberOfFrames=3
            )
            if (n, label) == (0, "a"):
                dataset.PixelData = dataset.PixelData[:-2048]
            (folder / label / f"{n}.dcm").write_bytes(dicom_bytes(dataset))
    for slicing in (Slicing(), Slicing(frames="every", frame_step=1)):
        action = Action("slices", "", slicing=slicing.to_json())
        curation.add(datasets.index_folder(folder), action)
        found, _ = findings(folder)
        told = found["missing_frames"]
        assert (told.level, told.count) == ("warning", 1)
        assert told.groups[0][0].startswith("a/0.dcm")
        assert "a/0.dcm" in str(found["uncalibrated"].groups)


@pytest.mark.parametrize(
    ("side", "kind", "level"),
    [("test", "splits", "problem"), ("val", "validation", "warning")],
)
def test_copies_in_the_test_stop_and_copies_in_validation_warn(
    odd: Path, side: str, kind: str, level: str
) -> None:
    for number in (3, 4):
        source = odd / "train" / "b" / f"{number}.png"
        smooth(70 + number).save(source)
        shutil.copy(source, odd / side / "b" / f"same {number}.png")
    near = odd / "train" / "b" / "5.png"
    smooth(80).save(near)
    smooth(80).resize((60, 60)).save(odd / side / "b" / "near.png")
    issues = findings(odd)[0]
    assert issues[f"same-{kind}"].level == issues[f"near-{kind}"].level == level
    index = datasets.index_dataset(odd)
    report = examine(index, splits.assign_splits(index, TrainConfig(str(odd))))
    count = 3 if side == "test" else 1  # the fixture has one in the test
    total = sum(images["test"] for images in report.images.values())
    assert report.verdict.startswith(f"{count} of {total} test images ")


def test_findings_are_kept_in_english_whoever_asks(odd: Path) -> None:
    index = datasets.index_dataset(odd)
    table = splits.assign_splits(index, TrainConfig(dataset=str(odd)))
    measured = assessment.measure(index)
    english = examine(index, table)
    issues = assessment.find_issues(index, table, english, measured)
    with speaking("zh_Hans"):
        assert examine(index, table) == english
        assert assessment.find_issues(index, table, english, measured) == issues
