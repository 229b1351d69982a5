"""TLS and mutual TLS, by the program as it is started: gRPC is imported without Python's `ssl`."""

import ipaddress
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from steelyard_proto.v1 import batch_pb2
from tests.standins.agent_parts import until
from tests.standins.ingest_server import Behaviour, IngestServer


@dataclass(frozen=True)
class Signed:
    """A certificate and its key, in PEM files."""

    cert: Path
    key: Path


class Authority:
    """A CA that lives as long as the test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test CA")])
        self.cert = self._certify(self.name, self.key, x509.BasicConstraints(ca=True, path_length=None))
        self.file = directory / "ca.pem"
        self.file.write_bytes(self.cert.public_bytes(serialization.Encoding.PEM))

    def sign(self, name: str) -> Signed:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        cert = self._certify(subject, key, address)
        made = Signed(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        made.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return made

    def _certify(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            issuer_name=self.name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(minutes=5),
            not_valid_after=now + timedelta(hours=1),
        )
        return builder.add_extension(extension, critical=False).sign(self.key, hashes.SHA256())


@pytest.mark.parametrize("is_mutual", [False, True])
def test_streams_over_tls_with_a_token(tmp_path: Path, is_mutual: bool) -> None:
    authority = Authority(tmp_path)
    of_server, of_agent = authority.sign("server"), authority.sign("agent")
    credentials = grpc.ssl_server_credentials(
        [(of_server.key.read_bytes(), of_server.cert.read_bytes())],
        root_certificates=authority.file.read_bytes() if is_mutual else None,
        require_client_auth=is_mutual,
    )
    token = tmp_path / "token"
    token.write_text("sesame\n")
    arguments = ["--ca-file", str(authority.file), "--token-file", str(token), "--state-dir", str(tmp_path / "state")]
    if is_mutual:
        arguments += ["--cert-file", str(of_agent.cert), "--key-file", str(of_agent.key)]
    with IngestServer(Behaviour(flush_ms=300, token="sesame"), credentials) as server:
        command = [sys.executable, "-m", "steelyard_agent.cli", "daemon", "--collector", server.address, *arguments]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                command, stderr=log, env={**os.environ, "STEELYARD_SAMPLING_HOST_PERIOD_MS": "200"}
            )
        until(lambda: len(server.seen.numbers(batch_pb2.KIND_HOST_SAMPLES)) >= 2, 60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert server.seen.faults == []


def test_a_collector_of_another_ca_is_refused_with_words(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    authority, other = Authority(tmp_path), Authority(tmp_path / "other")
    of_server = authority.sign("server")
    credentials = grpc.ssl_server_credentials([(of_server.key.read_bytes(), of_server.cert.read_bytes())])
    with IngestServer(Behaviour(), credentials) as server:
        arguments = [
            "--collector",
            server.address,
            "--ca-file",
            str(other.file),
            "--state-dir",
            str(tmp_path / "state"),
        ]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen([sys.executable, "-m", "steelyard_agent.cli", "daemon", *arguments], stderr=log)
        until(lambda: "it answers, but TLS fails: ca_file" in (tmp_path / "log").read_text(), 60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert server.seen.hellos == []
        assert server.address in (tmp_path / "log").read_text()
