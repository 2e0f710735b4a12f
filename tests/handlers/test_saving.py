"""Handlers that keep something of a mail: files, rows, lines."""

import csv
import gzip
import io
import json
import mailbox
import os
import sqlite3
import subprocess
import zipfile
from contextlib import closing

import pytest

from tests.handlers.conftest import SHIPPED
from watcher.cli.demo.mails import samples
from watcher.model import Verdict

PDF = b"%PDF-1.4 small"
MAILDIR = SHIPPED / "to-maildir"
NOBODY = 65534
[INVOICE] = [sample.raw for sample in samples() if "PDF" in sample.title]  # with a PDF that can be read

# --- files ----------------------------------------------------------------------------------------------------------


def test_save_attachments(shop, attached):
    shop.install("save-attachments", TO=str(shop.out / "saved"))
    mail = attached(PDF, "bill.pdf")
    for one in (mail, mail, attached(PDF, "bill.pdf", subject="once more")):
        assert shop.run("save-attachments", one).verdict is Verdict.DONE
    assert {path.name: path.read_bytes() for path in (shop.out / "saved").iterdir()} == {"bill.pdf": PDF}


def test_save_attachments_overwrites_nothing(shop, attached):
    shop.install("save-attachments", TO=str(shop.out))
    (shop.out / "bill.pdf").write_text("another one")
    assert shop.run("save-attachments", attached(PDF, "bill.pdf")).output == f"{shop.out / 'bill (2).pdf'}\n"
    assert {path.name: path.read_bytes() for path in shop.out.iterdir()} == {
        "bill.pdf": b"another one",
        "bill (2).pdf": PDF,
    }


def test_save_attachments_of_a_kind(shop, attached):
    shop.install("save-attachments", TO=str(shop.out), ONLY="*.TXT")
    assert shop.run("save-attachments", attached(PDF, "bill.pdf")).verdict is Verdict.DONE
    assert list(shop.out.iterdir()) == []


def test_to_maildir(shop, letter):
    shop.install("to-maildir", TO=str(shop.out))
    mail = letter()
    for attempt in (1, 2):
        assert shop.run("to-maildir", mail, attempt).verdict is Verdict.DONE
    [kept] = mailbox.Maildir(shop.out)
    assert kept["Subject"] == "Invoice 7"
    [path] = (shop.out / "new").iterdir()
    path.rename(shop.out / "cur" / f"{path.name}:2,S")  # a mail program has shown it
    assert shop.run("to-maildir", mail, 3).verdict is Verdict.DONE
    assert list((shop.out / "new").iterdir()) == []


def test_to_maildir_goes_on_after_a_kill(tmp_path):
    """A copy of a read-only mail is read-only, too. Root would not notice."""
    (tmp_path / "tmp").mkdir()
    for name in ("message.eml", "tmp/key.imap-watcher"):
        (tmp_path / name).write_text("Subject: Hi\n\n" if name == "message.eml" else "Subj")
        (tmp_path / name).chmod(0o400)
    user = NOBODY if os.geteuid() == 0 else os.geteuid()
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, user, -1)
    surroundings = {"PATH": os.defpath, "WATCHER_KEY": "key", "TO": "."}
    subprocess.run(["/bin/sh"], input=MAILDIR.read_bytes(), cwd=tmp_path, env=surroundings, user=user, check=True)
    assert (tmp_path / "new" / "key.imap-watcher").read_text() == "Subject: Hi\n\n"


def test_invoice_pdf(shop, letter):
    shop.install("invoice-pdf", TO=str(shop.out))
    for attempt in (1, 2):
        assert shop.run("invoice-pdf", INVOICE, attempt).verdict is Verdict.DONE
    [folder] = shop.out.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["发票 2026-11.pdf", "发票 2026-11.pdf.txt"]
    assert (folder / "发票 2026-11.pdf.txt").read_text().strip("\f\n ") == "Invoice 2026-11"
    assert shop.run("invoice-pdf", letter()).verdict is Verdict.DONE
    assert [path.name for path in shop.out.iterdir()] == [folder.name]


