"""`python -m medmodel.benchmark`."""

import sys

from medmodel.benchmark import main

sys.exit(main(sys.argv[1:]))
