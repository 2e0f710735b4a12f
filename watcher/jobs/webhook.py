"""Handlers that are webhooks: the mail is posted to a URL, and the status of the answer is the exit code."""

import json
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path

from watcher.errors import SecretUnavailable, ServerUntrusted
from watcher.jobs.actions import ActionsRefused
from watcher.jobs.contract import INTERRUPTED, Run, RunEnding, key
from watcher.jobs.exchange import ANSWER_LIMIT, Answer, CallFailed, Cut, post
from watcher.jobs.output import Capture
from watcher.jobs.parcel import FactsSpoilt, Parcel, pack, signature
from watcher.jobs.program import CannotStart
from watcher.model import Verdict
from watcher.printing import one_line
from watcher.version import __version__

__all__ = ["judge", "run_webhook"]

#: Of the 4xx, those that are about us, the address or the key: the mail waits until that is mended (RFC 9110 15.5).
OURS = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
    }
)

#: Of the 4xx, those that may pass (RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4).
PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


def run_webhook(run: Run, stop: int) -> RunEnding:
    """Post the mail once; cut off when `stop` becomes readable. Raises CannotStart, ActionsRefused, OSError."""
    try:
        parcel = pack(run)
        answer = post(run.settings, _headers(run, parcel, int(time.time())), parcel, stop)
    except Cut:
        return INTERRUPTED
    except CallFailed as error:
        return RunEnding(Verdict.LATER, one_line(str(error)))
    except FactsSpoilt as error:
        return RunEnding(Verdict.NEVER, str(error))
    except (ServerUntrusted, SecretUnavailable) as error:
        raise CannotStart(str(error)) from error
    ending = judge(answer, time.time())
    if ending.verdict is Verdict.DONE and answer.type == "application/json" and answer.body:
        return _heed(answer.body, run.actions, ending)
    return ending


def judge(answer: Answer, now: float) -> RunEnding:
    """What an answer means by its status (RFC 9110 15). Pure; `now` is in seconds since 1970."""
    capture = Capture()
    capture.add(answer.body)
    output = capture.text()
    said = one_line(output.partition("\n")[0])
    reason = f"HTTP {answer.status} {one_line(answer.words)}".rstrip() + (f": {said}" if said else "")
    status = answer.status
    if 200 <= status < 300:
        return RunEnding(Verdict.DONE, output=output)
    if 300 <= status < 400:
        where = f" to {one_line(answer.location)}" if answer.location else ""
        moved = f"HTTP {status}: it sends us on{where}; no redirect is followed: write the right address as url"
        return RunEnding(Verdict.HOLD, moved, output)
    if status == HTTPStatus.GONE:
        return RunEnding(Verdict.HOLD, f"{reason}: it wants no more mail; take the handler out of its rules", output)
    if status in OURS:
        return RunEnding(Verdict.HOLD, f"{reason}: look at its url, and at what lets us in", output)
    if 400 <= status < 500 and status not in PASSING:
        return RunEnding(Verdict.NEVER, reason, output)
    return RunEnding(Verdict.LATER, reason, output, _delay(answer.retry_after, now))


def _headers(run: Run, parcel: Parcel, moment: int) -> dict[str, str]:
    """Of Standard Webhooks; without a secret all but the signature."""
    name = key(run.work)
    headers = {
        "User-Agent": f"imap-watcher/{__version__}",
        "Accept": "application/json",
        "Content-Type": parcel.type,
        "webhook-id": name,
        "webhook-timestamp": str(moment),
    }
    if run.settings.secret is not None:
        headers["webhook-signature"] = signature(run.settings.secret.fetch(), name, moment, parcel)
    return headers


def _heed(body: bytes, actions: Path, ending: RunEnding) -> RunEnding:
    """Write the actions that an answer asks for where other kinds of handler write theirs."""
    if len(body) > ANSWER_LIMIT:
        raise ActionsRefused(f"the answer is JSON and larger than {ANSWER_LIMIT // 1024} kB")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ActionsRefused("the answer says that it is JSON, and is not") from error
    if not isinstance(answer, dict):
        return ending
    wanted = answer.get("actions", [])
    if not isinstance(wanted, list):
        raise ActionsRefused('"actions" of the answer is no list')
    actions.write_text("".join(json.dumps(one) + "\n" for one in wanted), "utf-8")
    return RunEnding(Verdict.STOP, output=ending.output) if answer.get("stop") is True else ending


def _delay(retry_after: str, now: float) -> float | None:
    """Seconds to wait by Retry-After (RFC 9110 10.2.3): a number or a date; None if it says neither."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)
