"""A language is one file, and every shipped one is whole: the same labels, a glossary that matches, checks that tell it apart."""

from __future__ import annotations

from importlib.resources import files

import pytest

from digest_pipeline.errors import SettingsError
from digest_pipeline.translation import languages
from digest_pipeline.translation.flags import FlagCode
from digest_pipeline.translation.glossary import terms_not_followed, terms_present, wordings
from digest_pipeline.translation.languages import known_language_tags, load_language, parse_language
from digest_pipeline_tests.support.answers import ANSWERS

TAGS = sorted(known_language_tags())
FRENCH = (files(languages) / "fr.toml").read_text(encoding="utf-8")
TRANSLATED = [tag for tag in TAGS if tag != "en"]


def test_the_shipped_languages_are_these() -> None:
    assert known_language_tags() == {"zh", "zh-Hant", "ja", "ko", "fr", "de", "es", "en"}


@pytest.mark.parametrize("tag", TAGS)
def test_every_language_has_the_same_labels_as_english(tag: str) -> None:
    ours, english = load_language(tag).labels, load_language("en").labels
    assert {output: set(words) for output, words in ours.items()} == {output: set(words) for output, words in english.items()}


@pytest.mark.parametrize("tag", TAGS)
def test_labels_take_the_same_values_in_every_language(tag: str) -> None:
    ours, english = load_language(tag).labels, load_language("en").labels
    for output, words in english.items():
        for key, text in words.items():
            assert sorted(set(slots(ours[output][key]))) == sorted(set(slots(text))), f"{output}.{key}"


def slots(text: str) -> list[str]:
    return [part.partition("}")[0] for part in text.split("{")[1:]]


@pytest.mark.parametrize("tag", TAGS)
def test_readers_find_words_for_every_flag(tag: str) -> None:
    assert set(load_language(tag).labels["flags"]) == {str(code) for code in FlagCode}


def test_a_missing_label_is_named() -> None:
    with pytest.raises(KeyError, match=r"languages/zh.toml has no 'colour' under \[labels.digest\]"):
        load_language("zh").label("digest", "colour")


def test_an_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"no language 'tlh'.*choose from de, en, es, fr, ja, ko, zh, zh-Hant"):
        load_language("tlh")


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("tag = ", "Invalid value"),
        (FRENCH, "its tag is 'fr'"),
        ('tag = "xx"', "endonym: Field required"),
        (FRENCH.replace("0.", "zero."), "Invalid"),
        (FRENCH.replace('tag = "fr"', 'tag = "xx"\ncolour = "bleu"'), "colour: Extra inputs"),
    ],
)
def test_a_broken_language_file_is_named_with_its_fault(toml: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        parse_language("xx", toml)


@pytest.mark.parametrize("tag", TRANSLATED)
def test_a_glossary_has_each_term_once_and_no_empty_wording(tag: str) -> None:
    glossary = load_language(tag).glossary
    assert len({term.casefold() for term in glossary}) == len(glossary)
    assert all(all(wordings(value)) for value in glossary.values())


def test_chinese_has_a_large_glossary_and_english_none() -> None:
    assert len(load_language("zh").glossary) >= 150
    assert len(load_language("zh-Hant").glossary) >= 150
    assert all(len(load_language(tag).glossary) >= 30 for tag in TRANSLATED)
    assert not load_language("en").glossary


@pytest.mark.parametrize("tag", TRANSLATED)
def test_every_term_of_a_glossary_is_found_where_it_stands_alone(tag: str) -> None:
    language = load_language(tag)
    assert [term for term in language.glossary if term not in terms_present(language, f"The {term} works.")] == []


@pytest.mark.parametrize("tag", TRANSLATED)
def test_a_wording_sent_is_a_wording_accepted(tag: str) -> None:
    language = load_language(tag)
    for term, wording in terms_present(language, ". ".join(language.glossary)).items():
        assert terms_not_followed(language, {term: wording}, f"… {wording} …") == []


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Agents and their tokens.", {"agent": "智能体", "token": "词元"}),
        ("a large language model", {"large language model": "大语言模型"}),
        ("a large language model, a language model", {"large language model": "大语言模型", "language model": "语言模型"}),
        ("fine tuning, finetuning and Fine-tuning", {"fine-tuning": "微调"}),
        ("LLMs with RAG", {"LLM": "LLM", "RAG": "RAG"}),
        ("a rag and a reagent, tokenized", {}),
        ("TRANSFORMERS", {"Transformer": "Transformer"}),
        ("knowledge bases; corpora", {"knowledge base": "知识库"}),
        ("", {}),
    ],
)
def test_only_the_terms_present_are_chosen(text: str, terms: dict[str, str]) -> None:
    assert terms_present(load_language("zh"), text) == terms


def test_an_inflected_term_counts_as_followed() -> None:
    german, french = load_language("de"), load_language("fr")
    assert terms_not_followed(german, {"neural network": "neuronales Netz"}, "mit neuronalen Netzen") == []
    assert terms_not_followed(french, {"neural network": "réseau de neurones"}, "des réseaux de neurones") == []
    assert terms_not_followed(german, {"neural network": "neuronales Netz"}, "mit Vorwissen") == ["neural network"]


@pytest.mark.parametrize("tag", [tag for tag in TRANSLATED if not load_language(tag).script.owns("a")])
def test_each_script_knows_its_own_text_from_all_others(tag: str) -> None:
    script = load_language(tag).script
    for other in TRANSLATED:
        text = ANSWERS[other]["translated_abstract"]
        is_ours = (
            script.share(text) >= script.least_share and script.core_share(text) >= script.least_core_share and script.foreign_share(text) <= 0.03
        )
        assert is_ours == (other == tag), other


def test_a_text_without_letters_is_in_every_script() -> None:
    assert load_language("zh").script.share("12 + 7") == 1.0
    assert load_language("zh").script.foreign_share("") == 0.0
