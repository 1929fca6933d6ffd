"""Files that are made once they are asked for."""

from __future__ import annotations

import threading

from medmodel.language import present_language, speaking
from pages._shared.common.downloads import noted


def test_a_promised_file_is_in_the_language_of_its_page() -> None:
    files: list[str | bytes] = []
    with speaking("zh_Hans"):
        make = noted(present_language, "export")
    thread = threading.Thread(target=lambda: files.append(make()))
    thread.start()
    thread.join()
    assert files == ["zh_Hans"] and present_language() == "en"
