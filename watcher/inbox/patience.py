"""How long a watcher waits for what. Seconds."""

from dataclasses import dataclass

__all__ = ["Patience"]


@dataclass(frozen=True, slots=True)
class Patience:
    """The usual waits; tests use shorter ones."""

    done: float = 15.0  #: for the answer to DONE; a link that does not give it is dead
    idle_ended: float = 5.0  #: before the next IDLE where the server ends it by itself
    first_wait: float = 1.0  #: before connecting again; doubles, with full jitter
    longest_wait: float = 600.0
    proven_life: float = 300.0  #: a link that lived so long counts as a good one: the wait begins anew
    refused: tuple[float, float] = (300.0, 21600.0)  #: after a refused login or folder, and after each further one
    untrusted: tuple[float, float] = (30.0, 60.0)  #: the same after a certificate that could not be trusted
    look_for_secret: float = 300.0  #: between two looks whether a refused secret was changed
    hold: float = 2.0  #: between two looks while the disk is full
    full: float = 0.2  #: between two looks while the backlog is
    quiet: float = 60.0  #: after which a held link is asked for a sign of life
    probe: float = 21600.0  #: between two looks over a fresh link at what the old one may hide; half to one and a half
    look_for_folders: float = 1800.0  #: between two looks at which folders the patterns stand for
    easing: float = 300.0  #: until a folder that is to give up its link has come to its next renewal
    regain: float = 21600.0  #: after that, until one of these gets a link again; and between two of them
    audit: float = 86400.0  #: between two searches of the last days for what no other search has listed
    describe_again: float = 3600.0  #: until a server is asked again to describe mails, after that broke the link
    hurry_again: float = 86400.0  #: until a look is sent right behind DONE once more, after that broke the link
    fetch_again: float = 15.0  #: until a UID that brought no bytes is asked for again; doubles
