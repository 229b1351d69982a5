"""`steelyard-agent run`: a training whose steps and tokens the agent learns, with no change to its script."""

import argparse
import os
import stat
import sys
import time
from pathlib import Path

from steelyard_agent.help_format import HelpFormat
from steelyard_agent.hook.start import with_hook
from steelyard_agent.jobs.identity import LAUNCH
from steelyard_agent.profiling.settings import own_folder
from steelyard_proto.errors import ConfigError

HELP = "run a training that tells its steps and tokens"

_EPILOG = """\
examples:
  steelyard-agent run -- torchrun --nproc-per-node 8 train.py
  steelyard-agent run --log train.log -- bash pretrain.sh
  STEELYARD_TOKENS_PER_STEP=4194304 steelyard-agent run -- python train.py

The command takes this process's place: its exit code, output and signals are its own. Launchers that drop the
environment need `steelyard-agent hook install` instead. What is counted, and what is not: docs/training.md.
exit codes: the command's; 126 it can't be run; 127 it isn't there; 2 none was given
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command's arguments."""
    parser = subparsers.add_parser("run", help=HELP, description=HELP, epilog=_EPILOG, formatter_class=HelpFormat)
    parser.add_argument(
        "--log", metavar="FILE", default="", help="the training's log, for steps that it doesn't tell itself"
    )
    parser.add_argument("words", metavar="-- COMMAND", nargs=argparse.REMAINDER, help="the training, as ever")


def run(arguments: argparse.Namespace) -> int:
    """Becomes the command; returns only where that fails."""
    words = arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words
    if not words:
        raise ConfigError("there is no command to run; write steelyard-agent run -- python train.py", key="COMMAND")
    environ = _environ(arguments.log)
    if environ.get("KINETO_IPC_SOCKET_DIR") == str(own_folder()):
        _make_folder(own_folder())
    try:
        os.execvpe(words[0], words, environ)  # noqa: S606
    except FileNotFoundError:
        sys.stderr.write(f"steelyard-agent: {words[0]}: there is no such program\n")
        return 127
    except OSError as error:
        sys.stderr.write(f"steelyard-agent: {words[0]}: {error.strerror}\n")
        return 126


def _make_folder(folder: Path) -> None:
    """Makes the folder of this user's agent: torch looks for it once, when it is imported."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            sys.stderr.write(f"steelyard-agent: {folder} is another user's; the training is not profiled\n")
    except OSError as error:
        sys.stderr.write(f"steelyard-agent: {folder} can't be made: {error.strerror}; the training is not profiled\n")


def _environ(log: str) -> dict[str, str]:
    # Two trainings that one shell starts are two jobs; what a launch starts by `run` again is a part of it.
    environ = {LAUNCH: f"{os.getpid()}:{int(time.time())}"} | with_hook(os.environ)
    return {**environ, "STEELYARD_LOG": os.path.abspath(log)} if log else environ
