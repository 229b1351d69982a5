"""The kubelet's pod-resources service on a unix socket, its answer written by protobuf itself."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def kubelet_messages() -> Any:
    """The kubelet's answer as protobuf itself writes it, with fields that we don't read."""
    file = descriptor_pb2.FileDescriptorProto(name="podresources.proto", package="v1", syntax="proto3")
    text, message, whole = 9, 11, 3

    def add(name: str, *fields: tuple[str, int, int, str, bool]) -> None:
        made = file.message_type.add(name=name)
        for field, number, kind, of, is_list in fields:
            label: Any = 3 if is_list else 1
            kind_: Any = kind
            made.field.add(name=field, number=number, type=kind_, label=label, type_name=f".v1.{of}" if of else None)

    add("NUMANode", ("ID", 1, whole, "", False))
    add("TopologyInfo", ("nodes", 1, message, "NUMANode", True))
    add("ContainerDevices", ("resource_name", 1, text, "", False), ("device_ids", 2, text, "", True),
        ("topology", 3, message, "TopologyInfo", False))  # fmt: skip
    add("ContainerResources", ("name", 1, text, "", False), ("devices", 2, message, "ContainerDevices", True),
        ("cpu_ids", 3, whole, "", True))  # fmt: skip
    add("PodResources", ("name", 1, text, "", False), ("namespace", 2, text, "", False),
        ("containers", 3, message, "ContainerResources", True))  # fmt: skip
    add("ListPodResourcesResponse", ("pod_resources", 1, message, "PodResources", True))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("v1.ListPodResourcesResponse"))


class Kubelet:
    """The pod-resources service on a unix socket."""

    def __init__(self, socket: Path) -> None:
        self.reply = kubelet_messages()()
        self.server = grpc.server(ThreadPoolExecutor(1))
        handler = grpc.unary_unary_rpc_method_handler(lambda request, context: self.reply.SerializeToString())
        service = grpc.method_handlers_generic_handler("v1.PodResourcesLister", {"List": handler})
        self.server.add_generic_rpc_handlers((service,))
        self.server.add_insecure_port(f"unix:{socket}")
        self.server.start()

    def give(self, name: str, resource: str, *devices: str) -> None:
        pod = self.reply.pod_resources.add(name=name, namespace="ml")
        container = pod.containers.add(name="train", cpu_ids=[3, 4, 1_000_000])
        given = container.devices.add(resource_name=resource, device_ids=devices)
        given.topology.nodes.add(ID=1)
