"""`make bench-outbox`: what storing, sealing, sending and draining cost, beside what others need for the same trace."""