def test_invoice_pdf_gives_up_what_is_none(shop, attached):
    shop.install("invoice-pdf", TO=str(shop.out))
    outcome = shop.run("invoice-pdf", attached(b"no PDF at all", "bill.pdf"))
    assert outcome.verdict is Verdict.NEVER
    assert "a PDF that can't be read: bill.pdf" in outcome.reason
    assert list(shop.out.iterdir()) == []


def invitation(sequence, method="REQUEST", uid="1@example.org"):
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"METHOD:{method}", "BEGIN:VEVENT", f"UID:{uid[:3]}", f" {uid[3:]}",
             f"SEQUENCE:{sequence}", "DTSTART:20261201T100000Z", "END:VEVENT", "END:VCALENDAR", ""]  # fmt: skip
    return "\r\n".join(lines).encode()


def test_calendar(shop, attached):
    shop.install("calendar-to-ics-folder", TO=str(shop.out))

    def come(data, **more):
        outcome = shop.run("calendar-to-ics-folder", attached(data, "invite.ics", "text/calendar", **more))
        assert outcome.verdict is Verdict.DONE
        return [path.read_text() for path in shop.out.glob("*.ics")]

    [first] = come(invitation(0))
    assert "SEQUENCE:0" in first
    assert "METHOD" not in first, "a file of a calendar has none (RFC 4791 4.1)"
    [second] = come(invitation(2))
    assert "SEQUENCE:2" in second
    assert come(invitation(1)) == [second], "an older version came late"
    assert len(come(invitation(0, uid="../../evil"))) == 2
    assert len(come(invitation(3, "CANCEL"), verified=False)) == 2, "not from whom it seems"
    [left] = come(invitation(3, "CANCEL"))
    assert "evil" in left
    assert sorted(path.parent for path in shop.out.rglob("*")) == [shop.out]


@pytest.mark.parametrize(
    ("subject", "text", "code"),
    [
        ("Your code is 123456", "", "123456"),
        ("Sign in", "Hello,\n\nyour verification code:\n\n  482 913\n\nIt is valid for 10 minutes.", "482913"),
        ("G-204817 is your verification code", "", "G204817"),
        ("登录提醒", "您的验证码是 7301, 请勿告诉他人。", "7301"),
        ("Invoice 2026-11", "Please pay 1234.50 by Friday.", None),
    ],
)
def test_otp(shop, letter, subject, text, code):
    shop.install("otp-to-clipboard-or-file", TO=str(shop.out / "otp"))
    outcome = shop.run("otp-to-clipboard-or-file", letter(subject, text))
    assert outcome.verdict is Verdict.DONE
    if code is None:
        assert list(shop.out.iterdir()) == []
        return
    assert (shop.out / "otp").read_text() == code + "\n"
    assert (shop.out / "otp").stat().st_mode & 0o777 == 0o600
    assert code not in outcome.output + outcome.reason


def test_otp_of_nobody_known(shop, letter):
    shop.install("otp-to-clipboard-or-file", TO=str(shop.out / "otp"))
    assert "left alone" in shop.run("otp-to-clipboard-or-file", letter("Your code is 123456", verified=False)).output
    assert list(shop.out.iterdir()) == []


def test_otp_to_the_clipboard(shop, letter):
    tool = shop.out / "wl-copy"
    tool.write_text(f'#!/bin/sh\ncat > "{shop.out}/clipboard"\n')
    tool.chmod(0o755)
    shop.install("otp-to-clipboard-or-file", TO="clipboard", PATH=f"{shop.out}:/usr/bin:/bin")
    assert shop.run("otp-to-clipboard-or-file", letter("Your code is 123456")).verdict is Verdict.DONE
    assert (shop.out / "clipboard").read_text() == "123456"


