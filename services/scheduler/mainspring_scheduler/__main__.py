import sys

from mainspring_scheduler.main import main

sys.exit(main())
