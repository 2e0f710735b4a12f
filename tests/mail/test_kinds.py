"""What kind of mail it is: bounces of every look, answers of machines, lists, invitations, reports, protection."""

import pytest

from tests.mail.mails import lines, multipart, part
from watcher.findings import Bounced, MailKind, Nature, Protection, ReportKind
from watcher.limits import USUAL
from watcher.mail.defects import Defects
from watcher.mail.kinds import nature
from watcher.mail.raw import Raw
from watcher.mail.tree import leaves, whole

PLAIN = "Content-Type: text/plain"
RETURNED = part(lines("Message-ID: <sent-1@us.example>", "Subject: hello", "", "text"), "Content-Type: message/rfc822")


def nature_of(raw: bytes) -> Nature:
    defects = Defects(50)
    mail = whole(Raw(raw), USUAL, defects)
    return nature(mail, list(leaves(mail, USUAL, defects)))


def report(kind: str, *parts: bytes) -> bytes:
    return multipart(*parts, kind=f"report; report-type={kind}", boundary="r0")


def status(*groups: tuple[str, ...]) -> bytes:
    rows = ["Reporting-MTA: dns; mx.us.example", ""]
    for group in groups:
        rows += [*group, ""]
    return part(lines(*rows), "Content-Type: message/delivery-status")


# --- bounces in the standard form -----------------------------------------------------------------------------------


FAILED = (
    "Final-Recipient: rfc822; bob@them.example",
    "Action: failed",
    "Status: 5.1.1",
    "Diagnostic-Code: smtp; 550 5.1.1 <bob@them.example>:",
    "    User unknown",
)


def test_a_standard_bounce_tells_everything():
    raw = lines("From: MAILER-DAEMON@mx.us.example", "Subject: whatever") + report(
        "delivery-status", part("I'm sorry", PLAIN), status(FAILED), RETURNED
    )
    found = nature_of(raw)
    assert found.kind is MailKind.BOUNCE
    assert found.automatic
    assert found.bounce.standard
    assert found.bounce.message_id == "<sent-1@us.example>"
    assert found.bounce.recipients == (
        Bounced("bob@them.example", "failed", "5.1.1", "550 5.1.1 <bob@them.example>: User unknown"),
    )


def test_several_recipients_each_with_its_own_fate():
    late = ("Original-Recipient: rfc822;eve@them.example", "Action: delayed", "Status: 4.4.1 (Persistent)")
    found = nature_of(report("delivery-status", part("x", PLAIN), status(FAILED, late)))
    assert [(bounced.address, bounced.action, bounced.status) for bounced in found.bounce.recipients] == [
        ("bob@them.example", "failed", "5.1.1"),
        ("eve@them.example", "delayed", "4.4.1"),
    ]
    assert found.bounce.message_id is None


def test_delivered_is_no_bounce():
    well = ("Final-Recipient: rfc822; bob@them.example", "Action: relayed", "Status: 2.0.0")
    found = nature_of(report("delivery-status", part("x", PLAIN), status(well)))
    assert (found.kind, found.bounce, found.report) == (MailKind.REPORT, None, ReportKind.DELIVERY)


def test_the_status_may_stand_in_any_multipart_and_the_header_come_alone():
    header = part(lines("Subject: x", "Message-Id: <sent-2@us.example>"), "Content-Type: text/rfc822-headers")
    found = nature_of(multipart(part("x", PLAIN), status(FAILED), header))
    assert found.bounce.message_id == "<sent-2@us.example>"
    assert found.bounce.recipients[0].status == "5.1.1"


def test_a_report_without_its_status_part_is_read_from_its_text():
    text = lines("Sorry, we were unable to deliver your message.", "", "<gone@them.example>:", "550: 5.1.1 unknown")
    raw = lines("From: MAILER-DAEMON@yahoo.example", "To: us@us.example") + report(
        "delivery-status", part(text, PLAIN), RETURNED
    )
    bounce = nature_of(raw).bounce
    assert bounce.standard
    assert bounce.recipients == (Bounced("gone@them.example", "failed", "5.1.1", None),)
    assert bounce.message_id == "<sent-1@us.example>"


