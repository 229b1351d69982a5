"""What must not be installed beside the agent."""

import os
from collections.abc import Iterable

from steelyard_proto.errors import ConfigError


def refuse_old_pynvml(paths: Iterable[str]) -> None:
    """Refuses the distribution `pynvml`, whose module shadows the official one of the same name in nvidia-ml-py.

    Looks for its metadata by hand: importlib.metadata costs the agent 6.7 MB of memory for the same answer.

    Args:
        paths: where Python looks for modules, `sys.path`.

    Raises:
        ConfigError: it is there; says what to run.
    """
    for path in paths:
        try:
            names = os.listdir(path or ".")
        except OSError:
            continue
        for name in names:
            if name.startswith("pynvml-") and name.endswith((".dist-info", ".egg-info")):
                version = name.removeprefix("pynvml-").rpartition(".")[0]
                raise ConfigError(
                    f"the unofficial package pynvml {version} shadows NVIDIA's own binding; run "
                    "`pip uninstall -y pynvml && pip install --force-reinstall nvidia-ml-py`",
                    path=path,
                )
