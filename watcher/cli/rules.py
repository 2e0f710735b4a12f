"""`imap-watcher rules`: what the rules say to a mail, and why."""

import shutil
import stat
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from watcher.cli import exits
from watcher.cli.settings import account_named, load_settings
from watcher.cli.terminal import AsJson, complain, say, show_json
from watcher.config import Config
from watcher.config.units import parse_duration
from watcher.errors import Unreadable
from watcher.mail.pool import UnpackPool
from watcher.model import Action, Envelope, MailFolder, Plan
from watcher.rules.explain import Explanation, explain
from watcher.rules.route import route
from watcher.rules.sight import taken_apart
from watcher.unpacking import trust_policy

__all__ = ["rules"]

rules = typer.Typer(
    help="See what the rules do with a mail, and why.",
    no_args_is_help=True,
    epilog="Example: imap-watcher rules explain --account support invoice.eml",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What `rules explain --json` tells of one mail."""

    mail: str  #: the file
    account: str
    folder: str
    subject: str
    rules: tuple[Explanation, ...]  #: all, in their order
    plan: Plan  #: what the daemon would do


@dataclass(frozen=True, slots=True)
class Listed:
    """What `rules list --json` tells of one rule."""

    name: str
    every_mail: bool  #: it has no condition
    run: tuple[str, ...]
    then: tuple[Action, ...]
    on_dead: tuple[Action, ...]
    stop: bool


@rules.command("explain")
def explain_mails(
    context: typer.Context,
    mails: Annotated[list[Path], typer.Argument(help="Files with one raw mail each.", metavar="MAIL...")],
    account: Annotated[
        str | None, typer.Option(help="The account it came to; by default the only one there is.", metavar="NAME")
    ] = None,
    folder: Annotated[str, typer.Option(help="The folder it came to.", metavar="NAME")] = "INBOX",
    age: Annotated[
        str | None, typer.Option(help='How long ago it came in, such as "2d"; by default just now.', metavar="DURATION")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """
    Take saved mails apart and tell for each rule whether it is for them, which key decided, and what would be run.

    Nothing is run, sent or changed. Exit status: 0; 1 with a line for each mail that could not be read.
    """
    config = load_settings(context)
    name = _account(config, account)
    now = time.time()
    received = datetime.fromtimestamp(now - (_seconds(age) if age else 0.0), UTC)
    answers: list[Answer] = []
    pool = UnpackPool(1, config.limits)
    try:
        for mail in mails:
            try:
                answers.append(_answer(pool, config, mail, Envelope("-", name, folder, 1, 1, received), now))
            except (Unreadable, OSError) as error:
                complain(f"{mail}: {(isinstance(error, OSError) and error.strerror) or error}")
    finally:
        pool.close()
    if as_json:
        show_json(answers)
    else:
        for answer in answers:
            _tell(answer)
    raise typer.Exit(exits.OK if len(answers) == len(mails) else exits.FAILED)


@rules.command("list")
def list_rules(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the rules in the order in which they are asked."""
    found = load_settings(context).rules
    if as_json:
        listed = [Listed(rule.name, rule.when is None, rule.run, rule.then, rule.on_dead, rule.stop) for rule in found]
        show_json(listed)
        return
    for number, rule in enumerate(found, start=1):
        say(f'{number} "{rule.name}": {_done(rule.run, rule.then, rule.stop)}')


def _account(config: Config, given: str | None) -> str:
    """The account that is meant, "" if none can be. Raises WatcherError."""
    if given is not None:
        return account_named(config, given).name
    return config.accounts[0].name if len(config.accounts) == 1 else ""


def _seconds(age: str) -> float:
    try:
        return parse_duration(age)
    except ValueError as error:
        raise typer.BadParameter(f"{age!r} {error}", param_hint="--age") from error


def _answer(pool: UnpackPool, config: Config, mail: Path, envelope: Envelope, now: float) -> Answer:
    """Raises Unreadable, OSError."""
    if not stat.S_ISREG(mail.stat().st_mode):
        raise Unreadable("is not a regular file")
    judging = config.account(envelope.account or "")
    with TemporaryDirectory(prefix="imap-watcher-rules-") as name:
        folder = MailFolder(Path(name))
        shutil.copyfile(mail, folder.raw)
        message = pool.unpack(folder, envelope, trust_policy(judging))
        sight = taken_apart(folder, message, now)
    told = tuple(explain(config.rules, sight))
    plan = route(config.rules, sight)
    return Answer(str(mail), envelope.account or "", envelope.folder or "", message.subject, told, plan)


def _tell(answer: Answer) -> None:
    say(f'{answer.mail}: "{answer.subject}", as it comes to {answer.account or "no account"}/{answer.folder}')
    for number, told in enumerate(answer.rules, start=1):
        verdict = "yes" if told.fits else "no"
        if told.hidden_by:
            verdict = f'not asked, "{told.hidden_by}" above it has stop; else {verdict}'
        doing = f"; {_done(told.run, told.then, told.stop)}" if told.fits and not told.hidden_by else ""
        say(f'  rule {number} "{told.rule}": {verdict}: {told.reason}{doing}')
    handlers = ", ".join(step.handler for step in answer.plan.steps) or "nothing"
    then = ", ".join(map(str, answer.plan.then)) or "nothing"
    say(f"  it would run: {handlers}; then: {then}" if answer.plan != Plan() else "  no rule does anything with it")


def _done(run: Sequence[str], then: Iterable[Action], stop: bool) -> str:
    pieces = [f"runs {', '.join(run)}"] if run else []
    pieces += [f"then {', '.join(map(str, then))}"] if then else []
    pieces += ["stops here"] if stop else []
    return ", ".join(pieces) or "does nothing"
