"""The house: what every stage stands on, opened before the first of them and closed after the last."""

import ctypes
import gc
import logging
import os
import resource
import sys
import time
import uuid
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from watcher.config.accounts import Account
from watcher.config.secret import Secret
from watcher.config.settings import Config
from watcher.config.standing import Standing
from watcher.imap.approach import credential_of, endpoint_of
from watcher.imap.link import Link, connect
from watcher.inbox.access import Access
from watcher.inbox.door import Hall
from watcher.model import Kind
from watcher.outbox.canary import Canaries
from watcher.retry import POLICIES
from watcher.service.ending import Ending
from watcher.service.metrics import Metrics
from watcher.store.database import Database
from watcher.store.desk import Desk
from watcher.store.erasure import Erasure
from watcher.store.folders import Folders
from watcher.store.ledger import Ledger
from watcher.store.outgoing import Outgoing
from watcher.store.paths import Paths
from watcher.store.pauses import Pauses
from watcher.store.spool import Spool
from watcher.unpacking import Unpacking

__all__ = [
    "House",
    "keep_memory_private",
    "keep_memory_small",
    "open_house",
    "open_link",
    "prepare_process",
    "recover",
    "spare_what_stays",
]

log = logging.getLogger(__name__)

KERNEL_BOOT = Path("/proc/sys/kernel/random/boot_id")
PR_SET_DUMPABLE = 4  #: prctl(2)
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3  #: mallopt(3)
LARGE = 128 << 10  #: bytes of a piece of memory that is given back to the system when it is free
SPARE_DESCRIPTORS = 200  #: for the ledger, handlers and children
SWITCH = 0.0005  #: seconds that a thread may go on while another one wants to: a mail goes through many


@dataclass(frozen=True, slots=True)
class House:
    """What every stage needs: the settings, what survives, and how things end."""

    standing: Standing
    ledger: Ledger
    outgoing: Outgoing
    folders: Folders
    paths: Paths
    desk: Desk
    pauses: Pauses
    erasure: Erasure
    spool: Spool
    canaries: Canaries
    unpacking: Unpacking
    hall: Hall
    access: Access
    metrics: Metrics
    ending: Ending
    at_end: ExitStack  #: closes what was opened, the last first

    @property
    def config(self) -> Config:
        """The one in force now; a reload changes it."""
        return self.standing.config


def prepare_process(accounts: int) -> None:
    """Once, before the first thread."""
    allow_descriptors(accounts)
    keep_memory_private()
    keep_memory_small()
    sys.setswitchinterval(SWITCH)


def allow_descriptors(accounts: int) -> None:
    """Each link is a descriptor; the usual soft limit of 1024 is for programs that use select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 2 * accounts + SPARE_DESCRIPTORS:
        log.warning(
            "%d accounts may need more than the %d open files allowed; see LimitNOFILE or ulimit -n", accounts, hard
        )
    log.debug("open files: %d allowed, %d before", hard, soft)


def keep_memory_private() -> None:
    """What we know (passwords, mail) is in no core file, and no other process of our user, a handler say, reads it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0):
        log.warning("the memory of this process can't be closed to others: %s", os.strerror(ctypes.get_errno()))


def keep_memory_small() -> None:
    """
    One heap for all threads: of one each, all would keep what large mails have taken once. And nothing large in it:
    left to itself, glibc puts there what is as large as what was free before, and the heap grows by the gaps between.
    """
    with suppress(AttributeError):  # only glibc has it
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE)


def spare_what_stays() -> None:
    """
    Once all links stand: nothing looks for garbage any more among what is there now. With 5,000 links such a look takes
    200 ms, in which no mail is handled; what becomes free of them by itself goes as before.
    """
    gc.collect()
    gc.freeze()


def open_house(config: Config, ending: Ending, at_end: ExitStack) -> House:
    state = config.watcher.state
    database = Database(state, ending.event)
    at_end.callback(database.close)
    ledger = Ledger(database, boot=uuid.uuid4().hex, machine=KERNEL_BOOT.read_text("ascii").strip())
    spool = Spool(state)
    at_end.callback(spool.close)
    standing = Standing(config)
    outgoing = Outgoing(database)
    pauses = Pauses(database)
    canaries = Canaries(standing, outgoing, spool, pauses.account)
    unpacking = Unpacking(standing, spool, ledger, outgoing, canaries)
    at_end.callback(unpacking.close)
    hall = Hall(room=max(1, config.watcher.links // 2))
    return House(
        standing=standing,
        ledger=ledger,
        outgoing=outgoing,
        folders=Folders(database),
        paths=Paths(database),
        desk=Desk(database),
        pauses=pauses,
        erasure=Erasure(database),
        spool=spool,
        canaries=canaries,
        unpacking=unpacking,
        hall=hall,
        access=Access(open_link),
        metrics=Metrics(),
        ending=ending,
        at_end=at_end,
    )


def recover(house: House) -> None:
    """Put back what an earlier run left half done, before anything new begins."""

    def most(kind: Kind, name: str) -> int:
        return house.config.handler(name).attempts if kind is Kind.JOB else POLICIES[kind].attempts

    interrupted = house.ledger.recover(time.time(), most)
    strays = house.spool.sweep(house.desk.keys())
    if interrupted or strays:
        log.warning("recovered: %d interrupted pieces of work, %d half-fetched mails", interrupted, strays)


def open_link(account: Account, secret: Secret, way: str) -> Link:
    """Log in to an account by `secret`; by the mechanism `way` if its server still offers that."""
    return connect(endpoint_of(account), credential_of(account, secret, way), account.profile)
