"""The QR code of a link: every dark module, and white around it."""

from __future__ import annotations

import re

import segno

from pages._shared.presenter.qr_code import QUIET_ZONE, qr_path, qr_svg

LINK = "http://192.168.1.2:8600/abcdefghijklmnopqrstuv/"


def test_the_path_draws_the_dark_modules_and_no_other() -> None:
    path, size = qr_path(LINK)
    drawn = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", path)}
    matrix = segno.make_qr(LINK, error="m").matrix
    dark = {
        (x + QUIET_ZONE, y + QUIET_ZONE)
        for y, row in enumerate(matrix)
        for x, module in enumerate(row)
        if module
    }
    assert drawn == dark
    assert size == len(matrix) + 8
    # The corner of the finder pattern, and nothing in the quiet zone.
    assert (4, 4) in drawn and min(min(place) for place in drawn) == 4
    assert max(max(place) for place in drawn) == size - 5


def test_the_svg_is_black_on_white_whatever_the_theme() -> None:
    svg = qr_svg(LINK)
    assert 'fill="#fff"' in svg and 'fill="#000"' in svg
    assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert LINK not in svg
