"""What an error of Label Studio means for the owner who reads it: one line each, with the next action. No request here.

The SDK's own errors hold headers and whole replies, the token and cookies among them: they are left behind.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

TOKEN = "AL_LABEL_STUDIO_TOKEN"
ADDRESS = "AL_LABEL_STUDIO_URL"
DETAIL = 400
HIDDEN = "***"
_SECRET = re.compile(
    r"(?P<kind>\b(?:token|bearer|basic)\s+(?=\S*\d)|\b(?:sessionid|csrftoken)\s*[=:]\s*)[^\s,;\"')]+"
    r"|\beyJ[\w-]+\.[\w-]+(?:\.[\w-]+)?",
    re.IGNORECASE,
)
"""What a server may repeat of a request: its authorisation, its cookies, a token that it gave out itself."""
_STRANGE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What our reading of a reply raises that has another shape than Label Studio's."""


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
def readable(where: str, secrets: Collection[str] = ()) -> Iterator[None]:
    """Errors of the SDK within, as errors of this module. secrets: what no message may hold."""
    import httpx
    from label_studio_sdk.core.api_error import ApiError

    try:
        yield
    except httpx.TimeoutException as error:
        raise ToolUnreachableError(
            f"Label Studio at {where} does not answer in time ({_kind(error)}); it is tried again"
        ) from None
    except httpx.TransportError as error:
        raise ToolUnreachableError(
            f"Label Studio at {where} cannot be reached; start it, or correct {ADDRESS} ({_kind(error)})"
        ) from None
    except ApiError as error:
        raise explained(error.status_code, error.body, where, secrets) from None
    except (httpx.HTTPError, httpx.InvalidURL, *_STRANGE) as error:
        # Whatever answers there, its replies are not Label Studio's.
        raise LabellingToolError(
            f"what answers at {where} is no Label Studio ({_kind(error)}); correct {ADDRESS}"
        ) from None


def explained(status: int | None, body: Any, where: str, secrets: Collection[str] = ()) -> LabellingToolError:
    """The error that a reply means."""
    said = detail(body, secrets)
    if status in (401, 403):
        return ToolAccessError(
            f"Label Studio at {where} refuses the token ({said or status}); make one under Account & Settings and "
            f"give it as {TOKEN}"
        )
    if status is not None and (status == 429 or status >= 500):
        return ToolUnreachableError(f"Label Studio at {where} is out of order ({status}); it is tried again")
    if status == 404 and isinstance(body, dict):
        return ToolMissingError(f"Label Studio at {where} has no such thing ({said or status})")
    if status == 413:
        # Said by a proxy as a rule, in a page of its own.
        return ToolRefusalError(
            f"Label Studio at {where} takes no request of this size (413); raise the limit of the proxy before it, "
            "such as client_max_body_size of nginx"
        )
    if status is not None and 400 <= status < 500 and said:
        return ToolRefusalError(f"Label Studio at {where} refuses: {said}")
    return LabellingToolError(f"what answers at {where} is no Label Studio ({status}); correct {ADDRESS}")


def detail(body: Any, secrets: Collection[str] = ()) -> str:
    """What a reply says in words, on one line; empty where it is a page or nothing."""
    if not isinstance(body, dict):
        return ""
    parts: list[str] = []
    _words(body.get("validation_errors") or body.get("detail") or body.get("non_field_errors") or "", parts)
    # Hidden before it is cut: half a token is a secret too.
    return hidden(" ".join(" ".join(parts).split()), secrets)[:DETAIL]


def hidden(text: str, secrets: Collection[str]) -> str:
    """The text without the secrets, and without what looks like one."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _SECRET.sub(lambda found: f"{found['kind'] or ''}{HIDDEN}", text)


def _kind(error: Exception) -> str:
    return type(error).__name__


def _words(value: Any, parts: list[str]) -> None:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            _words(inner, parts)
    elif value:
        parts.append(str(value))
