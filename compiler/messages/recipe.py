"""The messages of sections, training and export under one name."""

from .export import *
from .sections import *
from .training import *
