"""Which columns may tell who somebody is, by their names.

After the identifiers of 45 CFR 164.514(b)(2)(i) (HIPAA, Safe Harbor), the names of
staff, and free text, in which any of these may stand.
"""

from __future__ import annotations

import re

from medmodel.data.layouts.split_names import without_accents

_WORDS = (
    "id ids identifier identifiers uid uids guid uuid hash mrn pid nhs ssn cpr hkid "
    "name names initials nom prenom nombre apellido apellidos nome cognome sobrenome "
    "imie nazwisko имя фамилия dob yob born date dates dated datetime timestamp datum "
    "fecha phone telephone tel fax email mail street zip zipcode postcode plz "
    "postal comment comments remark remarks note notes text report impression unnamed "
    "dr operator technologist technician surgeon nurse reader rater annotator reviewer "
    "observer arzt arztin medecin medico"
)
_LAST_WORDS = {"number", "no", "nr", "num", "nummer", "numero", "#"}
_PARTS = re.compile(
    without_accents(
        "birth|geburt|naissance|nacim|nascim|nascita|accession|address|adress|passport"
        "|insurance|physician|radiologist|doctor|medicalrecord|name$"
        "|(?:exam|study|series|visit|hospital|record|image|case|subject|person|patient"
        "|encounter|instance|order|report|unique|medical)(?:u?id|no|nr|num|number|code)$"
        "|姓名|名字|氏名|生日|出生|生年月日|身份证|编号|編號|番号|病历|病歷|电话|電話"
        "|手机|地址|住址|邮编|医生|医师|醫師|日期|(?<!型)[号號]$|이름|성명|생년월일"
    )
)


def words_of(name: str) -> list[str]:
    """The words of a column's name, small and without accents: PatientSex is two."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.findall(r"[^\W\d_]+|#", without_accents(parted))


def is_personal(name: str) -> bool:
    """Whether a column of this name may tell who somebody is, or holds free text."""
    words = words_of(name)
    return (
        not set(map(without_accents, _WORDS.split())).isdisjoint(words)
        or words == ["index"]
        or bool(words and words[-1] in _LAST_WORDS)
        or _PARTS.search("".join(words)) is not None
    )
