"""Tests of modbus: vectors, properties, and every mistake of a profile."""
