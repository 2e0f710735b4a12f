"""What `doctor --sending` finds: records of DNS in tables of cases, ports and login at a scripted relay."""

from base64 import b64encode
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.fakes.smtp_server import SmtpServer
from watcher.cli.doctor.findings import Mark
from watcher.cli.doctor.sender import of_address, sender_records
from watcher.cli.doctor.sending import examine_sending
from watcher.cli.doctor.spf import senders
from watcher.config.providers.discovery import Exchanger
from watcher.config.secret import PlainSource, Secret
from watcher.config.smtp import DkimSettings, Relay
from watcher.errors import NamesUnavailable
from watcher.model import Address


@dataclass
class Zone:
    """Names as they stand in DNS."""

    txt: dict[str, list[str]] = field(default_factory=dict)
    mx: dict[str, list[str]] = field(default_factory=dict)
    a: dict[str, list[str]] = field(default_factory=dict)
    ptr: dict[str, list[str]] = field(default_factory=dict)

    def texts(self, name):
        return self.txt.get(name, [])

    def exchangers(self, domain):
        return [Exchanger(10, host) for host in self.mx.get(domain, [])]

    def addresses(self, name):
        return self.a.get(name, [])

    def pointers(self, address):
        return self.ptr.get(address, [])


class Dark(Zone):
    def texts(self, name):
        raise NamesUnavailable("no name server answers")

    exchangers = addresses = pointers = texts


def relay(**other):
    return Relay(
        **{
            "name": "out",
            "sender": Address("", "a@example.com"),
            "host": "smtp.example.net",
            "port": 587,
            "tls": "starttls",
            **other,
        }
    )


def marks(zone, *addresses, given=None):
    found = sender_records(given or relay(), "example.com", zone, addresses)
    return {finding.step: (finding.mark, finding.text) for finding in found}


GOOD = {
    "example.com": ["v=spf1 ip4:192.0.2.0/24 -all", "other=1"],
    "_dmarc.example.com": ["v=DMARC1; p=reject"],
}


def test_all_well():
    found = marks(Zone(txt=GOOD, mx={"example.com": ["mx.example.com"]}), "192.0.2.7")
    assert {mark for mark, _ in found.values()} == {Mark.WELL}
    assert "our relay is in it; others are refused" in found["spf"][1]
    assert "p=reject" in found["dmarc"][1]


@pytest.mark.parametrize(
    ("records", "mark", "words"),
    [
        ([], Mark.FAILED, "v=spf1 ip4:192.0.2.7 ~all"),
        (["v=spf10 -all"], Mark.FAILED, "no SPF record"),
        (["v=spf1 -all", "v=spf1 ip4:192.0.2.7"], Mark.FAILED, "2 SPF records"),
        (["v=spf1 +all"], Mark.FAILED, "lets everybody send"),
        (["v=spf1 all"], Mark.FAILED, "lets everybody send"),
        (["v=spf1 ip4:198.51.100.0/24 -all"], Mark.FAILED, "add ip4:192.0.2.7"),
        (["v=spf1 -ip4:192.0.2.7 -all"], Mark.FAILED, "add ip4:192.0.2.7"),
        (["v=spf1 ip4:nonsense ip4:192.0.2.7 ~all"], Mark.WELL, "others are suspect"),
        (["v=spf1 mx -all"], Mark.WELL, "our relay is in it"),
        (["V=SPF1 A:host.example.com/28 -ALL"], Mark.WELL, "our relay is in it"),
        (["v=spf1 include:inner.example -all"], Mark.WELL, "our relay is in it"),
        (["v=spf1 redirect=inner.example"], Mark.WELL, "others are suspect"),
        (["v=spf1 include:loop.example -all"], Mark.FAILED, "add ip4:192.0.2.7"),
        (["v=spf1 " + " ".join(f"exists:e{n}.example" for n in range(11))], Mark.FAILED, "more than 10 look-ups"),
        (["v=spf1 include:deep.example include:deep.example include:deep.example"], Mark.FAILED, "add ip4"),
    ],
)
def test_spf(records, mark, words):
    zone = Zone(
        txt={
            "example.com": records,
            "inner.example": ["v=spf1 ip4:192.0.2.7 ~all"],
            "loop.example": ["v=spf1 include:loop.example ~all"],
            "deep.example": ["v=spf1 include:loop.example a mx ~all"],
        },
        mx={"example.com": ["mx.example.com."]},
        a={"mx.example.com": ["192.0.2.7"], "host.example.com": ["192.0.2.1"]},
    )
    found = marks(zone, "192.0.2.7")["spf"]
    assert found[0] is mark
    assert words in found[1]


