"""Names in a ZIP archive to text: the standard has no room for what systems write.

Names are UTF-8 where a flag or an extra field says so, and where they are valid UTF-8
(macOS sets no flag). Otherwise they are in the encoding of the computer that packed
them, which is nowhere written: it is guessed from how usual the characters would be.
"""

from __future__ import annotations

from collections.abc import Sequence

from medmodel.data.archives.zip_reader import ZipEntry
from medmodel.data.language_words import EAST_ASIAN, SCRIPTS, is_language
from medmodel.language import N_

ENCODINGS = {
    "gb18030": N_("Chinese, simplified (GBK)"),
    "cp950": N_("Chinese, traditional (Big5)"),
    "cp932": N_("Japanese (Shift-JIS)"),
    "cp949": N_("Korean (EUC-KR)"),
    "euc_jp": N_("Japanese (EUC-JP)"),
    "cp866": N_("Cyrillic (DOS)"),
    "cp1251": N_("Cyrillic (Windows)"),
    "cp437": N_("Western (DOS)"),
    "cp850": N_("Western European (DOS)"),
    "cp1252": N_("Western (Windows)"),
    "cp852": N_("Central European (DOS)"),
    "cp1250": N_("Central European (Windows)"),
    "cp737": N_("Greek (DOS)"),
    "cp1253": N_("Greek (Windows)"),
    "cp857": N_("Turkish (DOS)"),
    "cp1254": N_("Turkish (Windows)"),
    "cp862": N_("Hebrew (DOS)"),
    "cp1255": N_("Hebrew (Windows)"),
    "cp720": N_("Arabic (DOS)"),
    "cp1256": N_("Arabic (Windows)"),
    "cp874": N_("Thai (Windows)"),
}
"""Encodings of names, the likelier of two that fit alike first."""
_USUAL = set(
    "正常异異肺炎癌肿腫瘤良恶惡性阴陰阳陽病变變结結节節图圖像训訓练練测測试試验驗证證集数數据據"
    "左右侧側前后後脑腦心肝肾腎骨皮肤膚眼胃肠腸乳腺血管影片组組类類其他部位的一二三四五六七八九十"
    "大小新旧舊中国國医醫院学學检檢查报報告原始标標签簽患者男女高低级級期无無有未分区區"
    "정상폐렴암종양성음환자병변이비결핵훈련검증시험데터영좌우상하전후뇌심간신장골피부안위유방혈관"
    "기타학습사진미지악경증중없있출소염낭"
    "常所見診断検査画像学習訓練検証是否轻輕重度健康糖尿骨折胸部眼底"
    "腺鳞狀状细細胞瘤囊石出血梗死水症视視网網膜黄黃斑变性青光白内障肝胆膽脾胰膀胱子宫宮卵巢列甲"
    "关關节節椎髓颅顱动動脉脈静靜气氣支纤纖维維化硬转轉移淋巴黑色素痣基底角皮脂溃潰疡瘍息肉食直新"
    "冠毒菌真感染早晚手术術头頭颈頸腹足耳鼻喉牙老年人体體文语語岛島群州国地的一不在有这這上为為和"
    "골절간염낭종선용출혈경색부유두황반당뇨망막녹내백세균바러스석암장방피흑모척추무릎예니오남여"
    "정상비어도섬은는의가이다한대국인사"
)
"""Characters that names of medical images hold."""


def decode_names(entries: Sequence[ZipEntry], encoding: str = "") -> list[str]:
    """The entries' names as text; what cannot be decoded holds half characters.

    Args:
        entries: Of one archive.
        encoding: Of names that say nothing of it and are no UTF-8; "": guessed.
    """
    unsure = uncertain_names(entries)
    if unsure and not encoding:
        encoding = guess_encodings(unsure)[0]
    uncertain = set(unsure)
    return [
        entry.unicode_name
        or entry.name.decode(
            encoding if entry.name in uncertain and not entry.is_utf8 else "utf-8",
            "surrogateescape",
        )
        for entry in entries
    ]


