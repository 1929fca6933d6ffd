"""What the live view of a run says, in the session's language."""

from __future__ import annotations

from medmodel.language import _
from pages._shared.common.words import STATE_TITLES


def live_texts(metric: str = "accuracy") -> dict[str, object]:
    """The texts of `assets/live_*.js`, which puts values for the names in braces.

    Args:
        metric: What is followed beside the loss: accuracy, dice, or auc.
    """
    return {
        "states": {state.value: _(title) for state, title in STATE_TITLES.items()}
        | {"stopping": _("Stopping"), "deleted": _("Deleted")},
        "facts": _facts(),
        "time": _times(),
        "curves": _curves(metric),
        "tools": _tools(),
        "announcement": _("{state}. {sentence}"),
        "deleted": _("This run has been deleted."),
        "part": _("Step {part} of {parts}."),
        "no_worker": _("Waiting for a worker to start."),
        "one_before": _("Waiting for the device, 1 before it in the queue."),
        "several_before": _("Waiting for the device, {runs} before it in the queue."),
        "connection_lost": _("Connection lost, trying again…"),
        "no_plotly": _("Plotly did not load"),
        "true_class": _("True class {class_name}."),
        "epoch_scores": _("Epoch {epoch}: {scores}"),
    }


def _times() -> dict[str, str]:
    return {
        "seconds": _("{seconds} s"),
        "minutes": _("{minutes} min"),
        "minutes_seconds": _("{minutes} min {seconds} s"),
        "hours": _("{hours} h"),
        "hours_minutes": _("{hours} h {minutes} min"),
        "left": _("{time} left"),
        "at_most_left": _("at most {time} left"),
        "took": _("took {time}"),
        "ago": _("{time} ago"),
    }


def _facts() -> dict[str, str]:
    return {
        "epoch": _("Epoch"),
        "best_epoch": _("Best epoch"),
        "last_update": _("Last update"),
        "learning_rate": _("Learning rate"),
        "dotted": _("Dotted"),
        "not_yet_learned": _("images not yet learned"),
        "device": _("Device"),
        "step": _("Step"),
        "of": _("{done} of {total}"),
    }


def _curves(metric: str) -> dict[str, object]:
    titles = {"dice": _("Dice"), "auc": _("Mean AUC")}
    losses, units = {"dice": _("Dice + CE")}, {"accuracy": "%"}
    return {
        "titles": {"loss": _("Loss"), "accuracy": titles.get(metric, _("Accuracy"))},
        "units": {
            "loss": losses.get(metric, _("cross-entropy")),
            "accuracy": units.get(metric, ""),
        },
        "metric": metric,
        "axes": {"step": _("step"), "epoch": _("epoch")},
        "training": _("training"),
        "validation": _("validation"),
        "best": _("best"),
        "unseen": _("images not yet learned"),
        "compared": _("compared run"),
        "learning_rate": _("learning rate"),
        "svg": _("Download plot as SVG"),
        "label": _("{chart}: training {training}, validation {validation}"),
        "first": {
            "step": _("The curve begins with the first step."),
            "epoch": _("The curve begins with the first epoch."),
        },
        "none": _("No curve: the run ended before its first step."),
    }


def _tools() -> dict[str, str]:
    return {
        "progress": _("Progress"),
        "samples": _("Scores of some validation images"),
        "by_step": _("By step"),
        "by_epoch": _("By epoch"),
        "smooth": _("Smooth"),
        "log": _("Log loss axis"),
        "rate": _("Learning rate"),
        "notify": _("Notify"),
        "notify_help": _("A notification of the browser when the run ends"),
        "sound": _("Sound"),
        "sound_help": _("A sound when the run ends"),
        "csv": "CSV",
        "csv_help": _("History as CSV"),
    }
