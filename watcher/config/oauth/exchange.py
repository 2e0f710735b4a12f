"""One question to an authorization server, and what its answer means. The one place that speaks HTTPS."""

import json
import ssl
from collections.abc import Mapping
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeAlias
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, Request

from watcher.config.oauth.client import OAuthClient
from watcher.config.oauth.grant import Tokens, tokens_from
from watcher.config.secret import Secret
from watcher.errors import LoginRefused, SecretUnavailable, ServerUntrusted
from watcher.printing import one_line
from watcher.version import __version__

__all__ = ["AnswerLost", "Form", "ask", "fetch_tokens", "refresh_tokens", "refused"]

#: What is sent; secrets are known as such until they leave.
Form: TypeAlias = Mapping[str, str | Secret]

#: Seconds that connecting and each step of the answer may take.
PATIENCE = 20.0

#: Bytes of an answer that are read; tokens have some thousand.
LARGEST = 1 << 18

#: Codes by which a server says that it is its own fault, and a later try may do (RFC 6749 4.1.2.1).
PASSING = frozenset({"server_error", "temporarily_unavailable"})


class AnswerLost(SecretUnavailable):
    """The question may have been acted on, yet no answer came: a token may have been replaced without our knowing."""


def ask(client: OAuthClient, uri: str, form: Form) -> Any:
    """
    The JSON that answers `form` sent to `uri` by `client` (RFC 6749 2.3.1, 4.1.3).

    LoginRefused, with the OAuth error code, if the server says no; AnswerLost, or SecretUnavailable where it surely
    never got the question or could not act; ServerUntrusted if it can't prove who it is.
    """
    host = urlsplit(uri).hostname or uri
    fields: dict[str, str | Secret] = {"client_id": client.client_id, **form}
    if client.client_secret:
        fields["client_secret"] = client.client_secret.fetch()
    status, content = _post(uri, host, fields, client.ca_file)
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None  # its text may hold a token, so it goes into no message and no cause
    if status == 200:
        if not isinstance(answer, dict):
            raise AnswerLost(f"{host}: the answer was cut off")
        return answer
    code = str(answer.get("error", "")) if isinstance(answer, dict) else ""
    if not code or code in PASSING or status >= 500 or status == 429:
        raise SecretUnavailable(f"{host} is out of order: HTTP {status} {one_line(code)}".rstrip())
    raise refused(client, host, code, str(answer.get("error_description", "")), fields.values())


def fetch_tokens(client: OAuthClient, form: Form) -> Tokens:
    """The tokens that the token endpoint gives for `form`. Raises as `ask` does."""
    try:
        return tokens_from(ask(client, client.token_uri, form))
    except ValueError as error:
        raise SecretUnavailable(f"the answer of {client.token_uri} can't be used: {error}") from error


def refresh_tokens(client: OAuthClient, refresh: Secret) -> Tokens:
    """
    New tokens for a refresh token. Raises as `ask` does.

    When an answer is lost, the token may be replaced already; a server that knows of lost answers takes the old one
    again for some seconds, so that is tried at once.
    """
    form: Form = {"grant_type": "refresh_token", "refresh_token": refresh}
    try:
        return fetch_tokens(client, form)
    except AnswerLost:
        return fetch_tokens(client, form)


def refused(client: OAuthClient, host: str, code: str, told: str, sent: Any = ()) -> LoginRefused:
    """The error for `code` and the words `told` with it; a server may repeat what was `sent`, we don't."""
    for value in sent:
        if isinstance(value, Secret):
            told = told.replace(value.reveal(), "***")
    parts = (f"{host}: {one_line(code)}", one_line(told, 300), client.hint(code))
    return LoginRefused(": ".join(part for part in parts if part), code)


def _post(uri: str, host: str, fields: Form, ca_file: Path | None) -> tuple[int, bytes]:
    plain = {key: value.reveal() if isinstance(value, Secret) else value for key, value in fields.items()}
    headers = {"Accept": "application/json", "User-Agent": f"imap-watcher/{__version__}"}
    request = Request(uri, urlencode(plain).encode("ascii"), headers)  # noqa: S310 only https is ever opened
    try:
        with _opener(ca_file).open(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read(LARGEST)
    except URLError as error:  # before the question was sent
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            why = one_line(error.reason.verify_message)
            raise ServerUntrusted(f"the certificate of {host} can't be trusted: {why}; is a ca_file needed?") from error
        raise SecretUnavailable(f"{host} can't be reached: {one_line(str(error.reason))}") from error
    except (OSError, HTTPException) as error:
        raise AnswerLost(f"{host} gave no answer: {one_line(str(error)) or type(error).__name__}") from error


def _opener(ca_file: Path | None) -> OpenerDirector:
    """Opens https and nothing else, follows no redirect with our secrets, and takes no status for an exception."""
    opener = OpenerDirector()
    opener.add_handler(ProxyHandler())  # what the environment says: https_proxy, no_proxy
    opener.add_handler(HTTPSHandler(context=_context(ca_file)))
    return opener


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return _trust(ca_file, ca_file.stat().st_mtime_ns if ca_file else 0)
    except (OSError, ssl.SSLError) as error:
        raise ServerUntrusted(f"ca_file {ca_file}: no certificates can be read from it ({error})") from error


@lru_cache(maxsize=16)
def _trust(ca_file: Path | None, _changed: int) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=ca_file)
    made.minimum_version = ssl.TLSVersion.TLSv1_2  # Debian's Python would go lower
    if ca_file is not None:
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the file may name the server's own certificate
    return made
