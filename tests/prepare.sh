#!/bin/sh
# Makes the machine ready for the system tests: the servers and tools that they use, and room for many links. As root on
# Debian by itself; otherwise it says the one command that does, and the tests that need them fail. With CI=true a missing
# one ends it here.
set -eu
PATH=$PATH:/usr/sbin:/sbin # dpkg needs them, and a short PATH may lack them
# Dovecot needs an inotify instance for each IDLE link, and the kernel lets a user have 128. Until the next boot; where it
# can't be, Dovecot looks for news every second.
instances=/proc/sys/fs/inotify/max_user_instances
if [ "$(cat $instances)" -lt 8192 ] && [ "$(id -u)" = 0 ] && [ -w $instances ]; then
    echo 8192 >$instances || true
fi
missing=""
[ -x /usr/sbin/dovecot ] || missing="$missing dovecot-core"
[ -x /usr/lib/dovecot/imap ] || missing="$missing dovecot-imapd"
[ -x /usr/lib/dovecot/lmtp ] || missing="$missing dovecot-lmtpd"
[ -x /usr/lib/dovecot/submission ] || missing="$missing dovecot-submissiond"
[ -x /usr/sbin/postfix ] || missing="$missing postfix"
command -v strace >/dev/null || missing="$missing strace"
command -v microsocks >/dev/null || missing="$missing microsocks"
command -v tinyproxy >/dev/null || missing="$missing tinyproxy"
command -v haproxy >/dev/null || missing="$missing haproxy"
command -v bwrap >/dev/null || missing="$missing bubblewrap"
command -v groff >/dev/null || missing="$missing groff-base"
command -v nft >/dev/null || missing="$missing nftables"
# For the service on a systemd of its own, with the Python that it would have.
command -v systemd-nspawn >/dev/null || missing="$missing systemd-container"
command -v dbus-daemon >/dev/null || missing="$missing dbus"
/usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
command -v ip >/dev/null && command -v ss >/dev/null || missing="$missing iproute2"
for tool in procmail maildrop perl; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
# systemd-python, of the extra `systemd`, is built on the spot: for us, and where the service is installed for the test.
if [ "$(id -u)" = 0 ] || ! python -c 'import systemd' 2>/dev/null; then
    command -v cc >/dev/null || missing="$missing gcc libc6-dev"
    command -v pkg-config >/dev/null || missing="$missing pkg-config"
    [ -e /usr/include/systemd/sd-daemon.h ] || missing="$missing libsystemd-dev"
    for each in python /usr/bin/python3; do
        headers=$($each -c 'import sysconfig; print(sysconfig.get_path("include"))')
        [ -e "$headers/Python.h" ] || missing="$missing python3-dev"
    done
fi
command -v node >/dev/null || missing="$missing nodejs"
command -v pdftotext >/dev/null || missing="$missing poppler-utils"
[ "$(id -u)" = 0 ] || echo "Full disks, power cuts and handlers as a user of their own are tested only when root runs this." >&2
unshare --mount true 2>/dev/null || echo "The service on a systemd is tested only by root where it may mount." >&2
extras() {
    python -c 'import systemd' 2>/dev/null || python -m pip install --quiet --disable-pip-version-check --editable '.[systemd]'
}
if [ -z "$missing" ]; then
    extras
    exit
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "For the system tests run: sudo apt-get install --no-install-recommends$missing" >&2
    [ "${CI:-}" != true ]
    exit
fi
echo "Installing for the system tests:$missing ..."
# The tests start servers of their own; Debian's start at installation would open the usual ports of this machine.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get install -y -qq --no-install-recommends $missing >/dev/null
for service in dovecot.service dovecot.socket haproxy.service tinyproxy.service; do
    case $missing in
    *"${service%%.*}"*) systemctl disable --quiet "$service" 2>/dev/null || true ;; # nor at its next start
    esac
done
extras
