"""Positive, neutral or negative, from a small German and English lexicon with negation and emphasis.

Only words that judge are listed: a broken lamp is a fact and a matter for the intent; "awful" is a mood.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from bot.domain.understanding import Sentiment

REACH = 3  # words that a "not" or a "very" before a judging word may be away
CLEAR = 0.25  # from which score a text counts as positive or negative
HALFWAY = 1.5  # points that make a score of one half

_LISTED = {
    2.0: (
        "hervorragend ausgezeichnet fantastisch wunderbar großartig perfekt begeistert genial traumhaft"
        " spitze spitzenmäßig sensationell liebe wunderschön herrlich hammer traum phänomenal excellent"
        " amazing awesome fantastic perfect wonderful brilliant outstanding superb love loved impressed"
        " delighted best chapeau thrilled stunning adore obsessed incredible gem knorke liebevoll lieben 😍 🥰 ❤ 🤩 💯"
    ),
    1.0: (
        "gut super toll prima klasse top freundlich nett schnell zufrieden glücklich freue freut schön"
        " lobe lob empfehlen empfehle weiterempfehlen gerne kompliment bestens hilfsbereit bequem fan geil"
        " mega cool bravo gelungen zuverlässig kompetent unkompliziert happy freu danke dankeschön dank"
        " lieb lieblingsladen lieblingsshop lieblingsstück cent sweet penny"
        " good great nice happy glad pleased helpful friendly lovely beautiful recommend satisfied thanks"
        " compliment compliments perfectly comfortable favourite favorite respect smoothly"
        " thank smooth reliable gorgeous impressive wow rocks fine enjoyed 😊 🙂 😀 😃 😄 👍 🙏 🎉 👏 💪 ☺ 😁"
    ),
    -1.0: (
        "schlecht schlimm ärgerlich nervig nervt nerven enttäuscht enttäuschend enttäuschung unzufrieden"
        " traurig blöd doof mies lahm peinlich unfreundlich unhöflich inkompetent unzuverlässig"
        " unprofessionell umständlich sauer genervt verärgert wütend hingehalten vertröstet frech frust"
        " frustriert frustrierend leider beschwerde beschweren beschwere ärger kompliziert schade"
        " unbrauchbar nutzlos billig dreist respektlos ignoriert bad poor annoying annoyed disappointed"
        " disappointing disappointment unhappy sad angry rude unhelpful unprofessional slow frustrated"
        " frustrating upset complaint complain unfortunately terrible unreliable useless ignored worse"
        " incompetent unfriendly arrogant ashamed speechless insulting badly unbelievable sprachlos"
        " unverantwortlich ausreden witzbolde ausgelacht veräppelt angelogen gelogen lügen lügt lügner weggedrückt"
        " abgewimmelt laughed liar liars fobbed sorry stupid dissatisfied overpriced mess lousy downhill shambles 🙁 ☹ 😕 😞 😒 👎 🙄 😢 😭"
    ),
    -2.0: (
        "furchtbar schrecklich katastrophe katastrophal unverschämt unverschämtheit frechheit lächerlich"
        " scheiße scheiss scheiß mist drecksladen saftladen sauladen saustall müll schrott betrug betrüger"
        " abzocke abzocker verarscht verarschen verarsche idioten idiot arsch arschloch arschlöcher"
        " unterirdisch zumutung inakzeptabel unfassbar skandal hasse hass widerlich ekelhaft stinksauer"
        " letzte schande nie sauerei kotzen grottenschlecht awful horrible horrific disgusting disgrace"
        " disgraceful unacceptable ridiculous pathetic worst scam scammers fraud frauds thieves crap shit"
        " shitty bullshit fuck fucking idiots morons furious outrageous appalling hate rubbish garbage"
        " disaster scandal shame cheated crooks chancers chaos unzumutbar"
        " trash joke shocking never nightmare atrocious wtf 😡 🤬 😠 💩 🤮 👿"
    ),
}
_WEIGHTS = {word: weight for weight, words in _LISTED.items() for word in words.split()}
_LOOKALIKES = frozenset(
    "goods tops cooler coolest thanksgiving sweets sweater center cents freund liebes lieber letzten letzter letztes".split()
)
_ENDINGS = (
    "en",
    "er",
    "es",
    "em",
    "e",
    "s",
    "n",
    "st",
    "ste",
    "sten",
    "este",
    "esten",
    "ester",
    "estes",
    "ster",
    "ter",
    "te",
)

_NEGATIONS = frozenset(
    (
        "nicht nich net ned nie kein keine keinen keinem keiner weder ohne not no never neither nor"
        " without cannot hardly kaum dont doesnt didnt isnt wasnt arent werent wont cant couldnt wouldnt"
        " shouldnt hasnt havent hadnt aint"
    ).split()
)
# What `tokens` leaves of "don't" in front of the "t"; the one of "T-Shirt" denies nothing.
_CUT_OFF = frozenset(
    "don doesn didn isn wasn aren weren won can couldn wouldn shouldn hasn haven hadn ain".split()
)
_STRONGER = frozenset(
    "sehr so total echt richtig extrem absolut wirklich unglaublich voll mega super ganz zu dermaßen"
    " überaus very really so extremely"
    " absolutely totally incredibly completely utterly super too such".split()
)
_WEAKER = frozenset(
    "etwas bisschen ziemlich relativ halbwegs eher leicht slightly somewhat rather quite bit fairly".split()
)
# Words that judge only beside another one: "nie wieder", "das Letzte", "ich liebe"; and never beside some.
_ONLY_BESIDE = {
    "nie": {"wieder", "mehr"},
    "never": {"again", "order", "buy", "ordering", "buying"},
    "letzte": {"das"},
    "liebe": {"ich"},
    "joke": {"a", "is"},
    "lieb": {"so", "richtig", "sehr", "total", "echt", "unheimlich"},
    "sweet": {"so", "really", "very", "how"},
    "penny": {"every"},
    "cent": {"jeden"},
}
_NOT_BEFORE = frozenset(
    "morning evening afternoon day night bye tag abend morgen nacht vormittag mittag of guten regards wishes grüße"
    " gruß grüßen".split()
)
_NOT_AFTER = frozenset("would i'd on".split())
_NOTHING = frozenset("nichts nix nothing nowt".split())  # what some give thanks for
_POLITE = frozenset("danke dankeschön dank thanks thank gerne sorry leider".split())


def sentiment(words: Sequence[str]) -> Sentiment:
    """The mood of a text given as `nlu.features.tokens`; the score is -1..1."""
    total = sum(
        _weight(words, place, listed) for place, word in enumerate(words) if (listed := _listed(word))
    )
    score = total / (abs(total) + HALFWAY)
    label = "positive" if score > CLEAR else "negative" if score < -CLEAR else "neutral"
    return Sentiment(label=label, score=round(score, 3))


def _weight(words: Sequence[str], place: int, weight: float) -> float:
    word = words[place]
    if not _means_it(words, place):
        return 0.0
    if word in _POLITE:
        return -2.0 if weight > 0 and _for_nothing(words, place) else weight * 0.5
    for near in range(max(0, place - REACH), place):
        before = words[near]
        if before in _NEGATIONS or (before == "t" and near and words[near - 1] in _CUT_OFF):
            weight *= -0.7
        elif before in _STRONGER:
            weight *= 1.3
        elif before in _WEAKER:
            weight *= 0.7
    return weight


def _for_nothing(words: Sequence[str], place: int) -> bool:
    """Thanks of those who have none to give."""
    return words[place + 1 : place + 2] in (["für"], ["for"]) and not _NOTHING.isdisjoint(
        words[place + 2 : place + 4]
    )


def _means_it(words: Sequence[str], place: int) -> bool:
    around = words[max(0, place - 1) : place + 2]
    if words[place] in _ONLY_BESIDE:
        return not _ONLY_BESIDE[words[place]].isdisjoint(around)
    after = words[place + 1] if place + 1 < len(words) else ""
    greeting = after in _NOT_BEFORE and _listed(words[place]) > 0
    emphasis = words[place] in _STRONGER and _listed(after) != 0  # "super angry"
    return not greeting and not emphasis and not (place and words[place - 1] in _NOT_AFTER)


@lru_cache(maxsize=4096)  # the same words come again and again
def _listed(word: str) -> float:
    found = _WEIGHTS.get(word)
    if found is not None or word in _LOOKALIKES:
        return found or 0.0
    for ending in _ENDINGS:
        if word.endswith(ending) and (found := _WEIGHTS.get(word[: -len(ending)])) is not None:
            return found
    return 0.0
