"""What the first page says before there is a run."""

from __future__ import annotations

import pytest

from medmodel.core.environment import workspace_root
from medmodel.data.synthetic import SAMPLE_NAME
from tests.pages.page import open_page


@pytest.mark.parametrize("drawn", [True, False])
def test_a_newcomer_is_led_to_the_sample(drawn: bool) -> None:
    if drawn:
        (workspace_root() / "datasets" / SAMPLE_NAME).mkdir(parents=True)
    said = [text.value for text in open_page("home/start.py").caption]
    assert said[0].startswith("New here?") and "**Present**" in said[-1]
    # Until it is drawn, Train offers other data first.
    assert any("then **Train**" in text for text in said) == drawn
    assert any(f"**{SAMPLE_NAME}**" in text for text in said) != drawn
