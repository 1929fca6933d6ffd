"""HTML documents from the Jinja2 templates in `medmodel/templates`, escaped."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from medmodel import __version__
from medmodel.core.control_characters import html_text
from medmodel.language import _, format_utc, present_language, translate

if TYPE_CHECKING:
    from jinja2 import Environment


def render_template(name: str, /, **values: Any) -> str:
    """Fills in a template.

    Args:
        name: Its file, such as "model_card.html".
        values: What it names, each escaped where it stands; `made`, the present time,
            `version` and `language`, as in HTML's `lang`, are given to every template,
            and `_` and `translate` of `medmodel.language`.

    Raises:
        jinja2.UndefinedError: The template names a value that is not given.
    """
    made = format_utc(time.time())
    template = _environment().get_template(name)
    language = present_language().replace("_", "-")
    return template.render(made=made, version=__version__, language=language, **values)


@cache
def _environment() -> Environment:
    import jinja2  # A tenth of a second, for those alone who take a document away.

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("medmodel"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_text_of_html,
    )
    environment.globals["_"] = _
    environment.globals["translate"] = translate
    return environment


def _text_of_html(value: Any) -> Any:
    """A value without characters that no document may hold; what is markup stays so."""
    return html_text(value) if isinstance(value, str) else value
