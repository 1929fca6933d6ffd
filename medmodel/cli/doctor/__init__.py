"""`medmodel doctor`: what is wrong with this machine, and the line that mends each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict

import click

from medmodel.cli.doctor import cluster, machine, proxy, python, serving, storage
from medmodel.cli.doctor.finding import Finding
from medmodel.cli.output import json_option, print_json, say
from medmodel.core import devices
from medmodel.core.errors import FileError
from medmodel.language import _

_MARKS = {"ok": "ok     ", "warning": "WARNING", "problem": "PROBLEM"}


@click.command("doctor")
@click.option(
    "--url",
    metavar="ADDRESS",
    help="Try the address that browsers open, with the proxy in front of the server.",
)
@click.option(
    "--quick", is_flag=True, help="Do not import TensorFlow, which takes seconds."
)
@json_option
@click.pass_context
def command(ctx: click.Context, url: str | None, quick: bool, as_json: bool) -> None:
    """Look for what is wrong with this machine, and print the line that mends it.

    Python and packages, TensorFlow, GPU and CUDA libraries, memory, disk, workspace,
    data folders, fonts, port, allowed hosts, a cluster, and a proxy in front. Nothing
    is changed. The exit status is 1 where something will not work.
    """
    findings = []
    for finding in _findings(url, quick):
        findings.append(finding)
        if not as_json:
            _say_finding(finding)
    well = all(finding.level != "problem" for finding in findings)
    if as_json:
        print_json({"ok": well, "findings": [asdict(f) for f in findings]})
    if not well:
        ctx.exit(1)


def _findings(url: str | None, quick: bool) -> Iterator[Finding]:
    yield from python.python_findings()
    yield from machine.machine_findings()
    yield from storage.storage_findings()
    yield from serving.serving_findings()
    yield from cluster.cluster_findings()
    if url:
        yield from proxy.proxy_findings(url, _largest_upload())
    if not quick:
        yield python.tensorflow_finding(len(devices.gpus()))


def _largest_upload() -> int:
    try:
        settings = serving.server_settings(serving.CONFIG_FILES, os.environ)
    except FileError:  # told already
        settings = serving.ServerSettings()
    return settings.max_upload_mb


def _say_finding(finding: Finding) -> None:
    say(f"{_MARKS[finding.level]}  {finding.sentence}")
    if finding.mend:
        say("         " + _("Mend it: {line}", line=finding.mend))
