"""Lookup tables of DICOM: modality LUT, VOI LUT and colour palettes.

All three are a descriptor (entries, first value mapped, bits of an entry) and the
entries: PS3.3 C.11.1.1 and C.7.6.3.1.5. Descriptors are often wrong about the bits;
what the entries hold counts then.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from medmodel.imaging.dicom.elements import DamagedElement, items, numbers, text
from medmodel.imaging.windows import Pixels, Values

_COLOURS = ("Red", "Green", "Blue")
_PALETTE_DESCRIPTOR = "{}PaletteColorLookupTableDescriptor"
_PALETTE_DATA = "{}PaletteColorLookupTableData"
_SEGMENTED = "Segmented"
_MOST_BITS = 16


class LookupTable(NamedTuple):
    """What the values of an image become.

    Args:
        first: The value that becomes the first entry; all below become it, too.
        entries: (n,) uint16; the last one is for all values beyond, too.
        bits: Of an entry, as the descriptor says.
    """

    first: int
    entries: npt.NDArray[Any]
    bits: int

    def entries_of(
        self, values: npt.NDArray[Any], inside: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[Any]:
        """The entry of each value; of not-a-number the first one.

        Args:
            values: Any shape.
            inside: Those of them that are no padding; default all.
        """
        inside = values if inside is None else inside
        first = self._first(float(np.nanmin(inside)), float(np.nanmax(inside)))
        if values.dtype.kind in "iu":
            values = values.astype(np.int64)
        places = np.clip(values - first, 0, len(self.entries) - 1)
        return self.entries[np.nan_to_num(places).astype(np.int64)]

    def _first(self, lowest: float, highest: float) -> int:
        """The first value mapped, where files confuse signed and unsigned.

        PS3.3 C.11.1.1: it is signed where the values are. Where all of them lie
        outside of the table as it is written, but not as the other kind, it is that.
        """
        signed = (self.first + 2**15) % 2**16 - 2**15
        first_guess = signed if lowest < 0 else self.first
        last = len(self.entries) - 1
        for first in (first_guess, signed, self.first % 2**16):
            if first <= highest and lowest <= first + last:
                return first
        return self.first

    def brightest(self) -> int:
        """The entry that stands for white.

        Entries may use fewer bits than the descriptor says, as where 12 are written in
        16, or more. Then it is the largest.
        """
        return _brightest(self.bits, int(self.entries.max()))


def modality_table(dataset: Dataset) -> LookupTable | None:
    """The modality LUT of a file; None if there is none that can be used."""
    return next(iter(_tables(dataset, "ModalityLUTSequence", dataset)), None)


def voi_tables(header: Dataset, dataset: Dataset) -> list[LookupTable]:
    """The VOI LUTs that can be used, in their order.

    Args:
        header: The file, or an item of its functional groups.
        dataset: The file.
    """
    return _tables(header, "VOILUTSequence", dataset)


def through_table(values: Values, table: LookupTable) -> Values:
    """What a VOI LUT makes of an image, 0 to 255; not-a-number stays so."""
    grey = table.entries_of(values).astype(np.float32)
    grey *= np.float32(255) / np.float32(table.brightest())
    grey[np.isnan(values)] = np.nan
    return grey


def palette_colours(stored: npt.NDArray[Any], dataset: Dataset) -> Pixels:
    """The colours of an image that holds places in a palette.

    PS3.3 C.7.6.3.1.5 and C.7.6.3.1.6; segmented palettes C.7.9.2.

    Returns:
        uint8 (height, width, 3).

    Raises:
        DamagedElement: There is no palette that can be used.
    """
    tables = _palette(dataset)
    largest = max(int(table.entries.max()) for table in tables)
    if any((table.entries & 0xFF).any() for table in tables) or largest < 2**8:
        top = 255 if largest < 2**8 else _brightest(tables[0].bits, largest, 2**16 - 1)
        scale = np.float32(255) / np.float32(top)
    else:
        scale = np.float32(1) / np.float32(2**8)  # 8 bits, in the upper half of 16
    colours = np.empty((*stored.shape, 3), np.uint8)
    for channel, table in enumerate(tables):
        shades = (table.entries * scale).clip(0, 255).round().astype(np.uint8)
        shaded = table._replace(entries=shades)
        colours[..., channel] = shaded.entries_of(stored)
    return colours


def supplemental_colours_from(dataset: Dataset) -> int | None:
    """From which stored value on a grey image has colours; None if it has none."""
    if text(dataset, "PixelPresentation") not in ("COLOR", "MIXED"):
        return None
    descriptor = numbers(dataset, _PALETTE_DESCRIPTOR.format("Red"))
    return int(descriptor[1]) if len(descriptor) == 3 else None


def _brightest(bits: int, largest: int, otherwise: int = 0) -> int:
    top = int(2**bits - 1) if 1 <= bits <= _MOST_BITS else 0
    return top if top // 2 < largest <= top else otherwise or largest


def _tables(header: Dataset, keyword: str, dataset: Dataset) -> list[LookupTable]:
    tables = []
    for item in items(header, keyword):
        descriptor = numbers(item, "LUTDescriptor")
        table = _table(descriptor, item.get("LUTData"), _order(dataset))
        # A table of one entry, or of equal ones, shows nothing.
        if table is not None and table.entries.min() < table.entries.max():
            tables.append(table)
    return tables


def _palette(dataset: Dataset) -> list[LookupTable]:
    if _SEGMENTED + _PALETTE_DATA.format("Red") in dataset:
        return _segmented_palette(dataset)
    tables = []
    for colour in _COLOURS:
        descriptor = numbers(dataset, _PALETTE_DESCRIPTOR.format(colour))
        data = dataset.get(_PALETTE_DATA.format(colour))
        table = _table(descriptor, data, _order(dataset))
        if table is None:
            raise DamagedElement(_PALETTE_DATA.format(colour))
        tables.append(table)
    return tables


def _segmented_palette(dataset: Dataset) -> list[LookupTable]:
    """The tables of a segmented palette, which pydicom expands."""
    descriptor = numbers(dataset, _PALETTE_DESCRIPTOR.format("Red"))
    count, first, bits = (int(number) for number in descriptor)
    header = Dataset()
    header.file_meta = dataset.file_meta
    for colour in _COLOURS:
        for keyword in (_PALETTE_DESCRIPTOR, _SEGMENTED + _PALETTE_DATA):
            header[keyword.format(colour)] = dataset[keyword.format(colour)]
    places = np.arange(first, first + (count or 2**16))[None]
    entries = apply_color_lut(places, header)[0].astype(np.uint16)
    return [LookupTable(first, entries[:, channel], bits) for channel in range(3)]


def _order(dataset: Dataset) -> str:
    return "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"


def _table(descriptor: list[float], data: Any, order: str) -> LookupTable | None:
    """One table; None where its descriptor or its entries are missing."""
    if len(descriptor) < 3 or data is None:
        return None
    count = int(descriptor[0]) % 2**16 or 2**16
    entries = _entries(data, count, order)[:count]
    if not len(entries):
        return None
    return LookupTable(int(descriptor[1]), entries, int(descriptor[2]))


def _entries(data: Any, count: int, order: str) -> npt.NDArray[np.uint16]:
    """Entries of 16 bits, or of 8 of which two stand in a word, the lower one first."""
    if isinstance(data, bytes | bytearray):
        words = np.frombuffer(data[: len(data) // 2 * 2], f"{order}u2")
    else:
        words = np.atleast_1d(np.asarray(data, np.int64)) % 2**16
    words = words.astype("<u2")
    if len(words) < count and len(words) == (count + 1) // 2:
        return words.view(np.uint8).astype(np.uint16)
    return words
