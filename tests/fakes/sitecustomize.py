"""
The network's names, as a test wants them. Python runs this file at its start where it finds it on PYTHONPATH.

`tests.fakes.names` copies it beside a file `hosts`: from then on, names under `.test` (RFC 6761 6.2: never real) are
looked up there at each question, and nowhere else.
"""

import socket
from pathlib import Path

HOSTS = Path(__file__).with_name("hosts")
ask_the_system = socket.getaddrinfo


def getaddrinfo(host, *rest, **named):
    if isinstance(host, str) and host.endswith(".test"):
        known = dict(line.split() for line in HOSTS.read_text().splitlines())
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        host = known[host]
    return ask_the_system(host, *rest, **named)


if HOSTS.exists():
    socket.getaddrinfo = getaddrinfo
