"""For each command of the door the module that answers it, imported only when it is asked."""

import argparse

# ruff: noqa: PLC0415 - lazy on purpose, in this whole file


def keys(options: argparse.Namespace) -> int:
    """Answer `gateway door keys`."""
    from gateway.cli.door.door import keys as answer

    return answer(options.config, as_json=options.json)


def show(options: argparse.Namespace) -> int:
    """Answer `gateway door show`."""
    from gateway.cli.door.door import show as answer

    return answer(options.config, options.day)


def push(options: argparse.Namespace) -> int:
    """Answer `gateway door push`."""
    from gateway.cli.door.door import push as answer

    return answer(options.config, as_json=options.json)


def status(options: argparse.Namespace) -> int:
    """Answer `gateway door status`."""
    from gateway.cli.door.door import status as answer

    return answer(options.config, as_json=options.json)


def run(options: argparse.Namespace) -> int:
    """Answer `gateway door run`."""
    from gateway.cli.door.run import run as answer

    return answer(options.config)
