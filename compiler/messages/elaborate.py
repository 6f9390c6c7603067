"""The messages of elaboration under one name."""

from .application import *
from .bodies import *
from .control import *
from .lookup import *
from .parameters import *
from .paths import *
from .shapes import *
