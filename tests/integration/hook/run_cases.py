"""Runs every case of a module in a child of its own under the hook; prints what was true and what was said."""

import atexit
import json
import os
import socket
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

HOOK = Path(__file__).parents[3] / "agent/steelyard_agent/hook/path"


def main() -> int:
    """One JSON line a case."""
    cases = import_module(f"tests.integration.hook.{sys.argv[1]}")
    for case in cases.CASES:
        if len(sys.argv) == 2 or case.__name__ in sys.argv[2:]:
            print(json.dumps({"case": case.__name__, **_run(case)}), flush=True)
    return 0


def _run(case: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        address = f"{folder}/agent.sock"
        listener.bind(address)
        listener.settimeout(0.2)
        truth_in, truth_out = os.pipe()
        child = os.fork()
        if not child:
            os.environ["STEELYARD_SOCKET"] = address
            code = 1
            try:
                os.write(truth_out, json.dumps(_train(case)).encode())
                # As at the end of an interpreter, which a forked child doesn't come to.
                atexit._run_exitfuncs()
                code = 0
            except Exception:  # noqa: BLE001  shown, and the case fails
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(truth_out)
        said = _listen(listener, child)
        truth = os.read(truth_in, 65536)
        os.close(truth_in)
        return {"truth": json.loads(truth) if truth else None, **said}


def _train(case: Any) -> dict[str, Any]:
    import random

    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    random.seed(0)
    sys.path.insert(0, str(HOOK))
    import steelyard_hook

    steelyard_hook.arm()
    result: dict[str, Any] = case()
    return result


def _listen(listener: socket.socket, child: int) -> dict[str, Any]:
    said: dict[str, Any] = {"step": {}, "facts": {}, "off": {}}
    is_over = False
    while True:
        try:
            head, *lines = listener.recv(65536).decode().split("\n")
        except TimeoutError:
            if is_over:
                return said
            is_over = os.waitpid(child, os.WNOHANG)[0] == child
            continue
        said[head.split()[2]] = dict(line.split("=", 1) for line in lines)


if __name__ == "__main__":
    sys.exit(main())
