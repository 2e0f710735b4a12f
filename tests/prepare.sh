#!/bin/sh
# Installs the servers and tools that the system tests use. As root on Debian by itself; otherwise it says the one
# command that does, and the tests that need them say so too. With CI=true a missing one is an error.
set -eu
missing=""
have() { [ -x "/usr/sbin/$1" ] || [ -x "/usr/bin/$1" ] || [ -x "/usr/lib/dovecot/$1" ] || command -v "$1" >/dev/null; }
have dovecot || missing="$missing dovecot-core"
have imap || missing="$missing dovecot-imapd"
have lmtp || missing="$missing dovecot-lmtpd"
have strace || missing="$missing strace"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing for the system tests:$missing"
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "For the system tests run: sudo apt-get install --no-install-recommends$missing" >&2
    [ "${CI:-}" = true ] && exit 1
    exit 0
fi
