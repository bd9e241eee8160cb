"""Pools of everyday words, and made-up words: the raw material of the sentences `facts` writes.

Every pool is split in two by a checksum of the word, so that a held-out example uses names and made-up words which
no training example contains. A made-up word is a run of random syllables: it can be copied but not guessed.
Cost: O(length) per word. The lists are ordinary first names, cities and nouns, typed in by hand.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from typing import Final

__all__ = ["HELD_OUT_SHARE", "POOLS", "is_held_out", "made_up", "pick", "pick_pool"]

HELD_OUT_SHARE: Final = 8  # one word in eight is kept out of training

_FIRST = """
Ada Adam Agnes Ahmed Aisha Akira Alan Alba Albert Alice Amara Amir Ana Andrew Anita Anna Antonio Aria Arthur Astrid
Barbara Ben Bianca Bjorn Boris Bruno Camila Carla Carlos Chen Chiara Chloe Clara Claude Dana Daniel David Diego Dmitri
Edith Edward Elena Elias Elif Eliza Emil Emily Emma Enrico Erik Esther Ethan Eva Fatima Felix Fiona Florence Frank
Freya George Gita Grace Greta Hana Hannah Hassan Heidi Helen Henry Hugo Ibrahim Ida Igor Ines Ingrid Irene Isaac Ivan
Jack Jakub James Jan Jane Javier Joan Johan John Jonas Joseph Jules Julia Kai Karen Karl Katya Kenji Kira Kwame Lara
Laura Layla Lena Leo Liam Lila Linda Linus Lucas Lucia Luis Lydia Magnus Malik Marco Margaret Maria Marie Mark Marta
Mary Mateo Maya Mei Mia Michael Mila Mohammed Mona Nadia Naomi Nia Nils Nina Noah Nora Olga Oliver Olivia Omar Oscar
Otto Pablo Paul Peter Petra Pierre Priya Quentin Rachel Rafael Raj Ravi Rita Robert Rosa Ruth Samir Samuel Sara Sean
Simon Sofia Stefan Sven Tara Theo Thomas Tomas Uma Ursula Valentina Vera Victor Wei William Yara Yuki Yusuf Zara Zoe
"""
_LAST = """
Abbott Adams Ahmadi Alvarez Andersen Bach Bailey Baker Banerjee Becker Bell Bennett Berg Bianchi Blake Bonnet Brooks
Brown Bruno Byrne Campbell Carter Castro Chandra Chen Clark Cohen Cole Cooper Costa Cruz Curie Das Davies Diaz Dubois
Duarte Eriksen Evans Farah Fischer Fletcher Flores Foster Fox Garcia Gomez Grant Gray Green Gupta Haas Hall Hansen
Harris Hayes Hill Hoffman Hopper Horvat Hughes Ibarra Ito Ivanov Jackson James Jansen Jensen Johnson Jones Kaur Keller
Kelly Khan Kim King Klein Knight Kowalski Kumar Lang Larsen Laurent Lee Lewis Lindberg Lopez Lovelace Mahler Marino
Martin Mason Mehta Meyer Miller Mitchell Moore Morgan Mori Moreau Murphy Nakamura Nguyen Nielsen Novak Okafor Olsen
Ortiz Osei Owens Park Parker Patel Perez Petrov Popov Price Quinn Rao Reed Reyes Rivera Roberts Rossi Roy Ruiz Russell
Sanders Santos Sato Schmidt Schneider Scott Shah Silva Singh Smith Sokolov Stone Suzuki Tanaka Taylor Thomas Thompson
Torres Turing Turner Vargas Vogel Wagner Walker Wang Ward Watson Weber White Wilson Wong Wood Wright Yamada Young Zhang
"""
_CITY = """
Aarhus Accra Adelaide Amsterdam Ankara Antwerp Athens Atlanta Auckland Austin Baghdad Baku Bangkok Barcelona Basel
Beijing Beirut Belfast Berlin Bern Bilbao Bogota Bologna Bordeaux Boston Bremen Brisbane Bristol Brussels Budapest
Cairo Calgary Cardiff Chicago Cologne Copenhagen Cork Dakar Dallas Delhi Denver Detroit Dresden Dubai Dublin Durban
Edinburgh Florence Frankfurt Gdansk Geneva Genoa Ghent Glasgow Granada Graz Hamburg Hanoi Havana Helsinki Houston
Istanbul Jakarta Kampala Kigali Krakow Kyoto Lagos Leeds Leipzig Lille Lima Lisbon Liverpool London Lucerne Lyon Madrid
Malmo Manchester Manila Marseille Melbourne Miami Milan Montreal Moscow Mumbai Munich Nairobi Nantes Naples Nice Osaka
Oslo Ottawa Oxford Palermo Paris Perth Phoenix Porto Prague Quito Reykjavik Riga Rome Rotterdam Salzburg Santiago
Seattle Seoul Seville Shanghai Singapore Sofia Stockholm Sydney Tallinn Tampere Tokyo Toronto Toulouse Tunis Turin
Utrecht Valencia Vancouver Venice Vienna Vilnius Warsaw Wellington York Zagreb Zurich
"""
_COUNTRY = """
Argentina Australia Austria Belgium Brazil Bulgaria Canada Chile China Colombia Croatia Cuba Denmark Egypt Estonia
Finland France Georgia Germany Ghana Greece Hungary Iceland India Indonesia Iran Ireland Israel Italy Japan Kenya Latvia
Mexico Morocco Nepal Nigeria Norway Pakistan Peru Poland Portugal Romania Senegal Serbia Singapore Spain Sweden Thailand
Turkey Uganda Ukraine Uruguay Vietnam
"""
_JOB = """
accountant actor analyst architect artist baker barber biologist builder butcher carpenter cashier chef chemist clerk
coach cook dancer dentist designer developer doctor driver economist editor electrician engineer farmer firefighter
fisher gardener geologist guide historian janitor journalist judge lawyer librarian manager mason mathematician mechanic
midwife miner musician nurse painter pharmacist photographer physicist pilot plumber poet potter professor programmer
researcher sailor salesperson scientist secretary singer soldier student surgeon tailor teacher technician translator
tutor veterinarian waiter welder writer
"""
_ADJECTIVE = """
amber ancient black blue bold bright broad brown calm clear cold compact cordless cotton crimson deep digital early
electric fast fine foldable fresh gentle glass golden green grey heavy hidden high hollow hot iron large leather light
little long lost magnetic mini modern narrow new old open orange organic pale paper pink plain portable pure purple
quick quiet red rough round sharp short silent silver simple slim slow small smart soft solar solid spare square steel
strong sweet tall thick thin tiny warm waterproof white wide wild wireless wooden yellow young
"""
_THING = """
adapter album anchor apple apron backpack bag ball balloon banana basket battery bed bell belt bench bicycle blanket
board boat book boots bottle bowl box bracelet bread brush bucket bulb button cabinet cable cake camera candle card
carpet chair charger cheese clock cloth coat coffee comb compass cup curtain cushion desk dice dish door drill drum
engine envelope fan filter flag flashlight flask fork frame garden glove guitar hammer hat headphones heater helmet
hinge hook jacket jar jug kettle key keyboard kite knife ladder lamp lantern laptop lemon lens lock map marker mask
mattress mirror monitor mouse mug nail needle notebook oven paddle paint pan pen pencil phone piano pillow pipe plate
plug pocket pot printer pump purse puzzle radio rake razor ribbon ring rope ruler sandals scarf scissors screen screw
shelf shirt shoes shovel soap socks sofa spoon stamp stapler stool stove suitcase sweater switch table tablet tea tent
ticket tile toaster torch towel toy tray tripod trumpet tube umbrella vase violin wallet watch wheel whistle window
"""
_NOUN = """
account action age air animal answer area army art balance bank base bird blood body branch bridge brother budget
building business captain care case cause center chance change city class club code color company concert corner cost
country course court culture customer data day deal death debate degree design detail dinner direction discussion
distance doctor dream duty earth economy edge effect effort energy event evening evidence example exchange experience
fact family father field figure film finger fire fish floor flower food foot force forest form friend front future game
girl glass goal government ground group growth hall hand harbor head health heart history holiday home hope horse
hospital hotel hour house idea image industry interest island issue job journey king kitchen knowledge lake land
language law lesson letter level library life line list machine market matter meeting member memory message method
minute model moment money month moon morning mother mountain movement music nation nature network news night north
number object ocean office oil order page park part party path peace people person picture place plan planet play poem
point policy power price problem process product project question rain range rate reason record region report result
rice river road rock role room rule school science sea season secret sense service shop side sign sister sky snow
society song sound south space speech spring star state station step stone storm story street student study summer sun
system task team test theory thing thought time town trade train travel tree trip truth uncle union unit valley value
view village visit voice wall war water way weather week west wind winter woman wood word work world year zone
"""
_VERB = """
accept add answer arrive ask bring build buy call carry change check clean close cook count cover cross cut deliver
draw drive eat explain fill find finish fix follow forget give grow hear help hold hope join jump keep know learn leave
listen look lose make meet move need open paint pay plan play print pull push read remember repair return run save
search sell send share show sing sleep speak stand start stay stop study swim take talk teach tell think throw touch
travel turn visit wait walk wash watch wear win work write
"""
_SMALL = "a about after all and as at before but by for from in into near new no not of off on our over to with"
_COMPANY_END = "Inc Ltd Group Labs Systems Works Partners Foods Energy Motors Studio Bank Media Logistics Robotics"
_STREET_END = "Street Road Avenue Lane Square Way Drive Court"
_DOMAIN_END = "com org net io de fr co eu"

POOLS: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(dict.fromkeys(text.split()))
    for name, text in {
        "first": _FIRST,
        "last": _LAST,
        "city": _CITY,
        "country": _COUNTRY,
        "job": _JOB,
        "adjective": _ADJECTIVE,
        "thing": _THING,
        "noun": _NOUN,
        "verb": _VERB,
        "small": _SMALL,
        "company_end": _COMPANY_END,
        "street_end": _STREET_END,
        "domain_end": _DOMAIN_END,
    }.items()
}
_SPLIT: Final = {"first", "last", "city"}  # the pools of which a share is held out

_SPLICED: Final = ("first", "last", "city", "country", "job", "adjective", "thing", "noun", "verb")

_ONSET = """
b c d f g h j k l m n p r s t v w z b c d f g h j k l m n p r s t v w z
br bl ch cl cr dr fl fr gl gr kh kr pl pr qu sc sh sk sl sm sn sp st str sw th tr tw vl wh zh y
"""
_NUCLEUS = "a e i o u a e i o u a e i o u ai au ea ee ei ia ie io oa oo ou ue y"
_CODA = "n r s l t m d k x n r s l nd rt st ck ll ng nt rd sh th ss mp lk b g p"
_ONSETS: Final = _ONSET.split()
_NUCLEI: Final = _NUCLEUS.split()
_CODAS: Final = [*[""] * 6, *_CODA.split()]
_ACCENTED = str.maketrans("aeiouncszly", "áéîöüñçšžłý")
_SCRIPTS = ((0x3B1, 0x3C9), (0x430, 0x44F), (0x4E00, 0x4FFF), (0x3042, 0x3093), (0x5D0, 0x5EA), (0xAC00, 0xACFF))


def is_held_out(word: str) -> bool:
    """Whether this word belongs to the held-out split."""
    return zlib.crc32(word.lower().encode()) % HELD_OUT_SHARE == 0


def _syllables(rng: random.Random) -> str:
    count = rng.choice((1, 2, 2, 2, 2, 3, 3))
    word = "".join(rng.choice(_ONSETS) + rng.choice(_NUCLEI) + rng.choice(_CODAS) for _ in range(count))
    shape = rng.random()
    if shape < 0.15:
        word = word[rng.randrange(0, 2) :]
    if shape > 0.96:
        at = rng.randrange(len(word))
        word = word[:at] + word[at:].translate(_ACCENTED)[:1] + word[at + 1 :]
    elif shape > 0.95:
        low, high = rng.choice(_SCRIPTS)
        word = "".join(chr(rng.randint(low, high)) for _ in range(rng.randint(2, 5)))
    elif shape > 0.90:
        word = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 7)))
    return word


def _spliced(rng: random.Random) -> str:
    """The head of one word and the tail of another, so that every piece of an ordinary word turns up in new places."""
    head, tail = (rng.choice(POOLS[rng.choice(_SPLICED)]).lower() for _ in range(2))
    return head[: rng.randint(1, len(head))] + tail[rng.randrange(len(tail)) :]


def made_up(rng: random.Random, held_out: bool, capital: bool = True) -> str:
    """A word of random syllables, or spliced from two others, from the chosen split."""
    while True:
        word = _spliced(rng) if rng.random() < 0.35 else _syllables(rng)
        if len(word) > 1 and is_held_out(word) == held_out:
            return word[0].upper() + word[1:] if capital else word


def pick_pool(name: str, held_out: bool) -> Sequence[str]:
    """The words of a pool that belong to a split; only proper names are split."""
    words = POOLS[name]
    return [word for word in words if is_held_out(word) == held_out] if name in _SPLIT else words


def pick(rng: random.Random, name: str, held_out: bool) -> str:
    """A random word of a pool, from the chosen split."""
    words = POOLS[name]
    while True:
        word = rng.choice(words)
        if name not in _SPLIT or is_held_out(word) == held_out:
            return word
