"""Compiles a stand-in of a vendor's library, with the vendor's file name and ABI.

    python -m tests.standins.build nvml DIRECTORY
    LD_LIBRARY_PATH=DIRECTORY steelyard-agent daemon

runs the agent on 8 GPUs that aren't there.
"""

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path

SOURCES = Path(__file__).parent
# What the vendor's own loader looks for; trouble.so is no vendor's.
FILE_NAMES = {"nvml": "libnvidia-ml.so.1", "dcmi": "libdcmi.so", "trouble": "trouble.so"}


def build(name: str, directory: Path, *, without: Sequence[str] = ()) -> Path:
    """Compiles tests/standins/<name>.c into `directory`.

    Args:
        name: nvml, dcmi or trouble.
        directory: is made if need be.
        without: symbols to leave out, as an old driver does; each becomes -DWITHOUT_<symbol>.
    """
    directory.mkdir(parents=True, exist_ok=True)
    library = directory / FILE_NAMES[name]
    unfinished = directory / f"{library.name}.unfinished"
    defines = [f"-DWITHOUT_{symbol}" for symbol in (*without, *(["ANY"] if without else []))]
    command = ["cc", "-std=gnu11", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread", *defines]
    command += ["-o", str(unfinished), str(SOURCES / f"{name}.c"), "-lm", "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr}")
    unfinished.rename(library)
    return library


def build_program(name: str, directory: Path) -> Path:
    """Compiles tests/standins/<name>.c as a program into `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / name
    command = ["cc", "-std=gnu11", "-O1", "-Wall", "-Werror", "-o", str(program), str(SOURCES / f"{name}.c")]
    subprocess.run(command, check=True)
    return program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=FILE_NAMES)
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    print(build(arguments.name, arguments.directory))


if __name__ == "__main__":
    main()
