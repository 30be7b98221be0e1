"""Where the connected labelling tool is, as a Dagster resource. What is asked of it, labelling_server knows.

Nothing is done where no server is configured. The SDK is the extra `label-studio`, loaded when it is first used:
it takes about a second and two hundred megabytes, and its versions from 2.0.20 on want numpy below 2.3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import SplitResult, quote, urlsplit

import dagster as dg
from pydantic import Field

from resources.labelling_server import LabelStudioServer
from resources.labelling_tool_errors import ADDRESS, TOKEN, LabellingToolError, readable

MISSING_SDK = (
    f"Label Studio's SDK is not installed; run pip install 'al-assets[label-studio]', or unset {ADDRESS}"
)


class LabelStudio(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where the labelling tool is; empty for none."""

    url: str = Field(default="", description="address of the server, e.g. https://label.example.org")
    token: str = Field(
        default="", repr=False, description="access token of a user, either kind that Label Studio gives"
    )

    @property
    def is_configured(self) -> bool:
        """Whether there is a server to talk to."""
        return bool(self.url.strip())

    @property
    def where(self) -> str:
        """The address without a password in it, for messages."""
        try:
            parts = urlsplit(self.url.strip())
        except ValueError:
            return ADDRESS
        host, path = (part.rpartition("@")[2] for part in (parts.netloc, parts.path))
        return f"{parts.scheme}://{host}{path}".rstrip("/")

    def address(self) -> SplitResult:
        """The address in its parts. Raises LabellingToolError for one that cannot be used, without repeating it."""
        try:
            parts = urlsplit(self.url.strip())
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if "@" in self.url:
            raise LabellingToolError(
                f"{ADDRESS} holds a user or a password before an @; write it as http://HOST:PORT, the token in "
                f"{TOKEN} is all that Label Studio wants"
            )
        if not usable or parts.query or parts.fragment:
            raise LabellingToolError(f"{ADDRESS} is no address; write it as http://HOST:PORT")
        return parts

    def secret(self) -> str:
        """The token. Raises LabellingToolError for what can be none, without repeating it."""
        token = self.token.strip()
        if not token:
            raise LabellingToolError(f"{ADDRESS} is set and {TOKEN} is not; set both, or neither")
        if not (token.isascii() and token.isprintable()):
            raise LabellingToolError(
                f"{TOKEN} holds characters that no token has, such as a line break or a long dash; copy it anew from "
                "Account & Settings"
            )
        return token

    @contextmanager
    def connect(
        self, *, timeout_seconds: float, attempts: int = 1, limit_seconds: float = math.inf
    ) -> Iterator[LabelStudioServer]:
        """The server, to talk to. attempts: how often a question is asked that may be asked again.

        timeout_seconds: for one wait. limit_seconds: for all that is asked within, whatever the server does.
        """
        token, address = self.secret(), self.address()
        secrets = (token, quote(token, safe=""))
        try:
            from label_studio_sdk import LabelStudio as Client

            from resources.labelling_tool_limits import Allowance, limited
        except ImportError as error:
            raise LabellingToolError(MISSING_SDK) from error
        with limited(Allowance(self.where, limit_seconds), timeout_seconds) as http:
            with readable(self.where, secrets):
                # With the last slash the SDK finds its way where the server lies below a path.
                base = self.url.strip().rstrip("/") + "/"
                client = Client(base_url=base, api_key=token, httpx_client=http)
            yield LabelStudioServer(client, self.where, address.path.rstrip("/"), attempts, secrets)
