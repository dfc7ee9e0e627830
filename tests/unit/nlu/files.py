"""Training files for tests of what reads them."""

from pathlib import Path

import pytest

from bot.domain.errors import BadData
from nlu.reading import TrainingData, read, read_training

HEAD = 'version: "3.1"\nnlu:\n'
EXAMPLE = "- intent: a\n  examples: |\n    - x\n"


def write(folder: Path, text: str, name: str = "nlu.yml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def data_of(folder: Path, text: str) -> TrainingData:
    return read([write(folder, HEAD + text)])


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(BadData) as caught:
        read_training([write(folder, text)])
    return str(caught.value)
