"""For each command of the centre the module that answers it, imported only when it is asked."""

import argparse

# ruff: noqa: PLC0415 - lazy on purpose, in this whole file


def listen(options: argparse.Namespace) -> int:
    """Answer `gateway centre listen`."""
    from gateway.centre.follow import View
    from gateway.cli.centre.listen import Wanted
    from gateway.cli.centre.listen import listen as answer

    view = View(
        everything=options.everything,
        gateway=options.gateway,
        tiers=None if options.tier is None else frozenset(options.tier),
        patience_s=options.patience,
    )
    wanted = Wanted(as_json=options.json, as_csv=options.csv, postgres=options.postgres, view=view, count=options.count)
    return answer(options.config, wanted)


def report(options: argparse.Namespace) -> int:
    """Answer `gateway centre report`."""
    from gateway.cli.centre.report import report as answer

    return answer(options.config, gateway=options.gateway, strict=options.strict, as_json=options.json)


def verify(options: argparse.Namespace) -> int:
    """Answer `gateway centre verify`."""
    from gateway.cli.centre.verify import verify as answer

    return answer(options.file, options.keys, options.config, strict=options.strict, as_json=options.json)


def keys_list(options: argparse.Namespace) -> int:
    """Answer `gateway centre keys list`."""
    from gateway.cli.centre.keys import show

    return show(options.file, as_json=options.json)


def keys_add(options: argparse.Namespace) -> int:
    """Answer `gateway centre keys add`."""
    from gateway.cli.centre.keys import add

    roles = options.role or ["gateway"]
    return add(options.file, options.id, options.issuer, options.public, roles=roles, epoch=options.epoch)


def keys_revoke(options: argparse.Namespace) -> int:
    """Answer `gateway centre keys revoke`."""
    from gateway.cli.centre.keys import revoke

    return revoke(options.file, options.id)
