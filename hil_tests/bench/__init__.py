"""A building to try the agent on: meters, loads, a broker, and the keys of its centre."""
