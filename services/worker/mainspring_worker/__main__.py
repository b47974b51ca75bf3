"""`python -m mainspring_worker`."""

import sys

from mainspring_worker.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
