"""Raw traces on the node: bounded, and reached by ids alone."""

import os
from pathlib import Path
from uuid import uuid4

import pytest

from steelyard_agent.profiling.raw_store import PIECE_BYTES, NoTrace, RawStore

NOW_S = 1_000_000.0
ID = "6e2e4ee1-54cf-4b3a-9b5c-9f4f0a6a5d1e"


def store(path: Path, max_bytes: int = 1000, ttl_s: float = 100.0) -> RawStore:
    return RawStore(path, max_bytes, ttl_s, lambda: NOW_S)


def put(kept: RawStore, content: bytes, age_s: float = 0.0) -> str:
    profile = str(uuid4())
    path = kept.path_for(profile, ".json")
    path.write_bytes(content)
    os.utime(path, (NOW_S - age_s,) * 2)
    return profile


def has(kept: RawStore, profile: str) -> bool:
    try:
        list(kept.open(profile)[2])
    except NoTrace:
        return False
    return True


def test_a_trace_comes_in_pieces(tmp_path: Path) -> None:
    kept, content = store(tmp_path), os.urandom(2 * PIECE_BYTES + 5)
    profile = put(kept, content)
    name, size, pieces = kept.open(profile)
    parts = list(pieces)
    assert (name, size, b"".join(parts)) == (f"{profile}.json", len(content), content)
    assert [len(part) for part in parts] == [PIECE_BYTES, PIECE_BYTES, 5]


def test_a_trace_that_nobody_reads_holds_no_file_and_one_that_goes_meanwhile_has_no_pieces(tmp_path: Path) -> None:
    kept = store(tmp_path)
    profile = put(kept, b"content")

    pieces = kept.open(profile)[2]
    # A directory's own descriptor is gone by the time that it is looked at.
    links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert not [path for path in links if profile in path.name]
    kept.drop(profile)
    assert list(pieces) == []


def test_the_old_and_the_oldest_go(tmp_path: Path) -> None:
    kept = store(tmp_path)
    stale, old, young, new = (put(kept, b"x" * 400, age_s) for age_s in (101, 50, 20, 1))
    kept.trim()
    assert [has(kept, one) for one in (stale, old, young, new)] == [False, False, True, True]


@pytest.mark.parametrize(
    "profile", ["", "..", "../agent-id", "/etc/passwd", "a" * 36, f"{ID}/..", f"{{{ID}}}", ID.replace("-", ""), "\0"]
)
def test_only_an_id_names_a_trace(tmp_path: Path, profile: str) -> None:
    with pytest.raises(NoTrace, match="is no profile's id"):
        store(tmp_path).open(profile)


def test_links_are_not_followed(tmp_path: Path) -> None:
    kept, profile = store(tmp_path / "traces"), str(uuid4())
    (tmp_path / "secret").write_text("secret")
    kept.path_for(profile, ".json").symlink_to(tmp_path / "secret")
    with pytest.raises(NoTrace, match="not kept any more"):
        kept.open(profile)


def test_one_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoTrace, match="keep_hours"):
        store(tmp_path).open(str(uuid4()))
