"""Attributes of images: tables of all kinds, DICOM headers, and nothing personal."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.data.attributes.image_attributes import image_attributes
from tests.dicom_files import dicom_file, ramp

PATHS = ["ill/a.png", "ill/b.png", "well/c.png", "well/d.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in PATHS:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


def groups(
    folder: Path, text: str | bytes, name: str = "about.csv"
) -> dict[str, list[str]]:
    content = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(content)
    return dict(image_attributes(folder, PATHS).groups)


@pytest.mark.parametrize(
    "text",
    [
        "file,sex\nill/a.png,F\nill/b.png,M\nwell/c.png,F\nwell/d.png,M\n",
        "Image;Sex\nA.PNG;F\nB.PNG;M\nC.PNG;F\nD.PNG;M\n",
        "filename\tsex\na\tF\nb\tM\nc\tF\nd\tM\n",
        "file,sex\na.jpg,F\nb.jpg,M\nc.jpg,F\nd.jpg,M\nz.jpg,M\n",
        "Ours\n\npath,sex\n/x/ill/a.png,F\n/x/ill/b.png,M\n/x/well/c.png,F\n/x/well/d.png,M\n",
        "file,sex\nd.png,M\nc.png,F\nb.png,M\na.png,F\na.png,F\n",
    ],
    ids=["plain", "semicolon, capitals", "tab, no suffix", "suffix", "title", "twice"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_read_however_it_is_written(
    folder: Path, text: str, encoding: str
) -> None:
    found = groups(folder, text.encode(encoding))
    assert list(found.values()) == [["F", "M", "F", "M"]]


def test_what_is_missing_or_disagrees_is_not_stated(folder: Path) -> None:
    text = "file,site\na.png,north\na.png,south\nb.png,north\nc.png,\nd.png,south\n"
    assert groups(folder, text) == {"site": ["", "north", "", "south"]}


def test_columns_of_persons_classes_and_splits_are_no_attributes(folder: Path) -> None:
    header = "file,patient_id,name,MRN,birth_date,label,split,StudyInstanceUID,view"
    rows = ["a.png,1,A,7,1950,x,train,1.2,AP", "b.png,2,B,8,1960,y,test,1.3,PA"]
    assert list(groups(folder, "\n".join([header, *rows]))) == ["view"]


def test_two_columns_alike_are_compared_once(folder: Path) -> None:
    text = "file,sex,gender\na.png,F,w\nb.png,M,m\nc.png,F,w\nd.png,M,m\n"
    (folder / "about.csv").write_text(text)
    attributes = image_attributes(folder, PATHS)
    assert list(attributes.groups) == ["sex"]
    assert attributes.left_out == {"gender": "the same groups as sex"}


def test_an_attribute_of_one_value_parts_nothing(folder: Path) -> None:
    text = "file,sex\na.png,F\nb.png,F\nc.png,\n"
    assert groups(folder, text) == {}


@pytest.mark.parametrize("text", ["", "no table at all", "sex,age\nF,3\n", "\x00\x01"])
def test_what_is_no_table_of_files_is_passed_over(folder: Path, text: str) -> None:
    assert groups(folder, text) == {}


def test_headers_say_sex_age_band_scanner_and_view(tmp_path: Path) -> None:
    for name, sex, age in (("a.dcm", "F", "045Y"), ("b.dcm", "M", "095Y")):
        content = dicom_file(
            ramp(),
            PatientSex=sex,
            PatientAge=age,
            Manufacturer="Acme",
            PatientName="Doe",
        )
        (tmp_path / name).write_bytes(content)
    attributes = image_attributes(tmp_path, ["a.dcm", "b.dcm"])
    assert attributes.groups == {"sex": ["F", "M"]}
    # Two images that two attributes part alike: shown once.
    assert attributes.left_out == {"age": "the same groups as sex"}
    (tmp_path / "c.dcm").write_bytes(
        dicom_file(ramp(), PatientSex="M", PatientAge="050Y")
    )
    attributes = image_attributes(tmp_path, ["a.dcm", "b.dcm", "c.dcm"])
    assert attributes.groups["age"] == ["40–64", "≥ 90", "40–64"]


@pytest.mark.parametrize("column", ["sex", "Sex", "SEX"])
def test_a_table_counts_before_a_header(tmp_path: Path, column: str) -> None:
    for name, sex in (("a.dcm", "F"), ("b.dcm", "F")):
        (tmp_path / name).write_bytes(dicom_file(ramp(), PatientSex=sex))
    (tmp_path / "about.csv").write_text(f"file,{column}\na.dcm,F\nb.dcm,M\n")
    found = image_attributes(tmp_path, ["a.dcm", "b.dcm"]).groups
    assert found == {"sex": ["F", "M"]}


@pytest.mark.parametrize("header", ["id,file,sex", "name,filename,sex", "uid,img,sex"])
def test_the_surest_column_names_the_files(folder: Path, header: str) -> None:
    text = f"{header}\n1,a.png,F\n2,b.png,M\n3,c.png,F\n4,d.png,M\n"
    assert groups(folder, text) == {"sex": ["F", "M", "F", "M"]}


def test_a_column_of_a_class_is_no_attribute(folder: Path) -> None:
    rows = ["a.png,1,0,F", "b.png,1,0,M", "c.png,0,1,F", "d.png,0,1,M"]
    (folder / "about.csv").write_text("\n".join(["file,Ill,well,sex", *rows]))
    attributes = image_attributes(folder, PATHS, classes=["ill", "well"])
    assert list(attributes.groups) == ["sex"] and not attributes.left_out


def test_who_somebody_is_may_repeat_from_image_to_image(folder: Path) -> None:
    text = "file,key,arm\na.png,K7,x\nb.png,K7,x\nc.png,K9,y\nd.png,K9,x\n"
    (folder / "about.csv").write_text(text)
    attributes = image_attributes(folder, PATHS, ["p", "p", "q", "q"])
    assert not attributes.groups
    assert "identifiers" in attributes.left_out["key"]


def test_that_headers_are_too_many_is_said_of_dicom_files_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medmodel.data.attributes.image_attributes.MOST_HEADERS", 1)
    assert not image_attributes(folder, PATHS).left_out
    assert not image_attributes(folder, ["gone.png", *PATHS]).left_out
    for name in ("a.dcm", "b.dcm"):
        (folder / name).write_bytes(dicom_file(ramp(), PatientSex="F"))
    left_out = image_attributes(folder, ["a.dcm", "b.dcm"]).left_out
    assert left_out == {"DICOM headers": "not read of more than 1 files"}
