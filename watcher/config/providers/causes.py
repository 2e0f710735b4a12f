"""What a refusal is about, and what is to be done about it: the terms in which profiles, edges and watchers speak."""

from collections.abc import Mapping
from enum import StrEnum

__all__ = ["REMEDIES", "Cause", "Remedy"]


class Remedy(StrEnum):
    """What a program does about a refusal."""

    STOP = "stop"  #: tell a person at once; try once more a little later, then only with other settings
    FIX = "fix"  #: the same, and it is the configuration that must change
    REFRESH = "refresh"  #: get a new access token, then at once again
    EASE = "ease"  #: give up links of our own, then as WAIT
    WAIT = "wait"  #: nothing is wrong here: again after a while, slower each time
    RECONNECT = "reconnect"  #: the link is worth nothing any more: a new one
    PARK = "park"  #: leave this folder alone for hours, the rest goes on


class Cause(StrEnum):
    """What the server's words are about. The first ones are for a person to mend."""

    CREDENTIALS = "credentials"  #: user or password is wrong
    APP_PASSWORD = "app-password"  # noqa: S105 a word  #: the usual password will never do, one made for programs will
    OAUTH = "oauth"  #: no password will ever do
    IMAP_OFF = "imap-off"  #: IMAP is switched off for this mailbox
    EXPIRED = "expired"  #: the password was right once
    CONFIRM = "confirm"  #: the provider wants a person to log in with a browser first
    FORBIDDEN = "forbidden"  #: known, and not allowed
    STRANGER = "stranger"  #: the server wants an ID that it likes (RFC 2971)
    SETTINGS = "settings"  #: host, port or TLS don't fit
    TOKEN = "token"  # noqa: S105 a word  #: the access token has run out
    CONNECTIONS = "connections"  #: too many at once; says nothing about the password
    THROTTLED = "throttled"  #: too much, too fast
    QUOTA = "quota"  #: an allowance of hours or a day is used up
    BUSY = "busy"  #: another program holds what we want, for moments
    UNAVAILABLE = "unavailable"  #: the server has troubles of its own
    CLOSED = "closed"  #: the server ended the link, for a reason that is nobody's fault
    DIALECT = "dialect"  #: the server did not understand us
    FOLDER = "folder"  #: it is not there, or may not be opened


#: One thing to do for each cause.
REMEDIES: Mapping[Cause, Remedy] = {
    Cause.CREDENTIALS: Remedy.STOP,
    Cause.APP_PASSWORD: Remedy.STOP,
    Cause.OAUTH: Remedy.STOP,
    Cause.IMAP_OFF: Remedy.STOP,
    Cause.EXPIRED: Remedy.STOP,
    Cause.CONFIRM: Remedy.STOP,
    Cause.FORBIDDEN: Remedy.STOP,
    Cause.STRANGER: Remedy.STOP,
    Cause.SETTINGS: Remedy.FIX,
    Cause.TOKEN: Remedy.REFRESH,
    Cause.CONNECTIONS: Remedy.EASE,
    Cause.THROTTLED: Remedy.WAIT,
    Cause.QUOTA: Remedy.WAIT,
    Cause.BUSY: Remedy.WAIT,
    Cause.UNAVAILABLE: Remedy.WAIT,
    Cause.CLOSED: Remedy.RECONNECT,
    Cause.DIALECT: Remedy.RECONNECT,
    Cause.FOLDER: Remedy.PARK,
}
