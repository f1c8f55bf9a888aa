"""Messages out of files, and what can be proved of them."""

from pathlib import Path

import pytest

from gateway.centre import archive
from gateway.centre.archive import ArchiveError
from gateway.centre.proof import Proof
from gateway.centre.store import Store
from gateway.centre.tests.speaker import EPOCH, Speaker, key_set
from gateway.wire import cose
from gateway.wire.keys import KeySet
from gateway.wire.messages import Dropped

KEY = ("gw-0001", EPOCH, "fine")


def proved(speaker: Speaker, *blobs: bytes) -> Proof:
    """Give the proof of messages, finished."""
    proof = Proof(key_set(speaker))
    for number, blob in enumerate(blobs, 1):
        proof.take(f"message {number}", blob)
    proof.finish()
    return proof


def test_a_whole_chain_has_no_fault() -> None:
    """In whatever order they lie in the file."""
    speaker = Speaker()
    blobs = [speaker.segment(number, [number]) for number in range(1, 6)]
    proof = proved(speaker, *reversed(blobs))
    stream = proof.streams[KEY]
    assert (proof.fault_count, stream.broken, stream.gaps, stream.duplicates, stream.conflicts) == (0, [], [], 0, [])


def test_gaps_duplicates_and_conflicts_are_named() -> None:
    """What is missing between the first and the last one; what came twice; two messages with one number."""
    speaker = Speaker()
    blobs = [speaker.segment(number, [number]) for number in range(1, 10)]
    other = speaker.say("fine", 5, previous=cose.digest(blobs[3]))
    stream = proved(speaker, blobs[2], blobs[4], blobs[4], other, blobs[8]).streams[KEY]
    assert (stream.gaps, stream.missing, stream.duplicates, stream.conflicts) == ([(4, 4), (6, 8)], 4, 1, [5])


def test_a_drop_record_bridges_its_range_and_a_wrong_one_does_not() -> None:
    """The chain goes on across what was dropped, if the record tells the right digest."""
    for digest, broken in ((None, []), (b"x" * 32, [5]), (cose.NO_DIGEST, [])):
        speaker = Speaker()
        blobs = [speaker.segment(number, [number]) for number in range(1, 6)]
        told = Dropped(EPOCH, "fine", 2, 4, 9, 1, 2, digest or cose.digest(blobs[3]), "quota")
        record = speaker.say("dropped", 1, Dropped.CONTENT, told.encode())
        stream = proved(speaker, blobs[0], blobs[4], record).streams[KEY]
        assert (stream.gaps, stream.broken) == ([], broken)


def test_an_altered_message_is_a_fault_and_an_unknown_key_is_none() -> None:
    """Wrong signatures are told by where they lie; what nobody here can check is counted."""
    speaker, stranger = Speaker(), Speaker("gw-0002", b"gw-0002-2026")
    blob = bytearray(speaker.segment(1, [1]))
    blob[-1] ^= 1
    proof = proved(speaker, bytes(blob), stranger.segment(1, [1]))
    assert (proof.fault_count, proof.unknown_keys) == (1, 1)
    assert proof.faults[0].startswith("message 1: ")


def test_a_gateway_does_not_speak_for_another() -> None:
    """A good signature by another gateway's key is a fault."""
    one, two = Speaker(), Speaker("gw-0002", b"gw-0002-2026")
    liar = Speaker("gw-0002", one.key_id, one.key)
    proof = Proof(key_set(one, two))
    proof.take("file", liar.segment(1, [1]))
    assert proof.fault_count == 1


@pytest.mark.parametrize(("stream", "role"), [("cmd", "dispatch"), ("receipt", "receipt"), ("cfg", "config")])
def test_nobody_says_what_his_role_does_not_allow(stream: str, role: str) -> None:
    """A command that a gateway's key has signed proves nothing, nor a reading that a key of the centre has signed."""
    gateway, centre = Speaker(), Speaker("centre", b"centre-2026")
    proof = Proof(KeySet.of([gateway.trusted(), centre.trusted(role)]))
    proof.take("of a gateway", gateway.say(stream, 1))
    assert "whose role is gateway" in proof.faults[-1]
    proof.take("of the centre", centre.say(stream, 1))
    assert (proof.fault_count, proof.good) == (1, 1)
    proof.take("a reading", centre.segment(1, [1]))
    assert (proof.fault_count, proof.good) == (2, 1)


def test_messages_come_out_of_files_as_they_went_in(tmp_path: Path) -> None:
    """One in a file, many one after another, longer than what is read at a time; a centre's store."""
    speaker = Speaker()
    blobs = [
        speaker.say("fine", number, payload=bytes(size)) for number, size in enumerate((1, 20, 300, 250_000) * 6, 1)
    ]
    one, many, store = tmp_path / "one", tmp_path / "many", tmp_path / "centre.db"
    one.write_bytes(blobs[0])
    many.write_bytes(b"".join(blobs))
    opened = Store.open(store)
    opened.commit([(speaker.genuine(blob), 1) for blob in blobs], {})
    opened.close()
    assert [blob for _, blob in archive.messages(one)] == blobs[:1]
    assert [blob for _, blob in archive.messages(many)] == blobs
    assert [blob for _, blob in archive.messages(store)] == blobs


@pytest.mark.parametrize("rest", [b"x", b"\xd2\x84", b"\xd2\x84\x43ab", b"\xd2\x84\x41a\xa1"])
def test_what_is_no_message_is_told_with_its_place(tmp_path: Path, rest: bytes) -> None:
    """What stood before it is given; then it is said from which byte on the file is something else."""
    path, blob = tmp_path / "file", Speaker().segment(1, [1])
    path.write_bytes(blob + rest)
    found = archive.messages(path)
    assert next(found)[1] == blob
    with pytest.raises(ArchiveError, match=f"no whole message at byte {len(blob)}"):
        next(found)


def test_an_empty_or_missing_file_is_said_to_be_one(tmp_path: Path) -> None:
    """Nothing is not proved by nothing."""
    empty = tmp_path / "empty"
    empty.touch()
    for path, words in ((empty, "empty"), (tmp_path / "none", "No such file")):
        with pytest.raises(ArchiveError, match=words):
            list(archive.messages(path))
