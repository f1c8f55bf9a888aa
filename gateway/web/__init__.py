"""The page for the building's manager: a process and a user of its own, a client of the agent's control socket."""
