import sys

from mainspring_scheduler.main import main

sys.exit(main(sys.argv[1:]))
