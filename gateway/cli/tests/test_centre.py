"""`gateway centre`: its file, the report, the proof of files, and the window, each from the outside."""

import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from buffer.outbox import Outbox, Place
from gateway.centre import decode
from gateway.centre.site import load_centre
from gateway.centre.store import Store
from gateway.centre.tests.speaker import EPOCH, Speaker, key_set
from gateway.cli.centre.catalogue import ROLES
from gateway.cli.centre.view import Picture, Row, drawn
from gateway.cli.main import run
from gateway.cli.tic.view import Style
from gateway.wire import cose, keyfile
from gateway.wire.keyfile import public_text
from gateway.wire.messages import Dropped
from gateway.wire.packing import CONTENT as SEGMENT

GUIDE = Path(__file__).parents[3] / "docs" / "platform.md"

SITE = """
[centre]
epoch = "0011223344556677"
signing_key = "signing.pem"
gateway_keys = "gateways.toml"
database = "centre.db"
[broker]
host = "broker.example"
ca_file = "ca.pem"
certificate_file = "centre.pem"
key_file = "centre.key"
"""


@pytest.fixture(name="site")
def site_fixture(tmp_path: Path) -> Path:
    """Give a centre's file."""
    path = tmp_path / "centre.toml"
    path.write_text(SITE, "utf-8")
    return path


