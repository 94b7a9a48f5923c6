"""Change-of-Authorization over real UDP against a double made from RFC 5176. A real access server is still to be tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network

import pytest

from bwmgr.drivers import Driver, Known, driver_for
from bwmgr.drivers.radius import CoaStep
from bwmgr.errors import DeviceProtocolError, DeviceTimeout, UsageError
from bwmgr.language import Words
from bwmgr.model.bandwidth import Bandwidth
from bwmgr.model.enforcement import Queue
from bwmgr.model.inventory import Device, Direction, Enforcer
from bwmgr.model.secret import Secret
from bwmgr.testing import coa
from bwmgr.testing.coa import AccessServer

QUEUE = Queue(recommendation="0123456789ab", link="dinkes", direction=Direction.DOWN, cir_bps=5_000_000, mir_bps=35_000_000,
              user="dinkes@pppoe", other=Bandwidth(cir_bps=1_000_000, mir_bps=10_000_000))  # fmt: skip
CURRENT = Bandwidth(cir_bps=5_000_000, mir_bps=20_000_000)


@pytest.fixture
def server() -> Iterator[AccessServer]:
    with coa.running("dinkes@pppoe", "10.20.1.7") as made:
        yield made


def driver(server: AccessServer, *, secret: str = coa.SECRET, timeout: float = 5, known: Known | None = None) -> Driver[CoaStep]:
    how = Enforcer(driver="radius", secret=Secret(secret), port=server.port, timeout_seconds=timeout)
    return driver_for(Device(id="bng", address="127.0.0.1", enforce=how), known or Known(settings=None, bandwidth=CURRENT))


def test_a_session_gets_its_rates_and_gets_the_earlier_ones_back(server: AccessServer) -> None:
    """MikroTik's attribute and WISPr's, both directions, found by the user's name; undone by another request."""
    made = driver(server)
    before = made.read(QUEUE)
    made.send(made.steps(QUEUE, before, made.wanted(QUEUE, before)))
    session = server.sessions["dinkes@pppoe"]
    assert session["Mikrotik-Rate-Limit"] == "10000000/35000000 0/0 0/0 0/0 4 1000000/5000000"
    assert (session["WISPr-Bandwidth-Max-Down"], session["WISPr-Bandwidth-Max-Up"]) == (35_000_000, 10_000_000)
    assert made.read(QUEUE) == made.wanted(QUEUE, before) != before
    made.send(made.steps(QUEUE, made.read(QUEUE), before))
    assert server.sessions["dinkes@pppoe"]["WISPr-Bandwidth-Max-Down"] == 20_000_000
    assert made.read(QUEUE) == before


def test_a_session_is_found_by_its_address_where_no_user_is_named(server: AccessServer) -> None:
    queue = replace(QUEUE, user=None, networks=(ip_network("10.20.1.7/32"),))
    made = driver(server)
    made.send(made.steps(queue, {}, made.wanted(queue, {})))
    assert server.sessions["10.20.1.7"]["WISPr-Bandwidth-Max-Down"] == 35_000_000
    with pytest.raises(UsageError, match="the user of the session"):
        made.steps(replace(queue, networks=(ip_network("10.20.1.0/24"),)), {}, made.wanted(queue, {}))


def test_each_request_bears_the_time_and_an_authenticator(server: AccessServer) -> None:
    """RFC 5176 section 6.3: without them an old request could be sent again by anybody."""
    made = driver(server)
    made.send(made.steps(QUEUE, {}, made.wanted(QUEUE, {})))
    (request,) = server.requests
    assert {"Event-Timestamp", "Message-Authenticator"} <= set(request)


def test_a_refusal_is_told_with_its_cause(server: AccessServer) -> None:
    """A CoA-NAK changes nothing of what counts as held."""
    made = driver(server)
    before = made.read(QUEUE)
    with pytest.raises(DeviceProtocolError, match=r"bng: refused.*: no such session"):
        made.send(made.steps(replace(QUEUE, user="hantu"), before, made.wanted(QUEUE, before)))
    server.cause = 501
    with pytest.raises(DeviceProtocolError, match="administratively prohibited") as refused:
        made.send(made.steps(QUEUE, before, made.wanted(QUEUE, before)))
    assert Words("id").error(refused.value) == "bng: ditolak (CoA-NAK): dilarang oleh administrator"
    assert made.read(QUEUE) == before


def test_another_shared_secret_gets_no_answer_and_is_not_shown(server: AccessServer) -> None:
    """fault 53: the secret is in no message."""
    made = driver(server, secret="bukan ini", timeout=0.3)
    with pytest.raises(DeviceTimeout, match="or the shared secret is another one") as caught:
        made.send(made.steps(QUEUE, {}, made.wanted(QUEUE, {})))
    assert "bukan" not in str(caught.value)
    assert (server.requests, server.dropped) == ([], 3)


def test_a_rate_beyond_32_bits_goes_in_the_text_attribute_only(server: AccessServer) -> None:
    made = driver(server)
    made.send(made.steps(QUEUE, {}, made.wanted(replace(QUEUE, mir_bps=10_000_000_000), {})))
    session = server.sessions["dinkes@pppoe"]
    assert "/10000000000 " in session["Mikrotik-Rate-Limit"]
    assert "WISPr-Bandwidth-Max-Down" not in session


def test_a_dry_run_says_all_of_the_request(server: AccessServer) -> None:
    made = driver(server)
    (step,) = made.steps(QUEUE, {}, made.wanted(QUEUE, {}))
    assert step.line.startswith("CoA-Request User-Name='dinkes@pppoe' Mikrotik-Rate-Limit='10000000/35000000 ")
    assert server.requests == []
