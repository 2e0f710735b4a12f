"""How an account sends, looked over: ports, login, what DNS says of the sender."""

import socket
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address

from watcher.cli.doctor.findings import Finding, Mark
from watcher.cli.doctor.sender import of_address, sender_records
from watcher.cli.doctor.spf import Names
from watcher.config.proxies import Proxy
from watcher.config.shape import is_here
from watcher.config.smtp import Relay
from watcher.errors import WatcherError
from watcher.imap.dial import Endpoint, dial
from watcher.outbox.fields import domain
from watcher.outbox.send import Patience, Session
from watcher.outbox.talk import Talk

__all__ = ["examine_sending", "told", "trial_session"]

SUBMISSION = (465, 587, 25)

Outcome = Iterator[Finding]


def examine_sending(relay: Relay, names: Names, timeout: float) -> Outcome:
    """Ports, login, records of DNS. Each part tells its own failure; none stops the others."""
    yield from told("smtp", lambda: _ports(relay, timeout))
    session = trial_session(relay, timeout)
    yield from told("smtp", lambda: _login(session))
    if relay.sender is None:
        yield Finding("sender", Mark.FAILED, f"[smtp.{relay.name}] has no `from`")
        return
    own = domain(relay.sender)
    yield from told("dns", lambda: _records(relay, own, names, session.name))


def told(step: str, find: Callable[[], Outcome]) -> Outcome:
    """What goes wrong is a finding as well."""
    began = time.monotonic()
    try:
        yield from find()
    except WatcherError as error:
        yield Finding(step, Mark.FAILED, str(error), time.monotonic() - began)


def trial_session(relay: Relay, timeout: float) -> Session:
    """One that waits no longer than `timeout` seconds for each answer."""
    return Session(relay, Talk(), Patience(timeout, timeout, timeout, timeout, max(timeout, 60.0)))


def _ports(relay: Relay, timeout: float) -> Outcome:
    """Which ports can be reached; all but the one in use are mere hints."""
    reached, dead = [], []
    for port in dict.fromkeys((relay.port, *SUBMISSION)):
        try:
            dial(Endpoint(relay.host, port, proxy=_proxy(relay)), time.monotonic() + min(timeout, 5.0)).close()
        except WatcherError:
            dead.append(port)
        else:
            reached.append(port)
    others = ", ".join(map(str, dead))
    text = f"{relay.host} port {', '.join(map(str, reached)) or 'none'} can be reached; not {others or 'none'}"
    if relay.port in reached:
        yield Finding("port", Mark.WELL, text)
    else:
        other = f"set port = {reached[0]} in [smtp.{relay.name}]" if reached else "is something in the way, a firewall?"
        yield Finding("port", Mark.FAILED, f"{text}: {other}")


def _proxy(relay: Relay) -> Proxy | None:
    return relay.proxy.towards(relay.host) if relay.proxy else None


def _login(session: Session) -> Outcome:
    began = time.monotonic()
    session.open()
    offers = session.wire.esmtp_features
    session.close()
    relay = session.relay
    who = f"in as {relay.user}" if relay.source else "without a login"
    size = offers.get("size", "")
    room = f", mails up to {int(size) >> 20} MB" if size.isdecimal() and int(size) else ""
    yield Finding("smtp", Mark.WELL, f"{session.endpoint}, {who}{room}", time.monotonic() - began)


def _records(relay: Relay, domain: str, names: Names, hello: str) -> Outcome:
    addresses = _own_addresses(relay, domain, names)
    yield from sender_records(relay, domain, names, addresses)
    for address in addresses:
        yield from of_address(address, hello, names)


def _own_addresses(relay: Relay, domain: str, names: Names) -> list[str]:
    """From where our mail goes out, if the relay is our own server; else that is the provider's matter."""
    if is_here(relay.host):
        found = _this_machine()
    elif f".{relay.host}".endswith(f".{domain}"):
        found = names.addresses(relay.host)
    else:
        found = []
    return [one for one in found if ip_address(one).is_global]


def _this_machine() -> list[str]:
    """The address that this machine has towards the world; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.41.0.4", 53))  # any address out there serves
        except OSError:
            return []
        return [probe.getsockname()[0]]
