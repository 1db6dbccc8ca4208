"use strict";

// Whatever comes from the broker is put on the page by textContent, never as markup.

const byId = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en");
const HISTORY = 120;
const DURABILITY = {
  D0: "D0: acknowledged records survive the end of the process",
  D1: "D1: acknowledged records survive the end of the process, and of the machine but for the last moments",
  D2: "D2: acknowledged records survive the end of the machine",
};
const trend = [];
let paused = false;
let polls = 0;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function rate(value) {
  return value > 0 && value < 9.95 ? value.toFixed(1) : whole.format(Math.round(value));
}

function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return (unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)) + " " + units[unit];
}

function clock(timestamp) {
  return new Date(timestamp).toLocaleTimeString([], { hour12: false });
}

function text(part) {
  if (part === null) return "null";
  return part.cut ? part.text + " … (" + whole.format(part.bytes) + " bytes)" : part.text;
}

function recordRow(record) {
  const row = element("li", "record");
  const place = element("span", "place", clock(record.timestamp) + "  " + record.partition + ":" + record.offset);
  place.title = "time, partition:offset" + (record.key === null ? "" : ", key " + text(record.key));
  const value = element("button", "value", text(record.value));
  value.type = "button";
  value.setAttribute("aria-expanded", "false");
  value.addEventListener("click", () => {
    const open = value.classList.toggle("open");
    value.setAttribute("aria-expanded", String(open));
    if (open) pause(true);
  });
  row.append(place, value);
  return row;
}

function topicCard(topic) {
  const card = element("article", "card topic");
  const heading = element("div", "heading");
  heading.append(element("h3", "", topic.name), element("span", "rate", rate(topic.messages_per_s) + " msg/s"));
  const count = topic.partitions === 1 ? " partition, " : " partitions, ";
  const facts = whole.format(topic.partitions) + count + whole.format(topic.records) + " records, " + bytes(topic.size_bytes);
  const records = element("ul", "records");
  records.append(...topic.last.map(recordRow));
  card.append(heading, element("p", "facts", facts + ", " + bytes(topic.bytes_per_s) + "/s, " + topic.durability));
  card.lastChild.title = DURABILITY[topic.durability];
  if (topic.schema) {
    const link = element("a", "", "schema");
    link.href = topic.schema;
    card.lastChild.append(", ", link);
  }
  card.append(topic.last.length > 0 ? records : element("p", "quiet", "Nothing in it yet."));
  return card;
}

function groupRow(group) {
  const row = element("tr");
  const topics = group.topics.map((t) => t.name + " (" + whole.format(t.lag) + ")").join(", ");
  row.append(
    element("td", "", group.id),
    element("td", "", group.state),
    element("td", "number", whole.format(group.members)),
    element("td", "", topics || "nothing committed"),
    element("td", "number", whole.format(group.lag)),
  );
  return row;
}

function damageLine(damage) {
  const last = damage.end_offset - 1;
  const offsets = last > damage.first_offset ? "offsets " + damage.first_offset + " to " + last : "offset " + damage.first_offset;
  return element("li", "", "Damaged: " + damage.topic + ", partition " + damage.partition + ", " + offsets + ". The rest is served.");
}

function drawTrend(value) {
  trend.push(value);
  if (trend.length > HISTORY) trend.shift();
  const top = Math.max(...trend, 1);
  const from = HISTORY - trend.length;
  const points = trend.map((v, i) => from + i + "," + (30 - (28 * v) / top).toFixed(2)).join(" ");
  byId("trend").firstElementChild.setAttribute("points", points);
}

function show(overview) {
  say(overview.healthy ? (overview.warning ? "" : "good") : "bad", overview.problem || overview.warning || "running");
  byId("messages-in").textContent = rate(overview.messages_in_per_s);
  byId("bytes-in").textContent = bytes(overview.bytes_in_per_s);
  byId("bytes-out").textContent = bytes(overview.bytes_out_per_s);
  byId("connections").textContent = whole.format(overview.connections);
  byId("damage").replaceChildren(...overview.damage.map(damageLine));
  drawTrend(overview.messages_in_per_s);
  byId("topics").replaceChildren(...overview.topics.map(topicCard));
  if (overview.topics.length === 0) byId("topics").append(element("p", "quiet", "No topics yet."));
  if (overview.groups.length > 0) byId("groups").replaceChildren(...overview.groups.map(groupRow));
}

