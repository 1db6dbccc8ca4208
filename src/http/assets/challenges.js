"use strict";

// The challenges: what there is, what one's own answers are worth, hints. Everything is put on the page by textContent.

const STATES = { pass: "passed", granted: "granted", skipped: "skipped", partial: "partly right", fail: "not yet", error: "nothing to judge" };
const cards = new Map();

function challengeCard(one) {
  const card = element("details", "card challenge");
  const head = element("summary");
  head.append(element("span", "name", one.id.toUpperCase() + "  " + one.title), element("span", "state-of", ""));
  card.append(head, element("p", "", one.summary));
  const kind = one.core ? "core" : "stretch";
  card.append(element("p", "facts", one.minutes + " min for two, " + kind + ", " + one.points + " points; reads " + one.topics.join(", ")));
  const commands = element("pre");
  commands.append(element("code", "", "python3 headwater.pyz start " + one.id + "\npython3 headwater.pyz check " + one.id + " --watch"));
  const verdict = element("pre", "verdict");
  verdict.hidden = true;
  verdict.tabIndex = 0;
  const hint = element("p", "quiet hint");
  hint.setAttribute("role", "status");
  const buttons = element("p", "order");
  buttons.append(
    act("Check", async () => showVerdict(verdict, hint, await send("/api/check/" + one.id))),
    act("Hint", async () => {
      const given = await send("/api/hint/" + one.id);
      hint.textContent = given.error ? given.error + ": " + given.fix : "Hint " + given.n + " of " + given.of + ": " + given.hint;
    }),
    act("I'm stuck", async () => {
      const told = await send("/api/stuck/" + one.id, { stuck: true });
      hint.textContent = told.error ? told.error + ": " + told.fix : "Somebody will come.";
    }),
  );
  card.append(commands, buttons, hint, verdict);
  card.addEventListener("toggle", async () => {
    if (!card.open || !verdict.hidden) return;
    const last = await fetch("/api/verdict/" + one.id);
    if (last.ok) showVerdict(verdict, hint, await last.json());
  });
  return card;
}

function act(words, does) {
  const button = element("button", "", words);
  button.type = "button";
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await does();
    } finally {
      button.disabled = false;
    }
    await pollChallenges();
  });
  return button;
}

async function send(path, body) {
  try {
    const request = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body || {}) };
    return await (await fetch(path, request)).json();
  } catch {
    return { error: "the broker does not answer", fix: "try again" };
  }
}

function showVerdict(place, told, verdict) {
  told.textContent = verdict.error ? verdict.error + ": " + verdict.fix : "";
  place.hidden = !verdict.text;
  place.textContent = verdict.text || "";
}

// Cards stay as they are: one may be open and being read.
async function pollChallenges() {
  const answer = await fetch("/api/challenges", { signal: AbortSignal.timeout(5000) });
  if (!answer.ok) return;
  const list = await answer.json();
  byId("shown-challenges").hidden = list.length === 0 || role === "nobody";
  for (const one of list) {
    if (!cards.has(one.id)) {
      cards.set(one.id, challengeCard(one));
      byId("challenges").append(cards.get(one.id));
    }
    const state = cards.get(one.id).querySelector(".state-of");
    state.textContent = STATES[one.status] || one.minutes + " min";
    state.className = "state-of " + (one.status || "");
  }
}

setInterval(() => {
  if (!paused && !document.hidden && role !== "") pollChallenges().catch(() => {});
}, 3000);
