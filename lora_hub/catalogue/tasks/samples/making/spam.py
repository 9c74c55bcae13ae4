"""Parts of the spam sample: phone messages in England, from friends, work, shops and services, and from fraudsters.

Both kinds mention the same things (parcels, banks, prizes of a raffle, links, codes, STOP, capital letters), so no
single word tells them apart. The difference is what the message wants: a service reports something the reader knows
about; a fraudster wants a click, a call, a fee or a number.
"""

import random
import re

SLOTS = {
    "name": "Sam Priya Tom Leila Jack Maria Omar Beth Dan Nina Chris Ella Ravi Kate Ben Zoe".split(),
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "time": "9 10.30 11 12.15 1 2.45 4 5.30 7 7.45 8".split(),
    "place": ["the park", "the station", "the cafe", "mum's", "the gym", "the office", "the library", "the cinema"],
    "food": ["pizza", "curry", "cake", "a salad", "some bread", "noodles", "crisps", "soup"],
    "thing": ["keys", "charger", "umbrella", "notes", "jacket", "laptop", "glasses", "bag"],
    "shop": ["Greenway Foods", "Bright Shoes", "Milltown Books", "Corner Garden", "Tile & Home", "Oakley Sports"],
    "clinic": ["Park Dental", "Hillside Surgery", "Riverside Vets", "Elm Opticians"],
    "firm": ["Swift Post", "ParcelNow", "Northern Rail", "City Power", "Westbank", "Lloyd & Hart", "StreamBox"],
    "amount": ["£12", "£35", "£49.99", "£80", "£120", "£250"],
    "big": ["£500", "£1000", "£2,000", "£5000", "£900", "£750"],
    "fee": ["£1.45", "£1.99", "£2.50", "£2.99", "£0.99"],
    "site": ["swiftpost-redeliver.top", "westbank-verify.info", "claim-now.win", "refund.online", "secure-bill.click"],
    "short": ["bit.do/x82k", "tiny.cc/q1m", "t2u.link/77", "gift4u.win/a", "go-pay.top/k3"],
    "phone": ["09061 701 444", "0871 872 9755", "09050 000 327", "0845 021 3680"],
    "present": ["a phone", "a holiday for two", "a gift card", "a games console", "a tablet", "a new TV"],
}

