"""Asks the kubelet which devices it has given to which pods.

Source: the kubelet's gRPC service v1.PodResourcesLister, method List. Four messages of its answer are needed; they are
read here field by field, so that no generated code of Kubernetes is carried along.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOCKET: Final = Path("/var/lib/kubelet/pod-resources/kubelet.sock")
_METHOD: Final = "/v1.PodResourcesLister/List"
_TIMEOUT_S: Final = 3.0
_MOST_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod and what devices its containers have: (resource, device id) as its device plugin calls them."""

    namespace: str
    name: str
    devices: tuple[tuple[str, str], ...]


def list_pods(socket: Path, timeout_s: float = _TIMEOUT_S) -> list[Pod]:
    """All pods of this node that have devices.

    Args:
        socket: the kubelet's.
        timeout_s: for the whole call.

    Raises:
        OSError: the kubelet doesn't answer, or what it says can't be read.
    """
    # Imported here: most nodes have no kubelet.
    import grpc

    # Go's servers refuse the authority that is made of a socket's path.
    options = (("grpc.default_authority", "localhost"), ("grpc.max_receive_message_length", _MOST_BYTES))
    with grpc.insecure_channel(f"unix:{socket}", options=options) as channel:
        try:
            call = channel.unary_unary(_METHOD, request_serializer=None, response_deserializer=None)
            reply = call(b"", timeout=timeout_s)
        except grpc.RpcError as error:
            raise OSError(f"{socket}: {error.code().name}: {error.details()}") from error
    return [pod for pod in read_pods(reply) if pod.devices]


def read_pods(reply: bytes) -> list[Pod]:
    """The pods of a ListPodResourcesResponse.

    Raises:
        OSError: it is none.
    """
    try:
        return [_pod(entry) for number, entry in _fields(reply) if number == 1]
    except (IndexError, UnicodeDecodeError) as error:
        raise OSError("the kubelet's answer can't be read") from error


def _pod(data: bytes) -> Pod:
    names = {1: "", 2: ""}
    devices: list[tuple[str, str]] = []
    for number, value in _fields(data):
        if number in names:
            names[number] = value.decode()
        elif number == 3:
            # ContainerResources: its devices are the second field.
            devices += [device for inner, part in _fields(value) if inner == 2 for device in _devices(part)]
    return Pod(names[2], names[1], tuple(devices))


def _devices(data: bytes) -> list[tuple[str, str]]:
    found = list(_fields(data))
    resource = next((value.decode() for number, value in found if number == 1), "")
    return [(resource, value.decode()) for number, value in found if number == 2]


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message that are texts or messages, by their number."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise IndexError("a field is longer than its message")
            yield tag >> 3, data[at : at + length]
            at += length
        elif kind == 0:
            _, at = _varint(data, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise IndexError("no such kind of field")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise IndexError("a number is too long")