# --- rows and lines -------------------------------------------------------------------------------------------------


def test_to_jsonl(shop, letter):
    shop.install("to-jsonl", FILE=str(shop.out / "mail.jsonl"))
    first = letter()
    for mail in (first, first, letter("zwei")):
        assert shop.run("to-jsonl", mail).verdict is Verdict.DONE
    lines = [json.loads(line) for line in (shop.out / "mail.jsonl").read_text().splitlines()]
    assert [line["subject"] for line in lines] == ["Invoice 7", "zwei"]
    assert lines[0]["text"] == "Please pay.\n"
    assert len({line["run"] for line in lines}) == 2


def test_to_jsonl_mends_a_line_that_was_cut(shop, letter):
    shop.install("to-jsonl", FILE=str(shop.out / "mail.jsonl"))
    (shop.out / "mail.jsonl").write_text('{"run": "A", "subject": "whole"}\n{"run": "B", "subj')
    assert shop.run("to-jsonl", letter()).verdict is Verdict.DONE
    lines = (shop.out / "mail.jsonl").read_text().splitlines()
    assert [json.loads(line)["subject"] for line in lines] == ["whole", "Invoice 7"]


def test_to_sqlite(shop, letter, attached):
    shop.install("to-sqlite", FILE=str(shop.out / "mail.db"))
    first = attached(PDF, "bill.pdf")
    for mail in (first, first, letter("zwei")):
        assert shop.run("to-sqlite", mail).verdict is Verdict.DONE
    with closing(sqlite3.connect(shop.out / "mail.db")) as database:
        rows = database.execute("SELECT sender, subject, text, facts->>'$.trust.verdict' FROM mail").fetchall()
        files = database.execute("SELECT subject, name, data FROM attachment JOIN mail USING (run)").fetchall()
    assert rows == [
        ("ann@example.org", "Invoice 7", "Please pay.\n", "verified"),
        ("ann@example.org", "zwei", "Please pay.\n", "verified"),
    ]
    assert files == [("Invoice 7", "bill.pdf", PDF)]


REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
  <report_metadata><org_name>{org}</org_name><report_id>4711</report_id>
    <date_range><begin>1764547200</begin><end>1764633599</end></date_range></report_metadata>
  <policy_published><domain>you.example</domain></policy_published>
  <record><row><source_ip>192.0.2.1</source_ip><count>7</count>
    <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
    <identifiers><header_from>you.example</header_from></identifiers></record>
  <record><row><source_ip>2001:db8::1</source_ip><count>1</count>
    <policy_evaluated><disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>
    <identifiers><header_from>you.example</header_from></identifiers></record>
