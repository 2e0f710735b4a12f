"""Consent on another device, by a short code (RFC 8628)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from watcher.config.oauth.client import OAuthClient
from watcher.config.oauth.exchange import AnswerLost, Form, ask, fetch_tokens
from watcher.config.oauth.grant import Tokens
from watcher.config.secret import Secret
from watcher.config.shape import has_control
from watcher.errors import LoginRefused, SecretUnavailable

__all__ = ["DeviceCode", "ask_for_code", "consent_on_device"]

#: Seconds between two questions where the server doesn't tell, and by how much `slow_down` lengthens them (3.5).
INTERVAL = 5.0

#: Longest time between two questions, and longest life of a code, whatever the server tells.
LONGEST_INTERVAL, LONGEST_LIFE = 60.0, 1800.0


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the user takes to a browser, and what we ask with meanwhile."""

    page: str  #: address to open
    user_code: str  #: to type in there
    whole_page: str  #: address that holds the code already, "" if there is none
    device_code: Secret  #: ours
    interval: float  #: least seconds between two questions
    life: float  #: seconds until it is over


def ask_for_code(client: OAuthClient) -> DeviceCode:
    """A new code (RFC 8628 3.1, 3.2). Raises as `ask` does; LoginRefused also where there are no codes."""
    host = urlsplit(client.device_uri or client.token_uri).hostname
    if not client.device_uri:
        raise LoginRefused(f"{host} gives no device codes here: log in with a browser, without --device")
    answer = ask(client, client.device_uri, {"scope": client.scope})
    code = DeviceCode(
        page=_text(answer.get("verification_uri") or answer.get("verification_url")),  # Google's older name
        user_code=_text(answer.get("user_code")),
        whole_page=_text(answer.get("verification_uri_complete")),
        device_code=Secret(_text(answer.get("device_code"))),
        interval=min(_seconds(answer.get("interval"), INTERVAL), LONGEST_INTERVAL),
        life=min(_seconds(answer.get("expires_in"), LONGEST_LIFE), LONGEST_LIFE),
    )
    if not code.page.startswith("https://") or not code.user_code or not code.device_code.reveal():
        raise SecretUnavailable(f"the answer of {host} can't be used: it is not a device code")
    return code


def consent_on_device(client: OAuthClient, code: DeviceCode, pause: Callable[[float], object]) -> Tokens:
    """
    The tokens that the user consents to. `pause` waits that many seconds between two questions.

    LoginRefused if it was denied, SecretUnavailable if it took too long; else as `fetch_tokens`.
    """
    form: Form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": code.device_code}
    host = urlsplit(client.token_uri).hostname
    interval, end, lost = code.interval, time.monotonic() + code.life, False
    while time.monotonic() < end:
        pause(interval)
        try:
            return fetch_tokens(client, form)
        except AnswerLost:
            lost = True
        except SecretUnavailable:  # RFC 8628 3.5: ask less often, and go on
            interval = min(interval * 2, LONGEST_INTERVAL)
        except LoginRefused as error:
            match error.code:
                case "authorization_pending":
                    continue
                case "slow_down":
                    interval = min(interval + INTERVAL, LONGEST_INTERVAL)
                case "expired_token":
                    break
                case "access_denied":
                    raise LoginRefused(f"{host}: it was denied in the browser", error.code) from error
                case "invalid_grant" if lost:
                    raise SecretUnavailable(f"the answer of {host} was lost on the way; begin again") from error
                case _:
                    raise
    raise SecretUnavailable(
        f"nobody entered the code {code.user_code} within {code.life / 60:.0f} minutes; begin again"
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value.isascii() and not has_control(value) else ""


def _seconds(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else otherwise
