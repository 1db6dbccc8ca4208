"""C4: temperatures below 0 and above 40 degrees Celsius, and the average of each place."""

from collections import defaultdict

import workshop
from stream import Answer, events

ticket = workshop.ticket("c04")
answer = Answer(ticket)
readings = defaultdict(list)
for event in events(ticket):
    value = event.get("value")
    if event.get("sensor_type") != "temperature" or value is None or value == -999:
        continue  # another sensor, or no reading
    celsius = (value - 32) * 5 / 9 if event["unit"] == "F" else value
    readings[event["location"]].append(celsius)
    if not 0 <= celsius <= 40:
        answer.send(event_id=event["event_id"], location=event["location"], celsius=round(celsius, 2))
averages = {place: round(sum(values) / len(values), 3) for place, values in readings.items()}
answer.send(final=True, averages=averages)
answer.close()
print(averages)

workshop.check("c04")
