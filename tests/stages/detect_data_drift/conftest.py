"""Import Evidently for the tests of this folder."""

from support.quiet_import import import_evidently

import_evidently()
