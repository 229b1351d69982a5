"""The committed stubs are those of the .proto files, word for word: read here by a small parser, without a compiler."""

import importlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor

ROOT = Path(__file__).parents[3]
PROTOS = sorted((ROOT / "proto/steelyard_proto/v1").glob("*.proto"))
PINNED = "1.73.1"

TYPES = {
    getattr(FieldDescriptor, f"TYPE_{name.upper()}"): name
    for name in (
        "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "bytes", "uint32",
        "sfixed32", "sfixed64", "sint32", "sint64",
    )
}  # fmt: skip


@dataclass
class Proto:
    """What a .proto file or a descriptor declares, as comparable text."""

    package: str = ""
    imports: list[str] = field(default_factory=list)
    messages: dict[str, list[str]] = field(default_factory=dict)
    enums: dict[str, list[str]] = field(default_factory=dict)
    services: dict[str, list[str]] = field(default_factory=dict)


def read_proto(text: str) -> Proto:
    text = re.sub(r"//[^\n]*", "", text)
    assert "/*" not in text
    tokens = iter(re.findall(r'"[^"]*"|[\w.]+|[{}();=<>,]', text))
    found = Proto()
    for token in tokens:
        if token == "package":
            found.package = next(tokens)
            next(tokens)
        elif token == "import":
            found.imports.append(next(tokens).strip('"'))
            next(tokens)
        elif token in ("message", "enum", "service"):
            name = next(tokens)
            assert next(tokens) == "{"
            getattr(found, f"{token}s")[name] = sorted(_statements(tokens, token))
        elif token == "syntax":
            assert [next(tokens) for _ in range(3)] == ["=", '"proto3"', ";"]
        else:
            raise AssertionError(f"{token!r} is more than this parser knows")
    return found


def _statements(tokens: Iterator[str], kind: str, oneof: str = "") -> Iterator[str]:
    words: list[str] = []
    for token in tokens:
        if token == "}":
            assert words == []
            return
        if token == "{":
            assert words[0] == "oneof"
            yield from _statements(tokens, kind, words[1])
            words = []
        elif token == ";":
            yield _statement(words, kind, oneof)
            words = []
        else:
            words.append(token)


def _statement(words: list[str], kind: str, oneof: str) -> str:
    if words[0] == "reserved":
        return " ".join(words)
    if kind == "service":
        # rpc Name ( [stream] Request ) returns ( [stream] Reply )
        return re.sub(r"[()]", "", " ".join(words)).replace("  ", " ").strip()
    return " ".join([*words, f"in {oneof}"] if oneof else words)


def read_descriptor(file: FileDescriptor) -> Proto:
    return Proto(
        package=file.package,
        imports=[dependency.name for dependency in file.dependencies],
        messages={name: _message(message) for name, message in file.message_types_by_name.items()},
        enums={name: _enum(enum) for name, enum in file.enum_types_by_name.items()},
        services={
            name: sorted(
                f"rpc {method.name} {'stream ' if method.client_streaming else ''}{method.input_type.name} returns "
                f"{'stream ' if method.server_streaming else ''}{method.output_type.name}"
                for method in service.methods
            )
            for name, service in file.services_by_name.items()
        },
    )


def _message(message: Descriptor) -> list[str]:
    statements = []
    for one in message.fields:
        entry = one.message_type if one.message_type is not None and one.message_type.GetOptions().map_entry else None
        if entry is not None:
            key, value = (_type(entry.fields_by_name[name]) for name in ("key", "value"))
            text = f"map < {key} , {value} > {one.name} = {one.number}"
        else:
            text = f"{'repeated ' if one.is_repeated else ''}{_type(one)} {one.name} = {one.number}"
            if (oneof := one.containing_oneof) is not None:
                is_optional = oneof.name == f"_{one.name}"
                text = f"optional {text}" if is_optional else f"{text} in {oneof.name}"
        statements.append(text)
    return sorted(statements)


def _enum(enum: EnumDescriptor) -> list[str]:
    return sorted(f"{value.name} = {value.number}" for value in enum.values)


def _type(one: FieldDescriptor) -> str:
    if one.message_type is not None:
        return str(one.message_type.name)
    return str(one.enum_type.name) if one.enum_type is not None else TYPES[one.type]


@pytest.mark.parametrize("path", PROTOS, ids=lambda path: path.name)
def test_the_stub_declares_what_the_proto_file_says(path: Path) -> None:
    stub = importlib.import_module(f"steelyard_proto.v1.{path.stem}_pb2")
    said = read_proto(path.read_text(encoding="utf-8"))
    for statements in (*said.messages.values(), *said.enums.values()):
        statements[:] = [statement for statement in statements if not statement.startswith("reserved")]
    assert read_descriptor(stub.DESCRIPTOR) == said, "make proto"


@pytest.mark.parametrize("path", PROTOS, ids=lambda path: path.name)
def test_types_and_services_stand_beside_the_stub(path: Path) -> None:
    said = read_proto(path.read_text(encoding="utf-8"))
    types = path.with_name(f"{path.stem}_pb2.pyi").read_text(encoding="utf-8")
    for name in (*said.messages, *said.enums):
        assert f"class {name}(" in types, "make proto"
    for statement in (statement for statements in said.messages.values() for statement in statements):
        name = statement.partition(" = ")[0].split()[-1]
        assert re.search(rf"^    {name}: ", types, re.MULTILINE), f"{name}: make proto"
    services = path.with_name(f"{path.stem}_pb2_grpc.py")
    assert services.exists() == bool(said.services)
    for service, methods in said.services.items():
        for method in methods:
            assert f"'/{said.package}.{service}/{method.split()[1]}'" in services.read_text(encoding="utf-8")


def test_the_generator_is_pinned_and_fits_the_promised_protobuf() -> None:
    script = (ROOT / "deploy/generate-stubs").read_text(encoding="utf-8")
    assert f"readonly VERSION={PINNED}\n" in script
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for stub in sorted((ROOT / "proto/steelyard_proto/v1").glob("*_pb2.py")):
        [made_with] = re.findall(r"^# Protobuf Python Version: (\S+)$", stub.read_text(encoding="utf-8"), re.MULTILINE)
        for extra in ("agent", "collector", "tui"):
            [floor] = [text.removeprefix("protobuf>=") for text in extras[extra] if text.startswith("protobuf")]
            assert _numbers(made_with) <= _numbers(floor), "a runtime older than the generator refuses its stubs"
    for services in sorted((ROOT / "proto/steelyard_proto/v1").glob("*_pb2_grpc.py")):
        assert f"GRPC_GENERATED_VERSION = '{PINNED}'" in services.read_text(encoding="utf-8")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test_the_parser_would_see_a_difference() -> None:
    text = (
        'syntax = "proto3"; package p; message M { oneof o { A a = 1; } repeated uint32 n = 2; optional int64 z = 3; }'
    )
    assert read_proto(text).messages == {"M": ["A a = 1 in o", "optional int64 z = 3", "repeated uint32 n = 2"]}
    assert read_proto(text.replace("n = 2", "n = 4")) != read_proto(text)
