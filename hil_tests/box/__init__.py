"""The installed box: the package in a clean Debian with a systemd of its own, the bench's devices wired to it.

Needs root, mmdebstrap and systemd-nspawn; without them its tests are skipped, and say why (`make test-box`: fail).
"""
