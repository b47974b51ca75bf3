"""Bounds that only a worker of people's code knows; shared ones are in `mainspring_kernel`."""

from typing import Final

WARM_GOES_DEFAULT: Final = 256
"""Workflows at rest that a worker keeps where their code waits. Each holds what its code holds: a
few KiB of ours, and the user's own values."""
WARM_PLACES_MAX: Final = 200_000
"""Places that all of these have passed together: about 20 MB of names."""
LINGER_S: Final = 0.002
"""How long all branches must stand still before the workflow gives its worker back."""
LINGER_PASSES: Final = 8
"""And for how many passes of the loop behind that: what one branch hands to another takes some."""
SETTLING_PASSES: Final = 32
"""Passes of the loop in which code has done all that one result makes it do: of 400 programs by
chance whose branches stand three deep 12 took more than 8, and none more than 32."""
TURNS_AT_ONCE: Final = 64
"""Results that code without branches takes in one pass of the loop: about half a millisecond."""
COMPANY_S: Final = 0.005
"""How long a record that nobody waits for waits for others: quick steps share their frame."""
TELL_S: Final = 0.02
"""Between two heartbeats that a process of a step sends: a tenth of what may be lost of them."""
LAST_WORDS_S: Final = 1.0
"""How long a worker waits for what a process said just before its step raised: a busy machine."""
ASK_S: Final = 5.0
"""How soon the end of a wait is found although its news was lost."""
LEFT_RAISES_MAX: Final = 100
"""Awaits that raise in code that is left: an `except` may hold a few, and a loop that catches each
would go round for ever."""
UNWIND_S: Final = 5.0
"""How long the code may take to leave when its go is over."""
