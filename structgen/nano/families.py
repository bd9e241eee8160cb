"""Families of facts, as tables: what a person, an order or a flight may say about itself, and in which words.

A row is `names | kind | phrases`; `{}` in a phrase stands for the value. Phrases are parts of a sentence that follow
the subject ("lives in {}"); one that starts with `~` stands between commas right after the subject ("~aged {}").
A boolean row has a fourth part, the phrases that mean "false". Parsing costs O(length of the tables), once.

A block of rows begins with `#`. For a family: `# noun: pronouns`, and its first row is the subject. For a list of
things: `# names of the array`, `>` sentences about the whole, `<` phrases for one item, by position of its rows. For a
tool: `# names`, `<` requests, by position of its parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["FAMILIES", "LISTS", "TOOLS", "Family", "ItemList", "Slot", "Tool"]


class Slot(NamedTuple):
    """A field: the names it may carry in a schema, the kind of its value, and phrases that state it."""

    names: tuple[str, ...]
    kind: str
    phrases: tuple[str, ...]
    denials: tuple[str, ...] = ()


class Family(NamedTuple):
    """Facts about one subject: the first slot names the subject, the others say something about it."""

    noun: str
    subject: Slot
    slots: tuple[Slot, ...]
    pronouns: tuple[str, ...]


class ItemList(NamedTuple):
    """Facts about several things of one kind: names of the array, and each item as one phrase over its slots."""

    names: tuple[str, ...]
    leads: tuple[str, ...]
    slots: tuple[Slot, ...]
    phrases: tuple[str, ...]


class Tool(NamedTuple):
    """A tool: its possible names, its parameters (never more than four), and requests naming them by position."""

    names: tuple[str, ...]
    slots: tuple[Slot, ...]
    requests: tuple[str, ...]


_FAMILIES = """
# person: He She
name full_name person | person | {} / {} / {} / {} / My friend {} / My neighbour {} / Our colleague {}
age years age_years | int 16 99 | is {} years old / is {} / ~{} / ~aged {} / ~who is {} / ~{} years old \
/ turned {} this year
city home_city town location | city | lives in {} / is based in {} / comes from {} / ~from {} \
/ ~who lives in {} / moved to {}
country nationality | pool country | was born in {} / is a citizen of {}
job occupation profession role | pool job | works as a {} / is a {} by profession / ~a {}
employer company workplace | company | works for {} / works at {} / is employed by {}
email email_address mail | email | can be reached at {} / has the email {} / uses {}
hobbies interests likes | words verb | likes {} / enjoys {} / has these hobbies: {}
married is_married | bool | is married / has a spouse | is not married / is single
birth_date born date_of_birth birthday | date | was born on {} / ~born on {}
height height_m | number 1 2 | is {} metres tall / is {} m tall
children kids num_children | int 0 6 | has {} children / has {} kids

# contact: He She
name contact full_name | person | {}
phone phone_number tel mobile | phone | has the phone number {} / has the number {} / can be called on {} \
/ answers on {} / phone {}
email mail email_address | email | can be reached at {} / writes from {} / email {} / has the address {}
company organization org | company | works for {} / represents {} / ~of {} / ~from {}
street address_line | street | lives at {} / has an office at {} / resides at {}
city town | city | lives in {} / is in {} / ~in {}
zip zip_code postal_code postcode | zip | has the zip code {} / postal code {}
title position job_title | pool job | is a {} / ~{} / holds the post of {}
subscribed newsletter opted_in | bool | wants the newsletter / is subscribed | wants no newsletter / is not subscribed
notes note comment | phrase | left the note {} / says {}

# product: It
name product product_name item title | product | {} / {} / The {} / A {} / Our {} / This {}
price cost unit_price amount | price | costs {} / is priced at {} / sells for {} / has a price of {} / ~{}
color colour | enum red|blue|green|black|white|grey|yellow|silver | comes in {} / is {} / has the colour {} / ~in {}
brand maker manufacturer | company | is made by {} / comes from {} / is a product of {} / ~by {}
weight weight_kg | number 0.1 40 | weighs {} kg / weighs {} kilograms / has a weight of {} kg
in_stock available | bool | is in stock / is available | is sold out / is not available / is out of stock
sku code product_code | code | has the code {} / is listed as {} / ~code {}
stock quantity units_left | int 0 900 | has {} units left / has {} in the warehouse
tags categories keywords labels | words adjective | is tagged {} / has the tags {} / belongs to {}
rating stars score | number 1 5 | is rated {} / has a rating of {} stars / scored {}
released release_date | date | was released on {} / appeared on {}

