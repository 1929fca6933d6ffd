"""Jobs report to their callables, and raise once they are cancelled."""

import pytest

from medmodel.core.errors import Cancelled
from medmodel.core.job import UNATTENDED, Job


def test_check_raises_once_cancelled() -> None:
    answers = iter([False, True])
    job = Job(cancelled=lambda: next(answers))
    job.check()
    with pytest.raises(Cancelled):
        job.check()


def test_unattended_work_goes_on() -> None:
    UNATTENDED.progress("checking", 1, 2)
    UNATTENDED.check()