def test_a_bounce_that_somebody_forwards_is_none():
    inner = report("delivery-status", part("x", PLAIN), status(FAILED))
    raw = lines("From: Ann <ann@us.example>", "Subject: Fwd: Undelivered Mail Returned to Sender") + multipart(
        part("what is this?", PLAIN), part(inner, "Content-Type: message/rfc822")
    )
    assert nature_of(raw).kind is MailKind.NORMAL


def test_hostile_text_in_a_status_comes_out_printable_and_short():
    bad = (
        "Final-Recipient: rfc822; <b\x1b[31m@x>",
        "Action: FAILED;",
        "Diagnostic-Code: smtp; " + "\u202e\x07x" * 2000,
    )
    (bounced,) = nature_of(report("delivery-status", status(bad))).bounce.recipients
    assert bounced.address == "b[31m@x"
    assert bounced.action == "failed"
    assert len(bounced.diagnostic) <= 500
    assert bounced.diagnostic.isprintable()


def test_ten_thousand_recipients_are_cut():
    groups = [(f"Final-Recipient: rfc822; u{n}@x", "Action: failed") for n in range(10_000)]
    assert len(nature_of(report("delivery-status", status(*groups))).bounce.recipients) == 100


# --- bounces by their look ------------------------------------------------------------------------------------------

EXIM = lines(
    "Return-path: <>",
    "X-Failed-Recipients: bob@them.example, eve@them.example",
    "From: Mail Delivery System <Mailer-Daemon@us.example>",
    "Subject: Mail delivery failed: returning message to sender",
    "",
    "This message was created automatically by mail delivery software.",
    "  bob@them.example",
    "    550 5.7.1 refused",
    "------ This is a copy of the message, including all the headers. ------",
    "Message-ID: <sent-3@us.example>",
)
QMAIL = lines(
    "From: MAILER-DAEMON@us.example",
    "To: us@us.example",
    "Subject: failure notice",
    "",
    "Hi. This is the qmail-send program at us.example.",
    "",
    "<bob@them.example>:",
    "192.0.2.1 does not like recipient.",
    "Remote host said: 550 5.1.1 no such user",
    "",
    "--- Below this line is a copy of the message.",
    "",
    "Message-ID: <sent-4@us.example>",
)
COREMAIL = lines(
    "From: Postmaster@163.example",
    "Subject: =?gb2312?B?z7XNs83L0MU=?=",
    "X-CM-Original-Message-ID: <sent-5@us.example>",
    "",
    "550 No such user here",
)
DELAY = lines(
    "From: MAILER-DAEMON@us.example",
    "Subject: Warning: could not send message for past 4 hours",
    "In-Reply-To: <sent-6@us.example>",
    "",
    "bob@them.example",
    "will be retried",
)


@pytest.mark.parametrize(
    ("raw", "message_id", "recipients"),
    [
        (
            EXIM,
            "<sent-3@us.example>",
            [("bob@them.example", "failed", "5.7.1"), ("eve@them.example", "failed", "5.7.1")],
        ),
        (QMAIL, "<sent-4@us.example>", [("bob@them.example", "failed", "5.1.1")]),
        (COREMAIL, "<sent-5@us.example>", []),
        (DELAY, "<sent-6@us.example>", [("bob@them.example", "delayed", None)]),
    ],
    ids=["exim", "qmail", "coremail", "delay"],
)
def test_a_bounce_is_known_by_its_look(raw, message_id, recipients):
    found = nature_of(raw)
    assert found.kind is MailKind.BOUNCE
    assert not found.bounce.standard
    assert found.bounce.message_id == message_id
    assert [(bounced.address, bounced.action, bounced.status) for bounced in found.bounce.recipients] == recipients


