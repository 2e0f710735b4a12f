"""The configuration of a private Dovecot 2.3: everything below one directory, any number of users, many idle links."""

import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PASSWORD", "Layout", "configuration", "mail_owner", "passwd_file"]

#: Of every user.
PASSWORD = 'not "quite" a secret'


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one private Dovecot keeps and offers its things."""

    root: Path
    port: int  #: IMAP over TLS from the first byte
    starttls_port: int  #: IMAP that becomes TLS by STARTTLS
    certificate: Path  #: PEM, chain
    key: Path  #: PEM
    hibernate: float | None  #: seconds of IDLE after which the link is parked in one shared process; None: never
    connections: int  #: most links at once
    settings: str  #: further lines of dovecot.conf

    @property
    def lmtp(self) -> Path:
        return self.root / "run" / "lmtp"

    @property
    def log(self) -> Path:
        return self.root / "dovecot.log"


def mail_owner() -> pwd.struct_passwd:
    """Whom the mailboxes belong to: Dovecot serves no mail as root, so then it is Debian's user `mail`."""
    return pwd.getpwnam("mail") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def passwd_file(users: tuple[str, ...]) -> str:
    """One line a user, all with the same password."""
    return "".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in users)


def configuration(layout: Layout) -> str:
    """The whole dovecot.conf. Storage is sdbox: one file a mail, UIDs and UIDVALIDITY settable, no fsync."""
    root, owner = layout.root, mail_owner()
    root_runs_it = os.geteuid() == 0
    inside, login = ("dovecot", "dovenull") if root_runs_it else (owner.pw_name, owner.pw_name)
    group = "dovecot" if root_runs_it else grp.getgrgid(owner.pw_gid).gr_name
    hibernate = f"{max(1, round(layout.hibernate))}s" if layout.hibernate is not None else "0"
    return f"""
protocols = imap lmtp
listen = 127.0.0.1
base_dir = {root}/run
state_dir = {root}/state
log_path = {layout.log}
default_internal_user = {inside}
default_internal_group = {group}
default_login_user = {login}
default_vsz_limit = 0
default_client_limit = {layout.connections * 3 + 1000}
first_valid_uid = 1
mail_uid = {owner.pw_uid}
mail_gid = {owner.pw_gid}
mail_home = {root}/mail/%u
mail_location = sdbox:~/sdbox
mail_fsync = never
mail_max_userip_connections = 0
mailbox_idle_check_interval = 1s
auth_mechanisms = plain login
disable_plaintext_auth = yes
ssl = required
ssl_cert = <{layout.certificate}
ssl_key = <{layout.key}
imap_hibernate_timeout = {hibernate}
lda_mailbox_autocreate = yes
lmtp_save_to_detail_mailbox = yes
recipient_delimiter = +
passdb {{
  driver = passwd-file
  args = {root}/users
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={root}/mail/%u
}}
namespace {{
  inbox = yes
  separator = /
}}
service imap-login {{
  chroot =
  service_count = 0
  client_limit = {layout.connections + 100}
  process_min_avail = 1
  process_limit = 1
  inet_listener imap {{
    port = {layout.starttls_port}
  }}
  inet_listener imaps {{
    port = {layout.port}
    ssl = yes
  }}
}}
service imap {{
  process_limit = {layout.connections + 100}
  unix_listener imap-master {{
    user = {inside}
  }}
}}
service imap-hibernate {{
  chroot =
  client_limit = {layout.connections + 100}
  unix_listener imap-hibernate {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
service lmtp {{
  process_min_avail = 1
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service imap-urlauth-login {{
  chroot =
}}
{layout.settings}
"""
