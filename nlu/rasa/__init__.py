"""Rasa 3.6 as an engine: a neighbour process reached over HTTP, never an import.

Its wheel needs Python below 3.11 and pins some hundred and sixty packages; `make rasa` and `compose.yaml` start it.
"""

from nlu.rasa.engine import Rasa
from nlu.rasa.server import Access, RasaServer
from nlu.rasa.training import train

__all__ = ["Access", "Rasa", "RasaServer", "train"]
