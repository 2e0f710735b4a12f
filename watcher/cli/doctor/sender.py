"""What DNS says of a sender, and what follows from it. Pure but for the questions."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from watcher.cli.doctor.findings import Finding, Mark
from watcher.cli.doctor.spf import Names, Senders, senders
from watcher.config.smtp import DkimSettings, Relay
from watcher.mail.signing import belongs
from watcher.printing import printable

__all__ = ["LISTS", "of_address", "of_dkim", "of_dmarc", "of_exchangers", "of_spf", "sender_records"]

#: Block lists that nearly everybody asks, and where to look why one is on them.
LISTS = {"zen.spamhaus.org": "https://check.spamhaus.org", "bl.spamcop.net": "https://www.spamcop.net/bl.shtml"}


def sender_records(relay: Relay, domain: str, names: Names, addresses: Sequence[str]) -> Iterator[Finding]:
    """
    What a receiver looks up about mail from `domain`. Raises NamesUnavailable, SecretUnavailable.

    `addresses`: those that our mail comes from, as far as they are ours and not a provider's.
    """
    yield of_exchangers(domain, [one.host for one in names.exchangers(domain)], names.addresses(domain))
    yield of_spf(domain, senders(domain, names), relay, addresses)
    if relay.dkim:
        signer = relay.dkim.domain or domain
        yield of_dkim(relay.dkim, signer, names.texts(f"{relay.dkim.selector}._domainkey.{signer}"))
    else:
        yield Finding("dkim", Mark.WELL, "not signed here; the relay is to do it, look at a mail that has arrived")
    yield of_dmarc(domain, *dmarc(domain, names))


def of_exchangers(domain: str, exchangers: Sequence[str], addresses: Sequence[str]) -> Finding:
    """Whether answers and bounces find their way back."""
    if exchangers in (["."], [""]) or not (exchangers or addresses):
        text = f"{domain} takes no mail: neither answers nor bounces come back, and many refuse such a sender"
        return Finding("mx", Mark.FAILED, text)
    if not exchangers:
        return Finding("mx", Mark.DOUBT, f"{domain} has no MX record, only an address: set one")
    return Finding("mx", Mark.WELL, ", ".join(map(printable, exchangers[:5])))


def of_spf(domain: str, found: Senders, relay: Relay, addresses: Sequence[str]) -> Finding:
    """Whether the domain lets this relay send for it (RFC 7208)."""
    strange = [one for one in addresses if not found.has(one)]
    if found.records == 0:
        add = f"include:{relay.spf}" if relay.spf else " ".join(map(mechanism, addresses)) or "include:… of the relay"
        text = f"{domain} has no SPF record: publish a TXT record v=spf1 {add} ~all"
        return Finding("spf", Mark.FAILED, text)
    if found.records > 1:
        return Finding("spf", Mark.FAILED, f"{domain} has {found.records} SPF records, so none counts: keep one")
    if found.too_many:
        return Finding(
            "spf", Mark.FAILED, f"the record of {domain} needs more than 10 look-ups, so it counts as broken"
        )
    if found.ending == "+all":
        return Finding(
            "spf", Mark.FAILED, f"the record of {domain} lets everybody send (+all): end it with ~all or -all"
        )
    if strange:
        add = " ".join(map(mechanism, strange))
        return Finding("spf", Mark.FAILED, f"{domain} does not let {', '.join(strange)} send: add {add}")
    if relay.spf and relay.spf not in found.included:
        text = f"{domain} does not include {relay.spf}: add it, unless the relay sends bounces to a domain of its own"
        return Finding("spf", Mark.DOUBT, text)
    known = bool(addresses) or bool(relay.spf)
    return Finding("spf", Mark.WELL, f"one record{', and our relay is in it' if known else ''}{of_rest(found.ending)}")


def mechanism(address: str) -> str:
    return f"ip{ip_address(address).version}:{address}"


def of_rest(ending: str) -> str:
    return {"-all": "; others are refused", "~all": "; others are suspect"}.get(ending, "; of others it says nothing")


def of_dkim(settings: DkimSettings, domain: str, records: Sequence[str]) -> Finding:
    """Whether our signature can be verified (RFC 6376). Raises SecretUnavailable."""
    where = f"{settings.selector}._domainkey.{domain}"
    if len(records) != 1:
        text = f"{where} has {len(records) or 'no'} TXT record{'s' * (len(records) > 1)}: publish the public key there"
        return Finding("dkim", Mark.FAILED, text)
    if not belongs(records[0], settings.key):
        return Finding("dkim", Mark.FAILED, f"the public key at {where} is not that of {settings.key}")
    return Finding("dkim", Mark.WELL, f"the key at {where} is ours")


def dmarc(domain: str, names: Names) -> tuple[str, list[str]]:
    """Where the policy of a domain stands, its own or that of a domain above it, and the records there."""
    labels = domain.split(".")
    for at in range(max(1, len(labels) - 1)):
        name = ".".join(labels[at:])
        if found := [text for text in names.texts(f"_dmarc.{name}") if text.lower().startswith("v=dmarc1")]:
            return name, found
    return domain, []


def of_dmarc(domain: str, where: str, records: Sequence[str]) -> Finding:
    """What is to happen to mail that fails both (RFC 7489)."""
    if not records:
        text = f"{domain} has no policy, which large receivers want: publish a TXT record v=DMARC1; p=none at _dmarc."
        return Finding("dmarc", Mark.DOUBT, text)
    if len(records) > 1:
        return Finding("dmarc", Mark.FAILED, f"_dmarc.{where} has {len(records)} policies, so none counts: keep one")
    tags = dict(tag.strip().partition("=")[::2] for tag in records[0].split(";"))
    return Finding("dmarc", Mark.WELL, f"p={printable(tags.get('p', 'none'), 20)}, at _dmarc.{where}")


def of_address(address: str, hello: str, names: Names) -> Iterator[Finding]:
    """What receivers hold against an address of our own: its name, and block lists. Raises NamesUnavailable."""
    pointers = names.pointers(address)
    back = [name for name in pointers if address in names.addresses(name)]
    if not pointers:
        text = f"{address} has no name (PTR): many refuse its mail; the provider of the line or machine sets it"
        yield Finding("ptr", Mark.FAILED, text)
    elif not back:
        text = f"{address} is called {printable(pointers[0])}, which is not {address}: both must agree"
        yield Finding("ptr", Mark.FAILED, text)
    elif hello and hello.lower().rstrip(".") not in [name.lower() for name in back]:
        text = f"{address} is called {printable(back[0])}, and our server says {printable(hello)}: set its name to that"
        yield Finding("ptr", Mark.DOUBT, text)
    else:
        yield Finding("ptr", Mark.WELL, f"{address} is {printable(back[0])}, and back")
    reverse = ip_address(address).reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    for name, where in LISTS.items():
        listed = [one for one in names.addresses(f"{reverse}.{name}") if one.startswith("127.")]
        if not listed:
            yield Finding("lists", Mark.WELL, f"{address} is not on {name}")
        elif all(one.startswith("127.255.") for one in listed):
            yield Finding("lists", Mark.DOUBT, f"{name} answers nobody who asks through this name server: see {where}")
        else:
            yield Finding("lists", Mark.FAILED, f"{address} is on {name}: see {where} for why, and how to get off")
