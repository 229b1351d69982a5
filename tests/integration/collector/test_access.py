"""Who gets in, end to end: collectors as processes, each kind of wrong key, and what a person reads of it."""

import datetime as dt
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from steelyard_agent.config import make_config
from steelyard_agent.doctor.collector import check_collector
from steelyard_agent.doctor.node import Node
from steelyard_agent.sending.channel import Target
from steelyard_agent.sending.sender import Sender
from steelyard_agent.settings import gather_settings
from steelyard_collector.access.certificates import Authority, new_authority
from steelyard_collector.access.doors import check_doors
from steelyard_collector.access.tokens import ROLES, new_token, tokens_text
from steelyard_collector.cli import main as collector_main
from steelyard_collector.settings import gather_settings as collector_settings
from steelyard_proto.errors import ConfigError, TransportError
from steelyard_tui.client import connect
from steelyard_tui.settings import Tls
from tests.standins.agent_parts import Parts, until
from tests.standins.programs import Collector, end

NOW = dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Keys:
    """What a client brings, by the names of files; empty for nothing."""

    to: str = "mutual"
    ca: str = "ca"
    own: str = "client"
    token: str = ""


@dataclass
class Site:
    """Three collectors, a CA with certificates of it, another CA, and tokens."""

    folder: Path
    collectors: dict[str, Collector]

    def file(self, name: str) -> Path | None:
        return self.folder / name if name else None

    def text(self, name: str) -> bytes | None:
        return (self.folder / name).read_bytes() if name else None

    def address(self, keys: Keys) -> str:
        return self.collectors[keys.to].address


def _sign(folder: Path, authority: Authority, name: str, now: dt.datetime) -> tuple[str, str]:
    pair = authority.sign(name, ["127.0.0.1"], now)
    (folder / f"{name}.pem").write_bytes(pair.certificate)
    (folder / f"{name}.key").write_bytes(pair.key)
    return str(folder / f"{name}.pem"), str(folder / f"{name}.key")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    ours, other = new_authority("ours", NOW), new_authority("other", NOW)
    (folder / "ca.pem").write_bytes(ours.pem)
    (folder / "other-ca.pem").write_bytes(other.pem)
    cert, key = _sign(folder, ours, "server", NOW)
    old_cert, old_key = _sign(folder, ours, "old", NOW - dt.timedelta(days=5000))
    _sign(folder, ours, "client", NOW)
    _sign(folder, other, "stranger", NOW)
    tokens = {role: new_token() for role in ROLES}
    (folder / "tokens.toml").write_text(tokens_text(tokens))
    for role, token in {**tokens, "unknown": new_token()}.items():
        (folder / f"{role}.token").write_text(token)
    tls = ["--tls-cert", cert, "--tls-key", key, "--client-ca", str(folder / "ca.pem")]
    collectors = {
        "mutual": Collector(folder, *tls, "--tokens", str(folder / "tokens.toml"), name="mutual", store=folder / "a"),
        "expired": Collector(folder, "--tls-cert", old_cert, "--tls-key", old_key, name="expired", store=folder / "b"),
        "plain": Collector(folder, name="plain", store=folder / "c"),
    }
    try:
        for collector in collectors.values():
            collector.start()
        for collector in collectors.values():
            collector.wait()
        yield Site(folder, collectors)
    finally:
        end(collectors.values())


def viewer_reads(site: Site, keys: Keys) -> str:
    """What `steelyard` says; empty where it is answered."""
    tls = None
    if keys.ca:
        pair = (site.text(f"{keys.own}.pem"), site.text(f"{keys.own}.key")) if keys.own else (None, None)
        tls = Tls(site.text(f"{keys.ca}.pem") or b"", *pair)
    token = (site.text(f"{keys.token}.token") or b"").decode() if keys.token else ""
    with connect(site.address(keys), tls, token) as client:
        try:
            rows = client.sql("SELECT 1 AS one").table.to_pylist()
        except TransportError as error:
            return str(error)
    return "" if rows == [{"one": 1}] else str(rows)


def target(site: Site, keys: Keys) -> Target:
    own = keys.own if keys.ca else ""
    return Target(
        site.address(keys),
        site.file(keys.ca and f"{keys.ca}.pem"),
        site.file(own and f"{own}.pem"),
        site.file(own and f"{own}.key"),
        token_file=site.file(keys.token and f"{keys.token}.token"),
    )


def agent_reads(site: Site, keys: Keys, folder: Path, caplog: pytest.LogCaptureFixture) -> str:
    """What an agent logs; empty where it is welcomed and what it sends is committed."""
    parts = Parts(folder, now_s=time.time)
    parts.spool(1, at_ms=int(time.time() * 1000) - 1000)
    sender = Sender(parts.ring, parts.directory, target(site, keys), time.time, draw=lambda: 0.0)
    caplog.clear()
    sender.start()
    try:
        until(lambda: sender.state.acked or sender.state.last_error, 60)
    finally:
        sender.stop(2)
        parts.ring.close()
    return "\n".join(r.getMessage() for r in caplog.records if r.levelname == "WARNING" and "sender" in r.name)


def doctor_reads(site: Site, keys: Keys, folder: Path) -> str:
    """What the doctor finds; empty where nothing is wrong."""
    at = target(site, keys)
    given = {"collector": at.address, "ca_file": at.ca_file, "cert_file": at.cert_file, "key_file": at.key_file,
             "token_file": at.token_file}  # fmt: skip
    environ = {"HOME": str(folder)}
    settings = {key: str(value) for key, value in given.items() if value}
    findings = check_collector(Node(make_config(gather_settings(settings, environ, None), environ)))
    return "\n".join(f"{f.subject} {f.text} {f.remedy}" for f in findings if f.level == "problem")


