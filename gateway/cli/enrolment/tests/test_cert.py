"""What `gateway cert` and `gateway centre ca` say to somebody who makes mistakes; hil_tests types what is right."""

import json
from pathlib import Path

import pytest

from gateway.centre.ca.authority import LIST_DAYS
from gateway.centre.ca.issue import DAYS, REASONS
from gateway.cli.enrolment import catalogue
from gateway.cli.tests.agents import code_of, serving

EXAMPLE = Path(__file__).parents[4] / "config" / "example.toml"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The example's site, whose keys belong into a folder of the test."""
    text = EXAMPLE.read_text("utf-8")
    text = text.replace("/etc/gateway/keys", f"{tmp_path}/keys").replace("/run/gateway/control", f"{tmp_path}/control")
    (tmp_path / "site.toml").write_text(text, "utf-8")
    return tmp_path / "site.toml"


def test_the_command_line_says_what_the_authority_does() -> None:
    """What is written there twice is the same."""
    assert set(catalogue.REASONS) == set(REASONS)
    assert (catalogue.DAYS, catalogue.LIST_DAYS) == (DAYS, LIST_DAYS)


def test_a_request_and_its_fingerprint_are_told_apart(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stdout the request alone, so that it can be sent to a file; --json has all in one."""
    assert code_of("cert", "csr", "--config", site) == 0
    told = capsys.readouterr()
    assert told.out.startswith("-----BEGIN GATEWAY ENROLMENT REQUEST-----\n")
    assert told.out.rstrip().endswith("-----END GATEWAY ENROLMENT REQUEST-----")
    assert f"made {tmp_path}/keys/gateway.key" in told.err
    assert code_of("cert", "csr", "--config", site, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["gateway"], found["made"]) == ("gateway/cert-csr/1", "gw-lyon-017", [])
    assert found["request"] == told.out
    assert "".join(found["fingerprint"].split()) in "".join(told.err.split())


def test_a_box_without_certificate_says_what_to_do(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a failed check, and not a traceback."""
    assert code_of("cert", "show", "--config", site) == 5
    assert "enrol with `gateway cert csr`" in capsys.readouterr().out
    code_of("cert", "csr", "--config", site)
    capsys.readouterr()
    assert code_of("cert", "show", "--config", site, "--json") == 5
    found = json.loads(capsys.readouterr().out)
    assert (found["certificate"], found["next"], found["asked"]) == (None, None, False)
    assert found["signing"].startswith("gw-lyon-017-")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("version = 1", "gateway: a text is wanted"),
        ("\N{BYTE ORDER MARK}version = 1", "gateway: a text is wanted"),
        ("\udc80", "no text"),
    ],
)
def test_what_is_no_bundle_is_refused(
    site: Path, tmp_path: Path, content: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each mistake in a line, and that nothing was done."""
    code_of("cert", "csr", "--config", site)
    if content is not None:
        (tmp_path / "bundle").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert code_of("cert", "install", tmp_path / "bundle", "--config", site) == 5
    assert said in capsys.readouterr().err


def test_renew_asks_the_agent(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without one it says so; with one it passes its words on."""
    assert code_of("cert", "renew", "--config", site) == 3
    capsys.readouterr()
    asked: list[dict[str, str]] = []

    def answer(body: dict[str, str]) -> tuple[int, dict[str, object]]:
        asked.append(body)
        return 200, {"asked": True, "text": "it is asked for"}

    with serving(tmp_path / "control.sock", {"POST /v1/certificate/renew": answer}):
        assert code_of("cert", "renew", "--config", site) == 0
        assert code_of("cert", "renew", "--signing", "--config", site, "--json") == 0
    assert asked == [{"what": "tls"}, {"what": "signing"}]
    first, second = capsys.readouterr().out.splitlines()
    assert first == "it is asked for"
    assert json.loads(second)["schema"] == "gateway/cert-renew/1"


def test_nothing_is_signed_that_nobody_compared(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused without --yes or a fingerprint, with another or too short a one; no bundle comes out."""
    code_of("cert", "csr", "--config", site)
    asked = tmp_path / "asked"
    asked.write_text(capsys.readouterr().out, "utf-8")
    where = ("--folder", tmp_path / "ca")
    assert code_of("centre", "ca", "init", *where) == 0
    for more, code in (((), 7), (("--fingerprint", "0" * 16), 7), (("--fingerprint", "0" * 15), 2)):
        capsys.readouterr()
        assert code_of("centre", "ca", "sign", asked, *where, *more) == code
        assert "certificate =" not in capsys.readouterr().out
    assert not (tmp_path / "ca" / "gateways.toml").exists()
    assert code_of("centre", "ca", "sign", asked, *where, "--yes", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    (tmp_path / "bundle").write_text(found["bundle"], "utf-8")
    assert code_of("cert", "install", tmp_path / "bundle", "--config", site, "--json") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "gw-lyon-017"


def test_brokers_are_issued_and_all_is_listed_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No file is overwritten, nothing is revoked without --yes, and each answer has its JSON."""
    where = ("--folder", tmp_path / "ca", "--json")
    host = ("--host", "localhost")
    assert code_of("centre", "ca", "init", *where) == 0
    issue = ("centre", "ca", "issue", "broker", "--as")
    assert code_of(*issue, "broker", *where) == 2
    assert code_of(*issue, "centre", *host, *where) == 2
    assert code_of(*issue, "broker", *host, *where) == 0
    assert code_of(*issue, "broker", *host, *where) == 7
    assert code_of("centre", "ca", "revoke", "broker", *where) == 7
    assert code_of("centre", "ca", "revoke", "nobody", "--yes", *where) == 5
    capsys.readouterr()
    assert code_of("centre", "ca", "revoke", "broker", "--yes", *where) == 0
    assert json.loads(capsys.readouterr().out)["revoked"][0]["state"] == "in force"
    assert code_of("centre", "ca", "list", *where) == 0
    states = {each["name"]: each["state"] for each in json.loads(capsys.readouterr().out)["issued"]}
    assert states == {"centre": "in force", "broker": "revoked (unspecified)"}
    assert code_of("centre", "ca", "crl", "--days", "3", *where) == 0
    assert json.loads(capsys.readouterr().out)["revoked"] == 1


def test_a_passphrase_comes_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither typed behind the command nor found in the environment."""
    secret = tmp_path / "secret"
    secret.write_text("trois vaches rousses\n", "utf-8")
    folder = ("--folder", tmp_path / "ca")
    assert code_of("centre", "ca", "init", *folder, "--passphrase-file", secret) == 0
    assert code_of("centre", "ca", "list", *folder) == 5
    assert "name the file with its passphrase" in capsys.readouterr().err
    assert code_of("centre", "ca", "list", *folder, "--passphrase-file", secret) == 0
    assert code_of("centre", "ca", "list", *folder, "--passphrase-file", tmp_path / "none") == 5
