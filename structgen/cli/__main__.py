"""`python -m structgen.cli`."""

import sys

from structgen.cli import main

sys.exit(main())
