"""Bare ASGI on Granian: no framework, no routing, no validation but msgspec's."""

import asyncio

import msgspec
from web_shapes import Audit, NewUser, Users, decode_envelope, encode, note, reply

users, audit = Users(), Audit()
sockets: set = set()
decode_new = msgspec.json.Decoder(NewUser).decode

JSON = [(b"content-type", b"application/json")]


async def app(scope, receive, send) -> None:
    if scope["type"] == "websocket":
        await ws(receive, send)
    elif scope["type"] == "http":
        audit.note()
        if scope["method"] == "POST":
            status, user = 201, users.add(decode_new(await read(scope, receive)))
        else:
            status, user = 200, users.find(scope["path"][7:])
        body = encode(user)
        headers = [*JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def read(scope, receive) -> bytes:
    # Granian tells of the end in a message of its own, another wake-up: its length is known.
    length = next(int(value) for name, value in scope["headers"] if name == b"content-length")
    body = b""
    while len(body) < length:
        body += (await receive())["body"]
    return body


async def ws(receive, send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    sockets.add(send)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            envelope = decode_envelope(message["text"])
            if envelope.type == "echo":
                await send({"type": "websocket.send", "text": reply(envelope)})
            else:
                out = {"type": "websocket.send", "text": note(envelope)}
                # At once: on Granian twice as fast as one after the other.
                await asyncio.gather(*(other(out) for other in list(sockets)))
    finally:
        sockets.discard(send)