@pytest.mark.parametrize(
    "header",
    [
        ("From: Ann <ann@us.example>", "Subject: Mail delivery failed again, help"),
        ("From: postmaster@us.example", "Subject: Planned work on Sunday"),
        ("From: postmaster@us.example", "Return-Path: <>", "Subject: Your mailbox is almost full"),
        ("From: mailer-daemon@us.example", "Subject: Weekly statistics"),
        ("From: Ann <ann@us.example>", "Subject: Re: Undelivered Mail Returned to Sender", "Return-Path: <>"),
        ("From: shop@us.example", "Subject: Delivery failure of your parcel"),
    ],
)
def test_what_only_resembles_a_bounce_is_none(header):
    assert nature_of(lines(*header, "", "some text about ann@us.example")).bounce is None


# --- answers of machines --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        ("Auto-Submitted: auto-replied",),
        ("Auto-Submitted: auto-replied; owner-email=x (vacation)",),
        ("X-Autoreply: yes",),
        ("X-Autorespond: away",),
        ("Precedence: auto_reply",),
        ("Subject: Automatic reply: hello", "X-Auto-Response-Suppress: All"),
        ("Subject: Out of Office: hello", "Auto-Submitted: auto-generated"),
        ("Subject: =?utf-8?Q?R=C3=A9ponse_automatique_:_bonjour?=", "Precedence: bulk"),
        ("Subject: Abwesenheitsnotiz", "Return-Path: <>"),
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=b",),
    ],
)
def test_an_automatic_answer_is_known(header):
    found = nature_of(lines(*header, "", "I am away."))
    assert found.kind is MailKind.AUTO_REPLY
    assert found.automatic


@pytest.mark.parametrize(
    ("header", "automatic"),
    [
        (("Subject: Out of office next week?",), False),
        (("Auto-Submitted: no", "Subject: hello"), False),
        (("Subject: Re: Automatic reply: hello", "Precedence: bulk"), True),
        (("Subject: your invoice", "Auto-Submitted: auto-generated"), True),
        (("Subject: your invoice", "List-Unsubscribe: <mailto:x@y>"), True),
        (("Subject: hello", "X-Auto-Response-Suppress: DR, RN, NRN"), False),
    ],
)
def test_what_a_person_or_a_shop_sends_is_normal(header, automatic):
    found = nature_of(lines("From: a@b.example", *header, "", "text"))
    assert (found.kind, found.automatic) == (MailKind.NORMAL, automatic)


# --- lists, invitations, reports, protection -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("List-Id: Our list <talk.lists.example>", "talk.lists.example"),
        ("List-ID: talk.lists.example", "talk.lists.example"),
        ("List-Id: =?utf-8?Q?<a>_Gr=C3=BC=C3=9Fe?= <talk.lists.example>", "talk.lists.example"),
        ("List-Post: <mailto:talk@lists.example>", ""),
        ("Precedence: list", ""),
    ],
)
def test_a_list_mail_names_its_list(field, name):
    found = nature_of(lines("From: a@b.example", field, "", "text"))
    assert (found.kind, found.list_id, found.automatic) == (MailKind.LIST, name, True)


CALENDAR = lines("BEGIN:VCALENDAR", "PRODID:x", "METHOD:REPLY", "BEGIN:VEVENT", "END:VEVENT", "END:VCALENDAR")


@pytest.mark.parametrize(
    ("fields", "method"),
    [
        (('Content-Type: text/calendar; charset=utf-8; method="REQUEST"',), "REQUEST"),
        (("Content-Type: text/calendar; method=cancel",), "CANCEL"),
        (("Content-Type: text/calendar",), "REPLY"),
        (("Content-Type: application/ics", "Content-Disposition: attachment; filename=i.ics"), "REPLY"),
    ],
)
def test_an_invitation_has_its_method(fields, method):
    raw = multipart(part("come", PLAIN), part(CALENDAR, *fields), kind="alternative")
    found = nature_of(lines("From: a@b.example") + raw)
    assert (found.kind, found.calendar) == (MailKind.CALENDAR, method)


