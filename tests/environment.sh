#!/bin/sh
# Makes the project's own Python environment in $VENV. As root it installs what Debian keeps in a package of its own;
# otherwise it says the one command that does.
set -eu
PATH=$PATH:/usr/sbin:/sbin # dpkg needs them, and a short PATH may lack them
if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "imap-watcher needs Python 3.11 or newer; $PYTHON is older or missing. Set PYTHON=/path/to/python3." >&2
    exit 1
fi
if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing python3-venv ..."
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
    else
        echo "Python's venv module is missing. Run: sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi
echo "Installing imap-watcher and its tools into $VENV (a minute or two) ..."
"$PYTHON" -m venv --clear "$VENV"
# --group needs pip 25.1; Debian 12 brings 23.0.
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[demo]' --group dev
