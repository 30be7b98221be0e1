"""What surrounds a storage account in Azure, on loopback: TLS, a managed identity, and the account's public name.

Azurite plays the account and checks certificates and tokens; here is only what it needs. No test and no fixture.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import select
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
from azure.storage.blob import BlobServiceClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support import servers

HOST = f"{servers.AZURITE_ACCOUNT}.blob.core.windows.net"
TENANT = "https://sts.windows.net/00000000-0000-0000-0000-000000000000/"


@contextmanager
def account(folder: Path, container: str) -> Iterator[dict[str, str]]:
    """A storage account by its public name, with a container: the environment of a process that reaches it.

    Who has no key is signed in as a managed identity.
    """
    public, private = certificate(folder, HOST)
    port = servers.free_port()
    options = ("--cert", str(public), "--key", str(private), "--oauth", "basic")
    with (
        servers.azurite_in(folder, port, *options),
        managed_identity() as identity,
        proxy_to(port) as proxy,
    ):
        here = f"https://127.0.0.1:{port}/{servers.AZURITE_ACCOUNT}"
        with BlobServiceClient(
            here, credential=servers.AZURITE_KEY, connection_verify=str(public)
        ) as service:
            service.create_container(container)
        yield {
            **identity,
            "AL_STORAGE_URL": f"az://{container}",
            "AL_STORAGE_ACCOUNT_URL": f"https://{HOST}",
            "HTTPS_PROXY": proxy,
            "NO_PROXY": "127.0.0.1",
            "REQUESTS_CA_BUNDLE": str(public),
            "SSL_CERT_FILE": str(public),
        }


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate for loopback and the host, signed by itself, and its key: two PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return public, private


@contextmanager
def managed_identity() -> Iterator[dict[str, str]]:
    """A managed identity of Azure as a program finds it: the environment variables that lead to its endpoint."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _TokenHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{server.server_port}/token",
            "IDENTITY_HEADER": "here",
        }
        server.shutdown()


class _TokenHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        now = int(time.time())
        times = {"iat": now - 60, "nbf": now - 60, "exp": now + 3600}
        claims = {"iss": TENANT, "aud": "https://storage.azure.com", **times}
        # Azurite checks who made it, for whom and until when, and not the signature.
        token = jwt.encode(claims, "x" * 32, algorithm="HS256")
        body = {"access_token": token, "expires_on": str(now + 3600), "token_type": "Bearer"}
        text = json.dumps({**body, "resource": "https://storage.azure.com"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def proxy_to(port: int) -> Iterator[str]:
    """An HTTPS proxy by which every name leads to a port of loopback; its address."""

    class Tunnel(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            asked = b""
            while not asked.endswith(b"\r\n\r\n"):
                asked += self.request.recv(1)
            with socket.create_connection(("127.0.0.1", port)) as behind:
                self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                _relay(self.request, behind)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _relay(one: socket.socket, other: socket.socket) -> None:
    while True:
        for ready in select.select([one, other], [], [])[0]:
            data = ready.recv(1 << 16)
            if not data:
                return
            (other if ready is one else one).sendall(data)
