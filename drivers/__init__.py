"""Devices: protocol in, Readings out; and the switches that hold loads back."""
