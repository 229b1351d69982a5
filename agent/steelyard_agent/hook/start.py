"""How a training's Python comes to load the hook: by PYTHONPATH for one run, by a .pth file for every run."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from steelyard_proto.errors import ConfigError

HOOK_PATH: Final = Path(__file__).parent / "path"
PTH_NAME: Final = "steelyard_hook.pth"
_PTH_LINE: Final = (
    "import sys; exec('try:\\n sys.path.append({path!r})\\n import steelyard_hook\\n steelyard_hook.arm()\\n"
    "except Exception:\\n pass') if sys.version_info >= (3, 8) else None\n"
)
_ASK: Final = "import sysconfig; print(sysconfig.get_path('purelib'))"


def with_hook(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command whose Pythons load the hook.

    An empty element of PYTHONPATH would be the current directory, so none is added.
    """
    before = environ.get("PYTHONPATH", "")
    return {**environ, "PYTHONPATH": f"{HOOK_PATH}:{before}" if before else str(HOOK_PATH)}


def site_packages(python: str) -> Path:
    """Where an interpreter keeps its packages.

    Raises:
        ConfigError: it can't be run.
    """
    try:
        done = subprocess.run([python, "-I", "-c", _ASK], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{python} can't be run: {error}; give the Python that trains", key="--python") from error
    if done.returncode or not done.stdout.strip():
        said = done.stderr.strip()[-200:] or "nothing"
        raise ConfigError(
            f"{python}, asked where its packages are, says {said}; give the Python that trains", key="--python"
        )
    return Path(done.stdout.strip())


def install(packages: Path) -> Path:
    """Writes the .pth file and returns it.

    Raises:
        ConfigError: the directory can't be written.
    """
    file = packages / PTH_NAME
    # The line stands in quotes of its own, so the path's must be the other ones.
    line = _PTH_LINE.format(path=str(HOOK_PATH)).replace(f"'{HOOK_PATH}'", f'"{HOOK_PATH}"')
    try:
        file.write_text(line, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file} can't be written: {_remedy(error)}", key="--python") from error
    return file


def remove(packages: Path) -> Path | None:
    """Removes the .pth file; None where there was none.

    Raises:
        ConfigError: it can't be removed.
    """
    file = packages / PTH_NAME
    try:
        file.unlink()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{file} can't be removed: {_remedy(error)}", key="--python") from error
    return file


def _remedy(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"{error.strerror}; run this as its owner"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "its folder isn't there; make it, or give another Python"
    return f"{error.strerror}; make room for it there, or give another Python"
