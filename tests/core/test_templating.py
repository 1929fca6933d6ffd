"""Templates: values are escaped, a missing one is an error, any folder will do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest

from medmodel import __version__
from medmodel.core.environment import REPOSITORY
from medmodel.core.templating import render_template
from tests.html_elements import HOSTILE, HTMLElements


def test_values_are_text_whatever_they_hold() -> None:
    document = render_template(
        "model_card.html",
        title=HOSTILE,
        facts=[(HOSTILE, HOSTILE)],
        items=[],
        glossary=[],
    )
    page = HTMLElements(document)
    assert page.text.count(HOSTILE) == 4
    assert not {"script", "img"} & {tag for tag, *_ in page.elements}
    assert f"UTC by MedModel {__version__}." in page.text


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="'facts' is undefined"):
        render_template("model_card.html", title="A run", items=[])


def test_templates_lie_in_the_package_and_jinja2_waits_for_the_first_document(
    tmp_path: Path,
) -> None:
    code = (
        "import sys\n"
        "from medmodel.core.templating import render_template\n"
        "from medmodel.quality import quality_report\n"
        "from medmodel.reports import evaluation_html\n"
        "assert 'jinja2' not in sys.modules\n"
        "values = dict(facts=[], items=[], glossary=[])\n"
        "render_template('model_card.html', title='A run', **values)"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", code]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
