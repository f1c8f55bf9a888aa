"""For each command the module that answers it, imported only when it is asked: that keeps the start at some 50 ms."""

import argparse

# ruff: noqa: PLC0415 - lazy on purpose, in this whole file


def web(options: argparse.Namespace) -> int:
    """Serve the page."""
    from gateway.web.server import run as run_page
    from gateway.web.settings import Settings

    names = tuple(options.name)
    return run_page(Settings(options.socket, options.state, options.listen, options.port, names))


def passwd(options: argparse.Namespace) -> int:
    """Answer `gateway passwd`."""
    from gateway.cli.passwd import passwd as answer

    return answer(options.state, as_json=options.json)


def status(options: argparse.Namespace) -> int:
    """Answer `gateway status`."""
    from gateway.cli.asking import Door
    from gateway.cli.status import status as answer

    return answer(Door(options.config, options.socket, options.timeout), as_json=options.json)


def channels(options: argparse.Namespace) -> int:
    """Answer `gateway channels`."""
    from gateway.cli.asking import Door
    from gateway.cli.readings import channels as answer

    return answer(Door(options.config, options.socket, options.timeout), as_json=options.json)


def read(options: argparse.Namespace) -> int:
    """Answer `gateway read`."""
    from gateway.cli.asking import Door
    from gateway.cli.readings import read as answer

    return answer(Door(options.config, options.socket, options.timeout), options.channel, as_json=options.json)


def tail(options: argparse.Namespace) -> int:
    """Answer `gateway tail`."""
    from gateway.cli.asking import Door
    from gateway.cli.readings import tail as answer

    door = Door(options.config, options.socket, options.timeout)
    return answer(door, options.channel, as_json=options.json, interval_s=options.interval, count=options.count)


def doctor(options: argparse.Namespace) -> int:
    """Answer `gateway doctor`."""
    from gateway.cli.asking import Door
    from gateway.cli.doctor.report import doctor as answer

    door = Door(options.config, options.socket, options.timeout)
    return answer(door, as_json=options.json, strict=options.strict)


def config_check(options: argparse.Namespace) -> int:
    """Answer `gateway config check`."""
    from gateway.cli.config import check

    return check(options.file, as_json=options.json)


def config_show(options: argparse.Namespace) -> int:
    """Answer `gateway config show`."""
    from gateway.cli.config import show

    return show(options.file, as_json=options.json)


def config_schema(options: argparse.Namespace) -> int:
    """Answer `gateway config schema`."""
    from gateway.cli.config import print_schema

    return print_schema(as_json=options.json)


def queue_stats(options: argparse.Namespace) -> int:
    """Answer `gateway queue stats`."""
    from gateway.cli.asking import Door
    from gateway.cli.queue import stats

    return stats(Door(options.config, options.socket, options.timeout), as_json=options.json)


def queue_peek(options: argparse.Namespace) -> int:
    """Answer `gateway queue peek`."""
    from gateway.cli.queue import peek

    return peek(options.config, as_json=options.json, limit=options.limit, stream=options.stream)


def queue_verify(options: argparse.Namespace) -> int:
    """Answer `gateway queue verify`."""
    from gateway.cli.queue import verify

    return verify(options.config, as_json=options.json)


def export_csv(options: argparse.Namespace) -> int:
    """Answer `gateway export csv`."""
    from gateway.cli.export import csv

    return csv(
        options.config,
        begin=options.begin,
        end=options.end,
        tier=options.tier,
        channels=options.channel,
        comma=options.comma,
    )


def queue_purge(options: argparse.Namespace) -> int:
    """Answer `gateway queue purge`."""
    from gateway.cli.asking import Door
    from gateway.cli.queue import purge as answer

    door = Door(options.config, options.socket, options.timeout)
    return answer(door, reason=options.reason, sure=options.yes, as_json=options.json)


def consent_list(options: argparse.Namespace) -> int:
    """Answer `gateway consent list`."""
    from gateway.cli.asking import Door
    from gateway.cli.consent import list_consents as answer

    return answer(Door(options.config, options.socket, options.timeout), as_json=options.json)


def consent_give(options: argparse.Namespace) -> int:
    """Answer `gateway consent give`."""
    return _consent(options, given=True)


def consent_withdraw(options: argparse.Namespace) -> int:
    """Answer `gateway consent withdraw`."""
    return _consent(options, given=False)


def _consent(options: argparse.Namespace, *, given: bool) -> int:
    from gateway.cli.asking import Door
    from gateway.cli.consent import change as answer

    return answer(
        Door(options.config, options.socket, options.timeout),
        given=given,
        dwelling=options.dwelling,
        purpose=options.purpose,
        who=options.who,
        reason=options.reason,
        sure=options.yes,
        as_json=options.json,
    )


def commands_list(options: argparse.Namespace) -> int:
    """Answer `gateway commands list`."""
    from gateway.cli.asking import Door
    from gateway.cli.commands import list_commands

    door = Door(options.config, options.socket, options.timeout)
    return list_commands(door, as_json=options.json, limit=options.limit)


def commands_show(options: argparse.Namespace) -> int:
    """Answer `gateway commands show`."""
    from gateway.cli.asking import Door
    from gateway.cli.commands import show

    return show(Door(options.config, options.socket, options.timeout), options.id, as_json=options.json)


def commands_opt_out(options: argparse.Namespace) -> int:
    """Answer `gateway commands opt-out`."""
    from gateway.cli.asking import Door
    from gateway.cli.commands import opt_out

    return opt_out(
        Door(options.config, options.socket, options.timeout),
        options.target,
        reason=options.reason,
        duration_s=options.duration,
        sure=options.yes,
        as_json=options.json,
    )


def support_bundle(options: argparse.Namespace) -> int:
    """Answer `gateway support-bundle`."""
    from gateway.cli.asking import Door
    from gateway.cli.bundle import support_bundle as answer

    door = Door(options.config, options.socket, options.timeout)
    return answer(door, options.out, options.log, as_json=options.json)


def tic_listen(options: argparse.Namespace) -> int:
    """Answer `gateway tic listen`."""
    from gateway.cli.tic.hearing import Line
    from gateway.cli.tic.listen import listen

    return listen(
        Line(options.port, options.mode, options.speed),
        as_json=options.json,
        count=options.count,
        timeout_s=options.timeout,
        numbers=options.show_numbers,
    )


def tic_capture(options: argparse.Namespace) -> int:
    """Answer `gateway tic capture`."""
    from gateway.cli.tic.capture import capture
    from gateway.cli.tic.hearing import Line

    line = Line(options.port, options.mode, options.speed)
    return capture(line, options.file, frames=options.frames, duration_s=options.duration, as_json=options.json)


def tic_decode(options: argparse.Namespace) -> int:
    """Answer `gateway tic decode`."""
    from gateway.cli.tic.decode import decode

    return decode(options.file, options.mode, as_json=options.json)


def version(options: argparse.Namespace) -> int:
    """Answer `gateway version`."""
    from gateway.cli.version import print_version

    return print_version(as_json=options.json)
