"""What a sweep varies, as it is written in a terminal."""

from __future__ import annotations

import click
import pytest

from medmodel.cli.sweep import _dimension, _space
from medmodel.sweeps.search_space import Dimension


def test_a_list_is_a_choice_and_a_colon_makes_a_range() -> None:
    assert _dimension("16,32", int) == Dimension((16, 32))
    assert _dimension("16:64", int) == Dimension((), 16, 64, False)
    # Rates differ by factors.
    assert _dimension("0.0001:0.01", float) == Dimension((), 1e-4, 1e-2, True)


@pytest.mark.parametrize("text", ["", "a", "16:", "1,x", "1.5"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError, match="neither a list such as 16,32"):
        _dimension(text, int)


def test_only_what_was_asked_for_varies() -> None:
    assert _space((), {"size": None, "mixup": ""}, ()) == {}
    numbers = {"size": "96,128", "batch_size": "8:64", "mixup": "0,0.2"}
    space = _space(("resnet",), numbers, ("none", "light"))
    assert space == {
        "model": Dimension(("resnet",)),
        "size": Dimension((96, 128)),
        "batch_size": Dimension((), 8, 64, False),
        "mixup": Dimension((0.0, 0.2)),
        "augmentation": Dimension(("none", "light")),
    }
