"""A rank of a training with torch_npu, as its sources have it; a program of its own.

The first rank on a node forks a helper, which asks msMonitor's daemon for all of them, or reads the file below
PROF_CONFIG_PATH; what it is told reaches every rank. Ranks write where they are told, under their own names.

    python -m tests.standins.npu_trainer HOME first|other [--no-libmspti] [--old]
"""

import itertools
import json
import os
import struct
import sys
import time
from pathlib import Path
from socket import AF_UNIX, SOCK_DGRAM, socket

from tests.standins.ascend_export import EPOCH_NS, KERNELS, write_run
from tests.standins.fabric_trainer import FabricTrainer, frame, request

PAUSE_S = 0.02
RANK = int(os.environ["RANK"])


def ask_for_all(home: Path, trainer: int) -> None:
    """The helper: as long as its parent lives."""
    with FabricTrainer(home, str(home / "dynolog.sock")) as asker:
        asker.send(frame(b"ctxt", struct.pack("=iiq", RANK, os.getpid(), 0)))
        asker.receive()
        for number in itertools.count(1):
            if os.getppid() != trainer:
                return
            asker.send(request(3, os.getpid(), trainer))
            kind, payload = asker.receive()
            if kind == b"req" and payload:
                written = home / f"told.{number}.tmp"
                written.write_bytes(payload)
                written.replace(home / "told")
            time.sleep(PAUSE_S)


def read_for_all(home: Path, folder: Path, trainer: int) -> None:
    """The helper without a daemon: new is what has other seconds."""
    path, last_s = folder / "profiler_config.json", 0
    if path.exists():
        last_s = int(path.stat().st_mtime)
    (home / "reads").touch()
    while os.getppid() == trainer:
        if path.exists() and int(path.stat().st_mtime) != last_s:
            last_s = int(path.stat().st_mtime)
            (home / "told.tmp").write_bytes(path.read_bytes())
            (home / "told.tmp").replace(home / "told")
        time.sleep(PAUSE_S)


def train(home: Path, *, has_libmspti: bool, knows_ranks: bool) -> None:
    """Takes what is told, as a step of the optimizer does."""
    last = 0
    while True:
        time.sleep(PAUSE_S)
        try:
            now = (home / "told").stat().st_ino
        except FileNotFoundError:
            continue
        if now == last:
            continue
        last = now
        text = (home / "told").read_text()
        if text.startswith("{"):
            settings = json.loads(text)
            if settings["start_step"] == -1 and (not settings["is_rank"] or RANK in settings["rank_list"]):
                record(Path(settings["prof_dir"]))
            continue
        told = dict(line.split("=", 1) for line in text.splitlines())
        if "NPU_MONITOR_START" in told:
            monitor(home, told, has_libmspti=has_libmspti)
        elif not knows_ranks or told.get("PROFILE_IS_RANK") != "true" or str(RANK) in told["PROFILE_RANK_LIST"]:
            record(Path(told["ACTIVITIES_LOG_FILE"]))


def record(folder: Path) -> None:
    """A window of torch_npu's profiler, analysed."""
    run = write_run(folder / f".{RANK}", rank=RANK)
    run.rename(folder / f"node_{os.getpid()}_2025010915480370{RANK}_ascend_pt")


def monitor(home: Path, told: dict[str, str], *, has_libmspti: bool) -> None:
    """Begins or ends npu-monitor: the lines are in two files, as they are when they are many."""
    is_end = told["NPU_MONITOR_STOP"] == "true"
    if has_libmspti:
        kernels = KERNELS[2:] if is_end else KERNELS[:2]
        lines = [line_of(*kernel) for kernel in kernels]
        if is_end:
            lines.append({"kind": "rank_device_map", "rank": RANK, "device": [RANK]})
        name = f"msmonitor_{os.getpid()}_2025010915480370{int(is_end)}_{RANK}.jsonl"
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (Path(told["NPU_MONITOR_LOG_FILE"]) / name).write_text(text)
    status = struct.pack("@iiiiiq", int(has_libmspti and not is_end), 0, 0, 0, os.getpid(), 0)
    with socket(AF_UNIX, SOCK_DGRAM) as speaker:
        speaker.sendto(frame(b"npuMonitorStatus", status), str(home / "dynolog.sock"))


def line_of(name: str, kind: str, core: str, start: int, length: int) -> dict[str, object]:
    """A kernel's or a collective's line."""
    span = {"name": name, "startNs": EPOCH_NS + start, "endNs": EPOCH_NS + start + length, "deviceId": RANK}
    if core == "HCCL":
        return {"kind": "Communication", "commName": "g", "algType": "RING", "count": 9, **span}
    return {"kind": "Kernel", "type": core, "streamId": 2, "correlationId": 7, **span}


if __name__ == "__main__":
    at, place, *flags = sys.argv[1:]
    me = os.getpid()
    if place == "first" and not os.fork():
        if watched := os.environ.get("PROF_CONFIG_PATH"):
            read_for_all(Path(at), Path(watched), me)
        else:
            ask_for_all(Path(at), me)
        os._exit(0)
    train(Path(at), has_libmspti="--no-libmspti" not in flags, knows_ranks="--old" not in flags)
