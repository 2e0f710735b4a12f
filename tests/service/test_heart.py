"""When the daemon counts as begun: once every folder has had an answer, or has had long enough for one."""

from watcher.inbox.pulse import Pulse
from watcher.service.heart import FIRST_ANSWERS, Heart
from watcher.service.systemd import ServiceManager

BORN = 100.0


def test_it_has_begun_once_every_folder_was_answered() -> None:
    begun: list[float] = []
    pulses = [Pulse("ann", "INBOX", answered=True), Pulse("bob", "INBOX")]
    heart = Heart(ServiceManager(), lambda: pulses, {}, lambda: 0, begun=lambda: begun.append(now), now=BORN)
    for now in (BORN + 1, BORN + 2):
        heart.beat(now)
    assert not begun
    pulses[1].answered = True
    for now in (BORN + 3, BORN + 4):
        heart.beat(now)
    assert begun == [BORN + 3]


def test_a_server_that_never_answers_does_not_keep_it_from_that() -> None:
    begun: list[float] = []
    heart = Heart(
        ServiceManager(), lambda: [Pulse("ann", "INBOX")], {}, lambda: 0, begun=lambda: begun.append(now), now=BORN
    )
    for now in (BORN + FIRST_ANSWERS, BORN + FIRST_ANSWERS + 1, BORN + FIRST_ANSWERS + 2):
        heart.beat(now)
    assert begun == [BORN + FIRST_ANSWERS + 1]
