#!/bin/sh
# Installs imap-watcher as a system service, upgrades it, or takes it away again. As root:
#
#   install.sh [--from SOURCE] [--python PYTHON] [--sandbox] [--no-start]
#   install.sh --uninstall
#
# --from SOURCE    what pip is to install: a directory, a wheel, or a requirement such as 'imap-watcher[systemd]==1.2'.
#                  Without it: the checkout in which this file lies, else the newest release.
# --python PYTHON  which Python, /usr/bin/python3 without it. The service must be able to reach it: not one in a home.
# --sandbox        let the unit make sandboxes for handlers (isolation = "sandbox"); an upgrade keeps that.
# --no-start       put everything in place, start and restart nothing.
# --uninstall      stop it and remove all that was installed, its user too. What is yours stays, for root only:
#                  /etc/imap-watcher and /var/lib/imap-watcher.
#
# It can be run again at any time. Each run makes an environment of its own and moves to it once it is whole, so that a
# failed upgrade changes nothing. Only pip uses the network.
set -eu
umask 022

NAME=imap-watcher
HOME_OF_ALL=/opt/$NAME
COMMAND=/usr/local/bin/$NAME
LIB=/usr/local/lib
SHARE=/usr/local/share
DROP_INS="/etc/systemd/system/$NAME.service.d /etc/systemd/system/$NAME@.service.d"

main() {
    source="" python=/usr/bin/python3 sandbox="" start=yes uninstall=""
    while [ $# -gt 0 ]; do
        case $1 in
        --from) source=${2:?--from needs what pip is to install} && shift ;;
        --python) python=${2:?--python needs a path} && shift ;;
        --sandbox) sandbox=yes ;;
        --no-start) start="" ;;
        --uninstall) uninstall=yes ;;
        --help | -h) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit ;;
        *) fail "unknown option $1; see --help" ;;
        esac
        shift
    done
    [ "$(id -u)" = 0 ] || fail "run this as root: sudo $0"
    [ -d /run/systemd/system ] || fail "systemd does not run here; see the Containerfile beside this file, or use pip"
    if [ "$uninstall" ]; then
        uninstall
    else
        install_all
    fi
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

# --- install and upgrade ------------------------------------------------------------------------------------------------

install_all() {
    check_python
    release=$HOME_OF_ALL/$(date -u +%Y%m%d-%H%M%S)-$$
    trap 'rm -rf "$release"; rmdir "$HOME_OF_ALL" 2>/dev/null || true' EXIT
    trap 'exit 1' HUP INT TERM # else dash leaves without the trap above
    make_environment
    trap - EXIT HUP INT TERM
    ln -sfn "$release/bin/$NAME" "$COMMAND.new" # -f: a run that was cut off has left one
    mv -T "$COMMAND.new" "$COMMAND"
    put_files
    systemctl daemon-reload
    systemctl enable --quiet "$NAME.service"
    echo "$("$COMMAND" --version) is installed in $release."
    begin
}

