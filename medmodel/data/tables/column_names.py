"""What columns of a table are: by their names in several languages, by yes and no."""

from __future__ import annotations

import re

from medmodel.data.layouts.split_names import split_of, without_accents

_NAMES = {
    "file": "file filename filepath path image imagename imagefile imagepath imageid "
    "imageindex img imgname imgpath imgid imgfile filelocation dicom dicomfile "
    "dicompath picture fname isicid idcode archivo fichier datei dateiname bild imagen "
    "файл изображение 文件 文件名 文件路径 图像 图片 图像名 图片名 "
    "ファイル ファイル名 画像 파일 파일명 이미지 soubor nazevsouboru snimek plik "
    "nazwapliku zdjecie fajl fajlnev kep fisier dosya dosyaadi goruntu αρχειο "
    "ονομααρχειου εικονα ملف اسمالملف الملف صورة الصورة קובץ שםקובץ תמונה ไฟล์ "
    "ชื่อไฟล์ ภาพ id name uid",
    "label": "label labels class classname classlabel category target diagnosis dx "
    "finding findings findinglabels disease pathology condition y grade level clase "
    "etiqueta diagnostico classe etiquette diagnostic klasse diagnose etikett befund "
    "класс метка диагноз 标签 標籤 类别 類別 诊断 診斷 診断 ラベル クラス "
    "분류 라벨 진단 stitek trida diagnoza etykieta klasa rozpoznanie cimke osztaly "
    "eticheta clasa etiket sinif tani ετικετα κλαση διαγνωση تصنيف التصنيف تشخيص "
    "التشخيص فئة الفئة תווית אבחנה סיווג ป้าย ประเภท การวินิจฉัย type",
    "patient": "patient patientid patientnumber subject subjectid person personid "
    "participant participantid case caseid patientname pid studyid пациент 患者 病人 "
    "paciente 환자 pacjent pacient hasta ασθενης مريض المريض מטופל ผู้ป่วย",
    "split": "split splits datasplit partition subset 划分 分割 sousensemble particion",
    "maybe split": "set dataset datasettype fold usage phase group stage mode",
}
"""Columns as people call them, in small letters without marks, the surest first."""
_INVALID = re.compile(r"(?:[Ii]nvalid|INVALID)(?!(?i:ation))")
TRUE, FALSE = (
    {"1", "1.0", "true", "yes", "t", "y"},
    {"0", "0.0", "false", "no", "f", "n"},
)


def kind_of_column(name: str) -> str:
    """What a column of this name usually is: `file`, `label`, ...; "" for others."""
    plain = plain_name(name)
    for kind, words in _NAMES.items():
        if plain in map(plain_name, words.split()):
            return kind
    return ""


def surest_file_column(header: list[str]) -> int | None:
    """Position of the column that names files; "file" before "id"; None without one."""
    return known_columns(header)[0].get("file")


def known_columns(header: list[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Position of each known column, and the names of all that could be labels."""
    plain = list(map(plain_name, header))
    columns: dict[str, int] = {}
    labels: tuple[str, ...] = ()
    for kind, words in _NAMES.items():
        names = map(plain_name, words.split())
        positions = [plain.index(name) for name in names if name in plain]
        positions = [at for at in positions if at not in columns.values()]
        if positions:
            columns[kind] = positions[0]
        if kind == "label":
            labels = tuple(header[at] for at in dict.fromkeys(positions))
    return columns, labels


def plain_name(name: str) -> str:
    """Letters and digits of a name, small and without accents."""
    return re.sub(r"[\W_]+", "", without_accents(name))


def flagged_split(name: str) -> str:
    """The split of a column such as "is_train", "in test", "used_for_val" or "test"."""
    if _INVALID.match(name):  # which images are not to be used at all
        return ""
    verb = r"^(?i:is|in|as|(?:used?[_ ]?)?(?:for|in))(?=[_ A-Z])[_ ]?"
    fused = r"^(?i:is|in)(?=(?i:train|test|val))"
    return split_of(re.sub(verb, "", name)) or split_of(re.sub(fused, "", name))


def is_binary(rows: list[list[str]], at: int) -> bool:
    """Whether a column holds nothing but yes and no."""
    values = {row[at].strip().casefold() for row in rows[1:] if at < len(row)}
    return bool(values - {""}) and values <= TRUE | FALSE | {""}
