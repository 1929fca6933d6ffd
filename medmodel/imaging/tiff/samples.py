"""Stored samples of one image of a TIFF, as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import tifffile
from tifffile import COMPRESSION

from medmodel.imaging.tiff.directories import Samples, subsampling


def stored_samples(data: bytes, file: Any, page: Any, plane: int) -> Samples:
    """Stored samples of one image, (height, width, samples).

    Raises:
        ValueError: It reaches beyond the end of the file.
    """
    # Some decoders make up what is missing; without any, the length itself tells.
    ends = np.add(page.dataoffsets, page.databytecounts)
    if page.compression != COMPRESSION.NONE and ends.max(initial=0) > len(data):
        raise ValueError("there are samples beyond the end of the file")
    if subsampling(page) != (1, 1):
        return _subsampled(data, page)
    if plane and page.imagedepth == 1:
        dtype = page.dtype.newbyteorder(file.byteorder)
        size = int(np.prod(page.shaped))
        start = page.dataoffsets[0] + plane * size * dtype.itemsize
        samples = np.frombuffer(data, dtype, size, start).reshape(page.shaped)
        return _interleaved(samples, 0)
    return _interleaved(page.asarray(squeeze=False, maxworkers=1), plane)


def _interleaved(samples: Samples, plane: int) -> Samples:
    """Of (planar samples, depth, height, width, chunky samples) one image."""
    samples = samples[:, plane]
    return samples[0] if len(samples) == 1 else np.moveaxis(samples[..., 0], 0, -1)


def _subsampled(data: bytes, page: Any) -> Samples:
    """Luma and its fewer differences of colour, each at its pixels: section 21."""
    across, down = subsampling(page)
    samples = np.empty((page.imagelength, page.imagewidth, 3), np.uint8)
    rows, columns = page.rowsperstrip, page.imagewidth
    if page.is_tiled:
        rows, columns = page.tilelength, page.tilewidth
    places = [
        (top, left)
        for top in range(0, page.imagelength, rows)
        for left in range(0, page.imagewidth, columns)
    ]
    planar = page.planarconfig == 2
    for number, start in enumerate(page.dataoffsets):
        top, left = places[number % len(places)]
        height = rows if page.is_tiled else min(rows, page.imagelength - top)
        packed = data[start : start + page.databytecounts[number]]
        if page.compression != COMPRESSION.NONE:
            packed = tifffile.TIFF.DECOMPRESSORS[page.compression](packed)
        stored = np.frombuffer(packed, np.uint8)
        high, wide = -(-height // down), -(-columns // across)
        part = samples[top : top + height, left : left + columns]
        if planar and number < len(places):
            part[..., 0] = _cut(stored.reshape(-1, columns), part)
        elif planar:
            channel = number // len(places)
            plane = stored[: high * wide].reshape(high, wide)
            part[..., channel] = _cut(_enlarged(plane, across, down), part)
        else:
            units = stored[: high * wide * (across * down + 2)].reshape(high, wide, -1)
            luma = units[..., :-2].reshape(high, wide, down, across).swapaxes(1, 2)
            part[..., 0] = _cut(luma.reshape(high * down, wide * across), part)
            for channel in (1, 2):
                plane = _enlarged(units[..., channel - 3], across, down)
                part[..., channel] = _cut(plane, part)
    return samples


def _enlarged(plane: Samples, across: int, down: int) -> Samples:
    return plane.repeat(down, 0).repeat(across, 1)


def _cut(plane: Samples, part: Samples) -> Samples:
    return plane[: part.shape[0], : part.shape[1]]
