"""The command line: a thin client of the control socket, with lazy imports so that it starts at once."""