HAM_OPENERS = ["", "", "", "Hi {name}, ", "Hey, ", "Morning! ", "Hi, ", "Ok, ", "{name}, ", "Quick one: "]
HAM_PERSONAL = [
    "are you coming to {place} on {day}?",
    "I'm running ten minutes late, start without me.",
    "can you bring {food} to {place} tonight?",
    "did you see my {thing}? I think I left it in your car.",
    "the train is stuck again, home about {time}.",
    "thanks for the {food}, the kids loved it.",
    "the meeting moved to {time} on {day}, same room.",
    "call me when you are free, nothing urgent.",
    "I owe you {amount} for the tickets, will send it tonight.",
    "we won the match! Three one, {name} scored twice!",
    "happy birthday! Hope you have a lovely day.",
    "what time does {place} close on {day}?",
    "I got the job!! They called me just now.",
    "can you pick up {name} from {place} at {time}?",
    "dinner at ours on {day}? I'm making {food}.",
    "your {thing} is still at my place, I'll bring it on {day}.",
    "please send me the report before {time}, the client is waiting.",
    "I'm free on {day} after {time} if you want to talk.",
    "the doctor says it's only a cold, so back to work {day}.",
    "do you want to play chess again or shall we watch a film?",
    "urgent! Which size shoes does {name} wear? I'm at the till.",
    "the free concert at {place} is on {day}, shall we go?",
    "I sent you the link to the photos, did it work?",
    "my bank card is lost, can you pay for lunch? I'll pay you back.",
    "the landlord wants the rent by {day}, can you send me your half, {amount}?",
    "no prize for us in the school raffle, but {name} won {food}!",
    "don't forget to call the bank about the card before {time}.",
    "I can't find the code for the gate, is it still {code}?",
    "is the offer on your old sofa still on? I can pay {amount} in cash.",
    "just seen your text, my phone was off all day.",
]
HAM_MORE = [
    "The kids are asleep at last.",
    "Bring a coat, it's cold out.",
    "Mum says hello.",
    "We can share a taxi back.",
    "I'll be by the front door.",
    "No rush though.",
    "Tell {name} too.",
    "I had such a long day.",
    "It was so good to see you on {day}.",
    "Let me know.",
    "Ring me if you get lost.",
    "My battery is nearly dead.",
]
HAM_CLOSERS = ["", "", "", " x", " Thanks", " See you", " Love, mum", " :)", " Cheers", " xx"]
HAM_SERVICE = [
    "{firm}: your parcel {order} will come on {day} between {time} and 9. No need to do anything.",
    "{firm}: your parcel {order} was left with your neighbour at number 7.",
    "{clinic}: reminder of your appointment on {day} at {time}. Reply YES to confirm.",
    "{clinic}: your prescription is ready to collect. We are open until 6 on {day}.",
    "Your {firm} code is {code}. We will never ask you for it. Do not share it.",
    "{firm}: you paid {amount} to {shop} on {day}. If this was you, no need to reply.",
    "{firm}: your bill of {amount} will be taken by direct debit on {day}.",
    "{shop}: your order {order} is ready. Bring this message and your card to the store.",
    "{shop}: thanks for your order {order}. Your refund of {amount} is on the card you paid with.",
    "{shop}: 20% off for members in store this {day}. Reply STOP to end these messages.",
    "{shop}: our sale starts on {day} at {time}. See you in store! To opt out text STOP.",
    "Milltown Library: the book you asked for is here. Please collect it by {day}.",
    "Milltown School: closed on {day} because of snow. Work is on the class page.",
    "{firm}: the {time} service on {day} is cancelled. Your ticket is good on the next one.",
    "Your taxi is two minutes away. Blue Skoda, driver {name}.",
    "Your table for 4 at the Old Mill is booked for {day} at {time}. Call us to change it.",
    "{firm}: a new sign-in to your account from your tablet on {day}. If it was you, ignore this.",
    "Reminder: {name} has a swimming lesson on {day} at {time}. Please arrive early.",
    "Thank you for giving {amount} to the hospice. Reply STOP if you want no more news.",
    "Council: bins on your road are collected a day later this week because of the holiday.",
]
SPAM_OPENERS = ["", "", "", "URGENT! ", "Dear customer, ", "Final notice: ", "Hi {name}, ", "Hello, ", "Hi, ", "Hey, "]
SPAM_SERVICE = [
    "{firm}: your parcel {order} is held at the depot. Pay the {fee} fee at {site}",
    "{firm}: we missed you on {day}. Book a new delivery and pay {fee} at {site}",
    "{firm}: your account is locked. Confirm your card details by {day}: {site}",
    "{firm}: a payment of {amount} to {name} was asked for. If this was NOT you, go to {site}",
    "{firm}: your last bill was not paid. To keep your service, update your card at {short}",
    "your tax refund of {amount} is waiting. Claim it by {day} at {site}",
    "your phone number has won {big}! To claim call {phone} now!",
    "you have been chosen for {present}! Just pay {fee} post at {short}",
    "your loan of {big} is approved, no credit check. Tap {short} to get the cash today.",
    "earn {big} a week from home, no skills needed. Text JOB to {phone}.",
    "you were in an accident? You may be owed {big}. Reply CLAIM or call {phone}.",
    "your {firm} points end on {day}. Swap them for {present} at {short}",
    "last chance to claim {present} from {shop}! Tap {short} and enter your card",
    "double your money with our coin robot. Put in {amount}, take out {big}. Join at {short}",
    "singles near you want to chat tonight. Text HOT to {phone}, 150p a message.",
    "we found a virus on your phone! Clean it now at {short}",
    "your {firm} code was used on a new device. Call {phone} and tell us the code {code}.",
    "your computer licence ends on {day}. Call {phone} to renew it for {amount}.",
    "cheap pills and no doctor needed. Order by {day} at {short}",
    "your electricity will be cut on {day}. Pay {amount} now at {site} to stop this",
    "free entry to our weekly draw for {present}. Text WIN to {phone}. To opt out text STOP.",
    "your friend sent you {present}! Open it at {short} before {day}",
    "the court has a fine of {amount} in your name. Pay today at {site} or be arrested.",
    "your bank card is blocked. Ring our safety team on {phone} with your PIN ready.",
    "you won {present}! {short}",
    "{big} for you, see {short}",
    "hot deal today only: {short}",
    "your bill is late. {site}",
    "call {phone}, it is about your accident.",
    "need cash? Text LOAN to {phone}.",
]
SPAM_PERSONAL = [
    "mum it's me, my phone broke and this is my new number. Can you send {amount} for rent today?",
    "I saw your photo and I like you. Write to me at {short}",
    "is this {name}? I lost your number, but I can show you how I made {big} on coins.",
    "dad, I lost my card, please pay {amount} to this account for me and I'll pay you back {day}.",
    "I am a widow with {big} to give away and I chose you. Send your bank details.",
    "we met at {place}? I have a job for you, {big} a week, add me on {short}",
    "look at this video of you!! {short}",
    "can you buy me three gift cards and send me the codes? I'm in a meeting and can't talk. Your boss.",
]
SPAM_CLOSERS = ["", "", "", " Reply STOP to end", " T&Cs apply", " Act now", " Don't miss out!", " Thanks"]
TEXTING = {"you": "u", "are": "r", "please": "pls", "your": "ur", "tonight": "2nite", "thanks": "thx", "today": "2day"}


