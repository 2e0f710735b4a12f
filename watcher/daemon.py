"""The main path: the life of the daemon, from the lock on its state to the last thread."""

import logging
import time
from contextlib import ExitStack

from watcher.config.settings import Config
from watcher.craft import Craft
from watcher.errors import LoginRefused
from watcher.handling import Handling
from watcher.handover import Handover
from watcher.house import House, open_house, prepare_process, recover, spare_what_stays
from watcher.imap.link import Link
from watcher.inbox.accounts import Accounts
from watcher.inbox.enter import enter_now
from watcher.inbox.lounge import Lounge
from watcher.inbox.post import Reception
from watcher.jobs.dispatch import Dispatcher
from watcher.outbox.after import After
from watcher.outbox.alarm import Alarm
from watcher.outbox.fallback import Fallback
from watcher.outbox.postman import Postman
from watcher.outbox.scribe import Scribe, Us
from watcher.outside import open_control, open_pages, open_reload
from watcher.posting import Posting
from watcher.rounds import Rounds
from watcher.rules.prefilter import Prefilter
from watcher.service.ending import Ending
from watcher.service.heart import Heart, Parts
from watcher.service.life import Life
from watcher.service.systemd import ServiceManager
from watcher.stage import Stage
from watcher.store.lock import hold_state

__all__ = ["run"]

log = logging.getLogger(__name__)

FAREWELL = 30.0  #: seconds that the end may take besides what running handlers get


def run(config: Config) -> None:
    """
    Watch all accounts until a signal ends it. Raises WatcherError for what an operator must mend, else bugs.

    What is opened is closed in the opposite order: no new mail, then no new work, then the ledger.
    """
    manager, ending = ServiceManager(), Ending()
    prepare_process(len(config.accounts))
    with hold_state(config.watcher.state), ending.signals(), ExitStack() as at_end:
        house = open_house(config, ending, at_end)
        recover(house)

        after = open_after(house)
        sending = open_sending(house)
        dispatcher = open_dispatcher(house)
        jobs = open_jobs(house, dispatcher, after, sending)
        unpack = open_unpack(house, jobs, after)
        accounts = open_inbox(house, unpack)
        stages = {"unpacking": unpack, "jobs": jobs, "after-actions": after, "sending": sending}
        parts: Parts = {"receiving": accounts.lounge, **stages}
        heart = Heart(manager, accounts.pulses, parts, jobs.roster.busy, begun=spare_what_stays, now=time.monotonic())
        reload = open_reload(house, accounts, dispatcher, jobs, heart)
        fallback = Fallback(lambda: house.standing.config.alerts, house.spool, house.outgoing)
        alarm = open_alarm(house, sending, fallback)
        open_control(house, accounts, dispatcher, reload, alarm, *stages.values())
        open_pages(house, accounts, heart)

        log.info("watching %d folders of %d accounts", len(accounts.pulses()), len(config.accounts))
        life = Life(accounts.pulses, time.monotonic())
        rounds = Rounds(house, stages.values(), sending, life, alarm, fallback)
        while not ending.wait(heart.rhythm):
            heart.beat(now := time.monotonic())
            rounds.go(now)
        log.info("stopping: %s", ending.reason)
        manager.stopping(house.config.watcher.stop_timeout + FAREWELL, f"stopping: {ending.reason}")
    if ending.failure:
        raise ending.failure


# --- the stages; the last one of a mail's way first, since bells ring downstream ------------------------------------


def open_after(house: House) -> Stage:
    """Ledger to server."""

    def connect_to(name: str) -> Link:
        account = house.standing.account(name)
        if account is None:
            raise LoginRefused("this account is no longer in the configuration")
        return enter_now(house.hall.door(account.path), lambda: house.access.open(account))

    after = After(connect_to, house.pauses.account)
    house.at_end.callback(after.close)
    stage = begin(house, after)
    house.at_end.callback(stage.rouse)
    house.at_end.callback(after.hurry)
    return stage


def open_sending(house: House) -> Stage:
    """Ledger to relay."""
    postman = Postman(house.standing.relay, house.outgoing, house.spool)
    house.at_end.callback(postman.close)
    return begin(house, postman)


def open_alarm(house: House, sending: Stage, fallback: Fallback) -> Alarm:
    """Errors in the log to mail, if that is wanted."""

    def post(posting: Posting) -> None:
        house.outgoing.post(posting, time.time())
        sending.bell.ring()

    standing = house.standing
    settings, instance = (lambda: standing.config.alerts), house.outgoing.instance
    alarm = Alarm(settings, standing.relay, house.spool, instance, post, otherwise=fallback.add)
    logging.getLogger("watcher").addHandler(alarm)
    house.at_end.callback(logging.getLogger("watcher").removeHandler, alarm)
    return alarm


def open_dispatcher(house: House) -> Dispatcher:
    standing = house.standing
    us = Us(standing.relay, standing.handler, standing.addresses, house.outgoing.instance)
    scribe = Scribe(us, house.spool)
    return Dispatcher(standing.handler, house.config.watcher.handlers, house.spool.path, write=scribe.write)


def open_jobs(house: House, dispatcher: Dispatcher, *downstream: Stage) -> Stage:
    """Ledger to handler to ledger."""
    handling = Handling(dispatcher, house.standing, house.unpacking, house.pauses, house.metrics)
    return begin(house, handling, *downstream)


def open_unpack(house: House, *downstream: Stage) -> Stage:
    """Raw mail to mail folder to jobs."""
    return begin(house, house.unpacking, *downstream)


def open_inbox(house: House, unpack: Stage) -> Accounts:
    """Server to ledger: one guest of the lounge for each folder."""
    reception = Reception(
        house.folders,
        house.spool,
        house.access,
        door=lambda account: house.hall.door(account.path),
        paths=house.paths,
        downstream=Handover(house, unpack),
        prefilter=Prefilter(house.canaries.rules),
        sharers=house.standing.sharers,
    )
    lounge = Lounge(house.config.watcher.links, house.ending.fail)
    house.at_end.callback(lounge.close)
    house.at_end.callback(house.access.abort)
    house.at_end.callback(lounge.announce_close)
    accounts = Accounts(reception, lounge, house.pauses.account)
    for account in house.config.accounts:
        accounts.begin(account)
    return accounts


def begin(house: House, craft: Craft, *downstream: Stage) -> Stage:
    """At the end it claims nothing more; what is being done then gets a while before it is cut short."""
    stage = Stage(craft, house.ledger, downstream, ended=house.metrics.ended, on_failure=house.ending.fail)
    house.at_end.callback(stage.join)
    house.at_end.callback(craft.abort)
    house.at_end.callback(lambda: stage.join(house.config.watcher.stop_timeout))
    house.at_end.callback(stage.stop)
    stage.start()
    return stage
