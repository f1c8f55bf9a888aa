"""The way to the broker: one connection, what goes over it and in which order."""
