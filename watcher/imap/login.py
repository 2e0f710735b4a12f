"""Proving who we are: by the best way that the server offers, and only inside TLS."""

import ssl
from typing import Any

from watcher.config.providers.catalogue import hint
from watcher.config.providers.causes import Cause, Remedy
from watcher.config.providers.profile import Login, Profile
from watcher.errors import LoginRefused, Loss, MailboxLost, ServerUntrusted
from watcher.imap.faults import lost
from watcher.imap.refusals import Phase, meaning, worded
from watcher.imap.sasl import Credential, Exchange, Proof, exchange, mechanisms
from watcher.imap.signals import Reply
from watcher.imap.wire import Client, Wire
from watcher.printing import printable
from watcher.version import __version__

__all__ = ["introduce", "login", "quoted"]

#: Refusals after which the same secret must not be shown again at once.
_REFUSED = frozenset({Remedy.STOP, Remedy.FIX, Remedy.REFRESH})


def login(wire: Wire, credential: Credential, profile: Profile, timeout: float) -> str:
    """
    Logs in, and tells by which mechanism. `timeout`: seconds for each that is tried.

    LoginRefused if the server does not want this user, MailboxLost if it has other troubles.

    A refused SCRAM says little about the password: servers offer it to all users, and those whose password is stored
    as another kind of hash are refused whatever they prove. So PLAIN is tried after it, once. That is a failed login
    more, and servers lock accounts for those; `Credential.way` spares it to whoever was here before.
    """
    where = f"{printable(credential.user)} at {wire.host}"
    for value, what in ((credential.user, "user name"), (credential.secret.reveal(), credential.proof.value)):
        if set(value) & {"\r", "\n", "\0"}:
            why = f"{where}: the {what} holds a line break or NUL: is there one at the end of its file?"
            raise LoginRefused(why, cause=Cause.SETTINGS)
    if not isinstance(wire.sock, ssl.SSLSocket) or wire.state != "NONAUTH":
        raise ServerUntrusted(f"{wire.host} greets as already logged in (PREAUTH), as somebody we don't know")
    ways = mechanisms(wire.capabilities, profile, credential)
    if not ways:
        cause, why = _no_way(wire.capabilities, profile, credential)
        raise LoginRefused(f"{where}: {why}", cause=cause)
    try:
        _log_in_by(ways[0], wire, credential, profile, timeout)
    except LoginRefused as refusal:
        if ways[:2] != ("SCRAM-SHA-256", "PLAIN") or refusal.cause != Cause.CREDENTIALS:
            raise
        _log_in_by("PLAIN", wire, credential, profile, timeout)
        return "PLAIN"
    return ways[0]


def _log_in_by(name: str, wire: Wire, credential: Credential, profile: Profile, timeout: float) -> None:
    wire.expect(timeout)
    way = exchange(name, credential) if name != "LOGIN" else None
    try:
        if way is None:
            _login_command(wire, credential)
        else:
            wire.authenticate(name, way.answer)
            way.accepted()
    except wire.error as error:
        told = wire.tidings.reply
        where = f"{printable(credential.user)} at {wire.host}"
        phase = Phase.TOKEN if credential.proof is Proof.TOKEN else Phase.LOGIN
        if told is None or told.status == "OK":
            raise lost(where, error, profile=profile, phase=phase) from error
        raise _refusal(where, told, way, profile, phase) from error


def _refusal(
    where: str, told: Reply, way: Exchange | None, profile: Profile, phase: Phase
) -> LoginRefused | MailboxLost:
    complaint = way.complaint if way else ""
    signal = meaning(phase, told, profile, complaint)
    text = f"{where}: {worded(told, signal, complaint)}"
    if signal.remedy in _REFUSED:
        return LoginRefused(text, told.code, cause=signal.cause, wait=signal.wait)
    return MailboxLost(text, Loss.SAID, told.code, cause=signal.cause, wait=signal.wait)


def _login_command(wire: Wire, credential: Credential) -> None:
    """The last resort (RFC 3501 6.2.3)."""
    status, _ = wire.xatom("LOGIN", quoted(credential.user), quoted(credential.secret.reveal()))
    if status != "OK":
        raise wire.error("LOGIN refused")
    wire.state = "AUTH"


def _no_way(capabilities: tuple[str, ...], profile: Profile, credential: Credential) -> tuple[Cause, str]:
    """Why none of the ways that the server offers will do."""
    if credential.proof is Proof.TOKEN:
        return Cause.SETTINGS, "the server takes no access tokens (no AUTH=OAUTHBEARER, no AUTH=XOAUTH2): set password"
    if credential.proof is Proof.CERTIFICATE:
        return Cause.SETTINGS, "the server does not log in by certificate (no AUTH=EXTERNAL): set password, too"
    if set(profile.logins) == {Login.OAUTH}:
        return Cause.OAUTH, hint(profile, Cause.OAUTH)
    if "LOGINDISABLED" in capabilities:
        return Cause.OAUTH, f"no password will do (LOGINDISABLED, no AUTH=PLAIN): {hint(profile, Cause.OAUTH)}"
    return Cause.CREDENTIALS, "the server takes only ASCII passwords (no AUTH=PLAIN): choose another one"


def introduce(client: Client) -> dict[str, str]:
    """
    Says who we are where the server asks for it (RFC 2971): NetEase opens no folder for a stranger. What the server
    says of itself, printable; nothing if it does not.
    """
    if not client.has_capability("ID"):
        return {}
    try:
        told = client.id_({"name": "imap-watcher", "version": __version__})
    except client.AbortError:
        raise
    except client.Error:
        return {}  # it asked and did not like the answer: its own business, login stands
    words = [printable(word) if isinstance(word, bytes) else "" for word in _listed(told)]
    return dict(zip(map(str.lower, words[::2]), words[1::2], strict=False))


def _listed(told: Any) -> tuple[Any, ...]:
    """The list within the answer to ID; some send NIL, or none."""
    return told[0] if told and isinstance(told[0], tuple) else ()


def quoted(text: str) -> str:
    """`text` as an IMAP quoted string (RFC 3501 4.3)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
