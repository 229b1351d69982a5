"""Check `profiling`: whether what its settings ask for can be run here."""

import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from typing import Final

from steelyard_agent.doctor.finding import Finding
from steelyard_agent.doctor.node import Node
from steelyard_agent.profiling.msprof import find_program as find_msprof
from steelyard_agent.profiling.py_spy import find_program as find_py_spy
from steelyard_agent.profiling.settings import Profiling

_READER: Final = ("msgspec", "numpy")


def check_profiling(node: Node) -> Sequence[Finding]:
    """The reader of traces, py-spy and msprof, as far as they are asked for."""
    settings = node.config.profiling
    if settings is None:
        return [Finding("profiling", "note", "is off (profiling.enabled = false)")]
    return [_reader(settings), *_py_spy(settings, node), *_msprof(settings, node)]


def _reader(settings: Profiling) -> Finding:
    missing = [name for name in _READER if importlib.util.find_spec(name) is None]
    if missing:
        text = f"no trace can be read: {' and '.join(missing)} missing"
        return Finding("profiling", "problem", text, "traces", "pip install 'steelyard[agent,traces]'")
    return Finding("profiling", "ok", f"can be read; trainings look in {settings.folder}", "traces")


def _py_spy(settings: Profiling, node: Node) -> Iterator[Finding]:
    unit = node.root / settings.stacks_socket.relative_to("/")
    program = shutil.which(find_py_spy())
    if unit.is_socket():
        yield Finding("profiling", "ok", f"sampled by the unit at {settings.stacks_socket}", "host stacks")
    elif program:
        yield Finding("profiling", "ok", f"sampled with {program}", "host stacks")
    else:
        text = "py-spy isn't here: `steelyard profile --host-stacks` fails"
        remedy = "pip install 'steelyard[stacks]' beside the agent, or turn steelyard-stacks.socket on"
        yield _asked_for(settings.stacks, "profiling.stacks", text, "host stacks", remedy)


def _msprof(settings: Profiling, node: Node) -> Iterator[Finding]:
    has_npus = any(info.vendor == "huawei" for probe in node.probes for info in probe.devices)
    if not has_npus and not settings.msprof:
        return
    program = shutil.which(find_msprof(node.root))
    if program:
        yield Finding("profiling", "ok", f"sampled with {program}", "rates of links")
        return
    text = "CANN's msprof isn't here, or not for this user: `steelyard profile --link-rates` fails"
    remedy = "install CANN's toolkit, and put its bin on the PATH of the agent's service, with what set_env.sh sets"
    yield _asked_for(settings.msprof, "profiling.msprof", text, "rates of links", remedy)


def _asked_for(jobs: Sequence[str], setting: str, text: str, subject: str, remedy: str) -> Finding:
    """A problem where jobs are to have it without being asked for; else it is but worth knowing."""
    if not jobs:
        return Finding("profiling", "note", text, subject, remedy)
    return Finding("profiling", "problem", f"{text}, and so does {setting} = {' '.join(jobs)!r}", subject, remedy)
