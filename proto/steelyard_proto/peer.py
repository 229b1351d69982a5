"""Why something that listens there is no collector to us, out of gRPC's words: every program tells it alike."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a connection, and what to do; neither changes from try to try."""

    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}"


_TLS: Final = "it answers, but TLS fails"
_OTHER_CA: Final = Trouble(
    f"{_TLS}: ca_file isn't the CA that signed its certificate",
    "give that CA's certificate (`steelyard-collector init` makes it as ca.pem)",
)
# gRPC's details hold the word on the left; the first that fits counts.
_HANDSHAKES: Final = (
    (
        "certificate has expired",
        Trouble(
            f"{_TLS}: its certificate has expired",
            "give the collector a new one (`steelyard-collector init` into another directory makes one), or set this "
            "machine's clock right",
        ),
    ),
    ("CERTIFICATE_VERIFY_FAILED", _OTHER_CA),
    # Another CA of the same name, for example one that was made anew.
    ("certificate signature failure", _OTHER_CA),
    (
        "Hostname Verification",
        Trouble(
            f"{_TLS}: its certificate is for other names than this address",
            "use a name of the certificate's, or make one for this name (`steelyard-collector init --host NAME`)",
        ),
    ),
    (
        "WRONG_VERSION_NUMBER",
        Trouble(
            f"{_TLS}: it speaks plain text",
            "leave ca_file out, or start the collector with a certificate (`steelyard-collector init` makes one)",
        ),
    ),
    ("handshake failed", Trouble(_TLS, "ca_file must be the CA that signed its certificate, and it must speak TLS")),
)
_CLOSED: Final = ("Socket closed", "Connection reset", "Broken pipe")
_ENDS: Final = "it ends the connection without a word"


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

    def trouble(self, details: str) -> Trouble | None:
        """What is wrong where a call ended as UNAVAILABLE; None where nothing answers at all.

        Args:
            details: of gRPC's error.
        """
        for word, trouble in _HANDSHAKES:
            if word.lower() in details.lower():
                return trouble
        if "failed to connect" in details and any(word in details for word in _CLOSED):
            return Trouble(_ENDS, self._what_it_may_want())
        return None

    def _what_it_may_want(self) -> str:
        """A server that asks for more than it is offered says nothing of it."""
        if not self.has_ca:
            return "if it speaks TLS, give the CA that signed its certificate (ca_file)"
        if not self.has_certificate:
            return "if its TLS is mutual, give a certificate of our own (cert_file, key_file)"
        return (
            "if its TLS is mutual, cert_file must be signed by the CA that it takes (--client-ca), and not be expired"
        )