# event: It
title event name event_name | title | {} / {} / {} / The event {}
date day event_date on | date | takes place on {} / is on {} / happens on {} / ~on {}
time start start_time begins_at | time | starts at {} / begins at {} / ~at {}
city place location venue | city | takes place in {} / is held in {} / happens in {} / ~in {}
host organizer organiser | person | is organised by {} / is hosted by {} / ~hosted by {}
price ticket_price fee | price | costs {} / has a fee of {} / needs a ticket for {}
attendees guests capacity seats | int 5 9000 | expects {} guests / has {} seats / draws {} people
online is_online virtual | bool | is online / is held online | is not online / is held in person
speakers performers | people | features {} / has the speakers {}
kind type category | enum concert|workshop|conference|meeting|festival|exhibition|lecture | is a {} / ~a {}

# booking: They
guest name guest_name customer | person | {} / {} / {} / Our guest {}
check_in arrival from_date start_date | date | checks in on {} / arrives on {}
check_out departure end_date | date | checks out on {} / leaves on {}
nights num_nights length | int 1 21 | stays {} nights / books {} nights / stays for {} nights
guests adults party_size people | int 1 9 | comes with {} people / books for {} guests
room room_type | enum single|double|twin|suite|family | wants a {} room / books a {} room / takes the {} room
hotel property | company | stays at {} / books at {} / chose {}
breakfast breakfast_included | bool | wants breakfast / takes breakfast \
/ ~with breakfast | does not want breakfast / skips breakfast / ~without breakfast
reference booking_id code | code | has the reference {} / booking {}
total price total_price | price | pays {} / pays {} in total
requests special_requests notes | phrase | asks for {} / wrote {}

# weather: It
city location place station | city | {} / {} / {} / Today {}
temperature temp temperature_c degrees | int -25 42 | reports {} degrees / has {} °C / is at {} degrees / ~{} degrees
humidity humidity_percent | int 5 100 | has a humidity of {} percent / has {}% humidity / ~humidity {}%
wind wind_speed wind_kmh | number 0 120 | has wind of {} km/h / sees winds at {} km/h
sky condition conditions weather | enum sunny|cloudy|rainy|snowy|foggy|windy|stormy | is {} / expects {} weather / ~{}
rain rain_expected raining | bool | expects rain / has rain | expects no rain / stays dry
date day | date | was measured on {} / sent this on {}

# book: It
title book name | title | {} / {} / The book {}
author writer written_by | person | was written by {} / is by {} / ~by {} / ~written by {}
year published publication_year | year | was published in {} / appeared in {} / ~{} / ~published in {}
pages page_count num_pages length | int 40 1200 | has {} pages / is {} pages long / ~{} pages
genre category | enum novel|poetry|history|science|fantasy|crime|drama|travel | is a {} book / belongs to {} / ~{}
publisher house | company | was published by {} / is sold by {}
isbn id code | zip | has the number {} / is listed as {}
available in_print | bool | is still in print / is available | is no longer in print / is not available
characters | people | is about {} / tells of {}

# flight: It
flight flight_number number | code | Flight {} / {}
origin from departure_city source | city | leaves from {} / departs from {} / starts in {}
destination to arrival_city | city | flies to {} / goes to {} / lands in {} / arrives in {}
date day departure_date | date | leaves on {} / flies on {} / ~on {}
departs departure_time takeoff | time | takes off at {} / departs at {}
gate | code | boards at gate {} / uses gate {}
airline carrier | company | is run by {} / is operated by {} / ~operated by {}
delayed is_delayed late | bool | is delayed / is late | is on time / is not delayed
passengers seats | int 4 500 | carries {} passengers / has {} seats

# ticket: It
id ticket ticket_id number | code | Ticket {} / Issue {} / {}
priority severity urgency | enum low|medium|high|critical|normal|urgent | has {} priority / is {} / is marked {} / ~{}
status state | enum open|closed|pending|resolved|blocked | is {} / has the status {}
assignee owner assigned_to | person | is assigned to {} / belongs to {} / goes to {}
reporter author created_by | person | was reported by {} / was opened by {} / ~from {}
summary subject title description | phrase | says {} / is about {} / reads {}
tags labels components | words noun | is labelled {} / has the tags {}
created opened created_on | date | was opened on {} / was created on {}
hours estimate estimated_hours | number 0.5 40 | needs {} hours / is estimated at {} hours
public is_public | bool | is public / is visible to all | is not public / is private

