"""`medmodel robustness`: how a model stands up to corrupted test images."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from medmodel.cli.output import (
    goes_on,
    json_option,
    print_json,
    progress_bar,
    say,
    say_table,
)
from medmodel.cli.parameters import run_argument
from medmodel.core.errors import PredictionError, RunError
from medmodel.language import _, format_number, translate
from medmodel.runs.run import Run

if TYPE_CHECKING:
    from medmodel.evaluation.robustness.corruption_test import CorruptionTest

LOOK_EVERY = 0.2
_METRICS = ("accuracy", "calibration_error")


@click.command("robustness")
@run_argument
@click.option("--again", is_flag=True, help="Test again where there is a test already.")
@click.option("--stop", "end", is_flag=True, help="End the test that is going on.")
@json_option
def command(run: Run, again: bool, end: bool, as_json: bool) -> None:
    """Test a finished model on corrupted test images: noise, blur and eight more.

    Test images, 200 at most, are predicted again after ten corruptions of five
    strengths, in a process of its own. A test that is there is shown as it is.
    """
    _check_kind(run)
    if end:
        _stop(run, as_json)
        return
    test = _test_of(run, again)
    if as_json:
        print_json(_values(run, test))
    else:
        _say_test(run, test)


def _check_kind(run: Run) -> None:
    """Raises: click.UsageError: Its kind of model is not tested under corruptions."""
    if run.config.segments or run.config.multi_label:
        raise click.UsageError(
            _("Corruptions are tested of models that give an image one class.")
        )
    if run.tested_model:
        raise click.UsageError(
            _(
                "This is an external test; corruptions are tested of its model: {id}.",
                id=run.tested_model,
            )
        )


def _stop(run: Run, as_json: bool) -> None:
    from medmodel.evaluation.robustness.corruption_test import corruption_task

    task = corruption_task(run)
    if not task.state().running:
        raise RunError(_("No corruption test of {title} is going on.", title=run.title))
    task.stop()
    if as_json:
        print_json({"run": run.id, "stopping": True})
    else:
        say(_("The corruption test of {title} stops.", title=run.title))


def _test_of(run: Run, again: bool) -> CorruptionTest:
    """The test that there is, else a new one, waited for.

    Raises:
        PredictionError: It failed, or was stopped.
        RunError: The run has no model.
    """
    from medmodel.evaluation.robustness import corruption_test

    task = corruption_test.corruption_task(run)
    made = None
    if not again and not task.state().running:
        made = corruption_test.read_corruption_test(run)
    if made is not None:
        return made
    if not run.has_model:
        raise RunError(_("The run {title} has no trained model yet.", title=run.title))
    task.start()
    sentence = _("The test goes on; give the same command again for its result.")
    with goes_on(sentence), progress_bar() as show:
        while (state := task.state()).running:
            share = state.done / state.total if state.total else 0.0
            show(share, _("Testing") if state.total else _("Starting."))
            time.sleep(LOOK_EVERY)
    if state.error:
        raise PredictionError(translate(state.error))
    if state.phase == "stopped":
        raise PredictionError(_("The last test was stopped: nothing of it was kept."))
    made = corruption_test.read_corruption_test(run)
    if made is None:
        raise PredictionError(_("The test left no result: start it again."))
    return made


def _values(run: Run, test: CorruptionTest) -> dict[str, Any]:
    """The test as JSON has it."""
    from medmodel.cli.answers.numbers import estimate_values
    from medmodel.evaluation.robustness.corruption_test import known_from_training
    from medmodel.imaging.corruptions import CORRUPTIONS, STRENGTHS

    def metrics(key: str, strength: int) -> dict[str, dict[str, Any]]:
        return {m: estimate_values(test.metric(m, key, strength)) for m in _METRICS}

    return {
        "run": run.id,
        "title": run.title,
        "images": len(test.clean.truth),
        "verdict": test.verdict,
        "known_from_training": known_from_training(run) or None,
        "falls": [] if test.too_few else test.falls(),
        "metrics": metrics("", 0),
        "corruptions": [
            {
                "corruption": key,
                "title": _(CORRUPTIONS[key].title),
                "strengths": [
                    {
                        "strength": strength,
                        "metrics": metrics(key, strength),
                        "difference": estimate_values(test.change(key, strength)),
                    }
                    for strength in range(1, STRENGTHS + 1)
                ],
            }
            for key in test.corrupted
        ],
    }


def _say_test(run: Run, test: CorruptionTest) -> None:
    from medmodel.evaluation.robustness.corruption_test import known_from_training
    from medmodel.imaging.corruptions import CORRUPTIONS, STRENGTHS

    say(run.title)
    say(test.verdict)
    if known := known_from_training(run):
        say(known)
    say()
    say(
        _(
            "Accuracy in % of the same {images:,} test images, by strength.",
            images=len(test.clean.truth),
        )
    )
    strengths = range(STRENGTHS + 1)
    rows = [
        [
            _(CORRUPTIONS[key].title),
            *(
                format_number(100 * test.metric("accuracy", key, at).value, ".1f")
                for at in strengths
            ),
        ]
        for key in test.corrupted
    ]
    header = [_("Corruption"), _("none"), *map(str, strengths[1:])]
    say_table(header, rows, numbers=range(1, len(header)))
