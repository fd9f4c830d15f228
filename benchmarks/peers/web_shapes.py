"""What all web peers serve: the same two services, the same bodies, the same WebSocket messages."""

import msgspec


class User(msgspec.Struct):
    id: str
    email: str
    name: str


class NewUser(msgspec.Struct):
    email: str
    name: str
    about: str = ""


class Users:
    def find(self, user_id: str) -> User:
        return User(user_id, "ada@example.com", "Ada")

    def add(self, new: NewUser) -> User:
        return User("u1", new.email, new.name)


class Audit:
    def __init__(self) -> None:
        self.seen = 0

    def note(self) -> None:
        self.seen += 1


class Text(msgspec.Struct):
    text: str


class Envelope(msgspec.Struct, omit_defaults=True):
    type: str
    data: msgspec.Raw
    id: int | None = None


encode = msgspec.json.Encoder().encode
decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_text = msgspec.json.Decoder(Text).decode


def reply(envelope: Envelope) -> str:
    """The answer to an ``echo``, in daebus' own form."""
    body = msgspec.Raw(encode(decode_text(envelope.data)))
    return encode(Envelope("response", body, envelope.id)).decode()


def note(envelope: Envelope) -> str:
    """What a ``broadcast`` sends to every client."""
    return encode(Envelope("note", msgspec.Raw(encode(decode_text(envelope.data))))).decode()
