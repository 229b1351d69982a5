"""The commands: what they import, how they fail, and the trees of programs that demo and local start."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from steelyard_proto.errors import SteelyardError
from steelyard_tui.cli import build_parser, main
from steelyard_tui.commands.processes import ProcessTree, wait_for_line, wait_until

SLEEPER = [sys.executable, "-c", "import time; print('listening on 127.0.0.1:77', flush=True); time.sleep(600)"]


def test_commands_do_not_load_the_screens() -> None:
    heavy = "('textual', 'tree_sitter', 'matplotlib')"
    code = f"import sys, steelyard_tui.cli; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_reading_a_time_does_not_load_pandas() -> None:
    code = """
import sys
import pyarrow as pa
from steelyard_tui.cli import main
sys.argv = ["steelyard", "sql", "SELECT 1", "--collector", "127.0.0.1:1"]
assert main() == 3
assert pa.scalar(0, pa.timestamp("ms", "UTC")).as_py().year == 1970
print("pandas" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_no_collector_is_exit_code_3_and_names_the_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", "SELECT 1", "--collector", "127.0.0.1:1"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert "127.0.0.1:1" in said.err
    assert "steelyard-collector daemon" in said.err


@pytest.mark.parametrize("order", [["--order", "-power_w"], ["--order=-power_w"], ["--order", "power_w"]])
def test_the_largest_first_is_asked_for_as_the_help_says(order: list[str]) -> None:
    assert main(["devices", *order, "--collector", "127.0.0.1:1"]) == 3


def test_every_command_has_examples() -> None:
    for action in build_parser()._subparsers._group_actions:  # type: ignore[union-attr]
        for name, parser in action.choices.items():  # type: ignore[union-attr]
            assert f"steelyard {name}" in parser.epilog, name


def test_a_tree_ends_with_its_block_and_in_the_reverse_order(tmp_path: Path) -> None:
    with ProcessTree(tmp_path) as tree:
        child = tree.start("one", SLEEPER, os.environ)
        tree.start("two", SLEEPER, os.environ)
        match = wait_for_line(child, r"listening on (\S+)", tree, 20)
        assert match.group(1) == "127.0.0.1:77"
        processes = [child.process for child in tree.children]
    assert all(process.returncode == -signal.SIGTERM for process in processes)


def test_a_program_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    with ProcessTree(tmp_path) as tree:
        tree.start("short", [sys.executable, "-c", "raise SystemExit('no such store')"], os.environ)
        with pytest.raises(SteelyardError, match=r"short ended with code 1(.|\n)*no such store"):
            wait_until(lambda: False, tree, "for ever", 20)


def test_waiting_ends(tmp_path: Path) -> None:
    clock = iter(range(1000))
    with ProcessTree(tmp_path) as tree, pytest.raises(SteelyardError, match="waited 5 s for a thing"):
        wait_until(lambda: False, tree, "a thing", 5, monotonic=lambda: float(next(clock)), sleep=lambda s: None)


PARENT = """
import os, sys
from pathlib import Path
from steelyard_proto.errors import SteelyardError
from steelyard_tui.commands.processes import ProcessTree, end_on_signals, wait_until
end_on_signals()
try:
    with ProcessTree(Path(sys.argv[1])) as tree:
        child = tree.start("one", [sys.executable, "-c", "import time; time.sleep(600)"], os.environ)
        print(child.process.pid, flush=True)
        wait_until(lambda: False, tree, "a signal", 60)
except SteelyardError as error:
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_parent_that_is_ended_leaves_nobody_behind(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(number)
        assert parent.wait(20) == (143 if number is not signal.SIGKILL else -signal.SIGKILL)
    deadline = time.monotonic() + 20
    while _is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
