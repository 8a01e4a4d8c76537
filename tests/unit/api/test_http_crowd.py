"""A crowd is turned away before anything is read, with a problem document; who is inside is served to the end."""

import asyncio
import json

from starlette.types import Message, Receive, Scope, Send

from api.http.crowd import Crowd


async def call(app: Crowd, path: str) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body of a request that is turned away was read")

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "path": path, "headers": []}, receive, send)
    return sent


async def crowded() -> None:
    gate = asyncio.Event()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/fails":
            raise RuntimeError
        if scope["path"] == "/slow":
            await gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    app = Crowd(serve, at_once=2)
    inside = [asyncio.create_task(call(app, "/slow")) for _ in range(2)]
    await asyncio.sleep(0)
    start, body = await call(app, "/v1/materials")
    headers = dict(start["headers"])
    assert (start["status"], json.loads(body["body"])["code"]) == (503, "http.busy")
    assert headers[b"content-type"] == b"application/problem+json"
    assert (headers[b"retry-after"], headers[b"connection"]) == (b"1", b"close")
    assert (await call(app, "/healthz"))[0]["status"] == 200
    gate.set()
    assert [(await each)[0]["status"] for each in inside] == [200, 200]
    for _ in range(3):
        failed = await asyncio.gather(call(app, "/fails"), return_exceptions=True)
        assert isinstance(failed[0], RuntimeError)
    assert (await call(app, "/v1/materials"))[0]["status"] == 200


def test_a_crowd_is_told_to_come_back() -> None:
    asyncio.run(crowded())
