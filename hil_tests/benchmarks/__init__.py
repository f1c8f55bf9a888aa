"""What is measured of the agent, each figure as one JSON line."""
