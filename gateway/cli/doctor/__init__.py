"""`gateway doctor`: everything that can be wrong with a gateway, looked at one by one, each with what to do.

A check is a small function from a Case to a Finding; `report` holds the table of them. `files` looks at what is on the
disk and works without an agent, `agent` at what the agent says of itself. Nothing is written and nothing is mended.
"""
