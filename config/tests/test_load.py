"""Loading a site file: every kind of mistake, and all of them at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from config.errors import ConfigError, Mistake
from config.load import load
from config.site import OnOffLoad, RtuBus, SetpointLoad, TcpBus
from config.tests.sites import GOOD, PROFILE, spoil, write


def _mistakes(path: Path) -> tuple[Mistake, ...]:
    with pytest.raises(ConfigError) as raised:
        load(path)
    return raised.value.mistakes


def test_a_good_site_loads(tmp_path: Path) -> None:
    """A site without mistakes gives the typed model with its defaults."""
    site = load(write(tmp_path))
    assert site.gateway.timezone == "Europe/Paris"
    assert (site.broker.port, site.storage.quota_mb, site.storage.journal_s) == (8883, 512, 10)
    tcp, rtu = site.modbus_bus
    assert isinstance(tcp, TcpBus)
    assert tcp.port == 502
    assert isinstance(rtu, RtuBus)
    assert (rtu.baud, rtu.parity, rtu.stop_bits) == (19200, "E", 1)
    heater, pump = site.load
    assert isinstance(heater, OnOffLoad)
    assert (heater.on_value, heater.off_value, heater.min_off_s) == (1, 0, 300)
    assert isinstance(pump, SetpointLoad)
    assert (pump.min_value, pump.max_value) == (10, 90)
    assert {part.about for part in (*site.linky, *site.modbus, *site.pulse, *site.load)} == {""}


@pytest.mark.parametrize(
    ("written", "exactly"),
    [
        ("0.1579", "0.1579"),
        ("0.2", "0.2"),
        ("0.30", "0.3"),
        ("1e-6", "0.000001"),
        ("12", "12"),
        ("1000.0", "1000"),
        ("-0.0", "0"),
        ("999.999999", "999.999999"),
    ],
)
def test_a_price_is_what_the_file_says(tmp_path: Path, written: str, exactly: str) -> None:
    """The euros are kept exactly as decimals, whatever a binary number makes of them."""
    text, _ = spoil("eur = 0.1579", f"eur = {written}")
    price = load(write(tmp_path, text)).price[0]
    assert (price.channel, price.name, price.per, price.exactly) == ("main.hchc", "Nuit", "kWh", exactly)


def test_relative_paths_begin_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path means "beside the site file", wherever the command was started; an absolute one stays."""
    (tmp_path / "elsewhere").mkdir()
    text = GOOD.replace('"ca.pem"', '"/etc/ca.pem"')
    write(tmp_path, text)
    monkeypatch.chdir(tmp_path / "elsewhere")
    site = load(Path("../site.toml"))
    resolved = (
        str(site.storage.directory),
        str(site.control.socket),
        site.linky[0].port,
        site.modbus[0].profile,
        site.pulse[0].line.removeprefix("unix:"),
    )
    for found, name in zip(resolved, ("data", "control.sock", "tic", "boiler.toml", "gas.sock"), strict=True):
        assert Path(found).is_absolute()
        assert Path(found).resolve() == tmp_path / name
    assert site.broker.ca_file == Path("/etc/ca.pem")