def test_an_attached_calendar_that_asks_nothing_is_a_file():
    file = part("BEGIN:VCALENDAR", "Content-Type: text/calendar", "Content-Disposition: attachment; filename=x.ics")
    assert nature_of(multipart(part("see", PLAIN), file)).kind is MailKind.NORMAL


@pytest.mark.parametrize(
    ("raw", "about"),
    [
        (
            report(
                "feedback-report",
                part("x", PLAIN),
                part("Feedback-Type: abuse", "Content-Type: message/feedback-report"),
                RETURNED,
            ),
            ReportKind.FEEDBACK,
        ),
        (
            multipart(
                part(
                    "",
                    "Content-Type: application/gzip",
                    "Content-Disposition: attachment; filename=google.com!us.example!1700000000!1700086399.xml.gz",
                )
            ),
            ReportKind.DMARC,
        ),
        (lines("Subject: Report Domain: us.example Submitter: mx.example Report-ID: <1>", "", ""), ReportKind.DMARC),
        (report("tlsrpt", part("x", PLAIN), part("{}", "Content-Type: application/tlsrpt+json")), ReportKind.TLS),
    ],
    ids=["feedback", "dmarc-file", "dmarc-subject", "tls"],
)
def test_a_report_says_what_about(raw, about):
    found = nature_of(raw)
    assert (found.kind, found.report, found.bounce, found.automatic) == (MailKind.REPORT, about, None, True)


SMIME = "Content-Type: application/pkcs7-mime; smime-type=%s; name=smime.p7m"
DETACHED = "Content-Type: application/%s; name=signature"


@pytest.mark.parametrize(
    ("raw", "kind", "how"),
    [
        (
            multipart(
                part("Version: 1", "Content-Type: application/pgp-encrypted"),
                part("x", "Content-Type: application/octet-stream"),
                kind='encrypted; protocol="application/pgp-encrypted"',
            ),
            MailKind.ENCRYPTED,
            Protection.PGP,
        ),
        (part("MII", SMIME % "enveloped-data"), MailKind.ENCRYPTED, Protection.SMIME),
        (part("MII", "Content-Type: application/x-pkcs7-mime"), MailKind.ENCRYPTED, Protection.SMIME),
        (lines("Subject: x", "", "-----BEGIN PGP MESSAGE-----"), MailKind.ENCRYPTED, Protection.PGP),
        (part("MII", SMIME % "signed-data"), MailKind.SIGNED, Protection.SMIME),
        (
            multipart(part("x", PLAIN), part("s", DETACHED % "pkcs7-signature"), kind="signed"),
            MailKind.SIGNED,
            Protection.SMIME,
        ),
        (
            multipart(part("x", PLAIN), part("s", DETACHED % "pgp-signature"), kind="signed"),
            MailKind.SIGNED,
            Protection.PGP,
        ),
        (lines("Subject: x", "", "-----BEGIN PGP SIGNED MESSAGE-----"), MailKind.SIGNED, Protection.PGP),
    ],
)
def test_encrypted_and_signed_mail_is_known(raw, kind, how):
    found = nature_of(raw)
    assert found.kind is kind
    assert how in (found.encrypted, found.signed)


def test_one_word_but_all_facts():
    """A signed mail over a list is a list mail; an invitation in it is one first."""
    signed = multipart(part("x", PLAIN), part("s", DETACHED % "pgp-signature"), kind="signed")
    found = nature_of(lines("From: a@b.example", "List-Id: <l.example>") + signed)
    assert (found.kind, found.list_id, found.signed) == (MailKind.LIST, "l.example", Protection.PGP)
    invitation = lines("List-Id: <l.example>") + part(CALENDAR, "Content-Type: text/calendar")
    assert nature_of(invitation).kind is MailKind.CALENDAR


def test_an_empty_mail_is_normal():
    assert nature_of(b"").kind is MailKind.NORMAL
    assert nature_of(lines("Subject: x", "", "text")) == Nature()
