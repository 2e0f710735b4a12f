"""Provider profiles: the data is whole, names lead to it, and DNS answers are decided upon by tables."""

import dataclasses
import re
import socket
import threading
from collections import Counter
from pathlib import Path

import dns.message
import dns.rrset
import pytest

from tests.config.providers_page import page
from watcher.config import Account, PlainSource, Secret
from watcher.config.providers import Cause, Found, Login, Quirk, discover, hint, profile_for, profiles, refusals
from watcher.config.providers.catalogue import generic, hosted_by
from watcher.config.providers.causes import REMEDIES, Remedy
from watcher.config.providers.discovery import Answers, Exchanger, Service, decide
from watcher.config.providers.resolver import DnsResolver
from watcher.errors import NamesUnavailable

# --- the data ---------------------------------------------------------------------------------------------------------

PROFILES = [pytest.param(profile, id=f"{profile.name} {profile.imap.host}") for profile in profiles()]


def test_every_provider_of_the_plan_is_there():
    assert {profile.name for profile in profiles()} == {
        "aliyun",
        "aliyun-qiye",
        "exmail",
        "fastmail",
        "generic",
        "gmail",
        "gmx",
        "icloud",
        "microsoft",
        "netease",
        "proton",
        "qq",
        "yahoo",
        "yandex",
        "zoho",
    }
    assert profiles()[-1].name == "generic"


def test_no_two_profiles_claim_the_same():
    for claims in ("domains", "mx"):
        told = Counter(name for profile in profiles() for name in getattr(profile, claims))
        assert not [name for name, times in told.items() if times > 1]


@pytest.mark.parametrize("profile", PROFILES)
def test_names_are_written_as_they_are_looked_up(profile):
    hosts = [*profile.domains, *profile.mx, profile.imap.host, profile.smtp.host]
    assert [host for host in hosts if host != host.lower() or host.endswith(".") or host.startswith((".", "@"))] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_one_that_a_person_can_follow(profile):
    assert profile.logins
    assert (Login.OAUTH in profile.logins) == bool(profile.oauth)
    assert profile.steps
    assert all(step.endswith(".") for step in profile.steps)
    if {Login.APP_PASSWORD, Login.CODE} & {profile.logins[0]} and profile.name != "gmx":
        assert profile.where.startswith("https://")
    assert all(len(words) < 220 and not words.endswith(".") for words in profile.hints.values())


@pytest.mark.parametrize("profile", PROFILES)
def test_ports_and_tls_belong_together(profile):
    usual = {993: "implicit", 143: "starttls", 465: "implicit", 994: "implicit", 587: "starttls"}
    for server in (profile.imap, profile.smtp):
        assert usual.get(server.port, server.tls) == server.tls


def test_every_cause_has_a_remedy_and_words():
    assert set(REMEDIES) == set(Cause)
    assert set(generic().hints) == set(Cause)
    assert set(REMEDIES.values()) == set(Remedy)


@pytest.mark.parametrize("profile", PROFILES)
def test_where_the_usual_password_will_not_do_the_hint_says_so(profile):
    if Login.PASSWORD not in profile.logins:
        assert Cause.CREDENTIALS in profile.hints


def test_profiles_are_frozen():
    profile = profile_for("a@gmail.com")
    with pytest.raises(dataclasses.FrozenInstanceError):
        profile.title = "x"
    with pytest.raises(TypeError):
        profile.hints[Cause.CREDENTIALS] = "x"
    assert profiles() is profiles()


def test_words_of_the_own_provider_come_first_and_general_ones_last():
    assert len(set(refusals())) == len(refusals())
    assert refusals("zoho")[0].says == "yet to enable imap"
    assert refusals("zoho")[-1] == refusals()[-1] == generic().refusals[-1]
    assert set(refusals("zoho")) == set(refusals())


PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


def test_the_page_tells_what_the_data_tells():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.config.providers_page > docs/providers.md"


