"""What an authorization server gave us for one mailbox, and when it has to be renewed. Pure."""

import dataclasses
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from watcher.config.secret import Secret
from watcher.config.shape import has_control

__all__ = ["Grant", "Tokens", "tokens_from"]

#: Renewed so many seconds before the end, or a tenth of the life if that is shorter, so that a hitch does no harm.
EARLY = 300.0

#: Life of a token whose issuer doesn't tell; what most use.
USUAL = 3600.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """An answer of the token endpoint (RFC 6749 5.1)."""

    access: Secret  #: what a mail server takes
    life: float  #: seconds it is good for
    refresh: Secret | None  #: for the next one; None if the old one goes on


def tokens_from(answer: Any) -> Tokens:
    """The tokens in a JSON answer. Raises ValueError that tells no value."""
    if not isinstance(answer, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 any wrong answer is one error
    if str(answer.get("token_type", "Bearer")).lower() != "bearer":
        raise ValueError("its token_type is not Bearer")
    life = str(answer.get("expires_in") or USUAL)
    if not life.replace(".", "", 1).isdecimal() or len(life) > 12:
        raise ValueError("its expires_in is not a number of seconds")
    refresh = _secret(answer, "refresh_token") if answer.get("refresh_token") else None
    return Tokens(_secret(answer, "access_token"), float(life), refresh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The tokens as we keep them. Times in Unix seconds."""

    client_id: str  #: of the client they were given to; no other can use them
    access: Secret  #: what a mail server takes
    issued: float  #: when we got it
    expires: float  #: when it ends
    refresh: Secret  #: for the next one
    previous: Secret | None = None  #: the one before `refresh`, until that one has proved to work

    def fresh(self, now: float) -> bool:
        """Whether it need not be renewed yet. A clock that was set back proves nothing, so then it must."""
        return self.issued <= now < self.expires - min(EARLY, (self.expires - self.issued) / 10)

    def alive(self, now: float) -> bool:
        """Whether a mail server would take it."""
        return self.issued <= now < self.expires

    def untried(self, tried: Collection[Secret]) -> Secret | None:
        """The best refresh token that is not among those `tried`."""
        candidates = (self.refresh, self.previous)
        return next((token for token in candidates if token is not None and token not in tried), None)

    def renewed(self, tokens: Tokens, by: Secret, now: float) -> "Grant":
        """What to keep when `by` fetched `tokens`: a successor is not trusted alone before it has worked once."""
        rotated = tokens.refresh is not None and tokens.refresh != by
        return Grant(
            client_id=self.client_id,
            access=tokens.access,
            issued=now,
            expires=now + tokens.life,
            refresh=tokens.refresh or by,
            previous=by if rotated else None,
        )

    def spent(self) -> "Grant":
        """The same with an access token that is over."""
        return dataclasses.replace(self, expires=self.issued)

    def to_json(self) -> str:
        """As it stands in the file."""
        record = {
            "version": 1,
            "client_id": self.client_id,
            "access_token": self.access.reveal(),
            "issued": self.issued,
            "expires": self.expires,
            "refresh_token": self.refresh.reveal(),
            "previous": self.previous.reveal() if self.previous else None,
        }
        return json.dumps(record, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Grant":
        """What `to_json` wrote. Raises ValueError that tells no value."""
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("it is not JSON") from None  # the cause holds the text
        if not isinstance(record, dict) or record.get("version") != 1:
            raise ValueError("it is not of version 1")
        times = record.get("issued"), record.get("expires")
        issued, expires = (float(time) if isinstance(time, int | float) else 0.0 for time in times)
        return cls(
            client_id=str(record.get("client_id")),
            access=_secret(record, "access_token"),
            issued=issued,
            expires=expires,
            refresh=_secret(record, "refresh_token"),
            previous=_secret(record, "previous") if record.get("previous") else None,
        )


def _secret(record: dict[str, Any], key: str) -> Secret:
    token = record.get(key)
    if not isinstance(token, str) or not token or not token.isascii() or has_control(token):
        raise ValueError(f"it holds no usable {key}")
    return Secret(token)
