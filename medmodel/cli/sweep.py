"""`medmodel sweep`: many trainings over lists and ranges of settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from medmodel.cli.output import (
    goes_on,
    json_option,
    print_json,
    progress_bar,
    say,
    say_table,
)
from medmodel.cli.parameters import FolderParameter
from medmodel.core.config import config_for
from medmodel.core.errors import RunError
from medmodel.language import _, ngettext, translate
from medmodel.sweeps.candidates import MOST_MINUTES
from medmodel.sweeps.search_space import (
    AUGMENTATIONS,
    CLASSIFICATION_RECIPES,
    NUMBERS,
    Dimension,
    SweepConfig,
    best_sweep,
    encoders_sweep,
    recipes_sweep,
)
from medmodel.sweeps.sweep import Sweep, Trial, get_sweep, start_sweep

LOOK_EVERY = 0.5
_SEPARATOR = ":"


@dataclass(frozen=True)
class Asked:
    """What the options of the command say of a sweep that is to be started.

    Args:
        recipes: Whether every recipe is trained.
        encoders: Whether the recipe Instant is trained with every encoder.
        minutes: Time for the best of several recipes, None for another sweep.
        recipe: Key of the settings that do not vary.
        models: Networks to try.
        size, learning_rate, batch_size, mixup, ema: Values to try, as typed in.
        augmentations: Those to try.
        trials: At most.
        epochs: Of each trial at most; None for the recipe's.
        no_prune: Whether hopeless trials go on.
    """

    recipes: bool
    encoders: bool
    minutes: int | None
    recipe: str
    models: tuple[str, ...]
    size: str | None
    learning_rate: str | None
    batch_size: str | None
    mixup: str | None
    ema: str | None
    augmentations: tuple[str, ...]
    trials: int
    epochs: int | None
    no_prune: bool

    @property
    def numbers(self) -> dict[str, str | None]:
        """Setting -> the values to try, as typed in."""
        return {
            "size": self.size,
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "mixup": self.mixup,
            "ema": self.ema,
        }


@click.command("sweep")
@click.argument("folder", type=FolderParameter(), required=False)
@click.option("--recipes", is_flag=True, help="Every recipe once, on the same split.")
@click.option(
    "--encoders", is_flag=True, help="Instant with every encoder, on the same split."
)
@click.option(
    "--best-in",
    "minutes",
    type=click.IntRange(1, MOST_MINUTES),
    metavar="MINUTES",
    help="Spend so many minutes on several recipes and their ensemble.",
)
@click.option(
    "--recipe",
    type=click.Choice(CLASSIFICATION_RECIPES),
    default="compact",
    show_default=True,
    help="Settings that do not vary.",
)
@click.option("--model", "models", multiple=True, help="Network to try. Repeatable.")
@click.option("--size", metavar="LIST", help="Input sizes: 64,128 or 64:256.")
@click.option(
    "--learning-rate",
    metavar="LIST",
    help="Learning rates: 0.001,0.01 or a range on a log scale, 0.0001:0.01.",
)
@click.option("--batch-size", metavar="LIST", help="Batch sizes: 16,32.")
@click.option("--mixup", metavar="LIST", help="Values of mixup: 0,0.2.")
@click.option("--ema", metavar="LIST", help="Decays of EMA: 0,0.99.")
@click.option(
    "--augmentation",
    "augmentations",
    multiple=True,
    type=click.Choice(list(AUGMENTATIONS)),
    help="Augmentation to try. Repeatable.",
)
@click.option(
    "--trials", type=int, default=10, show_default=True, help="Trials at most."
)
@click.option("--epochs", type=int, help="Epochs of each trial at most.")
@click.option("--no-prune", is_flag=True, help="End no hopeless trial early.")
@click.option("--show", "shown", metavar="SWEEP", help="Show this sweep; start none.")
@click.option("--watch", is_flag=True, help="Wait until it ends.")
@json_option
def command(
    folder: Path | None, shown: str | None, watch: bool, as_json: bool, **options: Any
) -> None:
    """Train many models on FOLDER and compare them on their validation images.

    Each trial is a run like any other. The winner is chosen by validation loss alone,
    so its validation score is optimistic: its test images say how good it is.
    """
    if shown:
        sweep = _sweep_shown(shown)
    elif folder is None:
        raise click.UsageError(_("Name a FOLDER to train on, or a sweep with --show."))
    else:
        sweep = start_sweep(_asked_config(folder, Asked(**options)))
    if watch:
        _wait(sweep)
    if as_json:
        print_json(sweep_values(sweep))
    else:
        _say(sweep)


def _asked_config(folder: Path, asked: Asked) -> SweepConfig:
    """The sweep that the options ask for.

    Raises:
        click.UsageError: They exclude each other.
    """
    space = _space(asked.models, asked.numbers, asked.augmentations)
    varied = bool(space) or asked.recipes
    if asked.encoders:
        config = _encoders(folder, varied or asked.minutes is not None)
    else:
        config = _config(folder, asked.recipes, asked.recipe, space)
    if asked.minutes:
        config = _best(config, asked.recipes, space, asked.minutes)
    elif not asked.recipes and not asked.encoders:
        config = replace(config, trials=asked.trials, prune=not asked.no_prune)
    if asked.epochs is not None:
        config = replace(config, base=replace(config.base, epochs=asked.epochs))
    return config


def _config(
    folder: Path, recipes: bool, recipe: str, space: dict[str, Dimension]
) -> SweepConfig:
    from medmodel.data.layout import read_layout
    from medmodel.data.multi_label.settings import fitted_settings
    from medmodel.quality.report_store import suggested_pattern

    layout = read_layout(folder)
    pattern = suggested_pattern(folder, [file.path for file in layout.files])
    if recipes:
        if space:
            raise click.UsageError(_("With --recipes nothing else varies."))
        return recipes_sweep(
            config_for("instant", str(folder), patient_pattern=pattern)
        )
    base = config_for(recipe, str(folder), patient_pattern=pattern)
    return SweepConfig(
        fitted_settings(base, bool(layout.findings)),
        space or {"learning_rate": Dimension((), 1e-4, 1e-2, True)},
    )


def _encoders(folder: Path, varied: bool) -> SweepConfig:
    """The recipe Instant with each encoder of the weights folder that can be used.

    Raises:
        click.UsageError: There is none, or something else varies, too.
    """
    from medmodel.model_import.encoders import list_encoders

    if varied:
        raise click.UsageError(_("With --encoders nothing else varies."))
    usable = [e.key for e in list_encoders() if e.encoder and not e.problem]
    if not usable:
        raise click.UsageError(
            _("There is no encoder that can be used in the weights folder.")
        )
    base = _config(folder, False, "instant", {}).base
    return encoders_sweep(base, usable)


def _best(
    config: SweepConfig, recipes: bool, space: dict[str, Dimension], minutes: int
) -> SweepConfig:
    if recipes or space:
        raise click.UsageError(_("With --best-in nothing else varies."))
    from medmodel.data.layout import read_layout
    from medmodel.sweeps.candidates import check_layout

    check_layout(read_layout(Path(config.base.dataset)))
    base = config_for(
        "instant", config.base.dataset, patient_pattern=config.base.patient_pattern
    )
    return best_sweep(base, minutes)


def _space(
    models: tuple[str, ...],
    numbers: Mapping[str, str | None],
    augmentations: tuple[str, ...],
) -> dict[str, Dimension]:
    space: dict[str, Dimension] = {}
    if models:
        space["model"] = Dimension(models)
    for name, text in numbers.items():
        if text:
            space[name] = _dimension(text, NUMBERS[name])
    if augmentations:
        space["augmentation"] = Dimension(augmentations)
    return space


def _dimension(text: str, number: Callable[[str], float]) -> Dimension:
    """A list `16,32` or a range `0.0001:0.01`.

    Raises:
        click.UsageError: It is neither.
    """
    try:
        low, separator, high = text.partition(_SEPARATOR)
        if separator:
            return Dimension((), number(low), number(high), number is float)
        return Dimension(tuple(number(part) for part in text.split(",")))
    except ValueError as error:
        raise click.UsageError(
            _(
                "{text!r} is neither a list such as 16,32 nor a range such as 16:64.",
                text=text,
            )
        ) from error


def _sweep_shown(sweep_id: str) -> Sweep:
    """The sweep of this id.

    Raises:
        click.UsageError: There is none.
    """
    try:
        return get_sweep(sweep_id)
    except RunError as error:
        raise click.UsageError(translate(str(error))) from error


def _wait(sweep: Sweep) -> None:
    sentence = _(
        "The sweep goes on; see it again: medmodel sweep --show {id}", id=sweep.id
    )
    with goes_on(sentence), progress_bar() as show:
        while sweep.state.running:
            done = sum(trial.finished for trial in sweep.results.trials)
            show(done / max(sweep.planned, 1), f"{done}/{sweep.planned}")
            time.sleep(LOOK_EVERY)


def sweep_values(sweep: Sweep) -> dict[str, Any]:
    """A sweep as JSON."""
    from medmodel.sweeps.results import best_trial, comparable

    results = sweep.results
    best = best_trial(results.trials)
    return {
        "sweep": sweep.id,
        "title": sweep.title,
        "running": sweep.state.running,
        "error": sweep.state.error or None,
        "planned": sweep.planned,
        "trials": [asdict(trial) for trial in results.trials],
        "importance": dict(results.importance),
        "winner": best.run if best else None,
        "chosen_among": _scored(comparable(results.trials)),
    }


def _scored(trials: Iterable[Trial]) -> int:
    return sum(trial.val_loss is not None for trial in trials)


def _say(sweep: Sweep) -> None:
    from medmodel.sweeps.results import (
        best_trial,
        comparable,
        compared,
        equally_good,
        other_data,
        why_it_won,
    )

    trials = sweep.results.trials
    say(_("Sweep {id}: {title}", id=sweep.id, title=sweep.title))
    if trials:
        rows = [
            [
                str(trial.number + 1),
                trial.run,
                trial.state,
                "" if trial.val_loss is None else f"{trial.val_loss:.3f}",
                ", ".join(f"{name}={value}" for name, value in trial.values.items()),
            ]
            for trial in trials
        ]
        header = [_("Trial"), _("Run"), _("State"), _("Val. loss"), _("Settings")]
        say_table(header, rows, numbers=[0, 3])
    best = best_trial(trials)
    if best is not None and compared(trials):
        say(
            _(
                "Winner: run {run}, of {count:,} candidates by the same validation "
                "images, so its validation score is optimistic.",
                run=best.run,
                count=_scored(comparable(trials)),
            )
        )
        say(why_it_won(best))
    elif best is not None:
        say(
            ngettext(
                "Lowest validation loss: run {run}, the only trial with one.",
                "Lowest validation loss: run {run}, of {count:,} trials by the same "
                "validation images, so that score is optimistic.",
                _scored(comparable(trials)),
                run=best.run,
            )
        )
        if (alike := equally_good(trials)) > 1:
            say(_("{count:,} trials have this loss: the first is named.", count=alike))
    for sentence in (other_data(trials), translate(sweep.state.error)):
        if sentence:
            say(sentence)
