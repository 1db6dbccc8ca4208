"""Where `python headwater.pyz` begins. Old Pythons must be able to read this file to be told that they are too old."""

import sys

if sys.version_info < (3, 9):
    sys.exit("Headwater's tool needs Python 3.9 or later; this is Python %d.%d." % sys.version_info[:2])

from headwater.cli import main  # noqa: E402  (the version must be looked at first)

sys.exit(main())
