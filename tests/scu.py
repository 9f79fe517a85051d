"""pynetdicom as an SCU, without the race in it.

Its reactor may have passed its checkpoint when `send_*` closes that, and takes the answer away ("Received unexpected
C-STORE service message"): the sender is told of none, although the peer has answered.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pynetdicom.association import Association

_PASS = 0.05  # seconds: some fifty rounds of the reactor


def at_rest(association: Association) -> Association:
    """The association with its reactor before the checkpoint, where the next `send_*` leaves it."""
    association._reactor_checkpoint.clear()
    time.sleep(_PASS)
    return association
