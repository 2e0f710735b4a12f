"""
The line is broken in 16 ways at 9 points of the talk: once it is whole again, all mail is handled within 90 s, once,
and nothing is left over of the links that broke.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.fault_proxy import Fault, Phase
from tests.system.cells import PROMISED, Cell, front, try_cells
from tests.system.dovecot import Dovecot

pytestmark = pytest.mark.system

#: What has broken a client of some kind before, each fault at least once and each phase at least once.
CHOSEN = [
    Cell(Fault.BLACK_HOLE, Phase.CONNECT),
    Cell(Fault.REFUSED, Phase.CONNECT),
    Cell(Fault.UNREACHABLE, Phase.CONNECT),
    Cell(Fault.NO_NAME, Phase.IDLE),
    Cell(Fault.ALERT, Phase.TLS),
    Cell(Fault.CERTIFICATE, Phase.TLS),
    Cell(Fault.SLOW, Phase.TLS),
    Cell(Fault.BYE, Phase.GREETING),
    Cell(Fault.LATENCY, Phase.GREETING),
    Cell(Fault.REFUSAL, Phase.LOGIN),
    Cell(Fault.BLACK_HOLE, Phase.LOGIN),
    Cell(Fault.FIN, Phase.SELECT),
    Cell(Fault.ENDLESS, Phase.SELECT),
    Cell(Fault.BLACK_HOLE, Phase.IDLE),
    Cell(Fault.CUT, Phase.IDLE),
    Cell(Fault.ENDLESS, Phase.IDLE),
    Cell(Fault.FLIP, Phase.FETCH),
    Cell(Fault.RST, Phase.FETCH),
    Cell(Fault.TRICKLE, Phase.FETCH),
    Cell(Fault.RST, Phase.STORE),
    Cell(Fault.REFUSAL, Phase.STORE),
    Cell(Fault.FIN, Phase.LOGOUT),
]


def test_the_chosen_cells(tmp_path):
    with Dovecot(users=map(str, CHOSEN)) as server:
        assert try_cells(tmp_path, server, CHOSEN) == []


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_all_cells(tmp_path):
    """A daemon for each fault, three at a time."""
    rows = {fault: [Cell(fault, phase) for phase in Phase] for fault in Fault}
    users = [str(cell) for cells in rows.values() for cell in cells]
    for fault in Fault:
        (tmp_path / fault).mkdir()
    with Dovecot(users=users, connections=400) as server, ThreadPoolExecutor(3) as hands:
        tries = {fault: hands.submit(try_cells, tmp_path / fault, server, cells) for fault, cells in rows.items()}
        assert {fault: wrong for fault, one in tries.items() if (wrong := one.result())} == {}


@pytest.mark.soak
def test_a_mail_that_breaks_off_again_and_again_comes_soon_after_the_last_time(tmp_path):
    """What is at fault is the line, and not the mail, however much it looks like that."""
    with Dovecot() as server, front(tmp_path, server, ["alice"]) as tried:
        tried.warm_up()
        proxy = tried.proxies["alice"]
        proxy.arm(Fault.RST, Phase.FETCH)
        case = tried.deliver("alice")
        tried.daemon.until(lambda: proxy.struck >= 4, 150, "the fourth FETCH to break")
        proxy.heal()
        tried.daemon.handled([case], PROMISED)
