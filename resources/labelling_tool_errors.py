"""What an error of Label Studio means for the owner who reads it: one line each, with the next action. No request here.

The SDK's own messages hold headers and whole replies; they stay as the cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TOKEN = "AL_LABEL_STUDIO_TOKEN"
ADDRESS = "AL_LABEL_STUDIO_URL"
DETAIL = 400


class LabellingToolError(RuntimeError):
    """The labelling tool cannot do what was asked; the message says what to do."""


class ToolUnreachableError(LabellingToolError):
    """It does not answer, or is too busy to: the same may succeed later."""


class ToolAccessError(LabellingToolError):
    """It does not let us in."""


class ToolMissingError(LabellingToolError):
    """What was asked for is not there, such as a project that somebody deleted."""


class ToolRefusalError(LabellingToolError):
    """It says no to what it was given; the message repeats why."""


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Errors of the SDK within, as errors of this module."""
    import httpx
    from label_studio_sdk.core.api_error import ApiError

    try:
        yield
    except httpx.TimeoutException as error:
        raise ToolUnreachableError(
            f"Label Studio at {where} does not answer in time; it is tried again"
        ) from error
    except (httpx.TransportError, httpx.RemoteProtocolError) as error:
        raise ToolUnreachableError(
            f"Label Studio at {where} cannot be reached; start it, or correct {ADDRESS}"
        ) from error
    except ApiError as error:
        raise explained(error.status_code, error.body, where) from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, AttributeError) as error:
        # Whatever answers there, its replies are not Label Studio's.
        raise LabellingToolError(f"what answers at {where} is no Label Studio; correct {ADDRESS}") from error


def explained(status: int | None, body: Any, where: str) -> LabellingToolError:
    """The error that a reply means."""
    said = detail(body)
    if status in (401, 403):
        return ToolAccessError(
            f"Label Studio at {where} refuses the token ({said or status}); make one under Account & Settings and "
            f"give it as {TOKEN}"
        )
    if status is not None and (status == 429 or status >= 500):
        return ToolUnreachableError(f"Label Studio at {where} is out of order ({status}); it is tried again")
    if status == 404 and isinstance(body, dict):
        return ToolMissingError(f"Label Studio at {where} has no such thing ({said or status})")
    if status == 400 and said:
        return ToolRefusalError(f"Label Studio at {where} refuses: {said}")
    return LabellingToolError(f"what answers at {where} is no Label Studio ({status}); correct {ADDRESS}")


def detail(body: Any) -> str:
    """What a reply says in words, on one line; empty where it is a page or nothing."""
    if not isinstance(body, dict):
        return ""
    parts: list[str] = []
    _words(body.get("validation_errors") or body.get("detail") or body.get("non_field_errors") or "", parts)
    return " ".join(" ".join(parts).split())[:DETAIL]


def _words(value: Any, parts: list[str]) -> None:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            _words(inner, parts)
    elif value:
        parts.append(str(value))
