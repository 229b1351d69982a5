"""Bearer tokens and their roles: an agent writes only, a viewer reads, an operator also asks for profiles."""

import hashlib
import hmac
import secrets
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from steelyard_proto.errors import ConfigError

Role = Literal["agent", "viewer", "operator"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
WRITERS: Final[frozenset[Role]] = frozenset(("agent",))
READERS: Final[frozenset[Role]] = frozenset(("viewer", "operator"))
OPERATORS: Final[frozenset[Role]] = frozenset(("operator",))


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a token is refused; `is_known` where it is one of ours, of another role."""

    reason: str
    is_known: bool = False


# Takes a token; None: it may.
Authorize = Callable[[str], Denial | None]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Digests of tokens with their roles; empty: everybody may do everything."""

    roles: Mapping[str, Role]

    def role_of(self, token: str) -> Role | None:
        """The role of a token; None where it is unknown. Takes equally long for every unknown one."""
        digest = digest_of(token)
        found: Role | None = None
        for known, role in self.roles.items():
            if hmac.compare_digest(known, digest):
                found = role
        return found

    def allow(self, allowed: frozenset[Role]) -> Authorize:
        """A check for a service."""
        names = " or ".join(sorted(allowed))

        def check(token: str) -> Denial | None:
            if not self.roles:
                return None
            if not token:
                return Denial(f"no token; send one of the role {names} as `authorization: Bearer TOKEN`")
            role = self.role_of(token)
            if role is None:
                return Denial("this token is unknown; `steelyard-collector init` makes tokens")
            if role in allowed:
                return None
            return Denial(f"a token of the role {role} may not do this; it takes {names}", is_known=True)

        return check


def digest_of(token: str) -> str:
    """What is kept of a token; they are random and long, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """A token that can't be guessed."""
    return secrets.token_urlsafe(32)


def read_tokens(path: Path | None) -> Tokens:
    """Reads a file of `[[token]]` tables with `role` and `sha256`.

    Raises:
        ConfigError: it can't be read, or an entry is wrong.
    """
    if path is None:
        return Tokens({})
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("token", [])
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", path=str(path), key="access.tokens") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", path=str(path), key="access.tokens") from error
    roles: dict[str, Role] = {}
    for index, entry in enumerate(entries):
        role, digest = entry.get("role"), entry.get("sha256", "")
        if role not in ROLES:
            raise ConfigError(
                f"role is {role!r}; it must be one of {', '.join(ROLES)}", path=str(path), key=f"token[{index}]"
            )
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise ConfigError("sha256 is no digest of 64 hexadecimal characters", path=str(path), key=f"token[{index}]")
        roles[digest] = role
    if not roles:
        raise ConfigError("holds no token; `steelyard-collector init` makes some", path=str(path), key="access.tokens")
    return Tokens(roles)


def tokens_text(tokens: Mapping[Role, str]) -> str:
    """A file for `read_tokens`."""
    parts = ["# Digests of bearer tokens; the tokens themselves are in the files beside this one.\n"]
    parts += [f'\n[[token]]\nrole = "{role}"\nsha256 = "{digest_of(token)}"\n' for role, token in tokens.items()]
    return "".join(parts)
