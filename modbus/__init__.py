"""Modbus registers <-> values, without any I/O: profiles, read plans, exact integers."""
