"""The whole story in Chinese: no page, slide or component falls back to English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from medmodel.data import medmnist
from tests.browser.conftest import WAIT, AppServer, at_rest, press
from tests.browser.visible_text import english_texts

pytestmark = pytest.mark.browser
NAMES = [
    *(
        "Sample CT phantoms",
        "Sample CT nodules with masks",
        "Sample CT with two findings",
        "Ground glass",
        "No nodule",
        "One nodule",
    ),
    *(
        "Several nodules",
        "train val test file label patient split images masks U-Net",
        "workspace datasets",
    ),
    *(
        "ZIP MedMNIST ChestMNIST CC BY NC",
        "zenodo.org doi.org https",
        "TRIPOD AI CLAIM",
        "TensorBoard MLflow Mixup EMA mm",
    ),
    "patient015_slice3.png",
    r"((?<![A-Za-z0-9])patient\d+)",
    medmnist.CITATION,
    *(each.title for each in medmnist.SETS.values()),
    *(name for each in medmnist.SETS.values() for name in each.classes),
]
"""What stays as it is: of the sample data set, of folders and columns, of others."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """A server over an empty workspace, as after the installation."""
    server = AppServer(tmp_path_factory.mktemp("chinese") / "workspace")
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.log.read_text(), server.log.read_text()


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A browser that asks for Chinese, on a projector."""
    size = {"width": 1280, "height": 720}
    return {**browser_context_args, "locale": "zh-CN", "viewport": size}


def assert_chinese(page: Page, served: AppServer) -> None:
    """The page at rest, with all that can be unfolded, says nothing in English."""
    at_rest(page)
    closed = page.get_by_test_id("stMain").locator("details:not([open]) > summary")
    for _ in range(closed.count()):
        closed.first.click()
        at_rest(page)
    assert english_texts(page, [*NAMES, str(served.workspace)]) == []
    # Streamlit writes its own language when it starts.
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")


def title(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def test_no_page_falls_back_to_english(page: Page, served: AppServer) -> None:
    for path, name in {
        "": "MedModel",
        "datasets": "数据集",
        "enhance": "增强处理",
        "privacy": "隐私",
        "runs": "训练记录",
        "diagnose": "诊断",
        "evaluate": "评估",
        "compare": "比较",
        "review": "审阅标签",
        "read": "阅片研究",
        "follow_up": "随访",
        "network": "网络如何看图",
        "status": "系统状态",
    }.items():
        page.goto(f"{served.url}/{path}")
        title(page, name)
        assert_chinese(page, served)


def test_from_the_start_to_the_verdict(page: Page, served: AppServer) -> None:
    page.goto(served.url)
    press(page, page.get_by_role("button", name="训练模型"))
    title(page, "训练")
    # The sample data set is drawn first.
    page.get_by_role("radiogroup", name="训练方案").wait_for(timeout=5 * WAIT)
    assert_chinese(page, served)
    train = page.get_by_test_id("stMain").get_by_role("button", name="训练", exact=True)
    press(page, train)
    expect(page.locator(".mm-word")).to_have_text("完成", timeout=10 * WAIT)
    expect(page.get_by_text("模型效果如何")).to_be_visible()
    assert_chinese(page, served)
    run = re.search(r"run=([\w-]+)", page.url)
    assert run
    press(page, page.get_by_role("button", name="用此模型诊断"))
    title(page, "诊断")
    press(page, page.get_by_role("button", name="我已了解"))
    press(page, page.get_by_role("button", name="试用"))
    expect(page.get_by_alt_text("叠加").first).to_be_visible(timeout=2 * WAIT)
    assert_chinese(page, served)
    for view in ("Metrics", "Images", "Curves", "Calibration", "Operating point"):
        page.goto(f"{served.url}/evaluate?run={run[1]}&view={view}")
        title(page, "评估")
        assert_chinese(page, served)
    for view in ("External test", "Export"):
        page.goto(f"{served.url}/evaluate?run={run[1]}&view={view}")
        title(page, "评估")
        assert_chinese(page, served)
    page.goto(f"{served.url}/compare")
    title(page, "比较")
    assert_chinese(page, served)
    page.goto(f"{served.url}/runs")
    title(page, "训练记录")
    assert_chinese(page, served)
    for step in ("data", "train", "curves", "diagnose", "compare"):
        page.goto(f"{served.url}/present?present={step}&run={run[1]}")
        page.locator(".mm-stage[aria-busy=false] .mm-title").wait_for()
        assert_chinese(page, served)
