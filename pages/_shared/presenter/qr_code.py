"""QR code of a link (ISO/IEC 18004), as the path of an SVG and as a whole SVG."""

from __future__ import annotations

from functools import lru_cache

QUIET_ZONE = 4
"""Modules of white around the code that readers need (ISO/IEC 18004, 5.3.8)."""


@lru_cache(maxsize=8)
def qr_path(link: str) -> tuple[str, int]:
    """Dark modules as an SVG path, one unit each, and the side with the quiet zone."""
    import segno

    code = segno.make_qr(link, error="m")
    rows = list(code.matrix)
    parts = [
        f"M{x + QUIET_ZONE} {y + QUIET_ZONE}h1v1h-1z"
        for y, row in enumerate(rows)
        for x, dark in enumerate(row)
        if dark
    ]
    return "".join(parts), len(rows) + 2 * QUIET_ZONE


def qr_svg(link: str) -> str:
    """The code as an SVG, black on white in light and dark."""
    path, size = qr_path(link)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" '
        'width="300" height="300" shape-rendering="crispEdges">'
        f'<rect width="{size}" height="{size}" fill="#fff"/>'
        f'<path d="{path}" fill="#000"/></svg>'
    )