check_python() {
    [ -x "$python" ] || fail "$python is not there; install Python 3.11 or newer, or say --python"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$python is older than 3.11; say --python"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python lacks venv: apt-get install python3-venv"
    case $("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))') in
    /root/* | /home/*) fail "$python lies in a home, which the service can't reach; say --python" ;;
    esac
}

make_environment() {
    if [ -z "$source" ]; then
        here=$(cd "$(dirname "$0")" && pwd)
        source="$NAME[systemd]"
        [ ! -e "$here/../pyproject.toml" ] || source="$(dirname "$here")[systemd]"
    elif [ -e "$source" ]; then
        source="$(realpath "$source")[systemd]"
    fi
    echo "Installing $source (a minute or two) ..."
    mkdir -p "$HOME_OF_ALL"
    "$python" -m venv "$release"
    if ! "$release/bin/python" -m pip install --quiet --disable-pip-version-check "$source"; then
        command -v cc >/dev/null && command -v pkg-config >/dev/null && pkg-config --exists libsystemd ||
            echo "systemd-python is built on the spot, for which this machine lacks something:" \
                "apt-get install gcc pkg-config libsystemd-dev python3-dev" >&2
        fail "pip could not install $source; nothing has changed"
    fi
    "$release/bin/$NAME" --version >/dev/null || fail "what pip installed does not run; nothing has changed"
}

put_files() {
    from=$release/share/$NAME/deploy
    put "$from/sysusers.conf" "$LIB/sysusers.d/$NAME.conf"
    put "$from/tmpfiles.conf" "$LIB/tmpfiles.d/$NAME.conf"
    put "$from/$NAME.service" "$LIB/systemd/system/$NAME.service"
    put "$from/$NAME@.service" "$LIB/systemd/system/$NAME@.service"
    put "$from/$NAME-user.service" "$LIB/systemd/user/$NAME.service"
    for directory in $DROP_INS; do
        [ ! "$sandbox" ] && [ ! -e "$directory/sandbox.conf" ] || put "$from/sandbox.conf" "$directory/sandbox.conf"
    done
    "$COMMAND" man --to "$SHARE" >/dev/null # the manual page, and completion for bash, zsh and fish
    systemd-sysusers "$NAME.conf"
    systemd-tmpfiles --create "$NAME.conf"
}

put() {
    install -D -m 644 "$1" "$2"
}

begin() {
    before=$(systemctl list-units --plain --no-legend --state=active,reloading "$NAME.service" "$NAME@*.service")
    if [ ! "$start" ]; then
        [ -z "$before" ] || echo "The one that runs stays the old one until: systemctl restart $NAME"
        return
    elif [ -e /etc/$NAME/config.toml ]; then
        systemctl restart "$NAME.service" || fail "it does not start: journalctl -u $NAME -e; the old one is still in $HOME_OF_ALL"
    elif [ -z "$before" ]; then
        echo "Next: $NAME init ADDRESS, then: systemctl start $NAME"
    fi
    systemctl try-restart "$NAME@*.service"
    find "$HOME_OF_ALL" -mindepth 1 -maxdepth 1 ! -path "$release" -exec rm -rf {} +
}

# --- uninstall ----------------------------------------------------------------------------------------------------------

uninstall() {
    systemctl disable --quiet --now "$NAME.service" 2>/dev/null || true
    for link in /etc/systemd/system/*/"$NAME"@?*.service; do
        [ ! -L "$link" ] || systemctl disable --quiet "${link##*/}"
    done
    systemctl stop "$NAME@*.service"
    rm -rf "$HOME_OF_ALL" "$COMMAND" "$COMMAND.new" \
        "$LIB/systemd/system/$NAME.service" "$LIB/systemd/system/$NAME@.service" "$LIB/systemd/user/$NAME.service" \
        "$LIB/sysusers.d/$NAME.conf" "$LIB/tmpfiles.d/$NAME.conf" \
        "$SHARE/man/man1/$NAME.1" "$SHARE/bash-completion/completions/$NAME" "$SHARE/zsh/site-functions/_$NAME" \
        "$SHARE/fish/vendor_completions.d/$NAME.fish"
    for directory in $DROP_INS; do
        rm -f "$directory/sandbox.conf"
    done
    # What it is kept in belongs to nobody else's user some day: numbers are given again.
    for directory in /etc/$NAME /var/lib/$NAME; do
        [ ! -e $directory ] || chown -hR root:root $directory
    done
    ! id "$NAME" >/dev/null 2>&1 || userdel "$NAME"
    # shellcheck disable=SC2086
    rmdir /etc/$NAME/handlers /etc/$NAME/credentials /etc/$NAME $DROP_INS "$LIB/systemd/system" "$LIB/systemd/user" \
        "$LIB/systemd" "$LIB/sysusers.d" "$LIB/tmpfiles.d" "$SHARE/man/man1" "$SHARE/bash-completion/completions" \
        "$SHARE/bash-completion" "$SHARE/zsh/site-functions" "$SHARE/zsh" "$SHARE/fish/vendor_completions.d" \
        "$SHARE/fish" 2>/dev/null || true
    systemctl daemon-reload
    systemctl reset-failed "$NAME.service" "$NAME@*.service" 2>/dev/null || true
    for directory in /etc/$NAME /var/lib/$NAME; do
        [ ! -e $directory ] || echo "Left as it was, for root only: $directory"
    done
}

main "$@"
