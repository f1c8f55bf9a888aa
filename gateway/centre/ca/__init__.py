"""A small certificate authority, for pilots and tests: who may connect to the broker, and whose readings are believed.

One folder holds it: `ca.key` and `ca.pem`, what was issued (`ca.db`), what was revoked (`crl.pem`), the signing keys of
the gateways (`gateways.toml`), and what each gateway is given to know the centre by (`centre.toml`). `issue` makes
certificates and knows no files, `records` keeps what was issued, `authority` is the two in a folder.
"""
