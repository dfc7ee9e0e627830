"""Training data small enough to be learned in the blink of an eye, and a model of it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nlu.embedded import Embedded
from nlu.models import Model
from nlu.reading import read_training

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

SMALL = """\
version: "3.1"
nlu:
- intent: where_is_parcel
  examples: |
    - Wo ist mein Paket?
    - wo bleibt meine bestellung
    - Wo ist meine Lieferung 88213?
    - ich warte seit Montag auf mein Paket
    - mein Päckchen ist noch nicht da
    - Where is my parcel?
    - where is my order 4711
    - I have been waiting for my parcel since Monday
    - my package has not arrived yet
    - when will my parcel arrive
- intent: greeting
  metadata: {urgency: low}
  examples: |
    - hallo
    - guten tag
    - moin zusammen
    - servus
    - hello there
    - good morning
    - hi
    - hey
- intent: charged_twice
  metadata: {urgency: high}
  examples: |
    - Ihr habt doppelt abgebucht
    - mein Konto wurde zweimal belastet
    - warum wurde zweimal Geld abgebucht
    - doppelte Abbuchung
    - I was charged twice
    - you took the money two times
    - double charge on my card
    - why two payments
- intent: refund
  examples: |
    - wann bekomme ich mein Geld zurück
    - Wo bleibt meine Erstattung?
    - ist die Rückzahlung schon unterwegs
    - Erstattung noch nicht da
    - when do I get my money back
    - where is my refund
    - my refund has not arrived
    - refund status please
- intent: out_of_scope
  examples: |
    - wie wird das wetter morgen
    - wer gewinnt die wahl
    - erzähl mir einen witz
    - was ist die hauptstadt von frankreich
    - what is the weather like
    - who won the match
    - tell me a joke
    - solve this equation
- regex: order_number
  examples: |
    - NW-\\d{4,10}
- lookup: city
  examples: |
    - Hamburg
    - New York
- synonym: New York City
  examples: |
    - New York
"""


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nlu") / "nlu.yml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def model(small_file: Path) -> Model:
    from nlu.learning import learn

    return learn(read_training([small_file]), NOW)


@pytest.fixture(scope="session")
def engine(model: Model) -> Embedded:
    return Embedded(model)
