from __future__ import annotations

from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from medmodel import enhance
from medmodel.images import png_bytes

MENU = Path(__file__).resolve().parent.parent / "pages" / "menu.py"


def open_page() -> AppTest:
    page = AppTest.from_file(str(MENU), default_timeout=60).run()
    return page.switch_page(str(MENU.parent / "data" / "enhance.py")).run()


def test_a_chain_is_tried_saved_and_offered_for_training(class_folders: Path) -> None:
    page = open_page()
    picture = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64, 1)
    content = ("<b>mine.png", png_bytes(picture), "image/png")
    page.file_uploader[0].set_value(content).run()
    page.multiselect[0].set_value(["gamma", "invert"]).run()
    page.slider[0].set_value(2.0).run()
    page.text_input[0].input("Dark *and* inverted").run()
    next(b for b in page.button if b.label == "Save").click().run()
    assert not page.exception
    chain = ["gamma:2", "invert"]
    assert enhance.saved_chains() == {"Dark *and* inverted": chain}
    page = AppTest.from_file(str(MENU), default_timeout=60).run()
    page.switch_page(str(MENU.parent / "models" / "train.py")).run()
    field = next(s for s in page.selectbox if s.label == "Enhancement")
    assert field.options == ["None", "Dark *and* inverted"]


def test_no_picture_yet() -> None:
    page = open_page()
    assert not page.exception
    assert any("picture of your own" in caption.value for caption in page.caption)
