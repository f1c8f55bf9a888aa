"""The whole agent against a bench, virtual or real."""
