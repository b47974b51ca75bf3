import sys

from mainspring_eventstore.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
