"""The container file: known instructions, stages that exist, sources that exist, no root, and the programs of ours."""

import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CONTAINERFILE = ROOT / "deploy/container/Containerfile"
INSTRUCTIONS = {
    "ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "VOLUME", "EXPOSE", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD",
}  # fmt: skip


@dataclass
class Stage:
    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [rest for name, rest in self.steps if name == instruction]


def instructions() -> list[tuple[str, str]]:
    lines = [line for line in CONTAINERFILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


@pytest.fixture(scope="module")
def stages() -> dict[str, Stage]:
    found: dict[str, Stage] = {}
    stage: Stage | None = None
    for word, rest in instructions():
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stage = found[name] = Stage(base, name)
        elif stage is not None:
            stage.steps.append((word, rest))
    return found


def test_only_known_instructions() -> None:
    assert {word for word, _ in instructions()} <= INSTRUCTIONS


def test_stages_stand_on_stages_or_on_the_official_image(stages: dict[str, Stage]) -> None:
    seen: set[str] = set()
    for stage in stages.values():
        assert stage.base in seen or stage.base == "docker.io/library/python:${PYTHON}-slim"
        copied_from = {match for rest in stage.all("COPY") for match in re.findall(r"--from=(\S+)", rest)}
        assert copied_from <= seen
        seen.add(stage.name)


def test_what_is_copied_is_there(stages: dict[str, Stage]) -> None:
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8").split()
    for rest in (rest for stage in stages.values() for rest in stage.all("COPY") if "--from" not in rest):
        for source in rest.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source not in ignored


def test_the_wheels_packages_are_all_copied(stages: dict[str, Stage]) -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {
        package.partition("/")[0] for package in document["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    }
    assert folders <= {rest.split()[0] for rest in stages["source"].all("COPY")}


@pytest.mark.parametrize("target", ["agent", "collector"])
def test_a_target_runs_its_program_as_nobody_special(stages: dict[str, Stage], target: str) -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stage = stages[target]
    [entry] = stage.all("ENTRYPOINT")
    [program] = json.loads(entry)
    assert program == f"steelyard-{target}"
    assert program in document["scripts"]
    assert json.loads(stage.all("CMD")[0]) == ["daemon"]
    [user] = stage.all("USER")
    assert int(user) > 0
    assert f"--uid {user} " in stage.all("RUN")[0]
    [install] = stages[f"build-{target}"].all("RUN")
    assert f'".[{target}]"' in install
    assert target in document["optional-dependencies"]
    assert "--constraint requirements.lock" in install


@pytest.mark.parametrize(("target", "folder"), [("agent", "steelyard-agent"), ("collector", "steelyard")])
def test_a_target_keeps_its_state_where_the_user_may_write(stages: dict[str, Stage], target: str, folder: str) -> None:
    stage = stages[target]
    state = f"/var/lib/{folder}"
    # The collector's default is this directory; the agent is told.
    assert target == "collector" or f"STATE_DIRECTORY={state}" in " ".join(stage.all("ENV"))
    assert stage.all("VOLUME") == [state]
    assert f"--owner steelyard-{target} --mode 0750 {state}" in stage.all("RUN")[0]


def test_the_python_is_one_that_is_promised() -> None:
    [default] = [rest.removeprefix("PYTHON=") for word, rest in instructions() if word == "ARG"]
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
    assert f"Programming Language :: Python :: {default}" in classifiers
