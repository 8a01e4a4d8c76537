"""A real time-stamping authority: certificates of our own, ``openssl ts -reply``, and an HTTP service on this host."""

import datetime
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
STAMPING = ExtendedKeyUsageOID.TIME_STAMPING
DAY = datetime.timedelta(days=1)

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")


def new_key(kind: str = "EC") -> Key:
    """A private key of a kind that authorities use."""
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP384R1() if kind == "P-384" else ec.SECP256R1())


def utc(year: int, month: int = 1, day: int = 1) -> datetime.datetime:
    return datetime.datetime(year, month, day, tzinfo=datetime.UTC)


Revoked = tuple["Holder", x509.ReasonFlags | None, datetime.datetime]
"""Whose certificate was revoked, why, since when."""


@dataclass
class Holder:
    """A key and its certificate; ``issue`` certifies others."""

    key: Key
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @classmethod
    def root(cls, name: str = "Time Root", kind: str = "EC", *, key_id: "Holder | None" = None) -> "Holder":
        """A root; ``key_id``: whose key identifier it claims."""
        key = new_key(kind)
        return cls(key, _certify(key, name, None, key, ca=True, named=key if key_id is None else key_id.key))

    def issue(self, name: str, kind: str = "EC", *, ca: bool = False, **changed: Any) -> "Holder":
        """``usages`` and ``critical`` of the extended key usage, ``not_before``, ``not_after``, ``key``."""
        key = changed.pop("key", None) or new_key(kind)
        return Holder(key, _certify(key, name, self.certificate, self.key, ca=ca, **changed))

    def crl(self, at: datetime.datetime, *revoked: Revoked) -> bytes:
        """A CRL that this authority made ``at``, good for 30 days, DER."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(at).next_update(at + 30 * DAY)
        builder = builder.add_extension(x509.CRLNumber(1), critical=False).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        for holder, reason, since in revoked:
            entry = (
                x509.RevokedCertificateBuilder().serial_number(holder.certificate.serial_number).revocation_date(since)
            )
            if reason is not None:
                entry = entry.add_extension(x509.CRLReason(reason), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)


def _certify(
    key: Key,
    name: str,
    issuer: x509.Certificate | None,
    signing_key: Key,
    *,
    ca: bool,
    usages: tuple[x509.ObjectIdentifier, ...] = (STAMPING,),
    critical: bool = True,
    not_before: datetime.datetime | None = None,
    not_after: datetime.datetime | None = None,
    named: Key | None = None,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before or utc(2020))
        .not_valid_after(not_after or utc(2090))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(_key_usage(ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key((named or key).public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
    )
    if usages and not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=critical)
    return builder.sign(signing_key, hashes.SHA256())


def _key_usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass
class Tsa:
    """An authority that answers with ``openssl ts -reply`` from ``folder``; ``above``: from its issuer to the root.

    ``options`` are lines of OpenSSL's TSA section. OpenSSL refuses to serve without a proper extended key usage.
    """

    folder: Path
    signer: Holder
    above: tuple[Holder, ...]
    options: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        private = self.signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "tsa.key").write_bytes(private)
        (self.folder / "tsa.crt").write_bytes(self.signer.certificate.public_bytes(Encoding.PEM))
        chain = b"".join(holder.certificate.public_bytes(Encoding.PEM) for holder in self.above[:-1])
        (self.folder / "chain.crt").write_bytes(chain)
        (self.folder / "root.crt").write_bytes(self.above[-1].certificate.public_bytes(Encoding.PEM))
        (self.folder / "serial").write_text("01\n")
        lines = {
            "serial": self.folder / "serial",
            "signer_cert": self.folder / "tsa.crt",
            "signer_key": self.folder / "tsa.key",
            "signer_digest": "sha256",
            "default_policy": "1.2.3.4.1",
            "digests": "sha256, sha384, sha512",
            "accuracy": "secs:1, millisecs:500",
            "ess_cert_id_alg": "sha256",
        } | self.options
        if chain:
            lines["certs"] = self.folder / "chain.crt"
        text = "".join(f"{name} = {value}\n" for name, value in lines.items())
        (self.folder / "tsa.cnf").write_text(f"[tsa]\ndefault_tsa = one\n[one]\n{text}")

    @classmethod
    def new(cls, folder: Path, kind: str = "EC", *, intermediate: bool = False, **options: str) -> "Tsa":
        """An authority with a root of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        above = (Holder.root(kind=kind),)
        if intermediate:
            above = (above[0].issue("Time CA", kind, ca=True), *above)
        return cls(folder, above[0].issue("Time Stamper", kind), above, options)

    @property
    def root(self) -> bytes:
        """The certificate to trust, DER."""
        return self.above[-1].der

    def reply(self, request: bytes) -> bytes:
        """The TimeStampResp to a TimeStampReq, DER both."""
        with self._lock:
            (self.folder / "request.tsq").write_bytes(request)
            return self.run("-reply", "-config", "tsa.cnf", "-queryfile", "request.tsq")

    def token_of(self, request: bytes) -> bytes:
        """The TimeStampToken alone."""
        with self._lock:
            (self.folder / "request.tsq").write_bytes(request)
            return self.run("-reply", "-config", "tsa.cnf", "-queryfile", "request.tsq", "-token_out")

    def run(self, *arguments: str) -> bytes:
        """What ``openssl ts`` writes, in the authority's folder."""
        run = ("openssl", "ts", *arguments)
        return subprocess.run(run, cwd=self.folder, capture_output=True, check=True).stdout

    def accepts(self, token: bytes, message: bytes, *, at: int) -> bool:
        """OpenSSL's own verdict on a token, with its certificates judged at time ``at``."""
        with self._lock:
            (self.folder / "token.der").write_bytes(token)
            (self.folder / "message").write_bytes(message)
            run = ("openssl", "ts", "-verify", "-token_in", "-in", "token.der", "-data", "message")
            trust = ("-CAfile", "root.crt", "-attime", str(at))
            return subprocess.run([*run, *trust], cwd=self.folder, capture_output=True).returncode == 0


