"""A wrong setting is refused in one line that names where it stands, its key, its value and what to do instead."""

from pathlib import Path

import pytest

from steelyard_collector.cli import main
from steelyard_collector.settings import gather_settings
from steelyard_proto.errors import ConfigError

_BROKEN = [
    ("[listen]\ngrcp = '127.0.0.1:1'", "listen.grcp: is no setting; did you mean listen.grpc?"),
    ("max_disk = '1GB'", "max_disk: is no setting; did you mean store.max_disk?"),
    ("[elsewhere]\nfoo = 1", "elsewhere.foo: is no setting; `steelyard-collector daemon --print-config` lists"),
    ("[store]\nretention_days = 'ten'", "store.retention_days: is 'ten'; give a whole number"),
    ("[store]\nretention_days = 0", "store.retention_days: is 0; it must be at least 1"),
    ("[store]\nmax_disk = 'plenty'", "store.max_disk: is 'plenty'; write a size such as 50GB"),
    ("[listen]\ninsecure = 1", "listen.insecure: is 1; give true or false"),
    ("[listen]\ngrpc = 1.5", "listen.grpc: is 1.5; give a text"),
    ("[tls]\ncert = 'cert.pem'", "tls.cert: is given without tls.key; TLS needs both"),
    ("[store", "is not TOML: "),
]


@pytest.mark.parametrize(("text", "said"), _BROKEN)
def test_a_broken_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setattr("os.environ", {})
    path = tmp_path / "collector.toml"
    path.write_text(text)
    assert main(["daemon", "--config", str(path)]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith(f"steelyard-collector: {path}: {said}")
    assert streams.err.count("\n") == 1


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["daemon", "--config", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"steelyard-collector: {tmp_path}: can't be read: Is a directory; name another with --config\n"
    )


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("STEELYARD_INGEST_COMMIT_MS", "soon", "STEELYARD_INGEST_COMMIT_MS: ingest.commit_ms: is 'soon'; give a whole"),
        ("STEELYARD_INGEST_QUEUE_MB", "1", "STEELYARD_INGEST_QUEUE_MB: ingest.queue_mb: is 1; it must be at least 8"),
        ("STEELYARD_LISTEN_INSECURE", "perhaps", "STEELYARD_LISTEN_INSECURE: listen.insecure: is 'perhaps'; give true"),
    ],
)
def test_a_broken_variable_is_named(variable: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        gather_settings({}, {variable: text}, None)
    assert str(error.value).startswith(said)
