"""What an agent says, as small as the page needs it: a Linky of three phases, a controller, gas and water."""

from typing import Any

Json = dict[str, Any]

NOW_MS = 1_000_000
UTC_MS = 1_795_705_500_000
"""2026-11-26, 16:05 in Paris."""

_CHANNELS = (
    ("main.east", "active_energy_import", "Wh", 0, None, "1-0:1.8.0", 12_000_000, 10_000),
    ("main.easf01", "active_energy_import", "Wh", 0, None, "1-0:1.8.1", 8_000_000, 10_000),
    ("main.easf02", "active_energy_import", "Wh", 0, None, "1-0:1.8.2", 4_000_000, 10_000),
    ("main.easf03", "active_energy_import", "Wh", 0, None, "1-0:1.8.3", 0, 10_000),
    ("main.easd01", "active_energy_import", "Wh", 0, None, None, 8_000_000, 10_000),
    ("main.eait", "active_energy_export", "Wh", 0, None, "1-0:2.8.0", 700_000, 10_000),
    ("main.irms1", "current", "A", 0, 1, "1-0:31.7.0", 46, 10_000),
    ("main.urms1", "voltage", "V", 0, 1, "1-0:32.7.0", 231, 10_000),
    ("main.umoy1", "voltage", "V", 0, 1, "1-0:32.5.0", 229, 10_000),
    ("main.sinsts1", "apparent_power_import", "VA", 0, 1, "1-0:29.7.0", 10_740, 10_000),
    ("main.sinsts", "apparent_power_import", "VA", 0, None, "1-0:9.7.0", 28_792, 10_000),
    ("main.smaxsn", "apparent_power_import", "VA", 0, None, "1-0:9.6.0", 29_269, 10_000),
    ("main.sinsti", "apparent_power_export", "VA", 0, None, "1-0:10.7.0", 300, 10_000),
    ("main.ccasn", "active_power_import", "W", 0, None, "1-0:1.5.0", 27_000, 10_000),
    ("main.pref", "subscribed_power", "VA", 3, None, None, 36, 10_000),
    ("main.ltarf", "tariff", "", 0, None, None, " HEURE  PLEINE ", None),
    ("main.adps", "current", "A", 0, None, None, None, None),
    ("bms.heat_pump_1_power", "active_power_import", "W", 0, None, None, 5_580, 30_000),
    ("bms.heat_pump_2_power", "active_power_import", "W", 0, None, None, 3_720, 30_000),
    ("bms.charger_power", "active_power_import", "W", 0, None, None, 3_680, 30_000),
    ("heat.energy", "thermal_energy", "Wh", 2, None, None, 12_345, 30_000),
    ("heat.volume", "water_volume", "m3", -2, None, None, 9_877, 30_000),
    ("heat.power", "thermal_power", "W", 0, None, None, 29_760, 30_000),
    ("gas.total", "gas_volume", "m3", -3, None, None, 1_234_560, 30_000),
    ("water.total", "water_volume", "m3", -3, None, None, 87_652, 30_000),
)


def channels() -> Json:
    """Answer /v1/channels."""
    return {
        "boot_ms": NOW_MS,
        "channels": [
            {
                "name": name,
                "device": name.partition(".")[0],
                "quantity": quantity,
                "unit": unit,
                "exponent": exponent,
                "phase": phase,
                "obis": obis,
                "stale_after_ms": stale,
            }
            for name, quantity, unit, exponent, phase, obis, _, stale in _CHANNELS
        ],
    }


def site(**changes: object) -> Json:
    """Answer /v1/site."""
    protocols = {"main": "TIC", "bms": "Modbus TCP", "heat": "Modbus TCP", "gas": "pulses", "water": "pulses"}
    return {
        "gateway": "gw-1",
        "name": "École",
        "timezone": "Europe/Paris",
        "devices": [
            {"name": name, "protocol": protocol, "address": "", "about": ""} for name, protocol in protocols.items()
        ],
        "loads": [],
        "prices": [],
        **changes,
    }


def status(*, age_ms: int = 500, **changes: object) -> Json:
    """Answer /v1/status, every value `age_ms` old."""
    return {
        "gateway": "gw-1",
        "name": "École",
        "version": "0.1.0",
        "boot_ms": NOW_MS,
        "up_ms": 900_000,
        "clock": {"trusted": True, "utc_ms": UTC_MS, "uncertainty_ms": 3, "source": "centre", "text": ""},
        "link": {"connected": True, "since_ms": 100_000, "last_puback_ms": 990_000, "text": "connected"},
        "outbox": {
            "readings_pending": 12,
            "segments_pending": 1,
            "oldest_without_receipt_ms": 980_000,
            "pages_used": 16,
            "quota_pages": 131_072,
            "room_s": 31 * 86_400,
            "dropped_readings": 0,
            "dropped_segments": 0,
            "given_up_readings": 0,
            "failure": None,
        },
        "shedding": {"link": "controlled_idle", "running": [], "text": "", "admits": True},
        "meters": [
            {
                "name": name,
                "state": "reads",
                "failed": False,
                "restarts": 0,
                "last_read_ms": NOW_MS - age_ms,
                "stale_after_ms": stale_after_ms,
            }
            for name, stale_after_ms in (("main", 5_000), ("bms", 30_000), ("gas", 30_000), ("water", 30_000))
        ],
        "channels": [
            {
                "name": name,
                "value": value,
                "exponent": exponent,
                "unit": unit,
                "quantity": quantity,
                "quality": "ok",
                "age_ms": age_ms,
            }
            for name, quantity, unit, exponent, _, _, value, _ in _CHANNELS
            if value is not None
        ],
        **changes,
    }


def running(**changes: object) -> Json:
    """One order of /v1/status, "shedding", "running"."""
    return {
        "id": "dr-1",
        "issuer": "centre",
        "state": "active",
        "target": "building",
        "percent": 40,
        "values": {"water-heater-1": 0},
        "failed": {},
        "end_ms": NOW_MS + 90_000,
        **changes,
    }


def command(**changes: object) -> Json:
    """One order of /v1/commands."""
    return {
        "id": "dr-1",
        "over": False,
        "state": "active",
        "outcome": None,
        "reason": None,
        "target": "building",
        "percent": 40,
        "issued_utc_ms": UTC_MS,
        "start_utc_ms": None,
        "end_utc_ms": UTC_MS + 90_000,
        "expected_w": 12_820,
        "before_w": 28_945,
        "during_w": 16_833,
        **changes,
    }
