"""Runs nginx from Debian's package on free ports, with the configuration that the project ships."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.project import ROOT

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
SHIPPED = ROOT / "deploy" / "nginx" / "uplift.conf"
TIMEOUT = 30
"""Seconds until nginx listens."""

MAIN = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/uplift.conf;
    server {{
        listen 127.0.0.1:{plain_port};
        # Removes the prefix, as `http://host/` does, and says nothing about the request.
        location /uplift/ {{ proxy_pass http://uplift_gateway/; }}
        # Removes another prefix, and passes on what a client says.
        location /team/flows/ {{
            proxy_pass http://uplift_gateway/;
            proxy_set_header X-Forwarded-Prefix /team/flows;
            proxy_set_header X-Forwarded-Host $http_host;
        }}
    }}
}}
"""


@dataclass(frozen=True, kw_only=True)
class Nginx:
    """The ports of a running nginx: with TLS as shipped, and without for other ways to pass requests on."""

    tls_port: int
    plain_port: int
    certificate: Path

    @property
    def url(self) -> str:
        """The gateway behind the shipped configuration."""
        return f"https://localhost:{self.tls_port}/uplift"

    @property
    def plain_url(self) -> str:
        return f"http://localhost:{self.plain_port}"

    def tls(self) -> ssl.SSLContext:
        """Trusts the certificate of this nginx only."""
        return ssl.create_default_context(cafile=self.certificate)


def unavailable_reason() -> str:
    """Why nginx cannot run; empty if it can."""
    missing = [name for name in (NGINX, "openssl") if not shutil.which(name)]
    return f"needs {' and '.join(missing)}, which is not installed" if missing else ""


@contextmanager
def nginx_before(gateway: str, folder: Path) -> Iterator[Nginx]:
    """Runs nginx in front of the gateway at this address, `host:port`, with a certificate of its own."""
    certificate, key = folder / "uplift.pem", folder / "uplift.key"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run(
        [*new, *subject, "-days", "2", "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    tls_port, plain_port = _free_ports(2)
    text = SHIPPED.read_text()
    for shipped, here in (
        ("server 127.0.0.1:8000;", f"server {gateway};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{tls_port} ssl;"),
        ("server_name uplift.example;", "server_name localhost;"),
        ("/etc/ssl/certs/uplift.pem", str(certificate)),
        ("/etc/ssl/private/uplift.key", str(key)),
    ):
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, here)
    (folder / "uplift.conf").write_text(text)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, plain_port=plain_port))
    process = subprocess.Popen(
        [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for port in (tls_port, plain_port):
            _wait_until_it_listens(process, port, folder / "error.log")
        yield Nginx(tls_port=tls_port, plain_port=plain_port, certificate=certificate)
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, errors: Path) -> None:
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT).close()
            return
        except ConnectionRefusedError:
            assert process.poll() is None, errors.read_text()
            assert time.monotonic() < deadline, errors.read_text()
            time.sleep(0.02)
