"""A client for the service: signs each request with the caller's key and turns problem documents into errors."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode

import httpx

from api import clock
from api.http.signatures import IDEMPOTENCY_HEADER, sign_request
from materials.grants.links import GrantChain, LinkId
from materials.grants.requests import RetrievalRequest, request_to_json
from materials.ids import EntityId, MaterialId
from materials.report import Facet
from signing import (
    CryptoProfile,
    FileDigests,
    JsonValue,
    LedgerError,
    Signer,
    UnavailableError,
    b64_encode,
    b64url_encode,
    dump_json,
    parse_json,
)

_JSON: Final = "application/json"
_BUNDLE: Final = "application/vnd.ematerials.bundle+json"
_MAX_ANSWER: Final = 64 << 20

Members = Mapping[str, Any]
"""A JSON object; its members are those of the service's OpenAPI document."""


class ProblemError(LedgerError):
    """The service refused: ``code`` as in the problem document, ``status`` of HTTP, ``problem`` the whole document."""

    def __init__(self, problem: Members, status: int) -> None:
        super().__init__(str(problem.get("code", "http.refused")), str(problem.get("detail", f"HTTP {status}")))
        self.status = status
        self.problem = problem


class LedgerClient:
    """One caller at one service; thread-safe as far as ``httpx.Client`` is.

    ``base_url`` is the service's public URL, which is what gets signed. Without ``entity`` and ``signer`` only public
    calls succeed. Every method raises ProblemError when refused, UnavailableError (``http.unreachable``) when no answer
    came: then the outcome is unknown, and the same call may be made again.
    """

    def __init__(
        self,
        base_url: str,
        entity: EntityId | None = None,
        signer: Signer | None = None,
        *,
        http: httpx.Client | None = None,
    ) -> None:
        self._entity, self._signer = entity, signer
        self._base = base_url.rstrip("/")
        self._http = http or httpx.Client(timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def register(self, submission: Members, files: Sequence[tuple[str, bytes]]) -> Members:
        """Register a material: members of ``SubmitFields`` or ``SubmitStatement``; files as (media type, content)."""
        parts = [("submission", (None, dump_json(submission), _JSON))]
        attached = [("file", (f"file-{n}", content, media_type)) for n, (media_type, content) in enumerate(files)]
        return self._json(httpx.Request("POST", self._base + "/v1/materials", files=[*parts, *attached]))

    def reserve_material(self) -> Members:
        """An id and a status place for a statement that the department signs itself."""
        return self._json(httpx.Request("POST", self._base + "/v1/materials/places"))

    def material(self, material: MaterialId) -> Members:
        """The public side of a material."""
        return self._json(httpx.Request("GET", f"{self._base}/v1/materials/{material}"))

    def bundle(self, material: MaterialId) -> bytes:
        """The evidence bundle, for the issuer."""
        return self.send(httpx.Request("GET", f"{self._base}/v1/materials/{material}/bundle"))

    def change_status(self, material: MaterialId, *, code: str, reason: str) -> Members:
        """Revoke, suspend, reinstate …"""
        return self._post(f"/v1/materials/{material}/events", {"code": code, "reason": reason})

    def submit_event(self, material: MaterialId, event: str) -> Members:
        """Hand in a change of status that the department signed itself."""
        return self._post(f"/v1/materials/{material}/events", {"event": event})

    def open_grant(self, members: Members) -> Sequence[str]:
        """Open a grant, as the operator: members of ``OpenGrant``; returns the chain's texts."""
        texts: list[str] = self._post("/v1/grants/roots", members)["chain"]
        return texts

    def reserve_link(self, chain: GrantChain) -> Members:
        """An id and a status place for the next link below ``chain``."""
        return self._post("/v1/grants/places", {"chain": list(chain.texts)})

    def submit_grant(self, chain: GrantChain) -> Members:
        """Hand in a chain whose last link the caller signed."""
        return self._post("/v1/grants", {"chain": list(chain.texts)})

    def withdraw(self, link: LinkId) -> Members:
        """Withdraw a link, and with it all below."""
        return self._post("/v1/grants/withdrawals", {"iss": link.iss, "jti": link.jti})

    def retrieve(self, chain: GrantChain, request: RetrievalRequest, *, idempotency_key: str) -> Members:
        """Retrieve under a grant; the same key again gets the same answer."""
        return self._json(self._retrieval("/v1/retrievals", chain, request, idempotency_key))

    def fetch_file(self, chain: GrantChain, request: RetrievalRequest, *, idempotency_key: str, number: int) -> bytes:
        """The bytes of a file that a retrieval with this key released."""
        return self.send(self._retrieval(f"/v1/retrievals/files/{number}", chain, request, idempotency_key))

    def usage(self, *, first: int = 0, limit: int = 100) -> Members:
        """The holder's usage records."""
        return self._json(httpx.Request("GET", f"{self._base}/v1/usage?first={first}&limit={limit}"))

    def verify(
        self,
        bundle: bytes,
        file: FileDigests | None = None,
        *,
        profiles: Sequence[CryptoProfile] = (),
        required: Sequence[Facet] = (),
        crls: Sequence[bytes] = (),
    ) -> Members:
        """The service's report on a bundle, and on a file beside it; ``crls`` are DER. See ``verify_bundle``."""
        query = [*(("profile", profile) for profile in profiles), *(("require", facet) for facet in required)]
        path = f"/v1/verify?{urlencode(query)}" if query else "/v1/verify"
        if file is None and not crls:
            headers = {"content-type": _BUNDLE}
            return self._json(httpx.Request("POST", self._base + path, content=bundle, headers=headers))
        members = {"bundle": bundle.decode("utf-8"), "crls": [b64_encode(crl) for crl in crls]}
        return self._post(path, members if file is None else members | {"file": _file(file)})

    def match_file(self, material: MaterialId, file: FileDigests) -> Members:
        """Whether a file belongs to a material."""
        return self._post("/v1/verify", {"material": material, "file": _file(file)})

    def get(self, path: str) -> bytes:
        """Any public resource: ``/v1/trust``, ``/log/checkpoint``, ``/v1/status/materials`` …"""
        return self.send(httpx.Request("GET", self._base + path))

    def send(self, request: httpx.Request) -> bytes:
        """Sign ``request`` if the caller can, send it, and return the content of a 2xx answer."""
        body = request.read()
        if self._entity is not None and self._signer is not None:
            nonce = b64url_encode(clock.random_bytes(18))
            sign_request(request, body, entity=self._entity, signer=self._signer, now=clock.now(), nonce=nonce)
        try:
            answer = self._http.send(request)
        except httpx.HTTPError as error:
            raise UnavailableError("http.unreachable", f"no answer: {type(error).__name__}") from error
        if answer.is_success:
            return answer.content
        raise ProblemError(_members(answer), answer.status_code)

    def _post(self, path: str, members: Members) -> Members:
        headers = {"content-type": _JSON}
        return self._json(httpx.Request("POST", self._base + path, content=dump_json(members), headers=headers))

    def _retrieval(self, path: str, chain: GrantChain, request: RetrievalRequest, key: str) -> httpx.Request:
        content = dump_json({"chain": list(chain.texts), "request": request_to_json(request)})
        headers = {"content-type": _JSON, IDEMPOTENCY_HEADER: key}
        return httpx.Request("POST", self._base + path, content=content, headers=headers)

    def _json(self, request: httpx.Request) -> Members:
        value = parse_json(self.send(request), what="answer", max_bytes=_MAX_ANSWER)
        return value if isinstance(value, dict) else {}


def new_idempotency_key() -> str:
    """A name for one retrieval: keep it until the answer has come."""
    return b64url_encode(clock.random_bytes(16))


def _file(file: FileDigests) -> JsonValue:
    return {"sha256": file.sha256.hex(), "sm3": file.sm3.hex(), "size": file.size}


def _members(answer: httpx.Response) -> Members:
    """The problem document, or nothing if a proxy answered with something else."""
    try:
        value = parse_json(answer.content, what="problem", max_bytes=1 << 16)
    except LedgerError:
        return {}
    return value if isinstance(value, dict) else {}
