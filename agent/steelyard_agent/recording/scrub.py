"""Takes out of messages what would tell whose machine they come from; figures, chips and times stay.

What becomes of each text of the contract stands in `RULES`; a text that isn't there is taken out.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from steelyard_proto.v1 import ingest_pb2

KEEP: Final = "keep"
REMOVE: Final = "remove"
# A sentence or two of our own, in which a device may be named: its names become pseudonyms.
REPLACE: Final = "replace"
# Any other word is what a pseudonym begins with; fields with one word share their pseudonyms.
RULES: Final[Mapping[str, Mapping[str, str]]] = {
    "Hello": {"agent_id": "agent", "agent_version": KEEP},
    "Node": {"name": "node", "os": KEEP, "kernel": KEEP, "arch": KEEP, "labels": REMOVE},
    "Device": {
        **dict.fromkeys(("vendor", "kind", "name", "chip", "part", "power_scope"), KEEP),
        **dict.fromkeys(("driver_version", "library_version"), KEEP),
        "uid": "device",
        "package_uid": "package",
        "pci_address": "pci",
        "notes": REPLACE,
    },
    "Process": {"pid": "pid", "job": "job", "user": "user", "container": "container", "command": "command"},
    # The code says what happened; the sentence may name a device, a path or a person.
    "Event": {"severity": KEEP, "code": KEEP, "text": REMOVE, "source": KEEP},
    "JobInterval": {"job": "job", "scheduler": KEEP, "user": "user", "name": "name"},
    "Step": {
        **dict.fromkeys(("mark", "origin", "tokens_origin"), KEEP),
        "pid": "pid",
        "job": "job",
        "run": "job",
        "tokens_absent": REMOVE,
    },
    # The names that somebody gives to models, classes and tasks of their own tell whose they are.
    "Training": {
        **dict.fromkeys(("precision", "currency", "software", "origins"), KEEP),
        **{name: name for name in ("model", "architecture", "optimizer", "task")},
        "pid": "pid",
        "job": "job",
        "run": "job",
        "price_per_device_hour": REMOVE,
        "absent": REMOVE,
    },
    "Profile": {
        **dict.fromkeys(("id", "profiler", "cause", "state", "format", "chip"), KEEP),
        "pid": "pid",
        "job": "job",
        "run": "job",
        "reason": REMOVE,
        "notes": REMOVE,
    },
    "ProfileRow": {
        **dict.fromkeys(("profile", "by", "layer", "class_name", "core", "shapes", "precision"), KEEP),
        "job": "job",
        "name": "name",
    },
    "Rate": dict.fromkeys(("link", "direction", "part"), KEEP),
    "Stack": {"profile": KEEP, "job": "job", "kind": KEEP, "frames": "frame", "waits": KEEP, "thread": "thread"},
    "Lost": {"reason": KEEP},
    "Answer": {},
}


class Scrubber:
    """Replaces identities by pseudonyms that are the same throughout one recording, and in no other."""

    def __init__(self, salt: bytes) -> None:
        """Args: salt: random and thrown away, so that nobody can try out names."""
        self._salt = salt
        self._known: dict[str, dict[str, str]] = {}
        self._pids: dict[int, int] = {}

    def __call__(self, message: ingest_pb2.AgentMessage) -> ingest_pb2.AgentMessage:
        """The message without identities; changes it in place."""
        self._scrub(message)
        return message

    def _scrub(self, message: Message) -> None:
        rules = RULES.get(message.DESCRIPTOR.name, {})
        for field, value in message.ListFields():
            rule = rules.get(field.name)
            if rule is None and _is_message(field):
                for part in (value,) if isinstance(value, Message) else value:
                    self._scrub(part)
            elif rule == REMOVE or (rule is None and field.type == FieldDescriptor.TYPE_STRING):
                message.ClearField(field.name)
            elif rule == "pid":
                setattr(message, field.name, self._pids.setdefault(value, len(self._pids) + 1))
            elif rule == REPLACE:
                for key, text in value.items():
                    value[key] = self._replaced(text)
            elif rule not in (None, KEEP):
                assert rule is not None
                if isinstance(value, str):
                    setattr(message, field.name, self._alias(rule, value))
                else:
                    value[:] = [self._alias(rule, text) for text in value]

    def _alias(self, kind: str, text: str) -> str:
        if not text:
            return ""
        known = self._known.setdefault(kind, {})
        if text not in known:
            digest = hashlib.blake2s(f"{kind}:{text}".encode(), key=self._salt[:32], digest_size=5).hexdigest()
            known[text] = f"{kind}-{digest}"
        return known[text]

    def _replaced(self, text: str) -> str:
        names = {name: alias for kind in self._known.values() for name, alias in kind.items()}
        longest_first = sorted(names, key=len, reverse=True)
        pattern = "|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in longest_first)
        return re.sub(pattern, lambda found: names[found[0]], text) if pattern else text


def _is_message(field: FieldDescriptor) -> bool:
    inner = field.message_type
    return inner is not None and not inner.GetOptions().map_entry
