"""`medmodel predict`: what a model says of image files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from medmodel.cli.answers.batch_answers import is_batch, predict_batch
from medmodel.cli.answers.findings import prediction_values, say_answers
from medmodel.cli.answers.image_answers import (
    ImageAnswer,
    ask_about,
    beside_sentences,
    say_withheld,
)
from medmodel.cli.answers.outline_answers import OutlineAnswer, outline, say_outline
from medmodel.cli.batches import check_masks, check_output, say_table_written
from medmodel.cli.output import json_option, print_json, say
from medmodel.cli.parameters import OutputParameter, run_argument
from medmodel.language import _
from medmodel.runs.run import Run

_IMAGE = click.Path(exists=True, path_type=Path)


@click.command("predict")
@run_argument
@click.argument("images", type=_IMAGE, nargs=-1, required=True)
@click.option(
    "--anyway",
    is_flag=True,
    help="Show answers also of images that are unlike the training data.",
)
@click.option(
    "--output",
    type=OutputParameter(),
    help="CSV or Parquet file for the table of a folder, a ZIP file or a table.",
)
@click.option(
    "--masks",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that gets the masks of a segmentation as PNG files.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    run: Run,
    images: tuple[Path, ...],
    anyway: bool,
    output: Path | None,
    masks: Path | None,
    as_json: bool,
) -> None:
    """Ask a model about image files. Not for clinical use.

    PNG, JPEG, TIFF, DICOM, NIfTI and their kin. Of a file with several frames the one
    is taken that Diagnose takes. The exit status is 1 where a file cannot be read.

    A folder, a ZIP file or a table of names (CSV) becomes a batch, as on the page Batch
    prediction; its table goes to --output.
    """
    say(_("Not for clinical use."), to_errors=True)
    check_masks(run, masks)
    if len(images) == 1 and is_batch(images[0]):
        values = predict_batch(run, images[0], check_output(output), masks, anyway)
        _say_batch(ctx, values, as_json)
        return
    for path in images:
        if path.is_dir():
            raise click.UsageError(_("Name one folder alone, or files."))
    if run.config.segments:
        _answer_outlines(ctx, run, outline(run, images, anyway, masks), as_json)
        return
    answers = ask_about(run, images, anyway)
    several = run.config.multi_label
    if as_json:
        print_json((prediction_values if several else _values)(run, answers))
    elif several:
        say_answers(run, answers)
    else:
        for answer in answers:
            _say_answer(answer)
    if any(answer.error for answer in answers):
        ctx.exit(1)


def _answer_outlines(
    ctx: click.Context, run: Run, answers: list[OutlineAnswer], as_json: bool
) -> None:
    if as_json:
        images = [answer.values for answer in answers]
        print_json({"run": run.id, "title": run.title, "images": images})
    else:
        for answer in answers:
            say_outline(answer)
    if any(answer.error for answer in answers):
        ctx.exit(1)


def _say_batch(ctx: click.Context, values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(values)
    else:
        say_table_written(values)
    if values["unreadable"]:
        ctx.exit(1)


def _values(run: Run, answers: list[ImageAnswer]) -> dict[str, Any]:
    """The answers as JSON has them."""
    temperatures = [a.prediction.temperature for a in answers if a.prediction]
    return {
        "run": run.id,
        "title": run.title,
        "calibrated": any(temperatures),
        "images": [_image_values(answer) for answer in answers],
    }


def _image_values(answer: ImageAnswer) -> dict[str, Any]:
    prediction = answer.prediction
    shown = prediction is not None and not answer.withheld
    probabilities = prediction.calibrated.tolist() if prediction and shown else []
    classes = prediction.classes if prediction else []
    by_class = dict(zip(classes, probabilities, strict=False)) if shown else None
    return {
        "file": answer.file,
        "error": answer.error or None,
        "predicted": classes[prediction.predicted] if prediction and shown else None,
        "tied": prediction.tied if prediction and shown else [],
        "probabilities": by_class,
        "unlike_training": answer.unlike_training,
        "withheld": answer.withheld or None,
        "split": answer.split or None,
        "frame": answer.frame,
        "frames": answer.frames,
    }


def _say_answer(answer: ImageAnswer) -> None:
    """The predicted class first, as Diagnose shows it."""
    from medmodel.reports.case.predicted_class import predicted_sentence
    from medmodel.reports.plots import per_cent

    prediction = answer.prediction
    if prediction is None or answer.withheld:
        say_withheld(answer)
        return
    shares, first = prediction.calibrated, prediction.predicted
    order = sorted(range(len(shares)), key=lambda at: (at != first, -shares[at]))
    listed = ", ".join(
        f"{prediction.classes[at]} {per_cent(float(shares[at]))}" for at in order
    )
    say(f"{answer.file}: {listed}")
    sentences = beside_sentences(answer)
    if prediction.tied:
        sentences.insert(0, predicted_sentence(prediction.classes, shares) + ".")
    if prediction.temperature is None:
        sentences.append(_("These probabilities are not calibrated."))
    if prediction.decision:
        sentences.append(prediction.decision)
    for sentence in sentences:
        say(f"  {sentence}")