// The kinds of incidents, by name; empty until they were asked for.
const kinds = new Map();

function incidentRow(incident) {
  const row = element("tr");
  const end = element("td");
  if (incident.state !== "over") {
    const button = element("button", "", incident.state === "planned" ? "Take back" : "End");
    button.type = "button";
    button.addEventListener("click", () => order("DELETE", "/api/incidents/" + incident.id));
    end.append(button);
  }
  row.append(
    element("td", "", incident.kind),
    element("td", "", incident.target || ""),
    element("td", "", clock(incident.from)),
    element("td", "", clock(incident.to)),
    element("td", "", incident.state),
    end,
  );
  return row;
}

function showGenerators(generators) {
  byId("town").hidden = false;
  const rows = generators.incidents.slice(0, 10).map(incidentRow);
  if (rows.length === 0) {
    const cell = element("td", "quiet", "None yet.");
    cell.colSpan = 6;
    rows.push(element("tr"));
    rows[0].append(cell);
  }
  byId("incidents").replaceChildren(...rows);
  const changed = generators.streams.filter((stream) => stream.factor !== 1);
  const pace = (stream) => stream.topic + (stream.factor === 0 ? " is paused" : " at " + stream.factor + " times its usual rate");
  byId("rates").textContent = changed.map(pace).join(", ");
}

function showKind() {
  const kind = kinds.get(byId("kind").value);
  const any = element("option", "", kind.target ? "any " + kind.target : "");
  any.value = "";
  byId("target").replaceChildren(any, ...kind.choices.map((choice) => element("option", "", choice)));
  byId("target").hidden = byId("target-label").hidden = !kind.target;
  byId("about").textContent = kind.about + ", for " + kind.minutes + " min. " + kind.lesson + ".";
}

async function order(method, path, body) {
  const request = { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) };
  try {
    const answer = await fetch(path, request);
    const told = await answer.json();
    byId("ordered").textContent = answer.ok ? "Ordered." : told.error;
  } catch {
    byId("ordered").textContent = "The broker does not answer.";
  }
  await pollGenerators();
}

async function pollGenerators() {
  if (role !== "instructor") return;
  const answer = await fetch("/api/generators", { signal: AbortSignal.timeout(5000) });
  if (answer.status === 409) return;
  if (kinds.size === 0) {
    const list = await (await fetch("/api/incidents")).json();
    for (const kind of list.kinds) kinds.set(kind.kind, kind);
    byId("kind").replaceChildren(...list.kinds.map((kind) => element("option", "", kind.kind)));
    showKind();
  }
  showGenerators(await answer.json());
}

byId("kind").addEventListener("change", showKind);
byId("begin").addEventListener("click", () =>
  order("POST", "/api/incidents", { kind: byId("kind").value, target: byId("target").value || undefined }));

// Who looks at this page: nobody, student or instructor; empty until the broker has said so.
let role = "";
// Known from joining until the page is left; nobody can tell it again.
let secret = null;

function line(name, words, className) {
  return [element("dt", "", name), element("dd", className || "", words)];
}

async function ask(method, path, body) {
  const request = { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body || {}) };
  try {
    const answer = await fetch(path, request);
    const told = await answer.json();
    byId("told").textContent = answer.ok ? "" : told.error + ": " + told.fix + ".";
    return answer.ok ? told : null;
  } catch {
    byId("told").textContent = "The broker does not answer.";
    return null;
  }
}