SPOILED = [
    # what is replaced, by what, the key, what is wrong, what would be right; the line is that of the replaced piece
    ('id = "gw-test"', 'id = "Test"', "gateway.id", "not the right form", '"gw-" and up to 58'),
    ('id = "gw-test"', 'id = "gw-test\\n"', "gateway.id", "not the right form", '"gw-"'),
    ('name = "Test"', "name = 7", "gateway.name", "7 is no text", "the building's name"),
    ('name = "Test"', 'name = "a\\tb"', "gateway.name", "not the right form", "the building's name"),
    ('name = "Test"', 'name = ""', "gateway.name", "too short", "the building's name"),
    ('name = "Test"', f'name = "{"x" * 81}"', "gateway.name", "xxx... is too long", "the building's name"),
    ('name = "Test"', 'name = "T"\ntimezone = "Europe/Pariss"', "gateway.timezone", "no time zone", "Europe/Paris"),
    ('name = "Test"', 'name = "T"\ntimezone = "../../etc/passwd"', "gateway.timezone", "no time zone", "Europe/Paris"),
    ('directory = "data"', "directory = 1", "storage.directory", "1 is no path", "beside this file"),
    ('directory = "data"', 'directory = "a\\u0000b"', "storage.directory", "is no path", "beside this file"),
    (
        'directory = "data"',
        'directory = "d"\nquota_mb = "512"',
        "storage.quota_mb",
        '"512" is no whole',
        "16 to 1000000",
    ),
    ('directory = "data"', 'directory = "d"\nquota_mb = 15', "storage.quota_mb", "15 is too low", "from 16"),
    ('directory = "data"', 'directory = "d"\nquota_mb = true', "storage.quota_mb", "true is no whole", "from 16"),
    (
        'directory = "data"',
        'directory = "d"\njournal_s = nan',
        "storage.journal_s",
        "nan is no finite",
        "above 0 to 60",
    ),
    ('directory = "data"', 'directory = "d"\njournal_s = 0', "storage.journal_s", "0 is too low", "above 0"),
    (
        'directory = "data"',
        'directory = "d"\nseal_up_s = 5',
        "storage.seal_up_s",
        "longer than seal_up_s",
        "journal_s <=",
    ),
    (
        'directory = "data"',
        'directory = "d"\nquotamb = 20',
        "storage.quotamb",
        "no known key",
        'did you mean "quota_mb"?',
    ),
    (
        'directory = "data"',
        'directory = "d"\nzzzz = 20',
        "storage.zzzz",
        "no known key",
        "known keys: directory, journal_s",
    ),
    ('ca_file = "ca.pem"', 'ca_file = "c"\nport = 0', "broker.port", "0 is too low", "from 1 to 65535"),
    ('ca_file = "ca.pem"', f'ca_file = "c"\nport = {10**30}', "broker.port", "is too high", "from 1 to 65535"),
    ('ca_file = "ca.pem"', f'ca_file = "c"\nport = {10**60}', "broker.port", "more than 40 digits", "from 1 to 65535"),
    ('ca_file = "ca.pem"', 'ca_file = "c"\nreconnect_min_s = 61', "broker.reconnect_min_s", "(61) is longer", "<="),
    ('socket = "control.sock"', f'socket = "{"s" * 108}"', "control.socket", "too long", "107 bytes"),
    ('port = "tic"', 'port = ""', "linky[1].port", "is no path", "serial port"),
    ('port = "tic"', 'port = "t"\nmode = "fast"', "linky[1].mode", '"fast" is not known', "any other meter is named"),
    ('port = "tic"', 'port = "t"\nspeed = 9600', "linky[1].speed", 'mode "auto" has its own', 'mode = "pme-pmi"'),
    ('port = "tic"', 'port = "rs485"', "modbus_bus[2].device", "port of linky[1] already", "one port for each"),
    ('kind = "tcp"', 'kind = "udp"', "modbus_bus[1].kind", '"udp" is not known', '"tcp" or "rtu"'),
    ('device = "rs485"', 'device = "r"\nbaud = 9601', "modbus_bus[2].baud", "9601 is not known", "or 9600 or"),
    ('device = "rs485"', 'device = "r"\nhost = "h"', "modbus_bus[2].host", "no known key", "known keys: baud, device"),
    ('bus = "plant"', 'bus = "plan"', "modbus[1].bus", 'no [[modbus_bus]] named "plan"', 'mean "plant"?'),
    ("unit = 1", "unit = 248", "modbus[1].unit", "248 is too high", "from 1 to 247"),
    ("unit = 1", "unit = 1.0", "modbus[1].unit", "1.0 is no whole number", "from 1 to 247"),
    ('profile = "boiler.toml"', 'profile = "no.toml"', "modbus[1].profile", "cannot be read", "without mistakes"),
    ('profile = "boiler.toml"', 'profile = "site.toml"', "modbus[1].profile", "is unknown", "without mistakes"),
    ('profile = "boiler.toml"', 'profile = "bench-bm"', "modbus[1].profile", "no built-in", 'mean "bench-bms"?'),
    ('profile = "boiler.toml"', 'profile = "../x"', "modbus[1].profile", "no built-in", "ends in .toml"),
    ('line = "unix:gas.sock"', 'line = "gpio:4"', "pulse[1].line", "no kind of pulse line", '"unix:" and the path'),
    ('line = "unix:gas.sock"', 'line = "unix:"', "pulse[1].line", "is no path", '"unix:" and the path'),
    ('quantity = "gas_volume"', 'quantity = "gas"', "pulse[1].quantity", "not known", '"gas_volume" or "water_volume"'),
    ("weight = 10", "weight = 0", "pulse[1].weight", "0 is too low", "from 1"),
    ("dial_index = 5", "dial_index = -1", "pulse[1].dial_index", "-1 is too low", "units of 10**exponent"),
    ("dial_index = 5", 'dial_index = 5\nunit = "l"', "pulse[1].unit", '"l" is not known', '"m3"'),
    ('name = "gas"', 'name = "main"', "pulse[1].name", "already the name of linky[1]", "only once"),
    ('name = "gas"', 'name = "Gas meter"', "pulse[1].name", "not the right form", "a-z, 0-9, - and _"),
    ('name = "pump"', 'name = "heater"', "load[2].name", "already the name of load[1]", "only once"),
    ('name = "pump"', 'name = "building"', "load[2].name", "all loads together", "another name"),
    ('point = "heater"', 'point = "heatr"', "load[1].point", "has no point", 'did you mean "heater"?'),
    ('point = "heater"', 'point = "power"', "load[1].point", "only be read", "written: heater, pump_setpoint"),
    ("priority = 10", "priority = 100", "load[1].priority", "100 is too high", "99 is shed first, 0 last"),
    ("priority = 10", "priority = 1\non_value = 2", "load[1].on_value", "2 cannot be written to heater", "0..1"),
    ("priority = 10", "priority = 1\noff_value = 1", "load[1].off_value", "are the same", "tells apart"),
    ('kind = "onoff"', 'kind = "on-off"', "load[1].kind", '"on-off" is not known', '"onoff" or "setpoint"'),
    ("min_value = 10", "min_value = -1", "load[2].min_value", "-1 cannot be written", "0..100"),
    ("min_value = 10", "min_value = 90", "load[2].min_value", "not below max_value", "less than 90"),
    ("max_value = 90", "max_value = 101", "load[2].max_value", "101 cannot be written", "0..100"),
    ("max_value = 90", "max_value = 90\non_value = 1", "load[2].on_value", "no known key", 'mean "min_value"?'),
    ('channel = "main.hchc"', 'channel = "mian.hchc"', "price[1].channel", 'no device "mian"', 'mean "main"?'),
    ('channel = "main.hchc"', 'channel = "hchc"', "price[1].channel", 'no device "hchc"', "a channel is device.point"),
    ('channel = "main.hchc"', 'channel = "main.hchcc"', "price[1].channel", "no channel of this", 'mean "main.hchc"?'),
    (
        'channel = "main.hchc"',
        'channel = "main.papp"',
        "price[1].channel",
        "neither an energy in Wh nor",
        "have a price: main.autre, ",
    ),
    (
        'channel = "main.hchc"',
        'channel = "boiler.power"',
        "price[1].channel",
        "neither an energy",
        "there is no channel",
    ),
    ('channel = "main.hchc"', 'channel = ""', "price[1].channel", "too short", "energy or a volume"),
    ('channel = "main.hchc"', "channel = 3", "price[1].channel", "3 is no text", "energy or a volume"),
    ('name = "Nuit"', 'name = ""', "price[1].name", "too short", "the tariff's name"),
    ("eur = 0.1579", "eur = -0.1", "price[1].eur", "-0.1 is too low", "a number from 0 to 1000"),
    ("eur = 0.1579", "eur = 9e99", "price[1].eur", "9e+99 is too high", "a number from 0 to 1000"),
    ("eur = 0.1579", 'eur = "0.1579"', "price[1].eur", '"0.1579" is no number', "6 decimals at most"),
    ("eur = 0.1579", "eur = 0.15790001", "price[1].eur", "0.15790001 has more than 6 decimals", "6 decimals at most"),
    ('per = "kWh"', 'per = "l"', "price[1].per", '"l" is not known', '"kWh" or "m3"'),
    ('per = "kWh"', 'per = "m3"', "price[1].per", "main.hchc counts an energy", '"kWh"'),
    ('port = "tic"', f'port = "tic"\nabout = "{"x" * 121}"', "linky[1].about", "is too long", "what is connected"),
    ("dial_index = 5", 'dial_index = 5\nabout = "a\\nb"', "pulse[1].about", "not the right form", "120 characters"),
    ("enabled = true", "enabled = 1", "shedding.enabled", "1 is neither true nor false", "true or false"),
    ('meter = "main"', 'meter = "mian"', "shedding.meter", 'no [[linky]] named "mian"', 'mean "main"?'),
    ('meter = "main"', 'meter = "main"\nstart_spread_s = 301', "shedding.start_spread_s", "too high", "from 0 to 300"),
]


