"""`imap-watcher run`."""

import logging
from enum import StrEnum
from typing import Annotated

import typer

from watcher.cli.settings import load_settings
from watcher.daemon import run as live
from watcher.service.logs import start_log

__all__ = ["run"]

log = logging.getLogger(__name__)


class LogFormat(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    JSON = "json"


def run(
    context: typer.Context,
    log_format: Annotated[LogFormat, typer.Option(help="One line of text, or one JSON object, an event.")] = (
        LogFormat.TEXT
    ),
) -> None:
    """Watch all accounts until it is stopped (SIGTERM, Ctrl-C)."""
    config = load_settings(context)
    start_log(config.watcher.log, log_format)
    for warning in config.warnings:
        log.warning("%s", warning)
    live(config)