def test_a_known_relay_is_to_be_included():
    zone = Zone(txt=GOOD)
    assert marks(zone, given=relay(spf="sendgrid.net"))["spf"][0] is Mark.DOUBT
    zone.txt = {"example.com": ["v=spf1 include:sendgrid.net -all"]}
    assert marks(zone, given=relay(spf="sendgrid.net"))["spf"][0] is Mark.WELL
    assert "include:sendgrid.net" in marks(Zone(), given=relay(spf="sendgrid.net"))["spf"][1]


def test_a_record_that_includes_without_end_is_read_to_an_end():
    zone = Zone(txt={f"d{n}": [f"v=spf1 include:d{n + 1} include:d{n + 1} -all"] for n in range(1000)})
    assert senders("d0", zone).too_many


@pytest.mark.parametrize(
    ("txt", "mark", "words"),
    [
        ({}, Mark.DOUBT, "has no policy"),
        ({"_dmarc.example.com": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, Mark.FAILED, "2 policies"),
        ({"_dmarc.example.com": ["hello"]}, Mark.DOUBT, "has no policy"),
    ],
)
def test_dmarc(txt, mark, words):
    found = marks(Zone(txt=txt))["dmarc"]
    assert found[0] is mark
    assert words in found[1]


def test_the_policy_of_a_domain_above_counts():
    found = sender_records(relay(), "mail.example.com", Zone(txt=GOOD), ())
    assert "_dmarc.example.com" in next(one.text for one in found if one.step == "dmarc")


@pytest.mark.parametrize(
    ("zone", "mark"),
    [
        (Zone(mx={"example.com": ["."]}), Mark.FAILED),
        (Zone(), Mark.FAILED),
        (Zone(a={"example.com": ["192.0.2.1"]}), Mark.DOUBT),
        (Zone(mx={"example.com": ["mx.example.com"]}), Mark.WELL),
    ],
)
def test_exchangers(zone, mark):
    assert marks(zone)["mx"][0] is mark


def test_the_key_in_dns_is_held_against_ours(tmp_path):
    def key():
        return rsa.generate_private_key(public_exponent=65537, key_size=1024)

    ours, other = key(), key()
    (tmp_path / "key.pem").write_bytes(
        ours.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    given = relay(dkim=DkimSettings(selector="s1", key=tmp_path / "key.pem"))

    def published(*keys):
        spelt = [
            b64encode(one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)) for one in keys
        ]
        zone = Zone(txt={"s1._domainkey.example.com": [f"v=DKIM1; k=rsa; p={one.decode()}" for one in spelt]})
        return marks(zone, given=given)["dkim"]

    assert published(ours)[0] is Mark.WELL
    assert published(other) == (
        Mark.FAILED,
        f"the public key at s1._domainkey.example.com is not that of {given.dkim.key}",
    )
    assert "no TXT record" in published()[1]
    assert "2 TXT records" in published(ours, other)[1]
    revoked = Zone(txt={"s1._domainkey.example.com": ["v=DKIM1; p="]})
    assert marks(revoked, given=given)["dkim"][0] is Mark.FAILED


@pytest.mark.parametrize(
    ("ptr", "a", "words"),
    [
        ([], {}, "has no name"),
        (["mx.example.com"], {"mx.example.com": ["192.0.2.8"]}, "both must agree"),
        (["other.example"], {"other.example": ["192.0.2.7"]}, "our server says"),
        (["MX.example.com"], {"MX.example.com": ["192.0.2.7"]}, "and back"),
        (["x"], {"7.2.0.192.zen.spamhaus.org": ["127.0.0.4"]}, "is on zen.spamhaus.org"),
        (["x"], {"7.2.0.192.zen.spamhaus.org": ["127.255.255.254"]}, "answers nobody"),
        (["x"], {"7.2.0.192.zen.spamhaus.org": ["10.0.0.1"]}, "is not on zen.spamhaus.org"),
    ],
)
def test_an_address_of_our_own(ptr, a, words):
    found = of_address("192.0.2.7", "mx.example.com", Zone(ptr={"192.0.2.7": ptr}, a=a))
    assert words in " ".join(finding.text for finding in found)


def test_ports_and_login_are_tried_and_no_part_stops_another():
    with SmtpServer() as server:
        found = list(examine_sending(server.relay(), Dark(), 20.0))
        assert [(one.step, one.mark) for one in found] == [
            ("port", Mark.WELL),
            ("smtp", Mark.WELL),
            ("dns", Mark.FAILED),
        ]
        assert "in as me, mails up to 9 MB" in found[1].text
        wrong = list(examine_sending(server.relay(source=PlainSource(Secret("c4n4ry"))), Zone(), 20.0))
        assert wrong[1].mark is Mark.FAILED
        assert "535" in wrong[1].text
        assert "c4n4ry" not in str(wrong)
        assert {"mx", "spf", "dkim", "dmarc"} <= {one.step for one in wrong}
        gone = server.relay()
    dead = list(examine_sending(gone, Zone(), 20.0))
    assert [one.mark for one in dead[:2]] == [Mark.FAILED, Mark.FAILED]
