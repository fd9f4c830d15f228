"""grpcio.aio, unary and server-streaming; the payloads are msgspec's JSON, as everywhere."""

import grpc
import msgspec
from driving import drive, main, until_stopped
from shapes import ITEMS, QUERY, TEXT, USER, GetUser, Text, User

decoders = {kind: msgspec.json.Decoder(kind).decode for kind in (GetUser, User, Text)}
encode = msgspec.json.encode


async def get_user(query: GetUser, _) -> User:
    return User(query.id, "ada@example.com", "Ada")


async def echo(data: Text, _) -> Text:
    return data


async def users(query: GetUser, _):
    for _ in range(ITEMS):
        yield USER


async def serve(address: str) -> None:
    handlers = {
        "get_user": grpc.unary_unary_rpc_method_handler(get_user, decoders[GetUser], encode),
        "echo": grpc.unary_unary_rpc_method_handler(echo, decoders[Text], encode),
        "users": grpc.unary_stream_rpc_method_handler(users, decoders[GetUser], encode),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench", handlers),))
    server.add_insecure_port(address)
    await server.start()
    await until_stopped()
    await server.stop(1)


async def drive_it(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        get = channel.unary_unary("/bench/get_user", encode, decoders[User])
        copy = channel.unary_unary("/bench/echo", encode, decoders[Text])
        stream = channel.unary_stream("/bench/users", encode, decoders[User])

        async def call(method, payload: object) -> None:
            await method(payload, wait_for_ready=True)

        async def users() -> None:
            async for _ in stream(QUERY):
                pass

        await drive({"call": lambda: call(get, QUERY), "call_10k": lambda: call(copy, TEXT), "stream": users})


main(serve, drive_it)
