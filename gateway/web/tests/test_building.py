"""What is shown of a building follows from what the agent says of it, and from nothing else."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from gateway.web import alerts, counters, power, shedding, values
from gateway.web.tests import saying

TODAY = date(2026, 11, 26)
PROTOCOLS = {each["name"]: each["protocol"] for each in saying.site()["devices"]}


def found(*, age_ms: int = 500, silent_ms: int = 0) -> list[values.Channel]:
    """Each channel, as old as that."""
    return values.channels(saying.channels(), saying.status(age_ms=age_ms), silent_ms=silent_ms)


def one(name: str, channels: list[values.Channel]) -> values.Channel:
    """The channel of that name."""
    return next(each for each in channels if each.name == name)


# Values


def test_a_value_is_stale_once_its_channel_should_have_spoken() -> None:
    """The bound is the channel's own, and counts from the reading, however long the agent has been silent."""
    for age_ms, silent_ms, state in ((29_000, 0, "ok"), (31_000, 0, "stale"), (500, 30_000, "stale")):
        value = one("bms.charger_power", found(age_ms=age_ms, silent_ms=silent_ms)).value
        assert value is not None
        assert (value.state, value.age_ms) == (state, age_ms + silent_ms)
    slow = one("gas.total", found(age_ms=11_000)).value
    assert slow is not None
    assert slow.state == "ok"


def test_of_a_silent_meter_every_number_is_stale() -> None:
    """Also one that its meter repeats once a minute only; a text says when it came, and no more."""
    for age_ms, state in ((4_000, "ok"), (6_000, "stale")):
        for name, told in (("main.east", state), ("main.pref", state), ("main.ltarf", "ok"), ("gas.total", "ok")):
            value = one(name, found(age_ms=age_ms)).value
            assert value is not None
            assert value.state == told, name


def test_what_was_never_read_has_no_value() -> None:
    """Nothing stands where nothing was read, not even a zero."""
    assert one("main.adps", found()).value is None


def test_a_text_is_no_number() -> None:
    """The meter's padding is not shown."""
    value = one("main.ltarf", found()).value
    assert value is not None
    assert (value.number, value.text) == (None, "HEURE PLEINE")


# Power


def test_the_suppliers_meter_shows_what_is_drawn_now() -> None:
    """Of the many powers of a TIC only the present ones are shown: no maximum of the day, no mean."""
    (main,) = power.meters(found(), saying.site()["devices"])
    assert (main.device, main.main, main.tariff) == ("main", "main.sinsts", "HEURE PLEINE")
    assert main.drawn is not None
    assert main.drawn.number == 28_792
    (phase,) = main.phases
    shown = [value.number for value in (phase.power, phase.voltage, phase.current) if value]
    assert shown == [10_740, 231, 46]


def test_import_and_export_stand_apart() -> None:
    """What is fed in is never taken off what is drawn."""
    (main,) = power.meters(found(), saying.site()["devices"])
    assert main.given is not None
    assert main.drawn is not None
    assert [main.drawn.number, main.given.number] == [Decimal(28_792), Decimal(300)]


def test_a_controller_with_many_powers_is_no_meter() -> None:
    """Each power of it is a part of the building, named as people name it."""
    shown = power.meters(found(), saying.site()["devices"])
    assert [each.name for each in power.parts(found(), shown)] == ["heat pump 1", "heat pump 2", "charger", "heat"]


def test_more_than_was_subscribed_is_noticed() -> None:
    """The bound is the meter's own; without one, nothing is said."""
    (main,) = power.meters(found(), saying.site()["devices"])
    assert main.subscribed is not None
    assert not main.over_subscribed
    assert replace(main, subscribed=replace(main.subscribed, number=Decimal(28_000))).over_subscribed
    assert not replace(main, subscribed=None).over_subscribed


def test_a_site_without_electricity_has_no_meter() -> None:
    """Water alone is a building too."""
    water = [each for each in found() if each.device == "water"]
    assert power.meters(water, saying.site()["devices"]) == []
    assert [each.name for each in counters.wanted(water, PROTOCOLS)] == ["water.total"]


# Consumption


