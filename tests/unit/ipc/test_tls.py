"""Perspective Broker over TLS: who has a certificate of the authority comes in, others do not."""

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint

from corosync_tw.client import node as node_module
from corosync_tw.client.errors import NoDaemon
from corosync_tw.client.node import connect
from corosync_tw.errors import CsInvalidParam
from corosync_tw.ipc.pb.peercred import peer_credentials
from corosync_tw.ipc.pb.tls import client_endpoint, server_endpoint
from tests.unit.ipc.certificates import Authority
from tests.unit.ipc.serving import Bed, Heard


async def listen(bed, authority):
    bed.server._credentials = peer_credentials
    endpoint = server_endpoint(
        reactor, "127.0.0.1", 0, authority.sign("node.example"), authority.pem
    )
    port = await bed.server.listen(endpoint)
    return TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)


@pytest_twisted.ensureDeferred
async def test_a_client_with_a_certificate_comes_in_and_names_its_own_pid(tmp_path):
    async with Bed(tmp_path) as bed:
        authority = Authority("cluster")
        plain = await listen(bed, authority)
        secure = client_endpoint(plain, "node.example", authority.sign("admin"), authority.pem)
        client = await connect(reactor, secure, pid=4242)
        bed.clients.append(client)
        heard = Heard()
        cpg = client.cpg()
        await cpg.join(b"room", heard.on_deliver)
        await cpg.mcast_many([b"over tls"] * 1000)
        await heard.count(messages=1000)
        assert heard.messages[0][:2] == (7, 4242)


@pytest_twisted.ensureDeferred
async def test_a_certificate_of_another_authority_is_refused(tmp_path):
    async with Bed(tmp_path) as bed:
        authority = Authority("cluster")
        plain = await listen(bed, authority)
        stranger = Authority("elsewhere").sign("admin")
        with pytest.raises(NoDaemon):
            await connect(reactor, client_endpoint(plain, "node.example", stranger, authority.pem))


@pytest_twisted.ensureDeferred
async def test_a_server_of_another_name_is_not_believed(tmp_path):
    async with Bed(tmp_path) as bed:
        authority = Authority("cluster")
        plain = await listen(bed, authority)
        certificate = authority.sign("admin")
        with pytest.raises(NoDaemon):
            await connect(
                reactor, client_endpoint(plain, "other.example", certificate, authority.pem)
            )


@pytest_twisted.ensureDeferred
async def test_plain_text_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(node_module, "HELLO_TIMEOUT_S", 0.05)
    async with Bed(tmp_path) as bed:
        plain = await listen(bed, Authority("cluster"))
        with pytest.raises(NoDaemon):
            await connect(reactor, plain)


def test_what_is_no_certificate_is_said_to_be_none():
    with pytest.raises(CsInvalidParam, match="no certificate"):
        server_endpoint(reactor, "127.0.0.1", 0, b"nonsense", b"nonsense")
