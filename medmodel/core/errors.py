"""Exceptions: one tree; a page shows each as one clear sentence.

* MedModelError
  + DataError           a folder or an index cannot be used
    + ImageError        one file cannot be read as an image
  + ConfigError         one setting has a wrong value
  + RunError            a run does not exist or is not in the state asked for
  + TrainingError       training cannot go on
  + PredictionError     the predictor could not answer
  + WeightsError        a file of pretrained weights is missing or not the one expected
  + FileError           a file that this program wrote cannot be understood
  + Cancelled           long work was given up because somebody asked for it

Anything else that reaches a page is a bug and shows as one.
"""

from __future__ import annotations

import struct
import tokenize
import zlib

DECODER_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What decoders raise on damaged files, beside errors of their own."""
NPY_HEADER_ERRORS = (SyntaxError, MemoryError, tokenize.TokenError)
"""What numpy raises besides, as it parses the header of an array as Python."""
MALFORMED = (ValueError, TypeError, KeyError, AttributeError)
"""What reading JSON or CSV raises where the content is not what was written."""


class MedModelError(Exception):
    """Base of all errors that a user can do something about."""


class DataError(MedModelError):
    """A folder, an index or a split cannot be used as it is."""


class ImageError(DataError):
    """One file cannot be read as an image; the message says why and what to do."""


class ConfigError(MedModelError):
    """One setting has a wrong value.

    Args:
        field: Name of the setting in `TrainConfig`.
        message: What was given, what is expected.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class RunError(MedModelError):
    """A run does not exist, or is not in the state that the action needs."""


class TrainingError(MedModelError):
    """Training cannot go on, for a reason that lies in data or settings."""


class PredictionError(MedModelError):
    """The predictor could not answer this request; the next one may succeed."""


class WeightsError(MedModelError):
    """A file of pretrained weights is missing, or is not the file expected."""


class FileError(MedModelError, ValueError):
    """A file of the workspace is damaged; the message names it."""


class Cancelled(MedModelError):
    """Long work was given up on request; what it had finished is kept."""
