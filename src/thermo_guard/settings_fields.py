"""How a field of the settings is declared: read by a form, with an example, and one of several words."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core.core_schema import CoreSchema, no_info_plain_validator_function, to_string_ser_schema

from .settings_forms import Form, Number


class LogFormat(StrEnum):
    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class FirstUse(StrEnum):
    """What is done with a certificate that nobody vouches for, where its endpoint is met for the first time."""

    ASK = "ask"
    ACCEPT = "accept"


class VmQuestions(StrEnum):
    """What is done with a VM that waits for an answer, and so takes no shutdown."""

    POWER_OFF = "power-off"
    ANSWER_DEFAULT = "answer-default"


@dataclass(frozen=True, slots=True)
class Written:
    """Annotates a field that is read by its form and nothing else; in JSON it is text, a secret is asterisks."""

    form: Form

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = to_string_ser_schema(when_used="json-unless-none")
        return no_info_plain_validator_function(self.form, serialization=text)


def in_seconds(low: float, high: float) -> Written:
    return Written(Number("seconds", low, high))


def whole(low: int, high: int, unit: str = "") -> Written:
    return Written(Number(unit, low, high, is_whole=True))


def example(text: str) -> Any:
    return Field(examples=[text])