# company: It
name company company_name | company | {} / {} / {} / The company {} / Our client {}
founded year founded_in | year | was founded in {} / started in {} / ~founded in {}
city headquarters hq location | city | is based in {} / has its office in {} / ~from {}
employees staff headcount size | int 2 90000 | has {} employees / employs {} people / has a staff of {}
ceo founder director | person | is led by {} / was founded by {} / is run by {}
revenue revenue_millions | number 0.5 900 | earned {} million / has a revenue of {} million
industry sector field | pool noun | works in {} / sells {}
public listed is_public | bool | is listed / is publicly traded | is not listed / is privately held
products services | words thing | makes {} / sells {} / offers {}
website url domain | email | can be reached at {} / has the contact {}

# movie: It
title movie film name | title | {} / {} / The movie {}
director directed_by | person | was directed by {} / is by {} / ~directed by {}
year released release_year | year | came out in {} / was released in {} / ~{}
minutes runtime duration | int 50 240 | lasts {} minutes / runs {} minutes
rating score stars | number 1 10 | is rated {} / has a score of {}
cast actors starring | people | stars {} / features {}
genre kind | enum comedy|drama|action|horror|thriller|western|documentary | is a {} / ~a {}
seen watched | bool | has been watched / was seen | has not been watched / was not seen

# vehicle: It
model car vehicle name | product | {} / {} / The {} / My {}
year built model_year | year | was built in {} / dates from {} / ~{}
plate license_plate registration | code | has the plate {} / is registered as {}
owner driver | person | belongs to {} / is owned by {} / is driven by {}
mileage km kilometres odometer | int 10 300000 | has run {} km / shows {} kilometres
color colour paint | enum red|blue|green|black|white|grey|yellow|silver | is {} / is painted {} / ~{}
fuel fuel_type engine | enum petrol|diesel|electric|hybrid|gas | runs on {} / uses {} / ~{}
price value asking_price | price | costs {} / is offered for {} / is worth {}
electric automatic | bool | is automatic / has an automatic gearbox | is not automatic / has a manual gearbox

# pet: He She It
name pet pet_name | made | {}
species animal kind | enum dog|cat|rabbit|horse|parrot|hamster|turtle|fish | is a {} / ~a {}
age years | int 0 30 | is {} years old / ~{} years old / is {}
owner human | person | belongs to {} / lives with {} / is owned by {}
weight weight_kg | number 0.1 60 | weighs {} kg
vaccinated is_vaccinated | bool | is vaccinated / has been vaccinated | is not vaccinated / has not been vaccinated
color colour fur | pool adjective | is {} / looks {}
toys favorites | words thing | plays with {} / loves {}

# payment: It
id payment invoice invoice_number transaction | code | Invoice {} / Payment {} / {}
amount total sum value | price | is for {} / amounts to {} / comes to {}
currency | enum USD|EUR|GBP|JPY|CHF | is in {} / uses {}
customer payer client billed_to | person | was paid by {} / is billed to {} / ~for {}
vendor payee supplier seller | company | goes to {} / was sent by {} / ~from {}
due due_date pay_by | date | is due on {} / is payable by {}
paid is_paid settled | bool | has been paid / is paid | has not been paid / is still unpaid
method paid_with | enum card|cash|transfer|cheque | was paid by {} / uses {}
lines positions count | int 1 40 | has {} lines / lists {} positions

# course: It
title course name subject | title | {} / {} / The course {}
teacher instructor lecturer | person | is taught by {} / is given by {} / ~with {}
weeks duration duration_weeks | int 1 30 | lasts {} weeks / takes {} weeks / runs for {} weeks
level difficulty | enum beginner|intermediate|advanced|expert | is for {} learners / has the level {} / ~{}
price fee tuition | price | costs {} / has a fee of {}
starts start_date begins | date | starts on {} / begins on {}
topics subjects covers | words noun | covers {} / teaches {} / deals with {}
students enrolled | int 1 400 | has {} students / is attended by {} students
room location | code | meets in room {} / is in {}
certificate | bool | gives a certificate / ends with a certificate | gives no certificate \
/ comes without a certificate
"""

_LISTS = """
# items lines order_items products
> ordered {} / bought {} / wants {} / Order: {} / added {} to the cart
< {1} x {0} / {1} {0} / {0} ({1}) / {0}: {1} / {1} of {0}
name product item sku | product
quantity qty count amount | int 1 60

# items lines purchases
> bought {} / ordered {} / The bill lists {} / paid for {}
< {1} x {0} at {2} / {1} {0} for {2} each / {0} ({1}, {2}) / {1} {0} at {2}
name product item sku | product
quantity qty count amount | int 1 60
price unit_price cost | price

# people members team users
> The team is {} / knows {} / met {} / People: {}
< {0} ({1}) / {0}, {1} / {0} is {1} / {0} aged {1}
name person | person
age years | int 16 99

