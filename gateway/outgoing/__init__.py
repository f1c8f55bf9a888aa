"""What may leave the building, and in which form: each reading goes to the streams that may have it, and to no other.

    scope      who a stream is about and for: the building, or one dwelling and one purpose that it consented to
    consents   which dwelling has consented to which purpose
    quarters   where minutes, quarters and hours end
    minute     one-minute means
    index      the counters at each quarter of an hour
    outgoing   the filter: accepts readings, gives records for the journal

The filter stands before the outgoing journal: what may not leave is in no stream, not even its channel's name. The
latest values and the history, which are local, have everything.
"""

from gateway.outgoing.consents import Consents
from gateway.outgoing.outgoing import Outgoing
from gateway.outgoing.scope import COARSE, FINE, INDEX, MINUTE, TIERS, Scope

__all__ = ["COARSE", "FINE", "INDEX", "MINUTE", "TIERS", "Consents", "Outgoing", "Scope"]