</feedback>
"""
PLAIN = REPORT.format(org="big.example").encode()


def zipped(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.xml", data)
    return file.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zipped], ids=["xml", "gzip", "zip"])
@pytest.mark.parametrize("file", ["dmarc.csv", "dmarc.jsonl"])
def test_dmarc_report(shop, attached, pack, file):
    shop.install("dmarc-report", FILE=str(shop.out / file))
    for subject in ("Report", "Report", "The same again"):
        mail = attached(pack(PLAIN), "report", "application/octet-stream", subject=subject)
        assert shop.run("dmarc-report", mail).verdict is Verdict.DONE
    text = (shop.out / file).read_text()
    rows = list(csv.DictReader(text.splitlines())) if file == "dmarc.csv" else list(map(json.loads, text.splitlines()))
    assert [(row["org"], row["source"], row["count"], row["dkim"]) for row in rows] == [
        ("big.example", "192.0.2.1", "7", "pass"),
        ("big.example", "2001:db8::1", "1", "fail"),
    ]


@pytest.mark.parametrize("file", ["dmarc.csv", "dmarc.jsonl"])
def test_dmarc_report_goes_on_where_a_power_failure_has_cut(shop, attached, file):
    shop.install("dmarc-report", FILE=str(shop.out / file))
    reports = [attached(REPORT.format(org=org).encode(), "r.xml", "text/xml", subject=org) for org in ("größe", "b")]
    assert shop.run("dmarc-report", reports[0]).verdict is Verdict.DONE
    whole = (shop.out / file).read_bytes()
    for length in (0, whole.find("ö".encode()) + 1, whole.rfind("ö".encode()) + 1, len(whole) - 1):
        (shop.out / file).write_bytes(whole[:length])
        assert shop.run("dmarc-report", reports[1]).verdict is Verdict.DONE
        assert shop.run("dmarc-report", reports[0]).verdict is Verdict.DONE
        text = (shop.out / file).read_text()
        lines = text.splitlines()
        rows = list(csv.DictReader(lines)) if file == "dmarc.csv" else list(map(json.loads, lines))
        assert sorted(row["org"] + row["count"] for row in rows) == ["b1", "b7", "größe1", "größe7"]


BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">]><feedback>&a;</feedback>'


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (BOMB, "a document type"),
        (BOMB.decode().encode("utf-16"), "a document type, or not UTF-8"),
        (gzip.compress(b" " * (21 << 20)), "more than"),
        (zipped(b" " * (21 << 20)), "more than"),
        (gzip.compress(PLAIN)[:-9], "end-of-stream"),
        (b"PK\x03\x04 no archive", "not a zip file"),
        (b"<html></html>", "no DMARC report"),
        (b"nothing", "syntax error"),
    ],
    ids=["entity", "utf-16", "gzip bomb", "zip bomb", "cut off", "no zip", "html", "text"],
)
def test_dmarc_report_that_is_none(shop, attached, data, reason):
    shop.install("dmarc-report", FILE=str(shop.out / "dmarc.csv"))
    outcome = shop.run("dmarc-report", attached(data, "report.xml", "application/octet-stream"))
    assert outcome.verdict is Verdict.NEVER
    assert reason in outcome.reason
    assert list(shop.out.iterdir()) == []


def test_dmarc_report_is_no_formula(shop, attached):
    shop.install("dmarc-report", FILE=str(shop.out / "dmarc.csv"))
    evil = REPORT.format(org="=cmd()").encode()
    assert shop.run("dmarc-report", attached(evil, "r.xml", "text/xml")).verdict is Verdict.DONE
    assert "\n'=cmd()'," in (shop.out / "dmarc.csv").read_text()


BOUNCE = b"""Return-Path: <>\r
From: Mail Delivery Subsystem <mailer-daemon@mx.example>\r
To: you@you.example\r
Subject: Undelivered Mail Returned to Sender\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r
\r
--b\r
Content-Type: text/plain\r
\r
Sorry.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.example\r
\r
Final-Recipient: rfc822; gone@example.org\r
Action: failed\r
Status: 5.1.1\r
Diagnostic-Code: smtp; 550 user unknown\r
\r
Final-Recipient: rfc822; full@example.org\r
Action: delayed\r
Status: 4.2.2\r
\r
--b\r
Content-Type: message/rfc822\r
\r
From: you@you.example\r
Message-ID: <ours@you.example>\r
Subject: hello\r
\r
hello\r
--b--\r
"""


def test_bounce_report(shop, letter):
    shop.install("bounce-report", FILE=str(shop.out / "bounces.jsonl"))
    for mail in (BOUNCE, BOUNCE, letter()):
        assert shop.run("bounce-report", mail).verdict is Verdict.DONE
    lines = [json.loads(line) for line in (shop.out / "bounces.jsonl").read_text().splitlines()]
    assert [(line["address"], line["gone"], line["status"]) for line in lines] == [
        ("gone@example.org", True, "5.1.1"),
        ("full@example.org", False, "4.2.2"),
    ]
    assert {line["message_id"] for line in lines} == {"<ours@you.example>"}
