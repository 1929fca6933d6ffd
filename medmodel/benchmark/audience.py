"""Phones that follow the presenter: how late a slide is seen."""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import time

import psutil

from medmodel.audience.interfaces import LOOPBACK
from medmodel.audience.room import Room
from medmodel.audience.slide import MOST_POINTS, Chart, Curve, Slide
from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.servers import percentile

FOLLOWERS = 200
SLIDES = 30
EVERY = 1.0
"""Seconds between two slides, as of curves that grow."""


def audience() -> list[Measurement]:
    """200 phones follow live curves: from publishing a slide to seeing it."""
    room = Room(LOOPBACK, 0)
    process = psutil.Process().children()[-1]
    try:
        delays, used = asyncio.run(_follow(room, process))
    finally:
        room.close()
    kilobytes = len(json.dumps(_slide(0).facts())) / 1000
    note = (
        f"{len(delays)} slides of {kilobytes:.0f} kB seen by {FOLLOWERS} followers, "
        f"median {statistics.median(delays):.3f} s; {SLIDES * FOLLOWERS} were due; "
        f"the server worked {1000 * used / SLIDES:.0f} ms for each slide"
    )
    return [at_most("audience", percentile(delays, 0.95), 0.5, "s", note)]


def _slide(number: int) -> Slide:
    """Two charts with as many points as a slide has; its title names it."""
    x = list(range(MOST_POINTS))
    y = [0.5 + math.sin(number + place) / 3 for place in x]
    curves = (Curve("training", x, y, thin=True), Curve("validation", x, y))
    charts = tuple(Chart(title, "step", curves) for title in ("Loss", "Accuracy"))
    return Slide("Curves", str(number), charts=charts)


async def _follow(room: Room, process: psutil.Process) -> tuple[list[float], float]:
    """Seconds until each slide was seen, and seconds that the server worked."""
    published: dict[str, float] = {}
    delays: list[float] = []
    tasks = [
        asyncio.create_task(_phone(room, published, delays)) for _ in range(FOLLOWERS)
    ]
    while (await asyncio.to_thread(room.look)).followers < FOLLOWERS:
        await asyncio.sleep(0.1)
    before = sum(process.cpu_times()[:2])
    for number in range(SLIDES):
        slide = _slide(number)
        published[str(number)] = time.perf_counter()
        await asyncio.to_thread(room.publish, slide)
        await asyncio.sleep(EVERY)
    used = sum(process.cpu_times()[:2]) - before
    await asyncio.to_thread(room.close)
    await asyncio.gather(*tasks)
    return delays, used


async def _phone(room: Room, published: dict[str, float], delays: list[float]) -> None:
    reader, writer = await asyncio.open_connection(LOOPBACK, room.port, limit=1 << 22)
    host = f"{LOOPBACK}:{room.port}"
    request = f"GET /{room.code}/events HTTP/1.1\r\nHost: {host}\r\n\r\n"
    writer.write(request.encode())
    while line := await reader.readline():
        if line.startswith(b"data: {"):
            seen = time.perf_counter()
            # Two hundred phones read their slides elsewhere, not on these cores.
            title = line.partition(b'"title":"')[2].partition(b'"')[0].decode()
            delays.append(seen - published[title])
    writer.close()
