"""Files that are made once they are asked for."""

from __future__ import annotations

import threading
from pathlib import Path

from medmodel.language import present_language, speaking
from pages._shared.common.downloads import noted
from tests.pages.page import show_part


def test_a_promised_file_is_in_the_language_of_its_page() -> None:
    files: list[str | bytes] = []
    with speaking("zh_Hans"):
        make = noted(present_language, "export")
    thread = threading.Thread(target=lambda: files.append(make()))
    thread.start()
    thread.join()
    assert files == ["zh_Hans"] and present_language() == "en"


def test_downloads_of_a_page_are_told_apart_by_their_names(workspace: Path) -> None:
    def part() -> None:
        import pandas as pd

        from medmodel.core.config import config_for
        from medmodel.runs.run_store import RunStore
        from pages._shared.common.downloads import csv_button

        run = RunStore().create(config_for("compact", "/data/lungs"))
        table = pd.DataFrame({"a": [1]})
        csv_button(table, "roc", run)
        csv_button(table, "scores", run)
        csv_button(table, "metrics", run, "All metrics")

    buttons = show_part(part).get("download_button")
    labels = [button.label for button in buttons]
    assert labels == ["roc.csv", "scores.csv", "All metrics"]
