"""The agent of a building: reads its meters, keeps and signs what they say, and holds loads back on signed orders."""