async function who() {
  const server = await (await fetch("/api/server", { signal: AbortSignal.timeout(5000) })).json();
  const me = await (await fetch("/api/me", { signal: AbortSignal.timeout(5000) })).json();
  role = me.role;
  if (server.mode === "single") return;
  byId("people").hidden = false;
  const known = role !== "nobody";
  byId("join").hidden = known || !byId("login").hidden;
  if (known) byId("login").hidden = true;
  byId("either").hidden = known;
  byId("me").hidden = byId("mine").hidden = byId("programs").hidden = !known;
  // The program with one's own name in it is there already.
  byId("first").hidden = true;
  byId("start").hidden = byId("shown-topics").hidden = byId("shown-groups").hidden = !known;
  byId("renew").hidden = role !== "student";
  if (!known) return;
  const lines = role === "instructor"
    ? [line("You are", "the instructor"), line("Workshop code", me.code)]
    : [line("You are", me.name), line("User", me.user)];
  if (secret) lines.push(line("Password", secret, "secret"), line("", "Write it down: it is shown this once."));
  if (role === "student") {
    lines.push(line("Your topics", me.prefix + "…"), line("Your groups", me.group_prefix + "…"));
    if (me.team.length > 1) lines.push(line("Team", me.team.join(", ")));
    if (me.invite) lines.push(line("Invitation", me.invite + " (for one partner)"));
  }
  byId("me").replaceChildren(...lines.flat());
  await program();
}

async function program() {
  const query = "client=" + encodeURIComponent(byId("client").value) + "&listener=" + encodeURIComponent(byId("listener").value);
  const text = await (await fetch("/api/settings?" + query)).text();
  byId("program").textContent = secret ? text.replaceAll("{password}", secret) : text;
}

for (const id of ["client", "listener"]) byId(id).addEventListener("change", program);

byId("join").addEventListener("submit", async (event) => {
  event.preventDefault();
  const joined = await ask("POST", "/api/join", { code: byId("code").value, invite: byId("invite").value || undefined });
  if (!joined) return;
  secret = joined.password;
  await who();
});

byId("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const password = byId("password").value;
  if (!await ask("POST", "/api/login", { user: byId("user").value, password })) return;
  secret = null;
  byId("password").value = "";
  await who();
});

byId("other").addEventListener("click", () => {
  const login = byId("login").hidden;
  byId("login").hidden = !login;
  byId("join").hidden = login;
  byId("other").textContent = login ? "Join instead" : "Log in instead";
  byId("told").textContent = "";
});

byId("renew").addEventListener("click", async () => {
  const renewed = await ask("POST", "/api/me/password");
  if (!renewed) return;
  secret = renewed.password;
  await who();
});

byId("leave").addEventListener("click", async () => {
  if (await ask("POST", "/api/logout")) location.reload();
});

function say(kind, words) {
  const state = byId("state");
  state.className = "state " + kind;
  if (state.textContent !== words) state.textContent = words;
}

function pause(on) {
  paused = on;
  byId("pause").textContent = paused ? "Go on" : "Pause";
  byId("pause").setAttribute("aria-pressed", String(paused));
}

async function poll() {
  if (!paused && !document.hidden) {
    try {
      if (role === "") await who();
      const answer = await fetch("/api/overview", { signal: AbortSignal.timeout(5000) });
      if (answer.status === 401) {
        if (role !== "nobody") await who();
        say("", "join to see the streams");
        setTimeout(poll, 2000);
        return;
      }
      if (!answer.ok) throw new Error("status " + answer.status);
      const overview = await answer.json();
      if (!paused) show(overview);
      // Nothing in it moves by the second.
      if (polls++ % 3 === 0) await pollGenerators();
    } catch {
      say("bad", "the broker does not answer");
    }
  }
  setTimeout(poll, 1000);
}

// The clipboard of the browser wants https or localhost; on a plain address in a classroom the old way has to do.
async function copy(words) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(words);
  const field = element("textarea", "", words);
  field.setAttribute("readonly", "");
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("the browser refused");
}

for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    try {
      await copy(byId(button.dataset.copy).textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(byId(button.dataset.copy));
      button.textContent = "Press Ctrl+C";
    }
    button.focus();
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

byId("pause").addEventListener("click", () => pause(!paused));
poll();
