"""The composition root: builds the agent that a site file describes, and runs it."""
