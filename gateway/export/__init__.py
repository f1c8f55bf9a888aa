"""Raw export: the readings of the segments that are kept on the gateway, placed in time, as CSV.

`kept` reads them beside the agent, or after it; `lines` writes them by the rules of docs/missing-data.md. The manager's
and the occupant's copy come from here, and the daily file of the easy door.
"""
