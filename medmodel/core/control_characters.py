"""Characters that nobody sees, and that change or end the text around them."""

from __future__ import annotations

import re

_CODES = [*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000)]
CONTROLS = dict.fromkeys(
    [
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        *(code for code in _CODES if not chr(code).isspace()),
    ]
)
"""Characters that turn the direction of all text behind them, control a terminal, or
are half of one: a class of such a name would turn or hide the sentences in which it
stands. For `str.translate`, which leaves them out; spaces and ends of lines stay."""
_NO_HTML = {code: None for code in _CODES if chr(code) not in "\t\n\r"}
_BREAK = re.compile("[\t-\r\x1c-\x1f\x85\u2028\u2029]+")


def one_line(text: str) -> str:
    """A name as one line that can be shown, printed and written anywhere."""
    return _BREAK.sub(" ", text.translate(CONTROLS)).strip()


def html_text(text: str) -> str:
    """Text without what HTML may not hold: control characters and halves of others."""
    return text.translate(_NO_HTML)
