"""What the agent says of itself: the link, the clock, its meters, its outbox, its loads."""

from typing import Any

from config.site import Site
from gateway.cli.doctor.finding import Case, Finding, failed, ok, unchecked, warning
from gateway.cli.exits import REFUSED
from gateway.cli.status import duration
from gateway.cli.version import facts

Answer = dict[str, Any]

NEARLY_FULL = 0.9
_VAGUE_MS = 2_000
"""How exactly readings should be placed at least."""

CHANNELS_NAMED = 5
NOISY_PERCENT, NOISY_PER_1000 = 2, 1
"""Of a group of 20 characters one in 50 is lost to one damaged character in 1,000; a sound line has none in days."""


def running(case: Case) -> Finding:
    """Tell whether the agent is there and at work."""
    if case.silence is not None:
        if case.silence.code == REFUSED:
            return unchecked(str(case.silence), "join the agent's group, or use sudo")
        return failed(str(case.silence), "see its log: journalctl -u gateway -e")
    missing = (case.answer or {}).get("missing")
    if missing:
        return failed(f"it waits: {'; '.join(missing)}", "install what is missing; it goes on by itself")
    return ok(f"up for {duration((case.answer or {})['up_ms'])}")


def version(answer: Answer) -> Finding:
    """Tell whether the agent that runs is the one that is installed."""
    installed = facts()["version"]
    if answer["version"] != installed:
        return warning(f"{answer['version']} runs, {installed} is installed", "start the agent again")
    return ok(installed)


def link(answer: Answer) -> Finding:
    """Tell whether the broker is reached, and which, and whether it lets us speak."""
    said = answer["link"]
    if not said["connected"]:
        return failed(said["text"], "readings are kept meanwhile; the reason tells what to mend")
    if said.get("refused"):
        return failed(said["text"], "what it refuses is kept meanwhile; see to the broker with the centre's people")
    if said.get("fallback"):
        return warning(
            said["text"],
            "the first broker is not reached: it is gone back to by itself once it answers again for a while",
        )
    return ok("; ".join(text for text in (said["text"], said.get("figures")) if text))


def receipts(answer: Answer) -> Finding:
    """Tell whether it is the centre that says what has arrived."""
    if answer["link"].get("receipts") == "puback":
        return warning(
            'the broker\'s word counts as a receipt ([broker] receipts = "puback"): what it loses is lost',
            'have the centre send signed receipts, and say receipts = "signed"',
        )
    return ok("the centre signs for what it has")


def budget(answer: Answer) -> Finding:
    """Tell whether a metered link is enough for what this building has to say."""
    today = answer["link"].get("today") or {}
    if today.get("budget_bytes") is None:
        return ok("the link is not metered")
    used, most = today["sent_bytes"] + today["received_bytes"], today["budget_bytes"]
    text = f"{used / 1e6:.2f} of {most / 1e6:g} MB used today"
    if used >= most or "minute" in today["held_back"]:
        held = " and ".join(reversed(today["held_back"])) or "no"
        return warning(f"{text}; {held} readings wait", "raise [broker] metered_mb_day: this link costs more")
    return ok(text)


def renewal(answer: Answer) -> Finding:
    """Tell whether our certificate is renewed in time, and the broker takes what follows it."""
    told = answer.get("certificate") or {"state": "ok", "failure": None, "text": "an older agent does not tell"}
    if told["state"] in {"ended", "missing"}:
        return failed(told["text"], "ask for one by hand: gateway cert csr --new-key")
    if told["state"] == "refused" or told["failure"] is not None:
        return warning(told["text"], "the centre's people know why; the one in use goes on until its end")
    return ok(told["text"])


def clock(answer: Answer) -> Finding:
    """Tell whether the wall clock is known well enough for commands, and no meter's clock refutes it."""
    if not answer["clock"]["trusted"] or (answer["clock"].get("uncertainty_ms") or 0) > _VAGUE_MS:
        return warning(answer["clock"]["text"], "see `timedatectl`, and that the network lets NTP (UDP port 123) out")
    apart = [each["text"] for each in answer["clock"].get("meters", ()) if not each["agrees"]]
    if apart:
        return warning("; ".join(apart), "see `timedatectl`; a meter whose clock is wrong is its distributor's to set")
    return ok(answer["clock"]["text"])


def trust(answer: Answer) -> Finding:
    """Tell whether the agent uses the key set that is installed, and nobody signs with a revoked key."""
    told = answer.get("trust") or {"failure": None, "refused_revoked": 0, "text": "an older agent does not tell"}
    if told["failure"] is not None:
        return failed(told["failure"], "the agent keeps to the key set that it had; it looks again by itself")
    if told["refused_revoked"]:
        return warning(told["text"], "somebody has a key that was revoked: tell the centre")
    return ok(told["text"])


