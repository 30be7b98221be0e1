"""Tells the archive's owner of incidents: one message to a webhook, one to a mailbox. What is told is given.

Addresses hold secrets, so they come from the environment and never reach a message, a log or an error.
"""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import dagster as dg
import requests
from pydantic import Field

from resources.environments import ALERT_SMTP_URL, ALERT_WEBHOOK

TIMEOUT_SECONDS = 20
PORTS = {"smtp": 587, "smtps": 465}


class AlertError(RuntimeError):
    """An alert could not be delivered; the message says which way and what to do, without the address."""


class Alerts(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where alerts go; empty addresses for nowhere."""

    webhook: str = Field(
        default="",
        repr=False,
        description="address that takes a POST of JSON with a `text` (Slack, Teams, Mattermost)",
    )
    smtp_url: str = Field(
        default="", repr=False, description="smtp://USER:PASSWORD@HOST:587 (STARTTLS) or smtps://...:465"
    )
    sender: str = Field(default="", description="address that mail comes from")
    recipients: list[str] = Field(default=[], description="addresses that mail goes to")

    @property
    def ways(self) -> list[str]:
        """The ways that are configured: webhook, e-mail."""
        mail = bool(self.smtp_url.strip()) and bool(self.recipients)
        return [*(["webhook"] if self.webhook.strip() else []), *(["e-mail"] if mail else [])]

    def tell(self, subject: str, text: str) -> None:
        """Deliver by every way that is configured. Raises AlertError naming the ways that failed.

        A message may come twice where one way took it and another did not: better than not at all.
        """
        failed = []
        for way in self.ways:
            try:
                if way == "webhook":
                    self._post(f"{subject}\n{text}")
                else:
                    self._mail(subject, text)
            except (OSError, smtplib.SMTPException, requests.RequestException, ValueError) as error:
                # Its class only: errors of requests and smtplib repeat the address.
                failed.append(f"{way} ({type(error).__name__})")
        if failed:
            raise AlertError(
                f"not delivered by {', '.join(failed)}; check {ALERT_WEBHOOK} and {ALERT_SMTP_URL}, it is tried again"
            )

    def _post(self, text: str) -> None:
        answer = requests.post(
            self.webhook.strip(), json={"text": text}, timeout=TIMEOUT_SECONDS, allow_redirects=False
        )
        if not answer.ok:
            raise ValueError(f"status {answer.status_code}")

    def _mail(self, subject: str, text: str) -> None:
        address = urlsplit(self.smtp_url.strip())
        if address.scheme not in PORTS or not address.hostname:
            raise ValueError("neither smtp:// nor smtps://")
        message = EmailMessage()
        # A line break would begin another header.
        message["Subject"] = " ".join(subject.split())
        message["From"] = self.sender or unquote(address.username or "") or self.recipients[0]
        message["To"] = ", ".join(self.recipients)
        message.set_content(text)
        place = (address.hostname, address.port or PORTS[address.scheme])
        secure = ssl.create_default_context()
        with (
            smtplib.SMTP_SSL(*place, timeout=TIMEOUT_SECONDS, context=secure)
            if address.scheme == "smtps"
            else smtplib.SMTP(*place, timeout=TIMEOUT_SECONDS)
        ) as server:
            if address.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=secure)
            if address.username:
                server.login(unquote(address.username), unquote(address.password or ""))
            server.send_message(message)
