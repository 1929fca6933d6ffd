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


@pytest.mark.parametrize("name", ["sex", "PatientGender", "患者性别"])
def test_spellings_of_a_sex_are_one(name: str) -> None:
    values = ["M", "male", "M", "Männlich", "F", "weiblich", "F", "both", ""]
    assert to_groups(name, values) == [*"MMMM", *"FFF", "both", ""]
    other = ["M", "male", "man", "m"]
    assert to_groups("view", other) == ["M", "male", "man", "M"]


def test_a_mujer_is_no_man() -> None:
    """In Spanish H and M are hombre and mujer."""
    for values in (["H", "M", "hombre", "Mujer"], ["Hombre", "M", "Mujer", "mujer"]):
        of_m = to_groups("sexo", values)[values.index("M")]
        assert to_groups("sexo", values).count(of_m) == 1


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
    [
        ["2020-01-02", "2021-03-04"],
        ["01.02.2020", ""],
        ["20200102", "20210304"],
        ["20200102101500", "20210304111500.25"],
        ["2020-01-02", "pending"],
        ["taken 2020-01-02T10:00", "taken 2020-01-03"],
        ["2 Jan 2020", "3 March 2021"],
        ["January 2, 2020", "x"],
        ["2. März 2020", "x"],
        ["2020年1月2日", "x"],
        ["01/2020", "02/2020"],
        ["01.1957", "7.2020"],
        ["1957.01", "5.5", "2020.12"],
        ["2020-01", "2020-02"],
        ["1.2.840.113619.2", "1.2.840.113619.3"],
    ],
)
def test_dates_are_no_groups(dates: list[str]) -> None:
    with pytest.raises(NoGroups, match="dates"):
        to_groups("seen", dates)


@pytest.mark.parametrize("words", [["1.5 T", "3 T"], ["T1-2", "T2-3"], ["v2.1", "v3"]])
def test_numbers_with_points_are_no_dates(words: list[str]) -> None:
    assert to_groups("kind", words) == words


@pytest.mark.parametrize("pattern", ["{:.4f}", "-{:.4f}", "12{:.4f}", "150{:.1f}"])
def test_measured_values_are_no_dates(pattern: str) -> None:
    values = [pattern.format(1 + n / 30) for n in range(40)]
    assert len(set(to_groups("mm_per_px", values))) == 4


@pytest.mark.parametrize(
    "name",
    [
        "age_at_diagnosis",
        "AgeAtScan",
        "Age (years)",
        "Patient's Age",
        "Alter bei Diagnose",
        "患者年龄",
    ],
)
def test_an_age_is_a_band_whatever_else_its_column_says(name: str) -> None:
    ages = [str(age) for age in range(20, 100)]
    assert set(to_groups(name, ages)) == {"18–39", "40–64", "65–89", "≥ 90"}


@pytest.mark.parametrize(
    ("name", "value", "band"),
    [
        ("age_months", "30", "0–17"),
        ("age_in_days", "9000", "18–39"),
        ("age_weeks", "60", "0–17"),
        ("agemonths", "1092", "≥ 90"),
        ("AgeInDays", "9000", "18–39"),
        ("age_months", "45Y", "40–64"),
    ],
)
def test_a_column_may_say_the_unit_of_ages(name: str, value: str, band: str) -> None:
    assert to_groups(name, [value]) == [band]


@pytest.mark.parametrize(
    "name",
    ["age_group", "bone_age", "gestational age", "age>65", "age_65", "stage", "age_z"],
)
def test_what_is_called_like_an_age_and_is_none_stays_as_it_is(name: str) -> None:
    assert to_groups(name, ["1", "0", "1"]) == ["1", "0", "1"]


def test_long_codes_that_differ_in_their_last_digit_are_two_groups() -> None:
    values = ["123456788", "123456789"]
    assert to_groups("device", values * 2) == values * 2


def test_bands_of_long_numbers_are_not_called_alike() -> None:
    values = [str(1_000_000 + n // 3) for n in range(60)]
    assert len(set(to_groups("volume", values))) == 4


PERSONS = [f"person {n // 2}" for n in range(40)]


@pytest.mark.parametrize(
    "identifiers",
    [
        [f"A{n // 2 * 7}" for n in range(12)],  # fewer words than `MOST_GROUPS`
        [str(n // 2) for n in range(12)],  # codes
        [str(n // 2) for n in range(6)],  # three persons
        [str(40_000 + n // 2 * 13) for n in range(40)],  # would be bands
    ],
)
def test_what_hardly_repeats_from_person_to_person_may_tell_who_it_is(
    identifiers: list[str],
) -> None:
    with pytest.raises(NoGroups, match="identifiers"):
        to_groups("key", identifiers, PERSONS[: len(identifiers)])


def test_long_numbers_that_are_measures_or_repeat_are_bands() -> None:
    broken = [f"{40_000.5 + n}" for n in range(40)]
    short = [str(9_900 + n) for n in range(40)]
    shared = [str(40_000 + n % 8) for n in range(40)]
    for values in (broken, short, shared):
        assert len(set(to_groups("volume", values, PERSONS))) > 2


def test_half_of_the_values_may_be_of_one_person() -> None:
    assert to_groups("arm", ["a", "b", "a", "b"], list("wxyz")) == ["a", "b", "a", "b"]
    with pytest.raises(NoGroups):
        to_groups("arm", ["a", "b", "a"], list("xyz"))
