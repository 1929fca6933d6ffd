"""A sweep over two input sizes is begun, watched and won."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from medmodel.core.config import config_for
from medmodel.sweeps.search_space import Dimension, SweepConfig
from medmodel.sweeps.sweep import start_sweep
from tests.browser.conftest import WAIT, AppServer, press
from tests.conftest import draw_class_folders

pytestmark = pytest.mark.browser
TRAINED = 6 * WAIT


def test_a_sweep_is_watched_to_its_winner(
    page: Page, app: AppServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
    folder = draw_class_folders(app.workspace / "datasets" / "swept")
    # The smallest training there is; the form's recipes take longer.
    base = config_for("document", str(folder), epochs=1, size=28, precision="float32")
    sizes = Dimension((28, 32))
    sweep = start_sweep(SweepConfig(base, {"size": sizes}, trials=2, prune=False))
    page.goto(f"{app.url}/sweep?sweep={sweep.id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sweep on swept")
    expect(page.get_by_text("of 2 trials have ended")).to_be_visible()
    said = page.get_by_text("best of 2 trials by the same validation images")
    expect(said).to_be_visible(timeout=TRAINED)
    expect(page.get_by_text("Quality against time")).to_be_visible()
    expect(page.get_by_text("of 2 trials have ended")).to_have_count(0, timeout=TRAINED)
    press(page, page.get_by_role("button", name="Open the winner"))
    expect(page.get_by_text("How good is it?")).to_be_visible()
