"""Where this installation keeps things, read from the environment. The only module that reads it.

No secret is kept here: passwords stay inside the database URL, which is never printed unmasked.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

SETTINGS_FILE = "al.toml"
DATABASE_URL = "AL_DATABASE_URL"
STORAGE_URL = "AL_STORAGE_URL"
STORAGE_ACCOUNT_URL = "AL_STORAGE_ACCOUNT_URL"
STORAGE_KEY = "AL_STORAGE_KEY"
STORAGE_SAS_TOKEN = "AL_STORAGE_SAS_TOKEN"
DATABASE_PARTS = ("SERVER", "NAME", "AUTHENTICATION", "USER")
"""Of AL_DATABASE_...: SQL Server or Azure SQL without a URL."""
DATABASE_PASSWORD = "AL_DATABASE_PASSWORD"
LABEL_STUDIO_URL = "AL_LABEL_STUDIO_URL"
LABEL_STUDIO_TOKEN = "AL_LABEL_STUDIO_TOKEN"
ALERT_WEBHOOK = "AL_ALERT_WEBHOOK"
ALERT_SMTP_URL = "AL_ALERT_SMTP_URL"
DAGSTER_DATABASE_URL = "AL_DAGSTER_DATABASE_URL"
SECRETS = (
    *(DATABASE_URL, STORAGE_KEY, STORAGE_SAS_TOKEN, LABEL_STUDIO_TOKEN, ALERT_WEBHOOK, ALERT_SMTP_URL),
    DAGSTER_DATABASE_URL,
)


@dataclass(frozen=True)
class Environment:
    """Home, database, storage and settings of one installation."""

    home: Path
    database_url: str = field(repr=False)
    """May hold a password, so it is not shown."""
    storage_url: str
    settings_path: Path | None
    storage_options: dict[str, Any] = field(default_factory=dict, repr=False)
    """Account and credential of Azure Blob, as resources.storage.Storage takes them; not shown either."""
    label_studio_url: str = field(default="", repr=False)
    label_studio_token: str = field(default="", repr=False)
    alert_webhook: str = field(default="", repr=False)
    """Whoever knows it may post there, so it is not shown."""
    alert_smtp_url: str = field(default="", repr=False)
    dagster_database_url: str = field(default="", repr=False)
    """PostgreSQL for Dagster's own storage; empty for files in the home."""

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's own state; absolute, as Dagster demands."""
        return self.home / "dagster"


