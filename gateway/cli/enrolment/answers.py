"""For each command of enrolment the module that answers it, imported only when it is asked."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.cli.enrolment.authority import Safe

# ruff: noqa: PLC0415 - lazy on purpose, in this whole file


def csr(options: argparse.Namespace) -> int:
    """Answer `gateway cert csr`."""
    from gateway.cli.enrolment.cert import csr as answer

    return answer(options.config, new_key=options.new_key, new_signing=options.new_signing, as_json=options.json)


def install(options: argparse.Namespace) -> int:
    """Answer `gateway cert install`."""
    from gateway.cli.enrolment.cert import install as answer

    return answer(options.config, options.bundle, as_json=options.json)


def show(options: argparse.Namespace) -> int:
    """Answer `gateway cert show`."""
    from gateway.cli.enrolment.cert import show as answer

    return answer(options.config, as_json=options.json)


def renew(options: argparse.Namespace) -> int:
    """Answer `gateway cert renew`."""
    from gateway.cli.asking import Door
    from gateway.cli.enrolment.cert import renew as answer

    door = Door(options.config, options.socket, options.timeout)
    return answer(door, signing=options.signing, as_json=options.json)


def ca_init(options: argparse.Namespace) -> int:
    """Answer `gateway centre ca init`."""
    from gateway.cli.enrolment.authority import init

    return init(_safe(options), options.name, as_json=options.json)


def ca_sign(options: argparse.Namespace) -> int:
    """Answer `gateway centre ca sign`."""
    from gateway.cli.enrolment.authority import sign

    return sign(
        _safe(options),
        options.request,
        days=options.days,
        fingerprint=options.fingerprint,
        sure=options.yes,
        as_json=options.json,
    )


def ca_issue(options: argparse.Namespace) -> int:
    """Answer `gateway centre ca issue`."""
    from gateway.cli.enrolment.authority import issue

    return issue(_safe(options), options.kind, options.name, options.host, days=options.days, as_json=options.json)


def ca_list(options: argparse.Namespace) -> int:
    """Answer `gateway centre ca list`."""
    from gateway.cli.enrolment.authority import list_issued

    return list_issued(_safe(options), as_json=options.json)


def ca_revoke(options: argparse.Namespace) -> int:
    """Answer `gateway centre ca revoke`."""
    from gateway.cli.enrolment.authority import revoke

    return revoke(_safe(options), options.what, reason=options.reason, sure=options.yes, as_json=options.json)


def ca_crl(options: argparse.Namespace) -> int:
    """Answer `gateway centre ca crl`."""
    from gateway.cli.enrolment.authority import crl

    return crl(_safe(options), days=options.days, as_json=options.json)


def _safe(options: argparse.Namespace) -> "Safe":
    from gateway.cli.enrolment.authority import Safe

    return Safe(options.folder, options.passphrase_file)