WRONG = [
    pytest.param(Keys(own=""), "give a certificate of our own (cert_file, key_file)", id="no client certificate"),
    pytest.param(Keys(own="stranger"), "must be signed by the CA that it takes (--client-ca)", id="of another CA"),
    pytest.param(Keys(ca="other-ca"), "TLS fails: ca_file isn't the CA that signed its certificate; give", id="CA"),
    pytest.param(Keys(ca=""), "if it speaks TLS, give the CA that signed its certificate (ca_file)", id="plain to TLS"),
    pytest.param(Keys("expired", own=""), "its certificate has expired; give the collector a new one", id="expired"),
    pytest.param(Keys("plain", own=""), "it speaks plain text; leave ca_file out, or start", id="TLS to plain"),
]


@pytest.mark.parametrize(("keys", "said"), WRONG)
def test_a_wrong_key_is_named_with_the_address_and_the_remedy(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture, keys: Keys, said: str
) -> None:
    address = site.address(keys)
    for text in (
        viewer_reads(site, keys),
        agent_reads(site, keys, tmp_path, caplog),
        doctor_reads(site, keys, tmp_path),
    ):
        assert address in text
        for part in said.split("; "):
            assert part in text


def test_with_the_right_keys_each_role_does_its_own(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert viewer_reads(site, Keys(token="viewer")) == ""
    assert viewer_reads(site, Keys(token="operator")) == ""
    assert agent_reads(site, Keys(token="agent"), tmp_path, caplog) == ""
    assert doctor_reads(site, Keys(token="agent"), tmp_path) == ""


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("agent", "a token of the role agent may not do this; it takes operator or viewer"),
        ("", "no token; send one of the role operator or viewer"),
        ("unknown", "this token is unknown; `steelyard-collector init` makes tokens"),
    ],
)
def test_who_may_not_read_is_told_so_at_both_doors(site: Site, token: str, said: str) -> None:
    text = viewer_reads(site, Keys(token=token))
    assert f"the collector at {site.address(Keys())} refuses access: {said}" in text
    assert "--token-file" in text
    with pytest.raises(urllib.error.HTTPError) as refused:
        _http(site, "client", token)
    assert refused.value.code == (403 if token == "agent" else 401)
    assert said in refused.value.read().decode()


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("viewer", "a token of the role viewer may not do this; it takes agent"),
        ("operator", "a token of the role operator may not do this; it takes agent"),
        ("", "no token; send one of the role agent"),
    ],
)
def test_who_may_not_write_is_told_so(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture, token: str, said: str
) -> None:
    text = agent_reads(site, Keys(token=token), tmp_path, caplog)
    assert f"collector {site.address(Keys())}: " in text
    assert said in text
    assert "`steelyard-collector init`" in text


def test_http_is_as_closed_as_grpc(site: Site) -> None:
    assert _http(site, "client", "viewer") == "1\n"
    # TLS 1.3 tells a client what was wrong with its certificate only when it reads.
    for own in ("", "stranger"):
        with pytest.raises(OSError, match=r"(?i)certificate|closed|reset|ssl|eof"):
            _http(site, own, "viewer")
    with pytest.raises(OSError, match=r"(?i)closed|reset|bad|status"):
        urllib.request.urlopen(f"http://{site.collectors['mutual'].http}/ping", timeout=20)


def _http(site: Site, own: str, token: str) -> str:
    context = ssl.create_default_context(cafile=str(site.file("ca.pem")))
    if own:
        context.load_cert_chain(str(site.file(f"{own}.pem")), str(site.file(f"{own}.key")))
    headers = {"Authorization": f"Bearer {(site.text(f'{token}.token') or b'').decode()}"} if token else {}
    request = urllib.request.Request(f"https://{site.collectors['mutual'].http}/?query=SELECT+1", headers=headers)
    with urllib.request.urlopen(request, timeout=20, context=context) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"listen.grpc": "0.0.0.0:1"}, "listen.grpc: 0.0.0.0:1 can be reached from elsewhere, and there is no TLS and"),
        ({"listen.http": "[::]:1"}, "listen.http: [::]:1 can be reached from elsewhere, and there is no TLS and no to"),
        ({"listen.grpc": "0.0.0.0:1", "tls.cert": "c", "tls.key": "k"}, "there is no tokens; run `steelyard-coll"),
        ({"listen.grpc": "head-node:1", "access.tokens": "t"}, "head-node:1 can be reached from elsewhere, and there"),
    ],
)
def test_strangers_are_not_served_without_tls_and_tokens(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_doors(collector_settings(dict(settings), {}, None))
    assert said in str(refused.value)
    assert "steelyard-collector init" in str(refused.value)
    assert "--insecure" in str(refused.value)
    check_doors(collector_settings({**settings, "listen.insecure": True}, {}, None))
    check_doors(collector_settings({**settings, "tls.cert": "c", "tls.key": "k", "access.tokens": "t"}, {}, None))


def test_the_daemon_refuses_so_before_it_opens_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "store"
    assert collector_main(["daemon", "--store", f"chdb://{store}", "--listen", "0.0.0.0:0"]) == 2
    assert "steelyard-collector: listen.grpc: 0.0.0.0:0 can be reached from elsewhere" in capsys.readouterr().err
    assert not store.exists()