def test_the_page_says_first_what_to_do(file):
    text = page()
    for profile in profiles():
        section = text.split(f"\n## {profile.title}\n\n", 1)[1]
        assert section.startswith(f"1. {profile.steps[0]}\n")
    example, relay = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    config = file.load("", account=example + relay)
    assert (config.accounts[0].host, config.relays["bulk"].host) == ("imap.gmail.com", "smtp.sendgrid.net")


# --- by the address ---------------------------------------------------------------------------------------------------

ADDRESSES = [
    ("me@gmail.com", "gmail", "imap.gmail.com", "me@gmail.com"),
    ("me@GMail.com", "gmail", "imap.gmail.com", "me@GMail.com"),
    ("me@googlemail.com", "gmail", "imap.gmail.com", "me@googlemail.com"),
    ("me@outlook.com", "microsoft", "outlook.office365.com", "me@outlook.com"),
    ("me@hotmail.co.uk", "microsoft", "outlook.office365.com", "me@hotmail.co.uk"),
    ("12345@qq.com", "qq", "imap.qq.com", "12345@qq.com"),
    ("me@foxmail.com", "qq", "imap.qq.com", "me@foxmail.com"),
    ("me@163.com", "netease", "imap.163.com", "me@163.com"),
    ("me@126.com", "netease", "imap.126.com", "me@126.com"),
    ("me@yeah.net", "netease", "imap.yeah.net", "me@yeah.net"),
    ("me@aliyun.com", "aliyun", "imap.aliyun.com", "me@aliyun.com"),
    ("me@yahoo.co.uk", "yahoo", "imap.mail.yahoo.com", "me@yahoo.co.uk"),
    ("me@aol.com", "yahoo", "imap.aol.com", "me@aol.com"),
    ("me@icloud.com", "icloud", "imap.mail.me.com", "me"),
    ("me@mac.com", "icloud", "imap.mail.me.com", "me"),
    ("me@fastmail.com", "fastmail", "imap.fastmail.com", "me@fastmail.com"),
    ("me@ya.ru", "yandex", "imap.yandex.com", "me@ya.ru"),
    ("me@zoho.com", "zoho", "imap.zoho.com", "me@zoho.com"),
    ("me@zoho.eu", "zoho", "imap.zoho.eu", "me@zoho.eu"),
    ("me@gmx.de", "gmx", "imap.gmx.net", "me@gmx.de"),
    ("me@gmx.com", "gmx", "imap.gmx.com", "me@gmx.com"),
    ("me@web.de", "gmx", "imap.web.de", "me"),
    ("me@proton.me", "proton", "127.0.0.1", "me@proton.me"),
    ("me@example.com", "generic", "imap.example.com", "me@example.com"),
    ("me@notgmail.com", "generic", "imap.notgmail.com", "me@notgmail.com"),
    ("me@mail.gmail.com", "generic", "imap.mail.gmail.com", "me@mail.gmail.com"),
    ('"a@gmail.com"@example.com', "generic", "imap.example.com", '"a@gmail.com"@example.com'),
]


@pytest.mark.parametrize(("address", "name", "host", "user"), ADDRESSES)
def test_the_domain_of_an_address_leads_to_its_provider(address, name, host, user):
    profile = profile_for(address)
    assert (profile.name, profile.imap.host, profile.user_of(address)) == (name, host, user)
    assert profile.found is (Found.GUESS if name == "generic" else Found.DOMAIN)


@pytest.mark.parametrize(
    ("address", "host", "port", "name", "found"),
    [
        ("me@firm.example", "imap.exmail.qq.com", 0, "exmail", Found.HOST),
        ("me@firm.example", "IMAP.gmail.com.", 1993, "gmail", Found.HOST),
        ("me@firm.example", "mail.firm.example", 0, "generic", Found.GUESS),
        ("me@gmail.com", "mail.firm.example", 0, "generic", Found.GUESS),
        ("me@icloud.com", "127.0.0.2", 0, "generic", Found.GUESS),
        ("me@firm.example", "127.0.0.1", 0, "generic", Found.GUESS),
        ("me@firm.example", "127.0.0.1", 1993, "generic", Found.GUESS),
        ("me@firm.example", "127.0.0.1", 1143, "proton", Found.HOST),
        ("me@proton.me", "127.0.0.1", 1144, "proton", Found.HOST),
    ],
)
def test_the_server_counts_more_than_the_domain(address, host, port, name, found):
    """And on this machine may be anything, so there its port counts as well."""
    profile = profile_for(address, host, port)
    assert (profile.name, profile.found) == (name, found)


