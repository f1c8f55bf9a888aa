"""How hypothesis runs in every test: no example must be done in 200 ms on a machine that is busy with something else.

Where `CI` is set hypothesis takes a profile of its own, without chance; that stays so.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("busy", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
