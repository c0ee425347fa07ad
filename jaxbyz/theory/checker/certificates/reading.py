"""Text of a certificate to its numbers: strict, bounded, and without floating-point numbers.

A certificate is a JSON object of exactly these keys:

    "format"       "jaxbyz-certificate/1"
    "method"       one of `METHODS` in this package
    "constants"    what the statement speaks of: name -> number
    "multipliers"  what proves it: name -> list of numbers, see `multipliers`

Every number is a text: a whole number, or two with / between, of at most 15 digits each.
"""

import json
import re
from fractions import Fraction
from typing import Any, NoReturn

FORMAT = "jaxbyz-certificate/1"
MOST_CHARACTERS = 20_000
MOST_DEPTH = 4
NUMBER = re.compile(r"-?[0-9]{1,15}(/[0-9]{1,15})?")
KEYS = ("format", "method", "constants", "multipliers")


class Unusable(ValueError):
    """No certificate: the text is not of the format."""


def decoded(text: str) -> Any:
    """JSON, of at most `MOST_CHARACTERS`, without numbers, repeated keys and deep nesting.

    Raises:
        Unusable: it is something else.
    """
    if len(text) > MOST_CHARACTERS:
        raise Unusable(f"a file has at most {MOST_CHARACTERS} characters, got {len(text)}")
    depth = 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        if depth > MOST_DEPTH:
            raise Unusable(f"brackets must be at most {MOST_DEPTH} deep, got more")
    try:
        return json.loads(
            text,
            object_pairs_hook=_without_repetition,
            parse_float=_no_number,
            parse_int=_no_number,
            parse_constant=_no_number,
        )
    except Unusable:
        raise
    except (ValueError, RecursionError) as error:
        raise Unusable(f"no JSON: {error}") from None


def _no_number(text: str) -> NoReturn:
    raise Unusable(f'numbers must be texts like "3/7", got {text[:40]} without quotation marks')


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unusable(f"keys must not be repeated, got {[name[:40] for name, _ in pairs]}")
    return found


def number(name: str, text: Any) -> Fraction:
    """A rational number.

    >>> number("c", "-3/7")
    Fraction(-3, 7)

    Raises:
        Unusable: it is not written as one.
    """
    if not isinstance(text, str) or not NUMBER.fullmatch(text):
        raise Unusable(f'{name} must be a text like "3/7", got {repr(text)[:60]}')
    top, _, bottom = text.partition("/")
    if bottom and not int(bottom):
        raise Unusable(f"{name} must not be divided by 0, got {text}")
    return Fraction(int(top), int(bottom or "1"))


def numbers(name: str, given: Any, wanted: tuple[str, ...]) -> dict[str, Fraction]:
    """Rational numbers of exactly these names.

    Raises:
        Unusable: others, or something else.
    """
    if not isinstance(given, dict) or set(given) != set(wanted):
        said = sorted(given) if isinstance(given, dict) else given
        raise Unusable(f"{name} must have the names {sorted(wanted)}, got {repr(said)[:200]}")
    return {key: number(f"{name}.{key}", given[key]) for key in wanted}


def rows(given: Any, longest: dict[str, int]) -> dict[str, list[Fraction]]:
    """Lists of rational numbers of exactly these names, each of 1 to `longest` numbers.

    Raises:
        Unusable: others, or something else.
    """
    if not isinstance(given, dict) or set(given) != set(longest):
        said = sorted(given) if isinstance(given, dict) else given
        raise Unusable(f"multipliers must have the names {sorted(longest)}, got {repr(said)[:200]}")
    found = {}
    for name, most in longest.items():
        row = given[name]
        if not isinstance(row, list) or not 1 <= len(row) <= most:
            raise Unusable(f"{name} must be a list of 1 to {most} numbers, got {repr(row)[:60]}")
        found[name] = [number(f"multipliers.{name}", text) for text in row]
    return found


def outline(record: Any) -> dict[str, Any]:
    """The record, if it has the keys of a certificate and its format.

    Raises:
        Unusable: it has not.
    """
    if not isinstance(record, dict) or set(record) != set(KEYS):
        said = sorted(record) if isinstance(record, dict) else type(record).__name__
        raise Unusable(f"a certificate has the keys {sorted(KEYS)}, got {repr(said)[:200]}")
    if record["format"] != FORMAT:
        raise Unusable(f"format must be {FORMAT!r}, got {repr(record['format'])[:60]}")
    return record
