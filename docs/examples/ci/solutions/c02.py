"""C2: purchases over 500 dollars, with a summary after every tenth."""

import workshop
from stream import Answer, events

ticket = workshop.ticket("c02")
answer = Answer(ticket)
count = cents = 0
for event in events(ticket):
    price = event.get("price")
    if event.get("event_type") != "purchase" or not isinstance(price, (int, float)) or price <= 500:
        continue
    count += 1
    cents += round(price * 100) * event["quantity"]
    if count % 10 == 0:
        answer.send(n=count // 10, count=count, revenue=cents / 100)
answer.send(final=True, count=count, revenue=cents / 100)
answer.close()
print(count, "purchases,", cents / 100, "dollars")

workshop.check("c02")
