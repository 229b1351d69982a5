"""Why a collector can't be reached, out of gRPC's words for it, and what to do: every program tells it alike."""

from dataclasses import dataclass
from typing import Final

_START: Final = (
    "start one there with `steelyard-collector daemon`, or name another with --collector or STEELYARD_COLLECTOR"
)
# Of these gRPC's details hold the left side; the first that fits counts.
_HANDSHAKES: Final = (
    (
        "certificate has expired",
        "its certificate has expired; give the collector a new one (`steelyard-collector init` into another directory "
        "makes one), or set this machine's clock right",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "ca_file must be the CA that signed its certificate (`steelyard-collector init` names it)",
    ),
    (
        "Hostname Verification",
        "its certificate is for other names than this; use one of them, or make one for this name "
        "(`steelyard-collector init --host`)",
    ),
    (
        "WRONG_VERSION_NUMBER",
        "the collector speaks plain text there; leave ca_file out, or start it with a certificate (`--tls-cert`)",
    ),
)
_ANY_HANDSHAKE: Final = "ca_file must be the CA that signed its certificate, and the collector must speak TLS"
_CLOSED: Final = ("Socket closed", "Connection reset")


@dataclass(frozen=True, slots=True)
class Peer:
    """A collector as its client sees it.

    Attributes:
        address: host:port.
        has_ca: TLS is spoken to it.
        has_certificate: a certificate of our own is shown to it.
    """

    address: str
    has_ca: bool = False
    has_certificate: bool = False

    def why(self, details: str) -> str:
        """The reason why it is UNAVAILABLE and the remedy, in words that don't change from try to try.

        Args:
            details: of gRPC's error.
        """
        if handshake := self._handshake(details):
            return f"it answers, but TLS fails: {handshake}"
        if "failed to connect" in details and any(word in details for word in _CLOSED):
            return self._closed()
        if "lookup" in details:
            return f"no collector answers: the name isn't known here; write it as host:port, or {_START}"
        return f"no collector answers; {_START}"

    def _handshake(self, details: str) -> str:
        for word, meaning in _HANDSHAKES:
            if word in details:
                return meaning
        return _ANY_HANDSHAKE if "handshake failed" in details.lower() else ""

    def _closed(self) -> str:
        """A server that asks for more than was offered ends the connection without a word."""
        if not self.has_ca:
            return "it ends the connection without a word: if it speaks TLS, give the CA that signed it (ca_file)"
        if not self.has_certificate:
            return (
                "it ends the connection without a word: if it asks clients for a certificate (mutual TLS), give one "
                "(cert_file, key_file)"
            )
        return (
            "it ends the connection without a word: if it asks clients for a certificate (mutual TLS), cert_file must "
            "be signed by its --client-ca, and be valid now"
        )
