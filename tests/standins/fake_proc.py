"""A tree of files like /proc, for tests that make up processes."""

from pathlib import Path

from steelyard_agent.jobs.process_files import ProcessFiles

BOOT_S = 1_700_000_000


class FakeProc:
    """A tree like /proc, with processes that the test makes and ends."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "stat").write_text(f"cpu  1 2 3\nbtime {BOOT_S}\n")

    def add(
        self,
        pid: int,
        comm: str = "python3",
        *,
        parent: int = 1,
        session: int = 0,
        start: int = 5000,
        cpu: int = 0,
        environ: dict[str, str] | None = None,
        cgroup: str = "0::/",
        maps: str = "",
        pages: int = 100,
    ) -> None:
        path = self.root / str(pid)
        path.mkdir(exist_ok=True)
        fields = [
            "S",
            parent,
            pid,
            session or pid,
            *[0] * 7,
            cpu // 2,
            cpu - cpu // 2,
            *[0] * 4,
            24,
            0,
            start,
            0,
            pages,
        ]
        (path / "stat").write_text(f"{pid} ({comm}) " + " ".join(map(str, fields)) + " 0 0\n")
        pairs = {"PATH": "/bin", "AWS_SECRET": "hush", **(environ or {})}
        (path / "environ").write_bytes(b"".join(f"{k}={v}\0".encode() for k, v in pairs.items()))
        (path / "cmdline").write_bytes(b"/usr/bin/python3\0train.py\0--token=hush\0")
        (path / "cgroup").write_text(cgroup + "\n")
        (path / "maps").write_text(maps)

    def remove(self, pid: int) -> None:
        for file in (self.root / str(pid)).iterdir():
            file.unlink()
        (self.root / str(pid)).rmdir()

    def files(self) -> ProcessFiles:
        return ProcessFiles(self.root, ticks_per_s=100, page_bytes=4096, user_name=lambda uid: f"user{uid}")