def uncertain_names(entries: Sequence[ZipEntry]) -> list[bytes]:
    """Names of which nobody says how they are encoded, and which are no UTF-8."""
    names = [
        e.name for e in entries if not (e.is_utf8 or e.unicode_name or e.name.isascii())
    ]
    if all(map(_is_utf8, names)):
        return []
    # One letter of two bytes may be UTF-8 by chance, more are not.
    return [n for n in names if not (_is_utf8(n) and len(n.decode()) + 2 <= len(n))]


def guess_encodings(names: Sequence[bytes]) -> list[str]:
    """Encodings in which all names are text, the likeliest first; never empty."""
    scores = {}
    sample = list(dict.fromkeys(names))[:500]
    for encoding in ENCODINGS:
        try:
            texts = [name.decode(encoding) for name in sample]
        except UnicodeDecodeError:
            continue
        scores[encoding] = _score(texts, encoding)
    ordered = sorted(scores, key=lambda encoding: -scores[encoding])
    return ordered or ["cp437"]


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _score(texts: Sequence[str], encoding: str) -> float:
    """How usual the characters beyond ASCII are, 0 to 1.5 on average."""
    scores = []
    for part in dict.fromkeys(part for text in texts for part in text.split("/")):
        words = encoding in EAST_ASIAN or is_language([part], encoding)
        scores += [
            _usualness(part, at, encoding, words)
            for at, char in enumerate(part)
            if not char.isascii()
        ]
    # Few archives have names in EUC-JP, and all of GBK might be: it must fit clearly.
    rarity = 0.8 if encoding == "euc_jp" else 1.0
    return rarity * sum(scores) / max(len(scores), 1)


def _usualness(text: str, at: int, encoding: str, words: bool) -> float:
    char = text[at]
    if not char.isprintable():
        return -1.0
    beside = text[max(at - 1, 0) : at] + text[at + 1 : at + 2]
    latin_beside = any(c.isascii() and c.isalpha() for c in beside)
    if encoding in ("cp866", "cp1251"):
        if not ("\u0410" <= char <= "\u044f" or char in "\u0401\u0451") or latin_beside:
            return 0.0
        # Within a word, capitals do not follow small letters.
        odd = char.isupper() and text[max(at - 1, 0)].islower()
        return 0.2 if odd else 0.9 if words else 0.5
    if encoding in SCRIPTS:
        return 0.85 * (words and char.isalpha() and not latin_beside)
    if encoding not in EAST_ASIAN:
        letter = "\u00c0" <= char <= "\u024f" and char.isalpha()
        return 0.8 * (words and letter and latin_beside)
    usual = character_usualness(char, encoding)
    return 0.6 * usual if latin_beside else usual


def character_usualness(char: str, encoding: str) -> float:
    """How usual a character beyond ASCII of an East Asian encoding is, 0 to 1.5."""
    return _usual_share(char, encoding) + 0.5 * (char in _USUAL)


def _usual_share(char: str, encoding: str) -> float:
    """How usual a character of an East Asian encoding is, by its place in the table."""
    code = char.encode(encoding)
    lead, trail = code[0], code[-1]
    kana = "\u3041" <= char <= "\u30fe"
    if kana and encoding in ("gb18030", "euc_jp") and len(code) == 2:
        return 1.0
    if encoding == "gb18030":
        level = 1.0 if 0xB0 <= lead <= 0xD7 else 0.4
        return level if len(code) == 2 and lead >= 0xA1 and trail >= 0xA1 else 0.1
    if encoding == "cp950":
        return 0.95 if 0xA4 <= lead <= 0xC6 else 0.4
    if encoding == "euc_jp":
        return 0.9 if 0xB0 <= lead <= 0xCF else 0.3
    if encoding == "cp949":
        return 0.95 if 0xB0 <= lead <= 0xC8 and trail >= 0xA1 else 0.15
    if len(code) == 1:
        return 0.15  # katakana of half width
    return 1.0 if kana else 0.9 if 0x88 <= lead <= 0x97 else 0.3
