"""Names of training, validation and test sets, as folders and tables spell them.

A name is taken apart into words; words such as "data" or "images" and numbers say
nothing. What is left must name one split and nothing else: "seg_train", "1_train",
"Train Data", "TEST set" and "训练集" do; "stress test", "trainval" and "holdout b" do
not. A name that is not known is never guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal, cast

from medmodel.language import N_

Role = Literal["train", "val", "test", ""]
"""A split, or "": none, left out."""
SPLIT_TITLES = {"train": N_("Training"), "val": N_("Validation"), "test": N_("Test")}
"""A split -> how pages call it."""

_WORDS = {
    "train": "train training trainings trn tr learning entrainement apprentissage "
    "entrenamiento aprendizaje treino treinamento addestramento lern lernen trainieren "
    "egitim trening treningowy uczacy trenovaci trening traning opleiding pelatihan "
    "latih обучение обучающая обучающий обучения тренировка тренировочная "
    "тренировочный тренировочные навчання 训练 訓練 学习 學習 学習 훈련 학습 "
    "تدريب التدريب آموزش אימון "
    "प्रशिक्षण ฝึก εκπαιδευση",
    "val": "val valid validation validate validating vld vl va validierung "
    "validierungs validacion validacao validazione validatie validering walidacja "
    "walidacyjny validace validasi dogrulama валидация валидационная валидационный "
    "валидационные валидации валідація 验证 驗證 検証 검증 تحقق التحقق اعتبارسنجی "
    "תיקוף सत्यापन επικυρωση",
    "test": "test tests testen testing tst te ts holdout heldout external prueba "
    "pruebas teste testes testowy testovaci тест тестовая тестовый тестовые "
    "тестирование тестування 测试 測試 テスト 시험 테스트 "
    "اختبار الاختبار آزمون מבחן परीक्षण ทดสอบ δοκιμη",
    # Which split these are depends on the others.
    "eval": "eval evaluation evaluate 评估 評估 評価 평가",
    "dev": "dev development devel",
}
_NEUTRAL = (
    "set sets data dataset datasets daten satz image images img imgs picture pictures "
    "photo photos scan scans sample samples file files folder dir split subset part "
    "partition cohort input inputs new internal labels label images imagenes imagens "
    "imagen bilder bild de of the for with conjunto datos dados jeu ensemble donnees "
    "dati insieme выборка набор данные данных изображения seti verisi veri 集 集合 "
    "数据 數據 数据集 數據集 图像 圖像 图片 圖片 影像 样本 樣本 データ データセット "
    "セット 用 用データ 画像 집합 세트 데이터 데이터셋 이미지 용 مجموعة بيانات "
    "seg cls csv"
)
_SHORT = 2
"""Words of so few letters are classes, too: TR and TS are valve diseases."""


def without_accents(text: str) -> str:
    """Small letters without accents, which are left out as often as not."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in decomposed if not unicodedata.combining(c))


_KINDS = {
    without_accents(word): kind
    for kind, words in _WORDS.items()
    for word in words.split()
}
_IGNORED = {without_accents(word) for word in _NEUTRAL.split()}
_LONG_FIRST = sorted((w for w in _KINDS if len(w) > _SHORT or not w.isascii()), key=len)
_NONE: frozenset[str] = frozenset()
KNOWN = N_("train, val, test and the like")
"""What to write instead of a word that is not known, for messages."""


def split_of(name: str) -> Role:
    """The split that a name by itself says: train, val or test; "" if none.

    "eval" is a validation set, unless there is another; "dev" likewise.
    """
    kinds, rest = _parse(name)
    return "" if rest else _resolved(kinds, set())


def splits_of(names: Iterable[str]) -> dict[str, Role]:
    """The split that each of several names beside each other says; "" if none.

    The others decide what "eval" is: beside validation images it is the test. They
    also tell what means nothing: of "chest_train" and "chest_test" the chest. Words of
    two letters count only where all names are splits.
    """
    parsed = {name: _parse(name) for name in names}
    usable = {name: kinds for name, (kinds, rest) in parsed.items() if not rest}
    longer = {n: kinds for n, (kinds, rest) in parsed.items() if kinds and rest}
    if len({parsed[name][1] for name in longer}) == 1 and len(set(longer.values())) > 1:
        usable |= longer
    others = {kind for kinds in usable.values() for kind in kinds}
    splits = {name: _resolved(usable.get(name, _NONE), others) for name in parsed}
    if all(splits.values()):
        return splits
    return {n: "" if is_short(n) else split for n, split in splits.items()}


def without_split(name: str) -> tuple[Role, str]:
    """The split that a name contains, and the rest: ("train", "cat") of "cat_train"."""
    kinds, rest = _parse(name)
    return _resolved(kinds, set()), rest


def is_fold(name: str) -> bool:
    """Whether a name is that of a fold of a cross-validation: "fold3", "fold_b"."""
    number = r"(\d+|[a-z]|[ivx]+)"
    return bool(
        re.fullmatch(
            rf"(?i)(k|cv)?[-_ ]?folds?[-_ ]*{number}|{number}[-_ ]*folds?", name
        )
    )


def _resolved(kinds: frozenset[str], others: set[str]) -> Role:
    if len(kinds) != 1:
        return ""
    (kind,) = kinds
    if kind == "eval":
        return "test" if others & {"val", "dev"} and "test" not in others else "val"
    if kind == "dev" and "test" in others and "train" not in others:
        return "train"  # Clinicians test what they developed.
    if kind == "dev":
        # They validate it, too: then nobody knows.
        return "" if "val" in others else "val"
    return cast(Role, kind)


def _parse(name: str) -> tuple[frozenset[str], str]:
    """Kinds of split among a name's words, and its other words that mean something."""
    parted = re.sub(r"\b[dl]['’]", " ", name)
    parted = re.sub(r"[^\W_]+", lambda found: _parted(found[0]), parted)
    words = re.split(r"[\W_]+", without_accents(parted).replace("held-out", "heldout"))
    words = [word.rstrip("0123456789") for word in words]
    joined = (
        " ".join(words).replace("hold out", "holdout").replace("held out", "heldout")
    )
    kinds, rest = set(), []
    for word in joined.split():
        kind = _kind(word)
        if kind:
            kinds.add(kind)
        elif word not in _IGNORED:
            rest.append(word)
    if "external" in joined and kinds == {"test", "val"}:
        kinds = {"test"}
    return frozenset(kinds), " ".join(rest)


def _parted(word: str) -> str:
    """The words of trainSet and imagesTr; TeSt and tRaIn are one."""
    if without_accents(word) in _KINDS:
        return word
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word)


def _kind(word: str) -> str:
    """The kind of split that a word means, be it joined to one that means nothing."""
    if word in _KINDS:
        return _KINDS[word]
    for known in reversed(_LONG_FIRST):
        before, found, after = word.partition(known)
        if found and {before, after} - {""} <= _IGNORED:
            return _KINDS[known]
    return ""


def is_short(name: str) -> bool:
    """Whether a name says a split in two letters, which mean other things as well."""
    words = re.split(r"[\W_]+", name.casefold())
    return any(w in _KINDS and len(w) <= _SHORT and w.isascii() for w in words)