def meters(answer: Answer) -> Finding:
    """Tell whether each meter was read since the agent began, and none fails."""
    wrong = [each for each in answer["meters"] if each["failed"] or each["first_read_ms"] is None]
    if wrong:
        return failed("; ".join(f"{each['name']}: {each['state']}" for each in wrong), "see to these meters' lines")
    return ok(f"{len(answer['meters'])} of {len(answer['meters'])} are read")


def freshness(answer: Answer) -> Finding:
    """Tell whether a meter that was read has fallen silent."""
    now = answer["boot_ms"]
    silent = [
        f"{each['name']}: last read {duration(now - each['last_read_ms'])} ago"
        for each in answer["meters"]
        if each["last_read_ms"] is not None and now - each["last_read_ms"] > each["stale_after_ms"]
    ]
    if silent:
        return failed("; ".join(silent), "see to these meters' lines and their power")
    return ok("none has fallen silent")


def noise(answer: Answer) -> Finding:
    """Tell which serial lines lose groups or characters to noise."""
    noisy = [
        f"{each['name']}: {rates['refused_percent']:.1f} % of groups refused, "
        f"{rates['parity_per_1000']:.1f} parity errors per 1000 characters, over the last {span}"
        for each in answer["meters"]
        for span, rates in (each.get("rates") or {}).items()
        if rates is not None and (rates["refused_percent"] > NOISY_PERCENT or rates["parity_per_1000"] > NOISY_PER_1000)
    ]
    if noisy:
        return warning(
            "; ".join(noisy), "what is read is right; twist the pair, keep it off mains cables, try another adapter"
        )
    return ok("no line loses more than noise takes from any")


def values(answer: Answer) -> Finding:
    """Tell which channels give values that are doubted."""
    doubted = [f"{each['name']} is {each['quality']}" for each in answer["channels"] if each["quality"] != "ok"]
    if doubted:
        more = f", and {len(doubted) - CHANNELS_NAMED} more" if len(doubted) > CHANNELS_NAMED else ""
        return warning(", ".join(doubted[:CHANNELS_NAMED]) + more, "`gateway channels` shows them; see to the wiring")
    return ok(f"none of {len(answer['channels'])} channels is doubted")


def storing(answer: Answer) -> Finding:
    """Tell whether readings reach the disk."""
    outbox = answer["outbox"]
    if outbox["failure"] is not None:
        return failed(
            outbox["failure"], "free some room, or change the card: readings wait in memory for some hours at most"
        )
    if outbox["last_commit_ms"] is None:
        return unchecked("nothing was written yet", "wait for the first reading, and see to the meters")
    return ok(f"last written {duration(answer['boot_ms'] - outbox['last_commit_ms'])} ago")


def losses(answer: Answer) -> Finding:
    """Tell whether readings were ever lost here."""
    outbox = answer["outbox"]
    lost = []
    if outbox["dropped_readings"]:
        lost.append(
            f"{outbox['dropped_readings']} readings gave way to newer ones, for the centre was away for too long"
        )
    elif outbox.get("dropped_segments"):
        lost.append(f"{outbox['dropped_segments']} segments were lost with damaged parts of the card")
    if outbox["given_up_readings"]:
        lost.append(f"{outbox['given_up_readings']} readings were lost while the disk refused them")
    if outbox.get("aside_rows"):
        lost.append(f"{outbox['aside_rows']} rows of readings could not be sealed and are set aside in outbox.db")
    if lost:
        return warning("; ".join(lost), "raise [storage] quota_mb if the disk has room; see to the link")
    return ok("no reading was lost")


def room(answer: Answer) -> Finding:
    """Tell whether the room for what has no receipt runs out; what has one gives way by itself."""
    outbox = answer["outbox"]
    full = outbox["pages_used"] / outbox["quota_pages"]
    if full > NEARLY_FULL and outbox["segments_pending"] > outbox["segments_received"]:
        return warning(
            f"{full:.0%} of the room is used, most of it by {outbox['readings_pending']} readings without a receipt",
            "see to the link; the oldest readings are dropped when it is full",
        )
    return ok(f"{full:.0%} of the room used, {outbox['segments_pending']} segments without a receipt")


def loads(answer: Answer, site: Site) -> Finding:
    """Tell whether each load that may be shed has been read, and none of those being shed refuses."""
    if not site.load:
        return ok("none is configured")
    read = {channel["name"] for channel in answer["channels"]}
    unread = [load.name for load in site.load if f"{load.device}.{load.point}" not in read]
    refusing = sorted({name for each in answer["shedding"]["running"] for name in each["failed"]})
    wrong = [f"never read: {', '.join(unread)}"] if unread else []
    wrong += [f"refuses what is ordered: {', '.join(refusing)}"] if refusing else []
    if wrong:
        return failed("; ".join(wrong), "see to the device: what is not known is not shed")
    return ok(f"{len(site.load)} of {len(site.load)} are known")