class TsaServer:
    """The authority over HTTP (RFC 3161 §3.4). ``fault`` names what goes wrong; ``made`` counts the tokens it made.

    ``error``, ``redirect``, ``garbage``, ``huge``, ``slow``, ``drip`` (a byte now and then), ``rejected`` (its own
    refusal), ``nonce`` and ``imprint`` (a good token that answers another request), ``dropped`` (made, but the
    connection breaks before it is sent).
    """

    def __init__(self, tsa: Tsa) -> None:
        self.tsa, self.fault, self.made, self.asked = tsa, "", 0, 0
        self.released = threading.Event()
        handler = type("Handler", (_Handler,), {"world": self})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/tsa"


class _Handler(http.server.BaseHTTPRequestHandler):
    world: TsaServer

    def do_POST(self) -> None:
        world, fault = self.world, self.world.fault
        request = self.rfile.read(int(self.headers["content-length"]))
        world.asked += 1
        if self.headers["content-type"] != "application/timestamp-query" or fault == "error":
            self.send_error(503)
        elif fault == "redirect":
            self.send_response(307)
            self.send_header("location", world.url)
            self.end_headers()
        elif fault == "drip":
            self._send(b"", size=1000)
            for _ in range(100):
                if not world.released.wait(0.3):
                    with suppress(OSError):
                        self.wfile.write(b"0")
        elif fault in ("garbage", "huge"):
            self._send(b"<html>" * (1 if fault == "garbage" else 50_000))
        else:
            if fault == "slow":
                world.released.wait(30)
            reply = world.tsa.reply(_falsified(request, fault))
            world.made += fault != "rejected"
            if fault == "dropped":
                self.connection.close()
            else:
                self._send(reply)

    def _send(self, body: bytes, size: int | None = None) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/timestamp-reply")
        self.send_header("content-length", str(len(body) if size is None else size))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


def _falsified(request: bytes, fault: str) -> bytes:
    """The request that the authority takes it for: another digest algorithm, nonce or message."""
    if fault == "rejected":
        return request.replace(bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040208"))  # SHA3-256
    if fault == "nonce":
        return request[:-4] + bytes([request[-4] ^ 1]) + request[-3:]
    if fault == "imprint":
        at = request.index(b"\x04\x20") + 2
        return request[:at] + bytes([request[at] ^ 1]) + request[at + 1 :]
    return request


@contextmanager
def serving(tsa: Tsa) -> Iterator[TsaServer]:
    """The authority's HTTP service for as long as the block runs."""
    server = TsaServer(tsa)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join()
