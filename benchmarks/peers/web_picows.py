"""picows, a WebSocket server and nothing else, in Cython: ``python web_picows.py PORT``."""

import asyncio
import sys

from picows import WSListener, WSMsgType, ws_create_server
from web_shapes import decode_envelope, note, reply

transports = set()


class Server(WSListener):
    def on_ws_connected(self, transport) -> None:
        transports.add(transport)

    def on_ws_disconnected(self, transport) -> None:
        transports.discard(transport)

    def on_ws_frame(self, transport, frame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.TEXT:
            self.answer(transport, decode_envelope(frame.get_payload_as_bytes()))

    def answer(self, transport, envelope) -> None:
        if envelope.type == "echo":
            transport.send(WSMsgType.TEXT, reply(envelope).encode())
        else:
            text = note(envelope).encode()
            for other in list(transports):
                other.send(WSMsgType.TEXT, text)


async def serve() -> None:
    server = await ws_create_server(lambda request: Server(), "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(serve())
