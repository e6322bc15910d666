"""
Perspective Broker over TCP: TLS both ways, each end with a certificate of one authority.

Needs the extra ``tls`` (pyOpenSSL). Who has a certificate of the authority may do what a local
user in the access list may; so the authority should sign for nothing else.
"""

from typing import Any

from twisted.internet import ssl
from twisted.internet.endpoints import HostnameEndpoint, SSL4ServerEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint

from corosync_tw.errors import CsInvalidParam


def server_endpoint(
    reactor: Any, interface: str, port: int, certificate_pem: bytes, authority_pem: bytes
) -> IStreamServerEndpoint:
    """
    Make an endpoint for `PbServer.listen`.

    :param certificate_pem: our certificate and its key.
    :param authority_pem: certificate of the authority that signed the clients'.
    Raises: CsInvalidParam.
    """
    ours = _private_certificate(certificate_pem)
    return SSL4ServerEndpoint(  # type: ignore[no-untyped-call]
        reactor, port, ours.options(_authority(authority_pem)), interface=interface
    )


def client_endpoint(
    plain: IStreamClientEndpoint, server_name: str, certificate_pem: bytes, authority_pem: bytes
) -> IStreamClientEndpoint:
    """
    Wrap an endpoint for `corosync_tw.client.node.connect`.

    :param server_name: that the server's certificate must bear.
    :param certificate_pem: our certificate and its key.
    :param authority_pem: certificate of the authority that signed the server's.
    Raises: CsInvalidParam.
    """
    authority, ours = _authority(authority_pem), _private_certificate(certificate_pem)
    try:
        options = ssl.optionsForClientTLS(server_name, trustRoot=authority, clientCertificate=ours)
    except UnicodeError as fault:
        raise CsInvalidParam(f"{server_name!r} is no name of a host") from fault
    return wrapClientTLS(options, plain)


def tcp_client_endpoint(
    reactor: Any, host: str, port: int, certificate_pem: bytes, authority_pem: bytes
) -> IStreamClientEndpoint:
    """
    Make an endpoint to a daemon of another machine, whose certificate bears the name ``host``.

    Raises: CsInvalidParam.
    """
    plain = HostnameEndpoint(reactor, host, port)
    return client_endpoint(plain, host, certificate_pem, authority_pem)


def _private_certificate(pem: bytes) -> Any:
    try:
        return ssl.PrivateCertificate.loadPEM(pem)  # type: ignore[no-untyped-call]
    except Exception as fault:
        raise CsInvalidParam("our own file has no certificate with its key in PEM") from fault


def _authority(pem: bytes) -> Any:
    try:
        return ssl.Certificate.loadPEM(pem)
    except Exception as fault:
        raise CsInvalidParam("the authority's file has no certificate in PEM") from fault
