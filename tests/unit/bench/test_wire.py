import pytest

from tests.load.bench.wire import Address, Chunked, Frame, Frames, WireProblem, status_of

BODY = b"event: turn.completed\nid: event_1\ndata: {}\n\n"


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def test_chunks_are_joined_however_the_network_cut_them() -> None:
    sent = chunk(BODY) + chunk(b": heartbeat\n\n")
    chunked = Chunked()

    found = b"".join(chunked.feed(sent[at : at + 1]) for at in range(len(sent)))

    assert found == BODY + b": heartbeat\n\n"


def test_two_chunks_may_come_at_once() -> None:
    assert Chunked().feed(chunk(b"one") + chunk(b"two")) == b"onetwo"


def test_a_chunk_without_a_size_is_no_stream() -> None:
    with pytest.raises(WireProblem):
        Chunked().feed(b"nothing\r\n")


def test_an_event_cut_in_the_middle_comes_once_and_whole() -> None:
    frames = Frames()

    early = frames.feed(b"retry: 500\n\n" + BODY[:20])
    late = frames.feed(BODY[20:] + b": heartbeat\n\n")

    assert (early, late) == ([], [Frame("turn.completed", b"{}")])


def test_a_head_names_the_organization_only_where_there_is_one() -> None:
    address = Address(host="127.0.0.1", port=1)

    own = address.head("GET", "/sessions", "", None)
    foreign = address.head("POST", "/sessions", "org_1", 2)

    assert own == b"GET /api/v1/sessions HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n"
    assert b"X-Org-Id: org_1\r\n" in foreign
    assert b"Content-Length: 2\r\n" in foreign


def test_a_status_is_read_from_the_first_line() -> None:
    assert status_of(b"HTTP/1.1 503 Service Unavailable\r\n\r\n") == 503