@pytest.mark.parametrize("case", SPOILED)
def test_one_mistake(tmp_path: Path, case: tuple[str, str, str, str, str]) -> None:
    """A single mistake is told alone, with its file, line and key, what is wrong and what would be right."""
    old, new, key, message, right = case
    text, line = spoil(old, new)
    path = write(tmp_path, text)
    (mistake,) = _mistakes(path)
    assert mistake.file == path
    assert mistake.key == key
    assert message in mistake.message
    assert right in mistake.right
    start = f"{key.rsplit('.', 1)[-1]} = "
    assert text.split("\n")[mistake.line - 1].startswith(start)
    spoilt = [line + at for at, piece in enumerate(new.split("\n")) if piece.startswith(start)]
    assert not spoilt or spoilt == [mistake.line]
    assert str(mistake).startswith(f"{path}:{mistake.line}: {key}: ")
    assert str(mistake).endswith(f"; {mistake.right}")


def test_a_meter_that_cannot_prove_the_effect(tmp_path: Path) -> None:
    """An older meter shows what a minute was, in kW: the effect of a shed would never be seen on it."""
    text = GOOD.replace('port = "tic"', 'port = "tic"\nmode = "pme-pmi"')
    mistakes = {mistake.key: mistake for mistake in _mistakes(write(tmp_path, text))}
    assert "nothing proves the effect" in mistakes["shedding.meter"].message
    assert "in either mode" in mistakes["shedding.meter"].right


