"""A gateway gets its certificate and keeps it: enrolled by commands, renewed by itself, refused, revoked."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from gateway.centre.ca import founding
from gateway.centre.ca.authority import Authority
from gateway.centre.ca.records import Record
from gateway.enrolment import box, request
from gateway.wire.keys import KeySet
from hil_tests.bench.pki import enrol, now, places_of
from hil_tests.bench.processes import gateway, tail
from hil_tests.bench.whole import Status, Whole
from hil_tests.books import nothing_lost

SHORT_DAYS = 0.02
"""Half an hour: as a certificate begins an hour before it is made, two thirds of its life are gone at once."""


def issued(folder: Path, name: str) -> list[Record]:
    """Give what an authority has issued to a gateway."""
    with closing(Authority.open(folder)) as authority:
        return [each for each in authority.issued() if each.name == name]


def expire_soon(whole: Whole) -> None:
    """Give the gateway, before it starts, a certificate of which two thirds are gone, in place of its own."""
    places = places_of(whole.keys.folder / whole.gateway, whole.gateway)
    places.certificate.unlink()
    places.key.unlink()
    with closing(Authority.open(whole.keys.folder)) as authority:
        enrol(authority, places, days=SHORT_DAYS)


def certificate(status: Status) -> Status:
    """Give what a status says of the certificate."""
    found: Status = status["certificate"]
    return found


async def test_from_nothing_to_verified_readings_by_commands_and_out_again(tmp_path: Path) -> None:
    """The box makes its keys, the centre grants what they ask for, the waiting agent goes to work; revoked, it is out.

    Nothing is restarted, neither the agent nor the centre, and no private key is in what goes to and fro.
    """
    async with Whole(tmp_path) as whole:
        ours = whole.keys.folder / whole.gateway
        whole.change_site(f"{ours}/", f"{tmp_path}/box/")
        whole.change_site(f'key_id = "{whole.gateway}-2026"\n', "")
        whole.change_site(f'ca_file = "{whole.keys.ca}"', f'ca_file = "{tmp_path}/box/ca.pem"')
        await whole.agent.start("--await-keys")
        assert (await whole.agent.serving())["missing"]

        code, said, told = await gateway("cert", "csr", "--config", whole.site)
        assert code == 0, told
        fingerprint = "".join(told.split("fingerprint")[1].split())
        asked, bundle = tmp_path / "request", tmp_path / "bundle"
        asked.write_text(said, "utf-8")
        sign = ("centre", "ca", "sign", asked, "--folder", whole.keys.folder)
        code, _, _ = await gateway(*sign)
        assert code == 7
        code, _, told = await gateway(*sign, "--fingerprint", "0" * 16)
        assert (code, "this is another request" in told) == (7, True)
        code, granted, told = await gateway(*sign, "--fingerprint", fingerprint)
        assert code == 0, told
        bundle.write_text(granted, "utf-8")
        assert "PRIVATE" not in said + granted
        code, _, told = await gateway("cert", "install", bundle, "--config", whole.site)
        assert code == 0, told

        await whole.until(lambda s: s.get("link", {}).get("connected"), "a connection")
        await whole.until(lambda _: whole.centre.verified_readings > 0, "verified readings")
        code, shown, _ = await gateway("cert", "show", "--config", whole.site, "--json")
        mine = json.loads(shown)
        assert (code, mine["certificate"]["name"], mine["wrong"]) == (0, whole.gateway, None)
        assert certificate(await whole.status())["fingerprint"] == mine["certificate"]["fingerprint"]

        code, _, _ = await gateway("centre", "ca", "revoke", whole.gateway, "--folder", whole.keys.folder, "--yes")
        assert code == 0
        keys = KeySet.load(whole.keys.gateway_keys)
        assert all(key.is_revoked for key in keys.keys.values() if key.issuer == whole.gateway)
        whole.broker.restart()
        await whole.until(lambda s: "that it is not revoked" in s["link"]["text"], "the broker's refusal")


async def test_at_two_thirds_of_its_life_a_certificate_is_renewed_and_nothing_is_lost(tmp_path: Path) -> None:
    """The agent asks by itself, with a new key, tries what comes, and forgets the old one once the broker has it.

    Asked for it, it changes its signing key too: the centre takes the new one first, and the chains go on.
    """
    async with Whole(tmp_path) as whole:
        expire_soon(whole)
        whole.change_site(f'key_id = "{whole.gateway}-2026"\n', "")
        places = places_of(whole.keys.folder / whole.gateway, whole.gateway)
        old_key, old = places.key.read_bytes(), issued(whole.keys.folder, whole.gateway)[-1]
        since_ms = await whole.begin()
        first = await whole.until(lambda s: certificate(s)["state"] == "ok" and certificate(s), "a new certificate")
        new = issued(whole.keys.folder, whole.gateway)[-1]
        assert (new.cause, new.key != old.key) == ("renewal", True)
        assert places.certificate.read_text("ascii") == new.pem
        assert places.key.read_bytes() != old_key
        assert not places.next_key.exists()
        assert not places.next_certificate.exists()

        code, _, told = await gateway("cert", "renew", "--signing", "--config", whole.site)
        assert code == 0, told
        await whole.until(lambda s: certificate(s)["signing_key"] != first["signing_key"], "another signing key")
        await whole.until(lambda s: certificate(s)["fingerprint"] != first["fingerprint"], "another certificate")
        await whole.until(lambda s: s["link"]["connected"], "a connection with it")
        await nothing_lost(whole, since_ms)


async def test_a_new_certificate_that_the_broker_refuses_replaces_nothing(tmp_path: Path) -> None:
    """The old one serves on, people are told, and the new one waits for another try."""
    whole = Whole(tmp_path)
    other = tmp_path / "other"
    founding.found(other, "another authority", now())
    places = places_of(whole.keys.folder / whole.gateway, whole.gateway)
    with closing(Authority.open(other)) as authority:
        # It knows the gateway, and the gateway it; the broker does not.
        authority.grant(request.read(box.ask(places).message), now(), cause="operator")
    whole.authority = other
    async with whole:
        expire_soon(whole)
        whole.change_site(f'ca_file = "{whole.keys.ca}"', f'ca_file = "{places.authority}"')
        places.authority.write_bytes(places.authority.read_bytes() + (other / "ca.pem").read_bytes())
        old = places.certificate.read_bytes(), places.key.read_bytes()
        since_ms = await whole.begin()
        await whole.until(lambda s: certificate(s)["state"] == "refused", "the broker's refusal")
        await whole.until(lambda s: s["link"]["connected"], "a connection with the old one")
        assert (places.certificate.read_bytes(), places.key.read_bytes()) == old
        assert places.next_certificate.exists()
        assert "the broker refuses the new certificate" in tail(whole.agent.log, 50)
        code, shown, _ = await gateway("cert", "show", "--config", whole.site)
        assert (code, "when the broker has taken it" in shown) == (0, True)
        await nothing_lost(whole, since_ms)


@pytest.mark.parametrize("words", [("cert", "show"), ("cert", "csr"), ("centre", "ca", "list")])
async def test_what_is_missing_is_told_in_a_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    """No traceback, and what to do."""
    where = ("--folder", tmp_path) if "ca" in words else ("--config", tmp_path / "site.toml")
    code, _, told = await gateway(*words, *where)
    assert code in {5, 6}
    assert "Traceback" not in told
    assert str(tmp_path) in told