def make_rows(dice: random.Random, each: int = 200) -> list[dict[str, str]]:
    """`each` rows for every label: {text, label}."""
    rows = []
    for label in ("ham", "spam"):
        seen: set[str] = set()
        while len(seen) < each:
            text = _make_ham(dice) if label == "ham" else _make_spam(dice)
            text = text[0].upper() + text[1:]
            if text not in seen:
                seen.add(text)
                rows.append({"text": text, "label": label})
    return rows


def _make_ham(dice: random.Random) -> str:
    if dice.random() < 0.42:
        return _fill(dice, dice.choice(HAM_SERVICE))
    more = " " + dice.choice(HAM_MORE) if dice.random() < 0.5 else ""
    frame = dice.choice(HAM_OPENERS) + dice.choice(HAM_PERSONAL) + more + dice.choice(HAM_CLOSERS)
    return _text(dice, _fill(dice, frame))


def _make_spam(dice: random.Random) -> str:
    if dice.random() < 0.25:
        return _text(dice, _fill(dice, dice.choice(SPAM_OPENERS[-4:]) + dice.choice(SPAM_PERSONAL)))
    text = _fill(dice, dice.choice(SPAM_OPENERS) + dice.choice(SPAM_SERVICE) + dice.choice(SPAM_CLOSERS))
    return text.upper() if dice.random() < 0.06 else _text(dice, text)


def _text(dice: random.Random, text: str) -> str:
    """Now and then in texting spelling."""
    if dice.random() < 0.85:
        return text
    return re.sub(r"[A-Za-z]+", lambda word: TEXTING.get(word[0].lower(), word[0]), text)


def _fill(dice: random.Random, frame: str) -> str:
    """The frame with a value for each slot; a repeated slot gets the same value."""
    values = {slot: dice.choice(values) for slot, values in SLOTS.items()}
    values["order"] = str(dice.randint(10_000, 99_999))
    values["code"] = f"{dice.randint(100, 999)} {dice.randint(100, 999)}"
    return frame.format_map(values)
