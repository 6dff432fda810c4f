# SPDX-License-Identifier: Apache-2.0
"""Finds what a page says against the rules for prose: headings, long sentences, phrases.

These are heuristics without a parser of English. They know the faults that pages had, by lists of
words; a new fault gets its word here.
"""

import re
import typing
from pathlib import Path

from tests.unit.docs import pages

#: Words in a sentence at most.
LIMIT = 25

_QUESTIONS = "how what whatever when whenever where whether which who whoever whom whose why"
_AUXILIARIES = (
    "am are be been being can cannot could did do does had has have is may might must need ought"
    " shall should was were will would"
)
#: Finite verbs beside the auxiliaries; plurals of nouns (runs, reports) are left out.
_VERBS = (
    "agree asks becomes begins belongs brings comes costs counts exits exists follows gets gives"
    " goes happens holds keeps knows leaves lives looks makes means needs opens prints puts"
    " reads refuses removes says seems sees sends ship ships shows stands stays takes"
    " tells tries wants works"
)
#: A heading that begins with one of these is a command, an adverb or a piece of a sentence.
_OPENINGS = (
    "add apply ask back begin beside bring by delete do down follow from get give go if install"
    " look make onto open patched put remove see take to tried try turn under up with without"
    " write"
)
#: They open a clause inside of a heading; a noun phrase does without.
_CLAUSES = "because if it since that they until we while you"

_FINITE = frozenset(f"{_QUESTIONS} {_AUXILIARIES} {_VERBS} {_CLAUSES}".split())
#: What follows a colon is a sentence if it has one of these.
_SENTENCE = frozenset(f"{_AUXILIARIES} {_VERBS}".split())

#: Who may tell somebody something.
_PERSON = r"(?<!\byou )(?<!\bwho )(?<!\buser )(?<!\boperator )(?<!\bsomebody )"

_NUMBER = r"(?:status |exit status |code )?\d+\b"

#: Phrases of today's pages that the rules name, and what stands for them.
BANNED: dict[str, str] = {
    r"\b(?:is|are) none\b": "is not a",
    rf"{_PERSON}\btells\b": "reports, gives, shows",
    r"\b(?:can|cannot|could|does|must|not|to|which|that|will) tell\b": "report, give, show",
    r"\b(?:is|are|be|been|being) told\b": "is given, reported",
    r"\b(?:go|goes|going|went) before\b": "override, take precedence over",
    rf"\b(?:end|ends|ended|ending) with {_NUMBER}": "exit with",
    r"\bwhat is where\b": "a noun phrase",
    r"\bis of [^.;]* alone\b": "only … exits with, has",
    r"\bshall\b": "to …, must",
    r"\b(?:get|gets) better\b": "permanent failures",
    r"^(?:Whoever|Whatever)\b": "any user who",
    r"^(?:What|Why)\b[^?]*$": "an actor as the subject",
    r"^(?:How|Which|Whether)\b[^?]*$": "an actor as the subject",
    r"^(?:Left|Lost|Gone|Open) (?:is|are)\b": "an actor as the subject",
    r"\b[Tt]urn(?:s|ed)? \S+ on (?:when|once|after)\b": "once …, enable",
    r"\b[Hh]as to do with\b": "concerns",
}

_BULLET = re.compile(r"^\s*(?:[-*]|\d+\.) +")
_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
#: A sentence ends here, with what may close a quotation or a bracket; not after e.g. and the like.
_END = re.compile(r"(?<!\be\.g\.)(?<!\bi\.e\.)(?<=[.!?;])[\"'*_)]*(?:\s+|$)")
_COLON = re.compile(r":[*_]* +")


def headings(page: Path) -> list[str]:
    """The headings of a page, without their marks."""
    lines = (line for line in pages.prose(page).splitlines() if re.match("#+ ", line))
    return [line.lstrip("#").strip() for line in lines]


def is_clause(heading: str) -> bool:
    """Whether a heading has a finite verb, or is another thing than a noun phrase."""
    words = _words(_CODE.sub("x", heading).lower())
    return heading.endswith("?") or bool(_FINITE & {*words}) or words[0] in _OPENINGS.split()


def sentences(page: Path) -> list[str]:
    """The sentences of paragraphs, list items and table cells; code is one word each."""
    return [sentence for unit in _units(page) for sentence in _sentences(unit)]


def length(sentence: str) -> int:
    """The number of words."""
    return sum(bool(re.search(r"\w", token)) for token in sentence.split())


def faults(sentence: str) -> list[str]:
    """The banned phrases that a sentence has, with what to write in their place."""
    plain = re.sub(r"[*_]{1,2}(?=\S)", "", sentence)
    return [f"{m[0]!r}: {better}" for p, better in BANNED.items() if (m := re.search(p, plain))]


def _words(text: str) -> list[str]:
    return re.findall(r"[\w'-]+", text)


def _units(page: Path) -> typing.Iterator[str]:
    """Paragraphs, items and cells, each on one line."""
    unit = list[str]()
    for line in [*pages.prose(page).splitlines(), ""]:
        separate = not line.strip() or line.startswith(("|", "#", "<!--"))
        if separate or _BULLET.match(line):
            yield " ".join(unit)
            unit = []
        if line.startswith("|"):
            yield from (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        elif not separate:
            unit.append(_BULLET.sub("", line, count=1).strip())


def _sentences(unit: str) -> typing.Iterator[str]:
    plain = _LINK.sub(r"\1", _CODE.sub("CODE", unit))
    for part in _END.split(plain):
        yield from (piece.strip() for piece in _at_colons(part) if piece.strip())


def _at_colons(text: str) -> typing.Iterator[str]:
    """Split at the colons that a sentence follows: it has a finite verb, or a capital letter."""
    start = 0
    for colon in _COLON.finditer(text):
        rest = text[colon.end() :]
        if re.match(r"[A-Z][a-z]", rest) or _SENTENCE & {*_words(rest)}:
            yield text[start : colon.end()]
            start = colon.end()
    yield text[start:]
