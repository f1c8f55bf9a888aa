"""The other end: what a platform does with what gateways send, as a reference and for the bench."""