@pytest.mark.parametrize(
    ("old", "key", "line_of", "right"),
    [
        ('name = "Test"\n', "gateway.name", "[gateway]", "the building's name"),
        ('ca_file = "ca.pem"\n', "broker.ca_file", "[broker]", "a path"),
        ('[centre]\nkeys_file = "centre.toml"\n', "centre", "[gateway]", "a table [centre] with keys_file"),
        ("unit = 1\n", "modbus[1].unit", "[[modbus]]", "from 1 to 247"),
        ('device = "rs485"\n', "modbus_bus[2].device", '[[modbus_bus]]\nname = "line"', "the serial port"),
        ("max_value = 90\n", "load[2].max_value", '[[load]]\nname = "pump"', "the value at which it draws rated_w"),
        ('kind = "setpoint"\n', "load[2].kind", '[[load]]\nname = "pump"', '"onoff" or "setpoint"'),
        ('meter = "main"\n', "shedding.enabled", "enabled = true", "meter = the name of a [[linky]]"),
    ],
)
def test_a_missing_key(tmp_path: Path, old: str, key: str, line_of: str, right: str) -> None:
    """What is missing is told at the table that should have it, or at the first line where the table is missing too."""
    text, _ = spoil(old, "")
    (mistake,) = _mistakes(write(tmp_path, text))
    assert mistake.key == key
    assert mistake.line == text[: text.index(line_of)].count("\n") + 1
    assert right in mistake.right


