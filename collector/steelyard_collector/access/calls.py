"""Who calls: the token of a gRPC call, and the end of a call that is denied."""

from typing import Any

import grpc

from steelyard_collector.access.tokens import Authorize


async def admit(context: Any, authorize: Authorize) -> None:
    """Ends a call that isn't allowed: UNAUTHENTICATED for a stranger, PERMISSION_DENIED for another role."""
    if denial := authorize(bearer_token(context.invocation_metadata() or ())):
        code = grpc.StatusCode.PERMISSION_DENIED if denial.is_known else grpc.StatusCode.UNAUTHENTICATED
        await context.abort(code, denial.reason)


def bearer_token(metadata: Any) -> str:
    """The token of `authorization: Bearer TOKEN`; "" for none."""
    for key, value in metadata:
        if key.lower() == "authorization" and isinstance(value, str):
            scheme, _, token = value.partition(" ")
            if scheme.lower() == "bearer":
                return str(token.strip())
    return ""
