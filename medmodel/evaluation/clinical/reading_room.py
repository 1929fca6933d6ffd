"""Reading room: an audience reads the same images together, before truth and model.

Held in memory alone: it ends with the room, and nobody's name or nickname is part of
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class PhoneAnswer:
    """What one phone says of one image.

    Args:
        reader: Number of the phone, from 1.
        choice: Position of the class.
        confidence: In per cent, that this is right.
        seconds: From the question until the answer.
    """

    reader: int
    choice: int
    confidence: int
    seconds: float


@dataclass(frozen=True)
class ReadingRoom:
    """Where a reading is: before the first image, at one, or after the last.

    Args:
        id: By chance; tells it from any other reading.
        run_id: The run whose model reads, too.
        paths: The images in the order in which they are read.
        classes: Those of the model.
        number: Of the image that is read, from 1; 0 before the first.
        answers: To each image that was revealed, in order.
        ended: Whether the results are shown.
    """

    id: str
    run_id: str
    paths: tuple[str, ...]
    classes: tuple[str, ...]
    number: int = 0
    answers: tuple[tuple[PhoneAnswer, ...], ...] = ()
    ended: bool = False

    @property
    def path(self) -> str:
        """The image that is read."""
        return self.paths[self.number - 1]

    @property
    def revealed(self) -> bool:
        """Whether truth and model of the present image are shown."""
        return 0 < self.number == len(self.answers)

    @property
    def last(self) -> bool:
        """Whether the present image is the last one."""
        return self.number == len(self.paths)

    def reveal(self, answers: Sequence[PhoneAnswer]) -> ReadingRoom:
        """The same, with the final answers to the present image."""
        if self.revealed or not self.number:
            return self
        return replace(self, answers=(*self.answers, tuple(answers)))

    def turn_on(self) -> ReadingRoom:
        """The next image, once the present one is revealed; the results at the end."""
        if self.number and not self.revealed:
            return self
        if self.last:
            return self.end()
        return replace(self, number=self.number + 1)

    def end(self) -> ReadingRoom:
        """The results of what was revealed so far."""
        return replace(self, ended=True)
