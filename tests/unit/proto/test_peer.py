"""gRPC's words for a connection that fails, as people read them."""

import pytest

from steelyard_proto.peer import Peer

FAILED = "failed to connect to all addresses; last error: "
PLAIN, TLS, MUTUAL = Peer("c:1"), Peer("c:1", True), Peer("c:1", True, True)


@pytest.mark.parametrize(
    ("peer", "details", "said"),
    [
        (TLS, "Ssl handshake failed: CERTIFICATE_VERIFY_FAILED: certificate has expired", "has expired; give the coll"),
        (TLS, "Tls handshake failed: CERTIFICATE_VERIFY_FAILED: unable to get local", "ca_file isn't the CA that sig"),
        (TLS, "Tls handshake failed: BAD_SIGNATURE: certificate signature failure", "ca_file isn't the CA that sign"),
        (
            TLS,
            "UNAUTHENTICATED: Hostname Verification Check failed.",
            "is for other names than this address; use a name",
        ),
        (TLS, "Tls handshake failed: WRONG_VERSION_NUMBER", "it speaks plain text; leave ca_file out"),
        (TLS, "Ssl handshake failed: what nobody has seen yet", "it answers, but TLS fails; ca_file must be the CA"),
        (PLAIN, f"{FAILED}ipv4:1: Socket closed", "ends the connection without a word; if it speaks TLS, give the CA"),
        (PLAIN, f"{FAILED}recvmsg:Connection reset by peer", "if it speaks TLS, give the CA"),
        (TLS, f"{FAILED}ipv4:1: Socket closed", "if its TLS is mutual, give a certificate of our own"),
        (MUTUAL, f"{FAILED}Secure read failed (Socket closed)", "cert_file must be signed by the CA that it takes"),
    ],
)
def test_what_is_wrong_and_what_to_do(peer: Peer, details: str, said: str) -> None:
    assert said in str(peer.trouble(details))


@pytest.mark.parametrize(
    "details", ["", "Socket closed", f"{FAILED}Connection refused (111)", "errors resolving x:1: Domain name not found"]
)
def test_where_nobody_answers_there_is_no_trouble_to_name(details: str) -> None:
    assert MUTUAL.trouble(details) is None
