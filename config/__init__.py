"""One site described: the typed model of its file, and the vocabulary of what a building measures."""
