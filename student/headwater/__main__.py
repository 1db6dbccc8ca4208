"""Where `python -m headwater` begins."""

import sys

from headwater.cli import main

sys.exit(main())
