"""
A private Postfix before a private Dovecot: submission with STARTTLS and with TLS from the first byte, logins by
Dovecot's SASL, delivery to Dovecot by LMTP. Its own directories and ports; needs root, as every Postfix does.
"""

import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import trustme

from tests.system.dovecot import Dovecot
from tests.system.ports import free_port
from tests.system.waiting import until

__all__ = ["DOVECOT_SETTINGS", "Postfix"]

POSTFIX = "/usr/sbin/postfix"

#: What the Dovecot behind it needs besides; users log in and get mail by what stands before the "@".
DOVECOT_SETTINGS = """
auth_username_format = %Ln
service auth {
  unix_listener submission {
    mode = 0666
  }
}
"""


class Postfix:
    """A context manager; what is for its `domains` is delivered to `dovecot`."""

    domains = "example.com, test.example"

    def __init__(self, dovecot: Dovecot) -> None:
        self.password = dovecot.password  #: of every user
        self.root = Path(tempfile.mkdtemp(prefix="postfix-"))
        self.root.chmod(0o755)
        self.port, self.tls_port = free_port(), free_port()
        authority = trustme.CA()
        self.ca_file = self.root / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            str(self.root / "server.pem")
        )
        for name in ("etc", "queue", "data"):
            (self.root / name).mkdir(mode=0o755)
        owner = pwd.getpwnam("postfix")
        shutil.chown(self.root / "data", owner.pw_uid, owner.pw_gid)
        run = dovecot.root / "run"
        (self.root / "etc" / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {self.root}/queue
data_directory = {self.root}/data
maillog_file = {self.root}/mail.log
maillog_file_prefixes = {self.root}
myhostname = localhost.localdomain
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
virtual_mailbox_domains = {self.domains}
virtual_transport = lmtp:unix:{run}/lmtp
smtpd_tls_cert_file = {self.root}/server.pem
smtpd_tls_key_file = {self.root}/server.pem
smtpd_tls_auth_only = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {run}/submission
smtpd_sasl_auth_enable = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject
message_size_limit = 5000000
import_environment = MAIL_CONFIG
""")
        (self.root / "etc" / "master.cf").write_text(f"""
127.0.0.1:{self.port} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
127.0.0.1:{self.tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
""")

    def __enter__(self) -> Self:
        self._postfix("start")
        until(lambda: "daemon started" in self.log(), 60, "Postfix to start")
        return self

    def __exit__(self, *_error: object) -> None:
        self._postfix("abort", check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def log(self) -> str:
        """What it has written down."""
        file = self.root / "mail.log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def _postfix(self, verb: str, *, check: bool = True) -> None:
        command = [POSTFIX, "-c", str(self.root / "etc"), verb]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr + self.log()
