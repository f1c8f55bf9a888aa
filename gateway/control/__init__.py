"""The local control interface: the server inside the agent, and the client that the command line and the page use."""
