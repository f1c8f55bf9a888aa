"""When to hold loads back or let them go: the link to the centre, local overrun, and the measured effect."""
