"""The command line: what the pages do, in a terminal and in scripts.

    python -m medmodel COMMAND      or, once installed, medmodel COMMAND

Each command is a module of this package that is imported when it is asked for. It
calls the functions that the pages call, and writes to the same workspace: a run that
is started here appears there, and the other way round. docs/command-line.md names
every command, the JSON that it prints and its exit statuses.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any

import click

import medmodel
from medmodel.core.errors import ConfigError, MedModelError, storage_fault
from medmodel.language import SOURCE, _, speaking, translate

COMMANDS = {
    "check": "check",
    "train": "train",
    "sweep": "sweep",
    "ensemble": "ensemble",
    "watch": "watch",
    "stop": "stop",
    "resume": "resume",
    "list": "list_runs",
    "evaluate": "evaluate",
    "robustness": "robustness",
    "compare": "compare",
    "predict": "predict",
    "external-test": "external_test",
    "import": "import_model",
    "export": "export",
    "doctor": "doctor",
    "completion": "completion",
}
"""Name of each command -> the module that has it, under the name `command`."""
PROGRAM = "medmodel"
COMPLETION_VARIABLE = "_MEDMODEL_COMPLETE"


class Commands(click.Group):
    """The commands, imported one by one; turns our errors into Click's."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in the order of work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"medmodel.cli.{COMMANDS[cmd_name]}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command in the terminal's language.

        Raises:
            click.ClickException: What the user is told, with the exit status.
        """
        with speaking(terminal_language()):
            try:
                return super().invoke(ctx)
            except ConfigError as error:
                raise click.UsageError(translate(str(error))) from error
            except MedModelError as error:
                raise click.ClickException(translate(str(error))) from error
            except OSError as error:
                sentence = _storage_sentence(error)
                if not sentence:
                    raise
                raise click.ClickException(sentence) from error


def _storage_sentence(error: OSError) -> str:
    """What a disk, a limit or a right has to do with it; "" if nothing."""
    fault = storage_fault(error)
    if fault is None or error.errno == errno.EPIPE:
        return ""
    from medmodel.runs.failures import file_in_words

    some_file = _("a file")
    return _(
        "{file} cannot be read or written: {reason}. What to do: {advice}.",
        file=file_in_words(error) or some_file,
        reason=translate(fault.what),
        advice=translate(fault.advice),
    )


def terminal_language() -> str:
    """The language of the terminal by gettext's variables, English where it is none."""
    from medmodel.audience.accept_language import preferred_language

    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        # A list of languages, such as `zh_CN:en`; or one with its encoding.
        name = os.environ.get(variable, "").partition(":")[0]
        name = name.partition(".")[0].partition("@")[0]
        if name:
            return preferred_language(name.replace("_", "-"))
    return SOURCE


@click.group(
    cls=Commands,
    name=PROGRAM,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.version_option(medmodel.__version__, prog_name="MedModel")
def medmodel_command() -> None:
    """Train, watch, evaluate and ask medical image classifiers.

    The commands work on the workspace of the pages (MEDMODEL_WORKSPACE). Not for
    clinical use.
    """


def main() -> None:
    """Runs a command and ends the process with its exit status."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a letter shows a question mark in its place.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    # Click names it itself where it was started as `python -m medmodel`.
    medmodel_command(complete_var=COMPLETION_VARIABLE)