@pytest.mark.parametrize(
    ("extra", "key", "message"),
    [
        ('[[linky]]\nname = "m2"\nport = "./x/../tic"', "linky[2].port", "port of linky[1]"),
        ('[[linky]]\nname = "m2"\nport = "t"\nmode = "jaune"\nspeed = 1200', "linky[2].speed", '"jaune" has its own'),
        ('[[linky]]\nname = "m2"\nport = "t"\nmode = "pme-pmi"\nspeed = 300', "linky[2].speed", "300 is not known"),
        (
            '[[modbus_bus]]\nname = "b"\nkind = "tcp"\nhost = "localhost"\nport = 502',
            "modbus_bus[3].host",
            "modbus_bus[1]",
        ),
        ('[[modbus_bus]]\nname = "line"\nkind = "tcp"\nhost = "h"', "modbus_bus[3].name", "name of modbus_bus[2]"),
        ('[[modbus]]\nname = "b2"\nbus = "plant"\nunit = 1\nprofile = "boiler.toml"', "modbus[2].unit", "modbus[1] on"),
        (
            '[[pulse]]\nname = "g2"\nline = "unix:gas.sock"\nquantity = "gas_volume"\nweight = 1\ndial_index = 0',
            "pulse[2].line",
            "line of pulse[1]",
        ),
    ],
)
def test_two_on_one(tmp_path: Path, extra: str, key: str, message: str) -> None:
    """Two devices that share a port, a connection, an address or a name are told at the second, naming the first."""
    (mistake,) = _mistakes(write(tmp_path, f"{GOOD}{extra}\n"))
    assert mistake.key == key
    assert message in mistake.message
    assert mistake.line > GOOD.count("\n")


@pytest.mark.parametrize(
    ("channel", "per", "key", "message"),
    [
        ("main.hchc", "kWh", "channel", '"main.hchc" has the price of price[1] already'),
        ("gas.total", "kWh", "per", "gas.total counts a volume"),
        ("gas.volume", "m3", "channel", '"gas.volume" is no channel of this site'),
        ("heater.total", "m3", "channel", '"heater.total": there is no device "heater"'),
    ],
)
def test_a_second_price(tmp_path: Path, channel: str, per: str, key: str, message: str) -> None:
    """Each channel has one price at most, in what it counts; a load is no device."""
    price = f'[[price]]\nchannel = "{channel}"\nname = "Gaz"\neur = 1.0\nper = "{per}"\n'
    (mistake,) = _mistakes(write(tmp_path, GOOD + price))
    assert (mistake.key, mistake.message) == (f"price[2].{key}", message)
    assert mistake.line > GOOD.count("\n")


def test_a_volume_has_a_price(tmp_path: Path) -> None:
    """Water and gas are paid by the m3, also where the price stands before its meter."""
    price = '[[price]]\nchannel = "gas.total"\nname = "Gaz"\neur = 1.25\nper = "m3"\n'
    site = load(write(tmp_path, GOOD.replace("[[linky]]", f"{price}[[linky]]")))
    assert [each.exactly for each in site.price] == ["1.25", "0.1579"]


def test_one_point_twice(tmp_path: Path) -> None:
    """Two loads that switch the same point are told at the second."""
    text, line = spoil('point = "heater"', 'point = "pump_setpoint"')
    (mistake,) = _mistakes(write(tmp_path, text))
    assert (mistake.key, mistake.message) == ("load[2].point", "is the point that load[1] switches already")
    assert mistake.line > line


def test_one_port_under_two_names(tmp_path: Path) -> None:
    """A symbolic link and what it points to are one port."""
    (tmp_path / "by-id").symlink_to("rs485")
    text, line = spoil('port = "tic"', 'port = "by-id"')
    (mistake,) = _mistakes(write(tmp_path, text))
    assert mistake.key == "modbus_bus[2].device"
    assert mistake.line > line