def test_what_a_few_profiles_say():
    microsoft, netease = profile_for("a@outlook.com"), profile_for("a@163.com")
    assert microsoft.logins == (Login.OAUTH,)
    assert "App passwords do not help" in hint(microsoft, Cause.CREDENTIALS)
    assert netease.quirks == {Quirk.ID_FIRST, Quirk.NO_IDLE, Quirk.NO_UIDNEXT}
    assert profile_for("a@zoho.com").links < 3
    assert profile_for("a@yandex.com").renew < 360
    assert hint(microsoft, Cause.FOLDER) == generic().hints[Cause.FOLDER]


ACCOUNTS = [
    ("me@gmail.com", "", ("imap.gmail.com", 993, "implicit", "me@gmail.com", 1440.0)),
    ("me@icloud.com", "", ("imap.mail.me.com", 993, "implicit", "me", 1440.0)),
    ("me@icloud.com", 'user = "you"', ("imap.mail.me.com", 993, "implicit", "you", 1440.0)),
    ("me@yandex.com", "", ("imap.yandex.com", 993, "implicit", "me@yandex.com", 300.0)),
    ("me@yandex.com", 'renew = "20m"', ("imap.yandex.com", 993, "implicit", "me@yandex.com", 1200.0)),
    ("me@proton.me", "", ("127.0.0.1", 1143, "starttls", "me@proton.me", 1440.0)),
    ("me@proton.me", "port = 1144", ("127.0.0.1", 1144, "starttls", "me@proton.me", 1440.0)),
    ("me@proton.me", 'tls = "implicit"', ("127.0.0.1", 993, "implicit", "me@proton.me", 1440.0)),
    ("me@proton.me", 'host = "bridge"', ("bridge", 993, "implicit", "me@proton.me", 1440.0)),
    ("me@web.de", 'tls = "starttls"', ("imap.web.de", 143, "starttls", "me", 600.0)),
    ("me@icloud.com", 'host = "proxy"', ("proxy", 993, "implicit", "me@icloud.com", 1440.0)),
    ("me@firm.example", 'host = "imap.mail.me.com"', ("imap.mail.me.com", 993, "implicit", "me", 1440.0)),
    ("me@firm.example", "", ("imap.firm.example", 993, "implicit", "me@firm.example", 1440.0)),
]


@pytest.mark.parametrize(("address", "more", "expected"), ACCOUNTS)
def test_address_and_password_are_enough_and_each_key_can_be_set(file, address, more, expected):
    written = f'[account.a]\naddress = "{address}"\npassword = "x"\n{more}\n'
    account = file.load("", account=written).accounts[0]
    assert (account.host, account.port, account.tls, account.user, account.renew) == expected


def test_an_account_keeps_its_profile():
    account = Account(name="a", address="me@firm.example", host="imap.exmail.qq.com", password=PlainSource(Secret("x")))
    assert account.profile.name == "exmail"
    assert dataclasses.replace(account, host="imap.gmail.com").profile.name == "gmail"


# --- by DNS -----------------------------------------------------------------------------------------------------------

EXCHANGERS = [
    ("aspmx.l.google.com.", "gmail", "imap.gmail.com"),
    ("ALT1.ASPMX.L.GOOGLE.COM", "gmail", "imap.gmail.com"),
    ("smtp.google.com", "gmail", "imap.gmail.com"),
    ("firm-example.mail.protection.outlook.com", "microsoft", "outlook.office365.com"),
    ("mxbiz1.qq.com", "exmail", "imap.exmail.qq.com"),
    ("qiye163mx01.mxmail.netease.com", "netease", "imap.qiye.163.com"),
    ("mx1.qiye.aliyun.com", "aliyun-qiye", "imap.qiye.aliyun.com"),
    ("mxn.mxhichina.com", "aliyun-qiye", "imap.qiye.aliyun.com"),
    ("mta5.am0.yahoodns.net", "yahoo", "imap.mail.yahoo.com"),
    ("mx-aol.mail.gm0.yahoodns.net", "yahoo", "imap.aol.com"),
    ("mx01.mail.icloud.com", "icloud", "imap.mail.me.com"),
    ("in1-smtp.messagingengine.com", "fastmail", "imap.fastmail.com"),
    ("mx.yandex.net", "yandex", "imap.yandex.com"),
    ("mx.zoho.com", "zoho", "imappro.zoho.com"),
    ("mx2.zoho.eu", "zoho", "imappro.zoho.eu"),
    ("mx00.kundenserver.de", "gmx", "imap.ionos.de"),
    ("mail.protonmail.ch", "proton", "127.0.0.1"),
]


