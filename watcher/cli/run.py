"""`imap-watcher run`."""

import logging

import typer

from watcher.cli.settings import load_settings
from watcher.daemon import run as live
from watcher.service.logs import start_log

__all__ = ["run"]

log = logging.getLogger(__name__)


def run(context: typer.Context) -> None:
    """Watch all accounts of the configuration until stopped (SIGTERM or Ctrl-C)."""
    config = load_settings(context)
    start_log(config.watcher.log)
    for warning in config.warnings:
        log.warning("%s", warning)
    live(config)
