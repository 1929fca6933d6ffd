"""Which language a phone prefers."""

from __future__ import annotations

import pytest

from medmodel.audience.accept_language import MOST_LANGUAGES, preferred_language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("*", "en"),
        ("de, fr;q=0.8", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.5", "zh_Hans"),
        ("zh-hans-cn", "zh_Hans"),
        ("ZH", "zh_Hans"),
        ("en-GB, zh;q=0.9", "en"),
        ("en;q=0.4, zh;q=0.9", "zh_Hans"),
        ("de, zh;q=0.3, en;q=0.2", "zh_Hans"),
        ("zh;q=0, en", "en"),
        ("zh;q=0", "en"),
        ("zh;q=2, en;q=0.1", "en"),
        ("zh;q=often, en;q=0.1", "en"),
        ("zh;level=1, en;q=0.1", "en"),
        ("zh ; Q=0.7, en;q=0.5", "zh_Hans"),
        # Of two weights the first one holds, as browsers write the wanted one first.
        ("zh;q=0.9, en;q=0.5, zh;q=0.1", "zh_Hans"),
        (",".join(["xx"] * (MOST_LANGUAGES - 1)) + ",zh", "zh_Hans"),
        (",".join(["xx"] * MOST_LANGUAGES) + ",zh", "en"),
    ],
)
def test_the_most_wanted_language_that_there_is(header: str, language: str) -> None:
    assert preferred_language(header) == language