def read_environment(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Environment:
    """Environment from `AL_HOME`, `AL_DATABASE_URL`, `AL_STORAGE_URL`; defaults lie in `.al` of the working folder.

    SQL Server and Azure SQL may be given in parts in place of a URL: `AL_DATABASE_SERVER`, `_NAME`, `_USER`,
    `_PASSWORD` and `_AUTHENTICATION` (sql, default, managed_identity or token). Raises DatabaseError for parts that
    do not fit.
    Azure Blob (`az://CONTAINER`) needs `AL_STORAGE_ACCOUNT_URL`, and signs in with `AL_STORAGE_KEY`, else with
    `AL_STORAGE_SAS_TOKEN`, else with azure-identity's default chain (`az login`, a managed identity, its variables).
    `AL_LABEL_STUDIO_URL` and `AL_LABEL_STUDIO_TOKEN` connect a Label Studio; empty for none. `AL_ALERT_WEBHOOK` and
    `AL_ALERT_SMTP_URL` say where incidents are told. `AL_DAGSTER_DATABASE_URL` is the PostgreSQL database in which
    Dagster keeps its own state where several machines write it.
    A home's own `al.toml` comes before one in the working folder, so that a home is complete in itself.
    """
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    home = Path(environ.get("AL_HOME") or folder / ".al").expanduser()
    home = home if home.is_absolute() else (folder / home)
    home = home.resolve()
    candidates = [home / SETTINGS_FILE, folder / SETTINGS_FILE]
    return Environment(
        home=home,
        database_url=environ.get(DATABASE_URL) or _url_of_parts(environ) or _sqlite_url(home / "al.db"),
        storage_url=_storage_url(environ.get(STORAGE_URL) or "", folder) or str(home / "storage"),
        settings_path=next((path for path in candidates if path.is_file()), None),
        storage_options=_storage_options(environ),
        label_studio_url=_without_secrets(environ.get(LABEL_STUDIO_URL, "").strip()),
        label_studio_token=environ.get(LABEL_STUDIO_TOKEN, "").strip(),
        alert_webhook=environ.get(ALERT_WEBHOOK, "").strip(),
        alert_smtp_url=environ.get(ALERT_SMTP_URL, "").strip(),
        dagster_database_url=environ.get(DAGSTER_DATABASE_URL, "").strip(),
    )


def variable_of(secret: str) -> str | None:
    """The variable of this process that holds the secret, so that Dagster can show its name in place of its value."""
    # Without the line break that ends a file which the variable was filled from.
    values = {name: os.environ.get(name, "") for name in SECRETS}
    return next((name for name, value in values.items() if secret and secret in (value, value.strip())), None)


def secret_values() -> list[str]:
    """Secrets of this process's environment, so that what is sent elsewhere can be searched for them.

    Passwords below eight characters are left out: they are found in anything.
    """
    values = {name: os.environ.get(name, "").strip() for name in (*SECRETS, DATABASE_PASSWORD)}
    for name in (DATABASE_URL, DAGSTER_DATABASE_URL):
        # Of a URL the password: the rest is no secret.
        with contextlib.suppress(ArgumentError, ValueError):
            values[name] = str(make_url(values[name]).password or "") if values[name] else ""
    return [value for value in values.values() if len(value) >= 8]


def database_password() -> str:
    """Password or access token of a database whose URL has none; read when it is needed and kept nowhere."""
    return os.environ.get(DATABASE_PASSWORD, "")


def _url_of_parts(environ: Mapping[str, str]) -> str:
    parts = {part.lower(): environ.get(f"AL_DATABASE_{part}", "") for part in DATABASE_PARTS}
    if not any(parts.values()):
        return ""
    from resources.azure_sql import url_of_parts

    return url_of_parts(**parts, secret=bool(environ.get(DATABASE_PASSWORD)))


def _without_secrets(url: str) -> str:
    """A server's address that may be shown: without what stands before an @ or after a question mark.

    A mark stays in its place, so that whoever connects can refuse it and say why.
    """
    before, at, host = url.rpartition("@")
    scheme = before.partition("://")[0] + "://" if "://" in before else ""
    shown, query, _ = (f"{scheme}***@{host}" if at else url).replace("#", "?").partition("?")
    return f"{shown}?***" if query else shown


def _sqlite_url(file: Path) -> str:
    return URL.create("sqlite", database=str(file)).render_as_string()


def _storage_url(url: str, folder: Path) -> str:
    """The URL as given; a relative folder is made absolute, since the processes of Dagster may run elsewhere."""
    return url if not url or "://" in url else str((folder / Path(url).expanduser()).absolute())


def _storage_options(environ: Mapping[str, str]) -> dict[str, Any]:
    """Account and credential of Azure Blob; without a key or token, azure-identity's default chain is used."""
    options: dict[str, Any] = {}
    if account := environ.get(STORAGE_ACCOUNT_URL):
        options["account_url"] = account
    if key := environ.get(STORAGE_KEY):
        options["credential"] = {"credential_type": "key", "key": key}
    elif token := environ.get(STORAGE_SAS_TOKEN):
        options["credential"] = {"credential_type": "sas", "token": token}
    return options


def calm_threads() -> None:
    """Let idle OpenMP threads sleep: where they spin, two of them on two busy cores embed a hundredth as fast.

    Counts only before torch and scikit-learn are loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def quiet_ray(*, own_cluster: bool) -> None:
    """A Ray cluster that this process starts tells Ray's makers nothing, and nobody else may send it code.

    Counts only before Ray is imported. Ray's own way of signing in would leave a token in the user's home, which
    nodes that are started later ask of each other.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if own_cluster and "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def process_environment(**changes: str) -> dict[str, str]:
    """A copy of this process's environment for a child process, with changes."""
    return {**os.environ, **changes}
