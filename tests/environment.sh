#!/bin/sh
# Makes the project's own Python environment in $VENV. As root it installs what Debian keeps in a package of its own;
# otherwise it says the one command that does.
set -eu
if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "imap-watcher needs Python 3.11 or newer; $PYTHON is older. Set PYTHON=/path/to/python3." >&2
    exit 1
fi
if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
    else
        echo "Python's venv module is missing. Run: sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi
"$PYTHON" -m venv --clear "$VENV"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
echo "Installing imap-watcher and its tools into $VENV ..."
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[demo]' --group dev