def days(**rows: list[list[object]]) -> counters.Days:
    """Days of channels, whose names have "_" for "."; each row is day, first and last value."""
    return counters.Days(
        TODAY,
        {
            name.replace("_", "."): [[day, first, last, 0, 0, 0, 1] for day, first, last in all_]
            for name, all_ in rows.items()
        },
        {name.replace("_", "."): -3 if name.startswith(("gas", "water")) else 0 for name in rows},
    )


def counted(of: counters.Days, prices: dict[str, counters.Price] | None = None) -> dict[str, counters.Counter]:
    """Each counter that is shown, by its channel."""
    shown = counters.wanted(found(), PROTOCOLS)
    return {each.channel: each for each in counters.counters(shown, PROTOCOLS, of, prices or {})}


def test_a_day_is_counted_from_the_end_of_the_day_before() -> None:
    """What was used while nothing was read is in it, and nothing is guessed; today goes up to what the index shows."""
    water = counted(days(water_total=[["2026-11-25", 86_100, 87_302], ["2026-11-26", 87_400, 87_500]]))["water.total"]
    assert water.today == counters.Used(Decimal("0.350"), partial=False)
    assert water.yesterday == counters.Used(Decimal("1.202"), partial=True)
    assert water.partial


def test_today_begins_with_its_first_reading_where_yesterday_is_not_known() -> None:
    """It is said to be partial."""
    water = counted(days(water_total=[["2026-11-26", 87_600, 87_640]]))["water.total"]
    assert (water.today, water.yesterday) == (counters.Used(Decimal("0.052"), partial=True), None)


def test_a_day_with_nothing_to_count_from_is_unknown() -> None:
    """No zero stands where nothing was read."""
    gas = counted(days())["gas.total"]
    assert (gas.today, gas.yesterday) == (None, None)


def test_a_doubted_index_is_not_counted() -> None:
    """Where the present index cannot be true, today ends with what the history took for good."""
    channel = one("water.total", found())
    assert channel.value is not None
    doubted = replace(channel, value=replace(channel.value, number=Decimal(999_999), state="suspect"))
    of = days(water_total=[["2026-11-25", 86_100, 87_302], ["2026-11-26", 87_400, 87_500]])
    (water,) = counters.counters([doubted], PROTOCOLS, of, {})
    assert water.today == counters.Used(Decimal("0.198"), partial=False)


def test_an_index_that_went_back_is_no_use() -> None:
    """A meter that was changed begins anew; what the day used is not known."""
    assert counted(days(water_total=[["2026-11-25", 5, 90_000]]))["water.total"].today is None


def test_the_tariffs_stand_under_their_meter() -> None:
    """The whole is the meter's own total; indexes at zero, the distributor's and a heating circuit are left out."""
    shown = counted(
        days(main_east=[["2026-11-26", 11_997_000, 11_999_000]], main_easf01=[["2026-11-26", 7_999_000, 7_999_500]])
    )
    assert list(shown) == ["main.east", "main.eait", "heat.energy", "gas.total", "water.total"]
    main = shown["main.east"]
    assert [each.channel for each in main.tariffs] == ["main.easf01", "main.easf02"]
    assert main.today == counters.Used(Decimal(3), partial=True)
    assert main.index is not None
    assert (str(main.index.number), main.index.unit) == ("12000.000", "kWh")


def test_euros_come_from_prices_alone() -> None:
    """Each tariff costs what its price says; the whole is told once every part that was used has one."""
    of = days(
        main_east=[["2026-11-26", 11_997_000, 11_999_000]],
        main_easf01=[["2026-11-26", 7_999_000, 7_999_500]],
        main_easf02=[["2026-11-26", 3_998_000, 3_999_000]],
    )
    cheap, dear = counters.Price(Decimal("0.16"), "Heures creuses"), counters.Price(Decimal("0.21"), "Heures pleines")
    half = counted(of, {"main.easf01": cheap})["main.east"]
    whole = counted(of, {"main.easf01": cheap, "main.easf02": dear})["main.east"]
    assert half.today is not None
    assert half.today.eur is None
    assert [each.today.eur for each in half.tariffs if each.today] == [Decimal("0.16"), None]
    assert whole.today is not None
    assert whole.today.eur == Decimal("0.58")
    assert [each.tariff for each in whole.tariffs] == ["Heures creuses", "Heures pleines"]


