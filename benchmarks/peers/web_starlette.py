"""Starlette's WebSocket on uvicorn, with uvloop."""

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from web_shapes import decode_envelope, note, reply

sockets: set[WebSocket] = set()


async def ws(socket: WebSocket) -> None:
    await socket.accept()
    sockets.add(socket)
    try:
        while True:
            envelope = decode_envelope(await socket.receive_text())
            if envelope.type == "echo":
                await socket.send_text(reply(envelope))
            else:
                text = note(envelope)
                for other in list(sockets):
                    await other.send_text(text)
    except WebSocketDisconnect:
        pass
    finally:
        sockets.discard(socket)


app = Starlette(routes=[WebSocketRoute("/ws", ws)])
