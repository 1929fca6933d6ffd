"""Follow-up: lesions and images over time, RECIST 1.1 as arithmetic."""

from __future__ import annotations

from medmodel.language import N_, _
from pages._shared.common import widgets
from pages._shared.common.legible import legible, one_of
from pages._shared.reading.follow_up_view import show_follow_up
from pages._shared.reading.time_line_view import show_time_line

VIEWS = {
    N_("Target lesions (RECIST 1.1)"): show_follow_up,
    N_("Images over time"): show_time_line,
}

widgets.page_header(
    _("Follow-up"), _("Measured lesions over time, and RECIST 1.1 as arithmetic.")
)
view = one_of(
    _("What to look at"),
    list(VIEWS),
    format_func=legible(_),
    default=next(iter(VIEWS)),
    required=True,
    key="follow-up-view",
    label_visibility="collapsed",
)
VIEWS[view]()