def test_shedding_needs_loads(tmp_path: Path) -> None:
    """A site that may shed and has nothing to shed is told so; one that may not is right without loads."""
    without = GOOD[: GOOD.index("[[load]]")]
    (mistake,) = _mistakes(write(tmp_path, f'{without}[shedding]\noverrun = true\nmeter = "main"\n'))
    assert mistake.key == "shedding.overrun"
    assert load(write(tmp_path, without)).load == ()


def test_a_table_in_place_of_a_list(tmp_path: Path) -> None:
    """[linky] in place of [[linky]] is told with what to write."""
    text, line = spoil("[[linky]]", "[linky]")
    first, *_ = _mistakes(write(tmp_path, text))
    assert (first.line, first.key, first.right) == (line, "linky", "write [[linky]], once for each")


@pytest.mark.parametrize(
    "wrong", ["linky = 3", "linky = [3]", "gateway = 3", "load = [[], {}]", "modbus_bus = [1, {}]"]
)
def test_wrong_shapes(tmp_path: Path, wrong: str) -> None:
    """A value where a table belongs is a mistake at its own key."""
    mistakes = _mistakes(write(tmp_path, wrong))
    name = wrong.split(" ", maxsplit=1)[0]
    found = [mistake for mistake in mistakes if mistake.key.startswith(name)]
    assert found
    assert all(mistake.line == 1 for mistake in mistakes)
    assert all("is no " in mistake.message or "is missing" in mistake.message for mistake in found)


def test_all_at_once_in_order(tmp_path: Path) -> None:
    """Mistakes of every kind in one file are all told, in the order of their lines, each once."""
    text = GOOD
    expected = []
    for old, new, key in (
        ('id = "gw-test"', "id = 3", "gateway.id"),
        ('host = "localhost"\nca_file', 'hots = "localhost"\nca_file', "broker.hots"),
        ('key_id = "gw-test-1"', 'key_id = "gw test"', "signing.key_id"),
        ('kind = "tcp"', 'kind = "udp"', "modbus_bus[1].kind"),
        ('bus = "plant"', 'bus = "plan"', "modbus[1].bus"),
        ("weight = 10", 'weight = "10"', "pulse[1].weight"),
        ('point = "heater"', 'point = "power"', "load[1].point"),
        ('device = "boiler"\npoint = "pump_setpoint"', 'device = "b"\npoint = "p"', "load[2].device"),
        ('meter = "main"', 'meter = "gas"', "shedding.meter"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
        expected.append(key)
    mistakes = _mistakes(write(tmp_path, text))
    assert [m.key for m in mistakes if m.key != "broker.host"] == expected
    assert [m.key for m in mistakes].count("broker.host") == 1
    assert [m.line for m in mistakes] == sorted(m.line for m in mistakes)


def test_a_profile_with_mistakes_is_told_with_them(tmp_path: Path) -> None:
    """A profile of one's own that has mistakes is one mistake of the site, which tells the profile's."""
    path = write(tmp_path)
    (tmp_path / "boiler.toml").write_text(PROFILE.replace('type = "u16"', 'type = "u15"'))
    (mistake,) = _mistakes(path)
    assert mistake.key == "modbus[1].profile"
    assert "u15" in mistake.message


def test_a_site_outlives_what_checked_it(tmp_path: Path) -> None:
    """A program that runs for years lets go of the validators: its site is as it was, and no other can be loaded."""
    path = write(tmp_path)
    text = (
        "import sys; from pathlib import Path; from config.load import load; from config.parts import forget\n"
        "path = Path(sys.argv[1]); site = load(path); before = repr(site); forget()\n"
        "assert repr(site) == before and site == site and site.load[0].on_value == 1\n"
        "try:\n    load(path)\nexcept Exception: print('none')\n"
    )
    done = subprocess.run([sys.executable, "-c", text, path], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "none\n"
