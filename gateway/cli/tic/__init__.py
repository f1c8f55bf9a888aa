"""`gateway tic`: a meter's customer output as a technician needs it: decoded from a file, live, or caught for others.

`decode` reads files and pipes, `listen` and `capture` a port, with the agent's own driver; `words` tells what values
mean, `masking` takes numbers of meters and delivery points out.
"""