# people staff employees
> The staff: {} / works with {} / hired {}
< {0} the {1} / {0} ({1}) / {0} as {1}
name person | person
role job | pool job

# ingredients parts materials
> needs {} / The recipe takes {} / uses {}
< {1} g of {0} / {1} g {0} / {0} ({1} g)
name ingredient | word
grams amount weight | int 1 900

# stops legs cities visits
> travels to {} / visits {} / Stops: {}
< {0} for {1} days / {0} ({1} days) / {1} days in {0}
city place | city
days nights | int 1 30

# scores results players
> Results: {} / The scores are {}
< {0} {1} / {0} with {1} points / {0}: {1}
player name | person
score points | int 0 120

# readings sensors values
> Readings: {} / The log shows {}
< {0} = {1} / {0}: {1} / {0} at {1}
sensor id name | code
value reading | number -50 500
"""

_TOOLS = """
# get_weather weather forecast check_weather
< What is the weather in {0} on {1}? / Weather for {0}, {1} / How warm is it in {0} on {1}?
city location place | city
date day | date

# send_email email send_mail write_email
< Send an email to {0} saying {1} / Email {0}: {1} / Write {1} to {0}
to recipient address | email
body text message | phrase

# set_alarm alarm create_alarm wake_me
< Wake me at {0} / Set an alarm for {0} / I need an alarm at {0}
time at | time

# add_event create_event schedule
< Put {0} in my calendar on {1} at {2} / Schedule {0} on {1}, {2} / Plan {0} for {1} at {2}
title name event | phrase
date day | date
time start at | time

# convert_currency convert exchange
< Convert {0} {1} to {2} / How much is {0} {1} in {2}? / Change {0} {1} into {2}
amount value | number 1 900
from source from_currency | enum USD|EUR|GBP|JPY|CHF
to target to_currency | enum USD|EUR|GBP|JPY|CHF

# book_table reserve_table reserve
< Book a table for {0} at {1} on {2} / Reserve {1} for {0} people, {2}
people guests party_size | int 1 12
restaurant place | company
date day | date

# search find search_web lookup
< Search for {0} / Look up {0} / Find {0}
query q text | phrase

# search_products find_products shop
< Find a {0} under {1} / I want a {0} for at most {1} / Show me a {0} below {1}
query product | product
max_price limit | price

# call_contact call phone dial
< Call {0} / Ring {0} please / Phone {0}
name contact who | person

# play_music play start_music
< Play {0} by {1} / Put on {0} from {1} / I want to hear {0} by {1}
title song track | title
artist by | person

# set_light light switch_light
< Turn the {0} light {1} / Switch {1} the light in the {0}
room where | word
state to | enum on|off

# book_flight flights find_flight
< Book a flight from {0} to {1} on {2} / Fly me from {0} to {1}, {2} / I need to get from {0} to {1} on {2}
from origin | city
to destination | city
date day | date

# create_user add_user register
< Register {0} with the address {1} / Create an account for {0}, {1} / Add the user {0} ({1})
name user | person
email mail | email

# set_timer timer countdown
< Set a timer for {0} minutes / Count down {0} minutes / Timer: {0} minutes
minutes length | int 1 120

# transfer_money pay send_money transfer
< Send {0} to {1} / Pay {1} {0} / Transfer {0} to {1}
amount sum | price
to recipient | person
"""


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("/") if part.strip())


def _slot(row: str) -> Slot:
    names, kind, *rest = (cell.strip() for cell in row.split(" | "))
    return Slot(tuple(names.split()), kind, *(_parts(cell) for cell in rest or [""]))


def _blocks(text: str) -> Iterator[list[str]]:
    """The lines of each block, markers removed."""
    for block in text.split("# ")[1:]:
        yield [line.lstrip("<> ") for line in block.strip().splitlines()]


def _family(header: str, *rows: str) -> Family:
    noun, pronouns = header.split(": ")
    subject, *slots = map(_slot, rows)
    return Family(noun, subject, tuple(slots), tuple(pronouns.split()))


def _list(names: str, leads: str, phrases: str, *rows: str) -> ItemList:
    return ItemList(tuple(names.split()), _parts(leads), tuple(map(_slot, rows)), _parts(phrases))


def _tool(names: str, requests: str, *rows: str) -> Tool:
    return Tool(tuple(names.split()), tuple(map(_slot, rows)), _parts(requests))


FAMILIES: Final = tuple(_family(*block) for block in _blocks(_FAMILIES))
LISTS: Final = tuple(_list(*block) for block in _blocks(_LISTS))
TOOLS: Final = tuple(_tool(*block) for block in _blocks(_TOOLS))
