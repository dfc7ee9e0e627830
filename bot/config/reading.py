"""From a file to plain data: YAML, then the variables in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bot.domain.errors import SwitchboardError
from bot.domain.strict import BadShape, Expanded, join


class ConfigError(SwitchboardError):
    """The configuration cannot be used; the message names file, key and remedy."""

    exit_code = 2  # of the command line: wrong use, nothing was tried


def read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        return YAML(typ="safe", pure=True).load(text)
    except FileNotFoundError as exc:
        raise ConfigError(f"{path} does not exist; name a file with --config or SWITCHBOARD_CONFIG.") from exc
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read ({exc.strerror}); check the path and its rights.") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is not UTF-8 text (byte {exc.start}); save it as UTF-8.") from exc
    except DuplicateKeyError as exc:
        # from None: the library's message quotes both values, which may be secrets
        raise ConfigError(f"{path}{_twice(exc)}; YAML would lose one of them, so keep only one.") from None
    except MarkedYAMLError as exc:
        line = f" line {exc.problem_mark.line + 1}" if exc.problem_mark else ""
        problem = str(exc.problem).partition("\n")[0]
        raise ConfigError(f"{path}{line}: not valid YAML ({problem}); check indentation and quotes.") from exc
    except YAMLError as exc:
        raise ConfigError(f"{path}: not valid YAML; it may hold a control character.") from exc
    except ValueError as exc:  # what looks like a date or a number and is none, such as 2026-02-30
        raise ConfigError(f"{path}: not valid YAML ({exc}); put quotes around what is a text.") from exc
    except RecursionError as exc:
        raise ConfigError(f"{path}: nested too deeply to be read; check its brackets.") from exc


def _twice(exc: DuplicateKeyError) -> str:
    line = f" line {exc.problem_mark.line + 1}" if exc.problem_mark else ""
    named = DUPLICATE.match(str(exc.problem))
    return f"{line}: {named['key'] if named else 'a key'} is here twice"


DUPLICATE = re.compile(r'found duplicate key (?P<key>"\w+") ')
VARIABLE = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\})?")


def expand(raw: Any, environ: Mapping[str, str], path: str) -> Any:
    """`${NAME}` and `${NAME:-default}` in every text; `$${` is how "${" itself is written. Raises `BadShape`."""
    if isinstance(raw, dict):
        return {key: expand(value, environ, join(path, str(key))) for key, value in raw.items()}
    if isinstance(raw, list):
        return [expand(value, environ, join(path, index)) for index, value in enumerate(raw)]
    if isinstance(raw, str) and "\0" in raw:
        raise BadShape(path, "has a NUL character in it; take it out.")
    if isinstance(raw, str) and "${" in raw:
        return Expanded(VARIABLE.sub(lambda match: _variable(match, environ, path), raw))
    return raw


def _variable(match: re.Match[str], environ: Mapping[str, str], path: str) -> str:
    name, default = match["name"], match["default"]
    if match[0] == "$${":
        return "${"
    if not name:
        raise BadShape(path, "has a “${” that names no variable; write ${NAME}, or $${ for the characters.")
    value = environ.get(name) or default
    if value is None:
        state = "is empty" if name in environ else "is not set"
        raise BadShape(path, f"${{{name}}} {state}; set the variable, or write ${{{name}:-default}}.")
    return value
