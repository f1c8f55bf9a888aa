"""The easy door: a file a day for each site, for systems that cannot speak the contract.

`making` writes the day's CSV from what is kept for the centre, `envelope` signs and encrypts it as CMS, `spool` holds
the files until the other side has them, `sftp` pushes them there; `running` does all that day after day. A process of
its own: it reads the outbox beside the agent and shares nothing else with it. Only what may leave stands in outgoing
streams, so what has no consent cannot get into a file.
"""
