"""`./task sim`: seeds by the thousand, or one again with everything that it did."""

import sys

from tests.sim.main import main

sys.exit(main(sys.argv[1:]))
