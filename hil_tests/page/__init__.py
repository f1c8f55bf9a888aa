"""The page in a real browser: Chromium before the real agent and the bench, all of it on this machine."""
