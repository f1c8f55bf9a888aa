"""The contract in docs/contract held against the code, against what really crosses a broker, and against strangers."""
