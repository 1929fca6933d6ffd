"""Follow-up: measured lesions over time, RECIST 1.1 as arithmetic."""

from __future__ import annotations

from medmodel.language import _
from pages._shared.common import widgets
from pages._shared.reading.follow_up_view import show_follow_up

widgets.page_header(
    _("Follow-up"), _("Measured lesions over time, and RECIST 1.1 as arithmetic.")
)
show_follow_up()
