"""Another name of `kernels.api`, and the same module: what a backend and a case are."""

import sys

from kernels import api
from kernels.api import *  # noqa: F403  # for those who read types: at run time the next line puts the module itself here

sys.modules[__name__] = api
