"""Values as groups: words, ages, numbers, and what makes no groups."""

from __future__ import annotations

import pytest

from medmodel.data.attributes.attribute_groups import (
    MOST_GROUPS,
    NoGroups,
    to_groups,
)


@pytest.mark.parametrize(
    ("age", "band"),
    [
        ("17", "0–17"),
        ("18", "18–39"),
        ("039Y", "18–39"),
        ("040Y", "40–64"),
        ("64.9", "40–64"),
        ("65 years", "65–89"),
        ("89", "65–89"),
        ("90", "≥ 90"),
        ("104", "≥ 90"),
        ("90+", "≥ 90"),
        ("006M", "0–17"),
        ("3 weeks", "0–17"),
        ("012D", "0–17"),
        ("045.5", "40–64"),
        ("045,5", "40–64"),
        ("-1", ""),
        ("1974", ""),
        ("forty", ""),
        ("n/a", ""),
    ],
)
@pytest.mark.parametrize("name", ["age", "Patient_Age", "年龄"])
def test_an_age_is_its_band_or_missing(name: str, age: str, band: str) -> None:
    assert to_groups(name, [age, "50"]) == [band, "40–64"]


def test_a_column_without_any_age_is_no_age() -> None:
    with pytest.raises(NoGroups, match="no ages"):
        to_groups("age", ["Peter", "1950-01-02"])


def test_spellings_of_a_word_are_one() -> None:
    values = ["Siemens ", "siemens", "SIEMENS", "Siemens", "GE", "", "unknown"]
    assert to_groups("scanner", values) == ["Siemens"] * 4 + ["GE", "", ""]


@pytest.mark.parametrize("count", [MOST_GROUPS, MOST_GROUPS + 1])
def test_hardly_any_of_many_words_has_enough_images(count: int) -> None:
    values = [f"site {chr(65 + n)}" for n in range(count)]
    if count > MOST_GROUPS:
        with pytest.raises(NoGroups, match="13 different values"):
            to_groups("site", values)
    else:
        assert to_groups("site", values) == values


def test_few_numbers_are_codes() -> None:
    values = ["1", "2.0", "02", "3", "", "6"]
    assert to_groups("birads", values) == ["1", "2", "2", "3", "", "6"]


def test_many_numbers_are_bands_between_quartiles() -> None:
    values = [str(n) for n in range(1, 101)] + ["?"]
    groups = to_groups("dose", values)
    assert len(set(groups)) == 5 and groups[-1] == ""
    assert groups[0] == "1 to 25" and groups[99] == "76 to 100"
    assert sorted({groups.count(g) for g in set(groups) - {""}}) == [25]


@pytest.mark.parametrize(
    "dates",
    [["2020-01-02", "2021-03-04"], ["01.02.2020", ""], ["20200102", "20210304"]],
)
def test_dates_are_no_groups(dates: list[str]) -> None:
    with pytest.raises(NoGroups, match="dates"):
        to_groups("seen", dates)
