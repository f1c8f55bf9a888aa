"""How a gateway comes by its certificate and keeps it: requests, bundles, and the files on the box.

`request` is what both keys of a box ask with, `bundle` what the centre gives back for an installer to carry; both
sides use them. `places` knows the files and every state that a power cut may leave them in, `box` makes keys and
installs. Who is connected with which certificate is the agent's to decide (`gateway.app.renewing`), who gets one the
centre's (`gateway.centre.ca`).
"""
