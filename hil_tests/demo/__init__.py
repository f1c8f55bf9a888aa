"""The main job, played on a bench: metered, cut off, recovering without loss, shedding load on a signed order."""