@pytest.mark.parametrize(("exchanger", "name", "host"), EXCHANGERS)
def test_a_mail_exchanger_tells_the_provider(exchanger, name, host):
    profile = decide("firm.example", Answers([Exchanger(10, exchanger)]))
    assert (profile.name, profile.imap.host, profile.found) == (name, host, Found.MX)


@pytest.mark.parametrize("exchanger", ["mail.firm.example", "mynotgoogle.com", "google.com.evil.example", "", "."])
def test_another_mail_exchanger_tells_nothing(exchanger):
    assert hosted_by([exchanger]) is None


GOOGLE, FILTER = Exchanger(20, "aspmx.l.google.com."), Exchanger(10, "mx.filter.example.")
ZOHO = Exchanger(5, "mx.zoho.in")
IMAPS, IMAP = Service(0, 1, 993, "mail.firm.example."), Service(0, 1, 143, "mail.firm.example.")
OWN_PORT, FASTMAIL = Service(0, 0, 9993, "a.example."), Service(0, 0, 993, "IMAP.Fastmail.com.")
CHOICE = [Service(20, 99, 993, "c."), Service(10, 1, 993, "b."), Service(10, 5, 993, "a.")]
NONE = Service(0, 0, 0, ".")

DECISIONS = {
    "nothing": (Answers(), "generic", ("imap.firm.example", 993, "implicit"), Found.GUESS),
    "mx": (Answers([GOOGLE]), "gmail", ("imap.gmail.com", 993, "implicit"), Found.MX),
    "a filter before it": (Answers([GOOGLE, FILTER]), "gmail", ("imap.gmail.com", 993, "implicit"), Found.MX),
    "the first of two": (Answers([GOOGLE, ZOHO]), "zoho", ("imappro.zoho.in", 993, "implicit"), Found.MX),
    "mx before srv": (Answers([GOOGLE], imaps=[IMAPS]), "gmail", ("imap.gmail.com", 993, "implicit"), Found.MX),
    "imaps": (Answers([FILTER], imaps=[IMAPS]), "generic", ("mail.firm.example", 993, "implicit"), Found.SRV),
    "imap only": (Answers(imap=[IMAP]), "generic", ("mail.firm.example", 143, "starttls"), Found.SRV),
    "both": (Answers(imaps=[IMAPS], imap=[IMAP]), "generic", ("mail.firm.example", 993, "implicit"), Found.SRV),
    "no imaps": (Answers(imaps=[NONE], imap=[IMAP]), "generic", ("mail.firm.example", 143, "starttls"), Found.SRV),
    "none": (Answers(imaps=[NONE], imap=[NONE]), "generic", ("imap.firm.example", 993, "implicit"), Found.GUESS),
    "a port of its own": (Answers(imaps=[OWN_PORT]), "generic", ("a.example", 9993, "implicit"), Found.SRV),
    "priority before weight": (Answers(imaps=CHOICE), "generic", ("a", 993, "implicit"), Found.SRV),
    "a known host": (Answers(imaps=[FASTMAIL]), "fastmail", ("imap.fastmail.com", 993, "implicit"), Found.SRV),
}


@pytest.mark.parametrize(("answers", "name", "imap", "found"), DECISIONS.values(), ids=DECISIONS)
def test_what_the_answers_speak_for(answers, name, imap, found):
    profile = decide("firm.example", answers)
    assert (profile.name, dataclasses.astuple(profile.imap), profile.found) == (name, imap, found)


