"""How late the kernel may wake threads."""

import threading
from pathlib import Path

import pytest

from steelyard_agent.sending.timer_slack import timers_late_by


def own_slack_ns() -> int:
    return int(Path(f"/proc/{threading.get_native_id()}/timerslack_ns").read_text(encoding="ascii"))


def slack_of_a_new_thread_ns() -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(own_slack_ns()))
    thread.start()
    thread.join()
    return found[0]


def test_threads_that_are_started_meanwhile_may_be_late_and_nobody_else() -> None:
    before_ns = own_slack_ns()
    with timers_late_by(0.25):
        assert slack_of_a_new_thread_ns() == 250_000_000
    assert own_slack_ns() == before_ns
    assert slack_of_a_new_thread_ns() == before_ns


def test_what_is_raised_meanwhile_leaves_no_slack_behind() -> None:
    before_ns = own_slack_ns()
    with pytest.raises(OSError, match="no file"), timers_late_by(0.25):
        raise OSError("no file")
    assert own_slack_ns() == before_ns
