"""The names of the fabric: whose they are, what is done with what others left there."""

import os
import socket
from pathlib import Path

import pytest

from steelyard_agent.profiling.landing import Landing, Unusable
from steelyard_agent.profiling.sockets import KINETO_ABSTRACT, NameTaken, bind_abstract, bind_file


def test_a_live_daemons_name_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "dynolog"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(NameTaken, match="belongs to another daemon"):
            bind_file(path, "kineto", is_shared=False)
    assert path.exists()


def test_a_dead_daemons_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "dynolog"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(path))
    listener = bind_file(path, "kineto", is_shared=False)
    assert path.stat().st_mode & 0o777 == 0o600
    listener.close()
    assert not path.exists()


def test_in_a_shared_folder_the_name_is_never_free_for_others(tmp_path: Path) -> None:
    path = tmp_path / "dynolog"
    bind_file(path, "kineto", is_shared=True).close()
    assert path.is_socket(), "the folder lets nobody else remove it"
    listener = bind_file(path, "kineto", is_shared=True)
    assert path.stat().st_mode & 0o777 == 0o666
    listener.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "dynolog"
    path.write_text("dear diary")
    with pytest.raises(NameTaken, match="is no socket"):
        bind_file(path, "kineto", is_shared=False)
    assert path.read_text() == "dear diary"


def test_a_link_to_a_socket_elsewhere_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "dynolog").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NameTaken, match="is no socket"):
        bind_file(tmp_path / "dynolog", "kineto", is_shared=False)


def test_the_abstract_name_has_one_owner() -> None:
    try:
        first = bind_abstract()
    except NameTaken:
        pytest.skip("a daemon of this machine has the name")
    try:
        assert first.socket.getsockname() == KINETO_ABSTRACT.encode()
        with pytest.raises(NameTaken, match="@dynolog belongs to another daemon"):
            bind_abstract()
    finally:
        first.close()


def landing(root: Path, *, is_shared: bool = False, max_bytes: int = 1000) -> Landing:
    made = Landing(root, is_shared, max_bytes)
    made.open()
    return made


def test_the_folder_is_the_users_own_or_open_to_all_like_tmp(tmp_path: Path) -> None:
    own, shared = landing(tmp_path / "own"), landing(tmp_path / "shared", is_shared=True)
    assert [own.root.stat().st_mode & 0o7777, own.traces.stat().st_mode & 0o7777] == [0o700, 0o700]
    assert [shared.root.stat().st_mode & 0o7777, shared.traces.stat().st_mode & 0o7777] == [0o1777, 0o1733]


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(Unusable, match="not a folder of the agent's own"):
        landing(tmp_path / "link")


def test_a_trace_is_moved_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    file = tmp_path / "traces/x.json"
    file.write_text("{}")
    assert landing(tmp_path).take(file, os.getuid(), tmp_path / "kept") == 2
    assert (tmp_path / "kept").read_text() == "{}"
    assert not file.exists()


@pytest.mark.parametrize("what", ["link", "hard link", "folder", "fifo", "large", "other user"])
def test_what_is_no_plain_file_of_its_user_is_refused(tmp_path: Path, what: str) -> None:
    folder = landing(tmp_path / "land").traces
    file, secret, uid = folder / "x.json", tmp_path / "secret", os.getuid()
    secret.write_text("secret")
    if what == "link":
        file.symlink_to(secret)
    elif what == "hard link":
        file.hardlink_to(secret)
    elif what == "folder":
        (folder / "x.json").mkdir()
    elif what == "fifo":
        os.mkfifo(file)
    else:
        file.write_text("x" * 1001 if what == "large" else "x")
        uid += what == "other user"
    with pytest.raises((Unusable, OSError)):
        landing(tmp_path / "land").take(file, uid, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    assert secret.read_text() == "secret"


def test_what_nobody_waits_for_is_swept(tmp_path: Path) -> None:
    folder = landing(tmp_path)
    for name, age_s in (("old_1.json.tmp", 700), ("old_1.json", 700), ("new_1.json.tmp", 10)):
        (folder.traces / name).write_text("")
        os.utime(folder.traces / name, (1_000_000 - age_s,) * 2)
    assert folder.sweep(1_000_000) == 2
    assert [path.name for path in folder.traces.iterdir()] == ["new_1.json.tmp"]
