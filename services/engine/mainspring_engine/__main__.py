import sys

from mainspring_engine.main import main

sys.exit(main(sys.argv[1:]))
