"""What the checks look at: the node's files, the settings, and what each source answered."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from steelyard_agent.config import Config
from steelyard_agent.doctor.probe import Probe


@dataclass(frozen=True, slots=True)
class Node:
    """One node, as the doctor sees it.

    Attributes:
        config: the agent's settings.
        probes: what each source answered, in the order of the registry.
        environ: the environment, which betrays containers.
        root: root of the file system.
        module_paths: where Python looks for modules.
        now_s: Unix time.
    """

    config: Config
    probes: Sequence[Probe] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    root: Path = Path("/")
    module_paths: Sequence[str] = tuple(sys.path)
    now_s: Callable[[], float] = time.time
