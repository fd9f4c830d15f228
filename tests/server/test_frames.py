"""Frames, checked against those of the library `websockets`."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from daebus.server.frames import BrokenFrame, FrameReader, close_frame, frame

messages = st.lists(
    st.tuples(st.text(max_size=20), st.sampled_from([1, 12, 2000]), st.booleans(), st.integers(1, 5)), max_size=6
)
cuts = st.lists(st.integers(1, 70_000), min_size=1, max_size=20)


def client_bytes(sent: list[tuple[str, int, bool, int]]) -> bytes:
    """What a client of the library sends: whole messages, and messages in several frames with pings in between."""
    client = Protocol(Side.CLIENT, state=OPEN, max_size=None)
    for text, times, binary, parts in sent:
        body, first = (text * times).encode(), True
        step = len(body) // parts + 1
        pieces = [body[at : at + step] for at in range(0, len(body), step)] or [b""]
        for number, piece in enumerate(pieces, 1):
            fin = number == len(pieces)
            if first:
                (client.send_binary if binary else client.send_text)(piece, fin=fin)
            else:
                client.send_continuation(piece, fin=fin)
                if not fin:
                    client.send_ping(b"p")
            first = False
    return b"".join(client.data_to_send())


@settings(deadline=None)
@given(messages, cuts)
def test_what_a_client_of_the_library_sends_is_read_however_it_is_cut(
    sent: list[tuple[str, int, bool, int]], sizes: list[int]
) -> None:
    stream, reader, found, number = client_bytes(sent), FrameReader(1 << 20), list[str | bytes](), 0
    while stream:
        size = sizes[number % len(sizes)]
        number += 1
        found += [payload for opcode, payload in reader.feed(stream[:size]) if opcode < 8]
        stream = stream[size:]
    assert found == [(text * times).encode() if binary else text * times for text, times, binary, _ in sent]
    assert (reader.held, reader.is_halfway, reader.messages) == (0, False, len(sent))


@given(st.binary(max_size=300), st.sampled_from([1, 2]))
def test_the_library_reads_our_frames(payload: bytes, opcode: int) -> None:
    client = Protocol(Side.CLIENT, state=OPEN, max_size=None)
    client.receive_data(frame(opcode, payload * 300) + frame(opcode, payload) + close_frame(1001, "Bye" * 100))
    first, second, last = client.events_received()
    assert (first, second) == (Frame(Opcode(opcode), payload * 300), Frame(Opcode(opcode), payload))
    assert isinstance(last, Frame)
    assert last.data == (1001).to_bytes(2) + ("Bye" * 41).encode()


@given(st.binary(max_size=100))
def test_whatever_comes_in_is_read_or_refused(stream: bytes) -> None:
    reader = FrameReader(1000)
    with suppress(BrokenFrame):
        reader.feed(stream)
    assert reader.held <= 1100


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"\x81\x01a", 1002),  # not masked
        (b"\xc1\x80\0\0\0\0", 1002),  # a reserved bit
        (b"\x83\x80\0\0\0\0", 1002),  # an unknown opcode
        (b"\x80\x80\0\0\0\0", 1002),  # goes on with nothing
        (b"\x01\x80\0\0\0\0\x81\x80\0\0\0\0", 1002),  # begins anew
        (b"\x09\x80\0\0\0\0", 1002),  # a ping in pieces
        (b"\x89\xfe\x00\x7e\0\0\0\0", 1002),  # a long ping
        (b"\x81\x81\0\0\0\0\xff", 1007),
        (b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0", 1009),
    ],
)
def test_what_is_no_frame_is_refused(stream: bytes, code: int) -> None:
    with pytest.raises(BrokenFrame) as refused:
        FrameReader(1000).feed(stream)
    assert refused.value.code == code
