"""`gateway config check` as an installer sees it."""

import json
from pathlib import Path

import pytest

from config.load import load
from config.tests.sites import GOOD, spoil, write
from gateway.cli.config import SCHEMA, check, print_schema, show
from gateway.cli.exits import Ended


def test_ok_says_what_the_site_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A right file gives exit code 0, "ok" and one line for each kind of thing that the site has."""
    assert check(write(tmp_path)) == 0
    ok, *lines = capsys.readouterr().out.splitlines()
    assert ok == "ok"
    assert {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in lines} == {
        "gateway": "gw-test, Test",
        "linky": "main",
        "modbus": "boiler (boiler.toml, plant 1)",
        "pulses": "gas (gas_volume)",
        "loads": "heater, pump, 9 kW in all",
        "shedding": "the centre's orders",
        "broker": "localhost:8883",
    }


def test_each_mistake_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong file gives exit code 5 and a line `file:line: key: what is wrong; what would be right` for each."""
    text, line = spoil("unit = 1", "unit = 0\nspeed = 3")
    path = write(tmp_path, text)
    assert check(path) == 5
    first, second, summary = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{path}:{line}: modbus[1].unit: 0 is too low; ")
    assert second.startswith(f"{path}:{line + 1}: modbus[1].speed: is no known key; known keys: about, bus, ")
    assert summary == f"{path}: 2 mistakes; the gateway will not start with this file"


def test_unreadable_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be read gives exit code 5 and the reason."""
    assert check(tmp_path / "none.toml") == 5
    assert "none.toml:0: cannot be read: No such file or directory; " in capsys.readouterr().out


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON: one object with a versioned schema, the same exit codes, and each mistake in its parts."""
    assert check(write(tmp_path), as_json=True) == 0
    right = json.loads(capsys.readouterr().out)
    assert (right["schema"], right["ok"], right["mistakes"]) == (SCHEMA, True, [])
    assert right["site"]["linky"] == "main"
    text, line = spoil("unit = 1", "unit = 0")
    path = write(tmp_path, text)
    assert check(path, as_json=True) == 5
    wrong = json.loads(capsys.readouterr().out)
    assert (wrong["schema"], wrong["ok"], wrong["site"]) == (SCHEMA, False, None)
    (mistake,) = wrong["mistakes"]
    assert (mistake["file"], mistake["line"], mistake["key"]) == (str(path), line, "modbus[1].unit")
    assert mistake["message"] == "0 is too low"
    assert mistake["right"].endswith("from 1 to 247")


def test_nothing_but_text_reaches_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A control character in the file is shown by its name: it cannot colour or clear the terminal."""
    text, _ = spoil("unit = 1", 'unit = "\\u001b[2J"\n"\\u001b[1m" = 1')
    assert check(write(tmp_path, text)) == 5
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert '"\\x1b[2J" is no whole number' in out


def test_show_is_a_site_file_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `config show` prints has every default, each path resolved, and is itself a site file of the same values."""
    path = write(tmp_path)
    assert show(path, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "keepalive_s = 30" in shown
    assert f'key_file = "{tmp_path}/signing.key"' in shown
    again = tmp_path / "elsewhere" / "again.toml"
    again.parent.mkdir()
    again.write_text(shown, "utf-8")
    assert load(again) == load(path)
    assert show(path, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["site"]["storage"]["quota_mb"]) == ("gateway/config/1", 512)


def test_show_writes_a_table_in_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second broker stands in a table of its own, and comes back as it was."""
    path = write(tmp_path, GOOD + '\n[broker.fallback]\nhost = "second"\nafter_s = 60\n')
    assert show(path, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "[broker.fallback]" in shown
    assert load(write(tmp_path, shown)) == load(path)


def test_show_names_secrets_and_never_opens_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a key file only the path is shown, whatever the file holds."""
    for name in ("signing.key", "gateway.key", "centre.toml"):
        (tmp_path / name).write_text("SECRET")
    show(write(tmp_path), as_json=False)
    show(write(tmp_path), as_json=True)
    assert "SECRET" not in capsys.readouterr().out


def test_show_of_a_wrong_file_is_exit_5_with_its_mistakes(tmp_path: Path) -> None:
    """What cannot be in force is not shown."""
    text, line = spoil("unit = 1", "unit = 0")
    path = write(tmp_path, text)
    with pytest.raises(Ended, match=f"{path}:{line}: modbus") as ended:
        show(path, as_json=False)
    assert ended.value.code == 5


def test_the_schema_is_for_editors_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """`config schema` prints a JSON schema and nothing around it; with --json it is wrapped like every answer."""
    assert print_schema(as_json=False) == 0
    bare = json.loads(capsys.readouterr().out)
    assert bare["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "linky" in bare["properties"]
    print_schema(as_json=True)
    assert json.loads(capsys.readouterr().out) == {"schema": "gateway/config-schema/1", "json_schema": bare}
