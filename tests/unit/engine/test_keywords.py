from dataclasses import fields
from typing import get_type_hints

from restore_cli.engine.keywords import EngineKeywords
from restore_cli.engine.options import EngineOptions


def test_every_option_is_a_keyword_of_the_same_type():
    assert [field.name for field in fields(EngineOptions)] == [*EngineKeywords.__annotations__]
    assert get_type_hints(EngineKeywords) == get_type_hints(EngineOptions)


def test_all_may_be_left_out():
    assert not EngineKeywords.__required_keys__
