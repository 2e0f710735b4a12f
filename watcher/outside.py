"""What reaches a running daemon from outside: changed files, commands, machines that look after it."""

import logging
from collections.abc import Collection, Mapping

from watcher.house import House
from watcher.inbox.accounts import Accounts
from watcher.jobs.dispatch import Dispatcher
from watcher.outbox.alarm import Alarm
from watcher.service.adoption import Adoption
from watcher.service.control import Control, Refused
from watcher.service.counter import Counter, Verb
from watcher.service.erasing import Erasing
from watcher.service.events import Events
from watcher.service.exposure import Exposure
from watcher.service.heart import Heart
from watcher.service.letterbox import Letterbox
from watcher.service.metrics import Readings
from watcher.service.pausing import Pausing
from watcher.service.reload import Reload
from watcher.service.status import Status
from watcher.stage import Stage

__all__ = ["open_control", "open_pages", "open_reload"]

LONGEST_LOOK = 25.0  #: seconds that a command waits for changed files to be looked at


def open_reload(house: House, accounts: Accounts, dispatcher: Dispatcher, jobs: Stage, heart: Heart) -> Reload:
    """Files to what is in force. Handlers that were held get another try when anything has changed."""
    adoption = Adoption(house.standing, accounts)

    def look() -> None:
        if adoption.look() | dispatcher.refresh():
            jobs.resume()

    path = house.config.path
    watched = {path.parent: path, house.config.watcher.handlers: None}
    reload = Reload(watched, lambda: heart.reload(look), house.ending.fail)
    house.at_end.callback(reload.close)
    return reload


def open_control(
    house: House, accounts: Accounts, dispatcher: Dispatcher, reload: Reload, alarm: Alarm, *stages: Stage
) -> None:
    """The socket on which the commands ask."""

    def ring() -> None:
        dispatcher.forget()
        for stage in stages:
            stage.resume()

    status = Status(
        house.standing,
        house.desk,
        accounts.pulses,
        songs=house.canaries.all_songs,
        handlers=dispatcher.troubles,
        paused=lambda: house.pauses.names["handler"],
    )

    def look() -> object:
        if not reload.look_now(within=LONGEST_LOOK):
            raise Refused(f"it takes longer than {LONGEST_LOOK:.0f} s; see status for what came of it")
        return status.troubles()

    letterbox = Letterbox(house.outgoing, house.spool, ring)
    pausing = Pausing(house.standing, house.pauses, accounts, ring)
    events = Events()
    logging.getLogger().addHandler(events)
    house.at_end.callback(logging.getLogger().removeHandler, events)

    def forget(keys: Collection[str]) -> None:
        events.forget(keys)
        alarm.forget(keys)

    erasing = Erasing(house.erasure, house.spool, ring, forget)
    others: Mapping[str, Verb] = {
        "status": status.tell,
        "reload": look,
        "events": events.tell,
        "pause": pausing.pause,
        "resume": pausing.resume,
        "post": letterbox.post,
        "traces": erasing.find,
        "erase": erasing.erase,
    }
    counter = Counter(house.desk, ring, others)
    assert house.config.watcher.socket is not None
    control = Control(house.config.watcher.socket, counter, house.ending.fail)
    house.at_end.callback(control.close)


def open_pages(house: House, accounts: Accounts, heart: Heart) -> None:
    """What machines that look after us may read, if it is wanted."""
    where, metrics = house.config.watcher.metrics, house.metrics
    if where is not None:
        metrics.registry.register(
            Readings(accounts.pulses, house.desk.counts, house.spool.free, house.canaries.all_songs)
        )
        pages = {"/metrics": lambda: (200, metrics.text()), "/healthz": heart.health, "/readyz": heart.readiness}
        house.at_end.callback(Exposure(where, pages).close)