def answered(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    """Run a command; give its code and what it said."""
    with pytest.raises(SystemExit) as ended:
        run([str(word) for word in words])
    said = capsys.readouterr()
    code = ended.value.code
    assert isinstance(code, int)
    return code, said.out, said.err


def store_with_everything(path: Path, speaker: Speaker) -> None:
    """Make a store of which something is missing, dropped, doubled, broken, undecoded and unplaced."""
    store = Store.open(path)
    blobs = [speaker.segment(number, [number]) for number in range(1, 8)]
    told = Dropped(EPOCH, "fine", 4, 5, 17, 1, 2, cose.digest(blobs[4]), "quota")
    record = speaker.say("dropped", 1, Dropped.CONTENT, told.encode())
    broken = speaker.say("fine", 8, previous=b"x" * 32, payload=b"", schema=b"unknown!")
    for blob in (speaker.schema(), blobs[0], blobs[2], blobs[5], blobs[6], blobs[6], record, broken):
        store.commit([(speaker.genuine(blob), 1_000)], {})
    decode.count(store)
    store.close()


def test_the_file_of_the_guide_is_one(tmp_path: Path) -> None:
    """What the guide shows is accepted, what it shows as comments too, and paths count from the file's folder."""
    (shown,) = re.findall(r"```toml\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    path = tmp_path / "centre.toml"
    path.write_text(re.sub(r"^# ", "", shown, flags=re.MULTILINE), "utf-8")
    found = load_centre(path)
    assert found.settings().database == tmp_path / "centre.db"
    assert found.settings().session_expiry_s == 7 * 86_400


def test_every_mistake_of_the_file_is_told_at_once(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its line and what would be right; nothing is started."""
    text = SITE.replace('"0011223344556677"', '"short"').replace("host =", "hots =") + 'keepalive_s = "1"\n'
    site.write_text(text, "utf-8")
    code, _, said = answered(capsys, "centre", "listen", "--config", site)
    assert code == 5
    for wanted in (
        "centre.toml:3: centre.epoch",
        "16 hex digits",
        "broker.hots",
        'did you mean "host"?',
        "keepalive_s",
    ):
        assert wanted in said


@pytest.mark.parametrize("missing", ["gateways.toml", "signing.pem"])
def test_keys_that_are_not_there_are_said(site: Path, capsys: pytest.CaptureFixture[str], missing: str) -> None:
    """Without its keys a centre does not begin."""
    (site.parent / "gateways.toml").write_text(key_set(Speaker()).to_toml(), "utf-8")
    if missing == "gateways.toml":
        (site.parent / missing).unlink()
    code, _, said = answered(capsys, "centre", "listen", "--config", site, "--json")
    assert (code, missing in said) == (5, True)


def test_two_forms_at_once_are_a_mistake_of_usage(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON or CSV; and a password in the command line is refused before anything is connected."""
    assert answered(capsys, "centre", "listen", "--config", site, "--json", "--csv")[0] == 2
    code, _, said = answered(capsys, "centre", "listen", "--config", site, "--postgres", "password=secret")
    assert (code, "secret" in said) == (5, False)


def test_the_report_tells_all(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing and since when, dropped and why, doubled, broken, and what waits for what."""
    store_with_everything(site.parent / "centre.db", Speaker())
    code, said, _ = answered(capsys, "centre", "report", "--config", site)
    assert code == 0
    for wanted in (
        "MISSING 1 in 2, the oldest for ",
        "dropped 4 to 5: 17 readings, reason: quota",
        "1 duplicates dropped",
        "CHAIN BROKEN before 8",
        "1 segments wait for their schema",
        f"4 segments unplaced: no clock record yet of boot {bytes(16).hex()}",
    ):
        assert wanted in said
    code, said, _ = answered(capsys, "centre", "report", "--config", site, "--json", "--strict")
    told = json.loads(said)
    fine = next(each for each in told["streams"] if each["stream"] == "fine")
    assert (code, told["schema"]) == (1, "gateway/centre-report/1")
    assert (fine["missing"], fine["gaps"], fine["settled_upto"], fine["whole"]) == (1, [[2, 2]], 1, False)
    assert told["counts"]["dropped_readings"] == 17


def test_a_report_of_nothing_is_said_to_be_one(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No store is no empty store."""
    assert answered(capsys, "centre", "report", "--config", site)[0] == 6
    Store.open(site.parent / "centre.db").close()
    code, said, _ = answered(capsys, "centre", "report", "--config", site, "--strict")
    assert (code, "nothing has come yet" in said) == (0, True)


def test_files_are_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store, a concatenation and an outbox; 5 for what is wrong, 6 for what is not known, 1 where it is asked for."""
    speaker = Speaker()
    keys, store, good, bad = (tmp_path / name for name in ("gateways.toml", "centre.db", "good", "bad"))
    keys.write_text(key_set(speaker).to_toml(), "utf-8")
    store_with_everything(store, speaker)
    other = Speaker("gw-0009", b"gw-0009-2026")
    blobs = [other.segment(number, [number]) for number in (1, 2, 4)]
    good.write_bytes(b"".join(blobs))
    bad.write_bytes(blobs[0] + b"rest")

    code, said, _ = answered(capsys, "centre", "verify", store, "--keys", keys)
    assert (code, "CHAIN BROKEN before 8" in said, "missing 1: 2" in said) == (5, True, True)
    assert answered(capsys, "centre", "verify", good, "--keys", keys)[0] == 6
    keys.write_text(key_set(speaker, other).to_toml(), "utf-8")
    code, said, _ = answered(capsys, "centre", "verify", good, "--keys", keys)
    assert (code, "missing 1: 3" in said, "3 messages, 3 signatures good" in said) == (0, True, True)
    code, said, _ = answered(capsys, "centre", "verify", good, "--keys", keys, "--strict", "--json")
    told = json.loads(said)
    assert (code, told["schema"], told["streams"][0]["gaps"]) == (1, "gateway/centre-verify/1", [[3, 3]])
    code, said, _ = answered(capsys, "centre", "verify", bad, "--keys", keys)
    assert (code, "1 messages, 1 signatures good" in said) == (5, True)
    assert answered(capsys, "centre", "verify", good, "--keys", tmp_path / "none.toml")[0] == 6


def test_an_outbox_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file that an installer sends is read as it is."""
    speaker = Speaker()
    keys, path = tmp_path / "gateways.toml", tmp_path / "outbox.db"
    keys.write_text(key_set(speaker).to_toml(), "utf-8")
    outbox = Outbox.open(path, quota_pages=1_000)

    def pack(place: Place, _rows: object) -> bytes:
        header = cose.Header(
            speaker.key_id, SEGMENT, speaker.gateway, place.stream, place.epoch, place.sequence, place.previous
        )
        return cose.sign(header, b"payload", speaker.key)

    for _ in range(3):
        outbox.add("fine", count=1, first_ms=0, last_ms=0, pack=pack)
    outbox.close()
    code, said, _ = answered(capsys, "centre", "verify", path, "--keys", keys, "--strict")
    assert (code, "3 messages, 1 to 3" in said) == (0, True)


def test_keys_are_added_and_revoked_in_their_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each change raises the revision; a revoked key stays and is refused; what is wrong changes nothing."""
    path, pem, speaker = tmp_path / "gateways.toml", tmp_path / "gw.pub", Speaker()
    public, other = speaker.key.public_key(), public_text(Speaker().key)
    pem.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    whose = ("--issuer", "gw-0001")
    assert answered(capsys, "centre", "keys", "add", path, "one", *whose, "--public", pem)[0] == 0
    assert answered(capsys, "centre", "keys", "add", path, "two", *whose, "--public", other)[0] == 0
    assert answered(capsys, "centre", "keys", "revoke", path, "one")[0] == 0
    before = path.read_text("utf-8")
    assert answered(capsys, "centre", "keys", "add", path, "two", *whose, "--public", pem)[0] == 7
    code, _, said = answered(capsys, "centre", "keys", "add", path, "three", *whose, "--public", pem)
    assert (code, "as 'one', and revoked" in said) == (7, True)
    assert answered(capsys, "centre", "keys", "add", path, "three", *whose, "--public", other)[0] == 7
    assert answered(capsys, "centre", "keys", "add", path, "three", *whose, "--public", "A" * 400)[0] == 5
    fresh = public_text(Speaker().key)
    assert answered(capsys, "centre", "keys", "add", path, "no id", *whose, "--public", fresh)[0] == 5
    assert answered(capsys, "centre", "keys", "add", path, "three", *whose, "--public", "short")[0] == 5
    assert answered(capsys, "centre", "keys", "revoke", path, "none")[0] == 4
    assert path.read_text("utf-8") == before
    code, said, _ = answered(capsys, "centre", "keys", "list", path, "--json")
    told = json.loads(said)
    assert (code, told["schema"], told["revision"]) == (0, "gateway/centre-keys/1", 3)
    assert [(key["id"], key["revoked"], key["roles"]) for key in told["keys"]] == [
        ("one", True, ["gateway"]),
        ("two", False, ["gateway"]),
    ]
    assert "one: gw-0001, REVOKED" in answered(capsys, "centre", "keys", "list", path)[1]


def test_what_the_command_line_knows_of_roles_is_so() -> None:
    """The words that are written there, so that nothing heavy is loaded, are those of the key files."""
    assert set(ROLES) == keyfile.ROLES


def test_the_window_shows_what_there_is_room_for() -> None:
    """Troubles and alarms first, then a line a channel; nothing is wider or longer than the window."""
    rows = [Row("gw-0001", f"main.label{number}", f"{number} Wh", 500, "ok", "trusted") for number in range(60)]
    rows[0] = Row("gw-0001", "main.label0", "0 Wh", None, "suspect", "unplaced")
    picture = Picture("centre at broker", ["1 segments"], ["the store is full"], ["ALARM gw-0001"], rows)
    for columns, lines in ((80, 24), (200, 50), (30, 8)):
        shown, top = drawn(picture, columns, lines, top=1_000)
        assert len(shown) <= lines
        assert all(len(line.text) < columns for line in shown)
        assert top > 0
    shown, _ = drawn(picture, 100, 24)
    assert "the store is full" in [line.text for line in shown if line.style is Style.ALARM]
    assert any("unplaced" in line.text and "suspect" in line.text for line in shown)