# Shedding


def test_a_running_order_tells_what_is_left_and_what_it_brings() -> None:
    """The countdown is the agent's; the kilowatts are the meter's where it knows them."""
    status = saying.status(shedding={"link": "controlled_shedding", "running": [saying.running()]})
    shed = shedding.shedding(status, [saying.command()], [], silent_ms=2_000)
    (event,) = shed.running
    assert (shed.state, event.left_ms, event.shed_w, event.loads) == ("active", 88_000, 12_112, ("water-heater-1",))
    unknown = shedding.shedding(status, [saying.command(before_w=None)], [], silent_ms=0)
    assert unknown.running[0].shed_w is None
    assert unknown.running[0].expected_w == 12_820


@pytest.mark.parametrize("state", ["accepted", "scheduled", "needs_time"])
def test_an_order_that_has_not_begun_is_announced(state: str) -> None:
    """People are told before their building does something."""
    status = saying.status(
        shedding={"link": "controlled_shedding", "running": [saying.running(state=state, values={})]}
    )
    shed = shedding.shedding(status, [saying.command(start_utc_ms=saying.UTC_MS + 1)], [], silent_ms=0)
    assert (shed.state, shed.running) == ("announced", ())
    assert shed.announced[0].start_utc_ms == saying.UTC_MS + 1


def test_the_last_order_is_told_with_what_became_of_it() -> None:
    """Orders of people on site, which have but a text, are none of the centre's."""
    over = saying.command(id="dr-0", over=True, state="rejected", outcome="rejected", reason="opted_out")
    local = {"id": "local:1", "over": True, "text": "opt_out building"}
    opt_out = {"target": "building", "reason": "exams", "left_ms": 3_000, "until_utc_ms": None}
    shed = shedding.shedding(saying.status(), [local, over], [opt_out], silent_ms=1_000)
    assert shed.last is not None
    assert (shed.last.outcome, shed.last.reason) == ("rejected", "opted_out")
    assert (shed.state, shed.opt_outs[0].left_ms) == ("opted_out", 2_000)


# Alerts


def alarmed(status: values.Json, *, silent_ms: int = 0) -> list[tuple[str, str]]:
    """What is to be seen to: the key, and what it is about."""
    shed = shedding.shedding(status, [], [], silent_ms=0)
    return [(each.key, each.about) for each in alerts.alerts(status, [], shed, silent_ms=silent_ms)]


def test_nothing_is_wrong_where_nothing_is() -> None:
    """A page that always warns is not read."""
    assert alarmed(saying.status()) == []


def test_a_meter_that_fell_silent_is_named() -> None:
    """Also where it is the agent that says nothing any more."""
    assert ("silent", "main") in alarmed(saying.status(age_ms=10_001))
    assert ("silent", "main") in alarmed(saying.status(), silent_ms=10_000)


def test_each_other_trouble_has_its_alert() -> None:
    """The grave ones stand first."""
    status = saying.status()
    status["clock"] = {**status["clock"], "trusted": False}
    status["link"] = {**status["link"], "connected": False}
    status["outbox"] = {**status["outbox"], "failure": "the disk is full", "dropped_readings": 3, "pages_used": 131_000}
    status["meters"][0]["last_read_ms"] = None
    status["meters"][1] = {**status["meters"][1], "failed": True, "state": "no answer"}
    status["shedding"] = {"link": "init", "running": [saying.running(failed={"charger-1": "timeout"})]}
    status["certificate"] = {"state": "ended", "failure": None, "text": "ended on 2026-11-26"}
    keys = [key for key, _ in alarmed(status)]
    assert keys == ["unread", "failing", "refusing", "storage", "lost", "certificate", "full", "clock", "link"]


@pytest.mark.parametrize(("state", "failure", "told"), [("ok", None, []), ("due", None, []), ("due", "refused", [""])])
def test_a_certificate_is_an_alert_where_something_stands_in_its_way(
    state: str, failure: str | None, told: list[str]
) -> None:
    """That one is due is nobody's business: the gateway asks by itself."""
    status = saying.status()
    status["certificate"] = {"state": state, "failure": failure, "text": "until 2027-11-26"}
    assert alarmed(status) == [("certificate", each) for each in told]