def test_where_to_send_is_told_too():
    told = decide("firm.example", Answers(imaps=[IMAPS], submissions=[Service(0, 0, 465, "out.firm.example.")]))
    assert dataclasses.astuple(told.smtp) == ("out.firm.example", 465, "implicit")
    told = decide("firm.example", Answers(imaps=[IMAPS], submissions=[NONE], submission=[Service(0, 0, 587, "o.")]))
    assert dataclasses.astuple(told.smtp) == ("o", 587, "starttls")
    assert decide("firm.example", Answers(imaps=[IMAPS])).smtp.host == "smtp.firm.example"


# --- by DNS, asked for real at a name server of our own ---------------------------------------------------------------


class NameServer:
    """Answers over UDP on loopback what it was told; `silent` gives no answers."""

    def __init__(self, *, silent=False):
        self.records, self.asked, self.silent = {}, [], silent
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while (datagram := self.socket.recvfrom(4096))[0] != b"end":
            query = dns.message.from_wire(datagram[0])
            question = query.question[0]
            name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
            self.asked.append((name, kind))
            if self.silent:
                continue
            reply = dns.message.make_response(query)
            if not any(known == name for known, _ in self.records):
                reply.set_rcode(dns.rcode.NXDOMAIN)
            for value in self.records.get((name, kind), ()):
                reply.answer.append(dns.rrset.from_text(name, 60, "IN", kind, value))
            self.socket.sendto(reply.to_wire(), datagram[1])

    def resolver(self, seconds=5.0):
        return DnsResolver(seconds, ["127.0.0.1"], self.port)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"end", ("127.0.0.1", self.port))
        self.thread.join()
        self.socket.close()


@pytest.fixture
def name_server():
    server = NameServer()
    yield server
    server.close()


def test_a_known_domain_needs_no_question(name_server):
    assert discover("me@gmail.com", name_server.resolver()).name == "gmail"
    assert name_server.asked == []


def test_a_hosted_domain_is_found_with_one_question(name_server):
    name_server.records = {("firm.example.", "MX"): ["10 mxbiz2.qq.com.", "5 mxbiz1.qq.com."]}
    profile = discover("me@firm.example", name_server.resolver())
    assert (profile.name, profile.found) == ("exmail", Found.MX)
    assert name_server.asked == [("firm.example.", "MX")]


def test_a_domain_that_names_its_servers_is_asked_for_them(name_server):
    name_server.records = {
        ("firm.example.", "MX"): ["10 mx.firm.example."],
        ("_imaps._tcp.firm.example.", "SRV"): ["0 1 993 mail.firm.example."],
        ("_submissions._tcp.firm.example.", "SRV"): ["0 1 465 out.firm.example."],
    }
    profile = discover("me@firm.example", name_server.resolver())
    assert (profile.imap.host, profile.smtp.host, profile.found) == ("mail.firm.example", "out.firm.example", Found.SRV)


@pytest.mark.parametrize("domain", ["nowhere.example", "a..b", "x" * 70 + ".example", "münchen.example", "*"])
def test_a_domain_without_answers_is_guessed(name_server, domain):
    assert discover(f"me@{domain}", name_server.resolver()).found is Found.GUESS


def test_a_domain_beyond_ascii_is_asked_for_in_its_ascii_form(name_server):
    name_server.records = {("xn--mnchen-3ya.example.", "MX"): ["10 aspmx.l.google.com."]}
    assert discover("me@münchen.example", name_server.resolver()).name == "gmail"


def test_a_silent_name_server_costs_the_given_time_and_no_more():
    server = NameServer(silent=True)
    try:
        with pytest.raises(NamesUnavailable, match=r"firm\.example"):
            discover("me@firm.example", server.resolver(0.3))
        assert set(server.asked) == {("firm.example.", "MX")}
    finally:
        server.close()


def test_time_that_is_used_up_is_used_up(name_server):
    resolver = name_server.resolver(0)
    with pytest.raises(NamesUnavailable):
        resolver.services("_imaps._tcp.firm.example")
