"""What travels to workers on other machines, as bytes without secrets: they are read on the node that needs them.

A password in an argument would lie in the scheduler's memory, in spilled objects and in a dashboard that anyone in
the cluster reads. So a database or storage with a password or key travels as its name, and is built from the
worker's own environment, which must speak of the same one. No engine and no work here.
"""

from __future__ import annotations

import io
import pickle
import socket
from typing import Any

import sqlalchemy as sa

from resources.database import Database
from resources.environments import DATABASE_URL, STORAGE_KEY, STORAGE_URL, read_environment, secret_values
from resources.storage import Storage

WITH_SECRET = ("key", "sas")


class PackingError(RuntimeError):
    """Work cannot be sent to a worker, or a worker cannot build what was sent; the message says what to set."""


def pack(value: Any) -> bytes:
    """A picklable value as bytes that hold no secret, for `pickle.loads` on any node that has this package.

    Raises PackingError where it cannot be sent; so does unpickling where the node's environment does not fit.
    """
    from ray import cloudpickle

    class Packer(cloudpickle.CloudPickler):  # type: ignore[misc]
        def reducer_override(self, given: Any) -> Any:
            if isinstance(given, Database) and (name := _secret_database(given)):
                return database_of_node, (name,)
            if isinstance(given, Storage) and given.credential.credential_type in WITH_SECRET:
                return storage_of_node, (given.url, given.account_url)
            return super().reducer_override(given)

    buffer = io.BytesIO()
    try:
        Packer(buffer).dump(value)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise PackingError(f"work for other machines must pickle: {error}") from error
    packed = buffer.getvalue()
    if any(secret.encode() in packed for secret in secret_values()):
        raise PackingError(
            "work for other machines holds a secret of this process's environment; it is not sent"
        )
    return packed


def database_of_node(name: str) -> Database:
    """The database that this node's environment names, if that is the one meant."""
    url = read_environment().database_url
    if _name(sa.make_url(url)) != name:
        raise PackingError(
            f"{socket.gethostname()} was started with another {DATABASE_URL} than the run, which uses {name}; start "
            "Ray with the same variables on every node"
        )
    return Database(url=url)


def storage_of_node(url: str, account_url: str) -> Storage:
    """The storage that this node's environment names, if that is the one meant."""
    environment = read_environment()
    storage = Storage(url=environment.storage_url, **environment.storage_options)
    if (storage.url, storage.account_url) != (url, account_url):
        raise PackingError(
            f"{socket.gethostname()} was started with another {STORAGE_URL} than the run, which uses {url}; start "
            "Ray with the same variables on every node"
        )
    if storage.credential.credential_type not in WITH_SECRET:
        raise PackingError(
            f"{socket.gethostname()} was started without {STORAGE_KEY}; start Ray with the same variables on every node"
        )
    return storage


def _secret_database(database: Database) -> str:
    """Name of a database whose URL may hold a secret; empty for others, which travel as they are."""
    url = sa.make_url(database.url)
    return _name(url) if url.password or url.query else ""


def _name(url: sa.URL) -> str:
    """Which database a URL speaks of, whoever signs in; options of a URL may hold a password too."""
    named = sa.URL.create(url.get_backend_name(), host=url.host, port=url.port, database=url.database)
    return named.render_as_string()
