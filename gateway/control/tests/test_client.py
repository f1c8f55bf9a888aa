"""The client of the control socket, whatever is at the other end: an answer, or an error that says what to do."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.control import client
from gateway.control.client import LARGEST_ANSWER, LONGEST_LINE, AgentRefused, AgentSlow, AgentUnreachable

OK = b"HTTP/1.1 200 OK\r\n"
CLOSE = b"Connection: close\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n" + CLOSE


def sized(body: bytes, length: int | None = None) -> bytes:
    """Give an answer that says how long it is, truly or not."""
    return OK + b"Content-Length: %d\r\n" % (len(body) if length is None else length) + CLOSE + body


def chunks(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """Give an answer in chunks."""
    return CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end


@contextmanager
def answering(path: Path, pieces: Sequence[bytes], asked: list[bytes] | None = None) -> Iterator[None]:
    """Answer one request with these bytes, a piece at a time, and close; what was asked is noted."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            request = connection.recv(65536)
            if asked is not None:
                asked.append(request)
            try:
                for piece in pieces:
                    connection.sendall(piece)
            except OSError:
                return  # the client has seen enough

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        listener.close()


def test_a_request_is_as_the_agent_takes_it(tmp_path: Path) -> None:
    """A body has its length and its type; an answer that comes byte by byte is put together."""
    asked: list[bytes] = []
    whole = sized(b'{"a":[1,2]}')
    with answering(tmp_path / "s", [whole[at : at + 1] for at in range(len(whole))], asked):
        assert client.post(tmp_path / "s", "/v1/opt-out", {"reason": "été"}) == {"a": [1, 2]}
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/opt-out HTTP/1.1\r\n")
    assert b"Content-Type: application/json" in head
    assert b"Content-Length: %d" % len(body) in head
    assert json.loads(body) == {"reason": "été"}


def test_a_query_is_written_as_a_url_wants_it(tmp_path: Path) -> None:
    """No value can end the target or begin another one."""
    asked: list[bytes] = []
    with answering(tmp_path / "s", [sized(b"1")], asked):
        client.delete(tmp_path / "s", "/v1/opt-out/pump", {"reason": "a&b=c \r\nX: y"})
    assert asked[0].startswith(b"DELETE /v1/opt-out/pump?reason=a%26b%3Dc+%0D%0AX%3A+y HTTP/1.1\r\n")


def test_an_answer_in_chunks_is_put_together(tmp_path: Path) -> None:
    """The agent may not know beforehand how long an answer is."""
    with answering(tmp_path / "s", [chunks(b'{"a"', b":1}")]):
        assert client.get(tmp_path / "s", "/v1/status") == {"a": 1}


def test_a_refusal_gives_its_words(tmp_path: Path) -> None:
    """What the agent says is what people read, also where it is no JSON."""
    for body, text in ((b'{"error":"no load of that name"}', "no load of that name"), (b"teapot\n", "teapot")):
        path = tmp_path / text[:3]
        refusal = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n" % len(body) + CLOSE + body
        with answering(path, [refusal]), pytest.raises(AgentRefused, match=text) as refused:
            client.get(path, "/v1/status")
        assert refused.value.status == 404


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        OK,
        sized(b'{"a":1}', 8),
        sized(b"no json"),
        chunks(b'{"a":1}', end=b""),
        CHUNKED + b"zz\r\n",
        OK + b"X: " + b"x" * 100_000,
        OK + CLOSE + b"[" * 10_000,
    ],
)
def test_what_is_no_answer_is_told(tmp_path: Path, answer: bytes) -> None:
    """Silence, another protocol and an answer that was cut short are no answer, and never a wrong one."""
    path = tmp_path / "s"
    with answering(path, [answer]), pytest.raises(AgentUnreachable, match="no usable answer") as unreachable:
        client.get(path, "/v1/status")
    assert not isinstance(unreachable.value, AgentSlow)


def test_an_answer_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    """Whatever listens there cannot fill our memory."""
    path = tmp_path / "s"
    with (
        answering(path, [OK + CLOSE, *[b" " * 65536] * (LARGEST_ANSWER // 65536 + 200)]),
        pytest.raises(AgentUnreachable, match=f"more than {LARGEST_ANSWER} bytes"),
    ):
        client.get(path, "/v1/status")


def test_an_agent_that_hangs_is_told_apart(tmp_path: Path) -> None:
    """One that listens and does not answer is there, and slow."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(AgentSlow, match=r"within 0\.05 s"):
            client.get(path, "/v1/status", timeout_s=0.05)


def test_a_stream_gives_each_line_as_it_is_whole(tmp_path: Path) -> None:
    """A line may come in pieces, and a piece may hold several lines."""
    with answering(tmp_path / "s", [chunks(b'{"n":', b'1}\n{"n":2}\n{', b'"n":3}\n')]):
        assert list(client.stream(tmp_path / "s", "/v1/events")) == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_stream_that_is_cut_is_no_end(tmp_path: Path) -> None:
    """An agent that is killed does not end its stream: whoever listens learns that, after what came."""
    for name, answer in (("cut", chunks(b'{"n":1}\n', end=b"")), ("line", chunks(b'{"n":1}\n{"n"'))):
        with answering(tmp_path / name, [answer]):
            stream = client.stream(tmp_path / name, "/v1/events")
            assert next(stream) == {"n": 1}
            with pytest.raises(AgentUnreachable, match="no usable answer"):
                next(stream)


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    """As with an answer: what is no event is not kept."""
    path = tmp_path / "s"
    with (
        answering(path, [CHUNKED, *[b"10000\r\n%b\r\n" % (b" " * 65536)] * (LONGEST_LINE // 65536 + 200)]),
        pytest.raises(AgentUnreachable, match=f"more than {LONGEST_LINE} bytes"),
    ):
        list(client.stream(path, "/v1/events"))
