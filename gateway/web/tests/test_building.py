"""What is shown of a building follows from what the agent says of it, and from nothing else."""

from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.web import alerts, counters, power, shedding, values
from gateway.web.tests import saying
from gateway.web.words import WORDS

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


def periods(**told: tuple[str | int, str | int, str | int | None]) -> dict[str, counters.Period]:
    """Give spans of an index, each as (used, estimated, last value), incomplete where the name ends so."""
    return {
        span.removesuffix("_incomplete"): counters.Period(
            Decimal(used), Decimal(estimated), span.endswith("_incomplete"), None if last is None else Decimal(last)
        )
        for span, (used, estimated, last) in told.items()
    }


def counted(of: counters.Periods, prices: dict[str, counters.Price] | None = None) -> dict[str, counters.Counter]:
    """Each counter that is shown, by its channel."""
    shown = counters.wanted(found(), PROTOCOLS)
    return {each.channel: each for each in counters.counters(shown, PROTOCOLS, of, prices or {})}


def test_today_and_the_month_go_on_up_to_what_the_index_shows() -> None:
    """The history has it some minutes later; yesterday is over."""
    water = counted(
        {"water.total": periods(today=("0.3", 0, "87.602"), yesterday=("1.2", 0, "87.302"), month=("25", 0, "87.602"))}
    )["water.total"]
    assert water.used == {
        "today": counters.Used(Decimal("0.350")),
        "yesterday": counters.Used(Decimal("1.2")),
        "month": counters.Used(Decimal("25.050")),
    }


def test_what_the_agent_calls_incomplete_or_estimated_stays_so() -> None:
    """At least so much, and so much of it a share."""
    water = counted(
        {"water.total": periods(today=("0.3", "0.1", "87.652"), yesterday_incomplete=("1.2", "0.7", None))}
    )["water.total"]
    assert water.used["today"] == counters.Used(Decimal("0.3"), estimated=Decimal("0.1"))
    assert water.used["yesterday"] == counters.Used(Decimal("1.2"), incomplete=True, estimated=Decimal("0.7"))
    assert water.used["month"] is None


def test_just_after_midnight_today_begins_where_yesterday_ended() -> None:
    """Before the first minute of a day is in the history, the index itself tells."""
    water = counted({"water.total": periods(yesterday=("1.2", "0.4", "87.650"))})["water.total"]
    assert water.used["today"] == counters.Used(Decimal("0.002"))


def test_a_span_of_which_nothing_is_known_is_unknown() -> None:
    """No zero stands where nothing was read."""
    assert set(counted({})["gas.total"].used.values()) == {None}


def test_a_doubted_index_is_not_counted() -> None:
    """Where it cannot be true, or went back, today ends with what the history took for good."""
    channel = one("water.total", found())
    assert channel.value is not None
    for number, state in ((999_999, "suspect"), (3, "ok")):
        doubted = replace(channel, value=replace(channel.value, number=Decimal(number), state=state))
        of = {"water.total": periods(today=("0.198", 0, "87.5"))}
        (water,) = counters.counters([doubted], PROTOCOLS, of, {})
        assert water.used["today"] == counters.Used(Decimal("0.198"))


def test_the_tariffs_stand_under_their_meter() -> None:
    """The whole is the meter's own total; indexes at zero, the distributor's and a heating circuit are left out."""
    shown = counted({"main.east": periods(today=(2_000, 0, 11_999_000)), "main.easf01": periods(today=(500, 0, None))})
    assert list(shown) == ["main.east", "main.eait", "heat.energy", "gas.total", "water.total"]
    main = shown["main.east"]
    assert [each.channel for each in main.tariffs] == ["main.easf01", "main.easf02"]
    assert main.used["today"] == counters.Used(Decimal(3))
    assert main.index is not None
    assert (str(main.index.number), main.index.unit) == ("12000.000", "kWh")


def test_a_meter_without_a_total_is_the_sum_of_its_tariffs() -> None:
    """Incomplete where one of them is, or is not known."""
    own = [each for each in found() if each.name in {"main.easf01", "main.easf02"}]
    both = {"main.easf01": periods(today=(500, 100, None)), "main.easf02": periods(today=(1_500, 0, None))}
    (main,) = counters.counters(own, PROTOCOLS, both, {})
    assert main.used["today"] == counters.Used(Decimal(2), estimated=Decimal("0.1"))
    (main,) = counters.counters(own, PROTOCOLS, {"main.easf01": periods(today=(500, 0, None))}, {})
    assert main.used["today"] == counters.Used(Decimal("0.5"), incomplete=True)


def test_a_row_of_the_history_is_read_by_its_fields() -> None:
    """In the unit of the channel, exactly; a row that tells no use is none."""
    fields = ["day", "first", "last", "used", "estimated", "state"]
    row = ["2026-11-26", 86_100, 87_302, 1_202, 2, "incomplete"]
    assert counters.period(row, fields, -3) == counters.Period(
        Decimal("1.202"), Decimal("0.002"), incomplete=True, last=Decimal("87.302")
    )
    assert counters.period(["2026-11-26", 1, 2, None, None, "ok"], fields, -3) is None


def test_euros_come_from_prices_alone() -> None:
    """Each tariff costs what its price says; the whole is told once every part that was used has one."""
    of = {
        "main.east": periods(today=(2_000, 0, 11_999_000)),
        "main.easf01": periods(today=(500, 0, 7_999_500)),
        "main.easf02": periods(today=(1_000, 0, 3_999_000)),
    }
    cheap, dear = counters.Price(Decimal("0.16"), "Heures creuses"), counters.Price(Decimal("0.21"), "Heures pleines")
    half = counted(of, {"main.easf01": cheap})["main.east"]
    whole = counted(of, {"main.easf01": cheap, "main.easf02": dear})["main.east"]
    today = half.used["today"]
    assert today is not None
    assert today.eur is None
    assert [used.eur for each in half.tariffs if (used := each.used["today"])] == [Decimal("0.16"), None]
    today = whole.used["today"]
    assert today is not None
    assert today.eur == Decimal("0.58")
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


@pytest.mark.parametrize("link", ["autonomous", "link_lost"])
@pytest.mark.parametrize("admits", [True, False])
def test_a_centre_that_is_heard_is_not_said_to_be_away(link: str, admits: bool) -> None:  # noqa: FBT001 - both cases
    """Both states last until an order comes; what admits one is a heartbeat of the last minute."""
    status = saying.status(shedding={"link": link, "running": [], "admits": admits})
    shed = shedding.shedding(status, [], [], silent_ms=0)
    assert shed.link == ("heard" if admits else link)
    assert f"link.{shed.link}" in WORDS


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


def test_segments_that_a_damaged_card_took_are_told_by_their_number() -> None:
    """How many readings were in them is not known; "none" would be a lie."""
    status = saying.status()
    status["outbox"] = {**status["outbox"], "dropped_segments": 2}
    assert alarmed(status) == [("lost_parts", "2")]


@pytest.mark.parametrize(("state", "failure", "told"), [("ok", None, []), ("due", None, []), ("due", "refused", [""])])
def test_a_certificate_is_an_alert_where_something_stands_in_its_way(
    state: str, failure: str | None, told: list[str]
) -> None:
    """That one is due is nobody's business: the gateway asks by itself."""
    status = saying.status()
    status["certificate"] = {"state": state, "failure": failure, "text": "until 2027-11-26"}
    assert alarmed(status) == [("certificate", each) for each in told]
