"""`python -m gateway` is the command `gateway`."""

from gateway.cli.main import run

if __name__ == "__main__":
    run()
