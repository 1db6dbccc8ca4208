import { useState } from "preact/hooks";
import { part } from "../../api/client";
import type { ChallengePage, Starter } from "../../api/model";
import { Code } from "../../parts/code";
import { Field } from "../../parts/form";
import { Notice, Panel } from "../../parts/panel";
import { isSingle, me, password } from "../../state/session";
import { comeIn, python, student, WHY_LOGIN, type System } from "../start/terminal";
import { fromHere } from "../start/wheels";

const CLIENTS: Record<string, string> = { "confluent-kafka": "confluent-kafka", "kafka-python": "kafka-python", spark: "Spark notebook" };
const SYSTEMS: [System, string][] = [["unix", "Linux, macOS, WSL"], ["windows", "Windows (PowerShell)"]];

const SPARK = "spark";
const guess = (): System => (/windows/i.test(navigator.userAgent) ? "windows" : "unix");

/** As the student's tool names it. */
const saved = (name: string, id: string) => name.replace("starter", id);

function lines(starter: Starter, challenge: ChallengePage, system: System): string {
  const script = saved(starter.name, challenge.id);
  const set = (name: string, value: string) => (system === "windows" ? `$env:${name} = "${value}"` : `export ${name}='${value}'`);
  const requirements = starter.needs?.find((name) => /^requirements.*\.txt$/.test(name));
  const isStreamlit = starter.needs?.includes("requirements.txt") && /streamlit/i.test(challenge.readme);
  const largest = starter.client === SPARK ? "pyspark" : isStreamlit ? "streamlit" : starter.client;
  const user = me.value?.user;
  return [
    set("HEADWATER_SERVER", location.origin),
    ...(isSingle() || !user ? [] : [set("HEADWATER_USER", user), set("HEADWATER_PASSWORD", password.value ?? "YOUR-PASSWORD")]),
    ...(requirements ? [fromHere(`${python(system)} -m pip install -r ${requirements}`, largest)] : []),
    isStreamlit ? `streamlit run ${script}` : `${python(system)} ${script}`,
  ].join("\n");
}

function tool(starter: Starter, challenge: ChallengePage, isFirst: boolean, system: System): string {
  const client = isFirst ? "" : ` --client ${starter.client}`;
  const command = `${python(system)} headwater.pyz`;
  return [`${command} start ${challenge.id}${client}${isSingle() ? ` --server ${location.origin}` : ""}`, `${command} check ${challenge.id} --watch`].join("\n");
}

function File({ challenge, name, as, about }: { challenge: ChallengePage; name: string; as: string; about?: string }) {
  return (
    <li>
      <a href={`/api/challenges/${part(challenge.id)}/${part(name)}`} download={as}>{as}</a>
      {about && <span class="quiet"> {about}</span>}
    </li>
  );
}

/** The files to begin with, for the client that one works with, and how to run them. */
export function Begin({ challenge, mayAct }: { challenge: ChallengePage; mayAct: boolean }) {
  const [client, setClient] = useState(challenge.starters[0]?.client ?? "");
  const [system, setSystem] = useState<System>(guess);
  const chosen = challenge.starters.find((one) => one.client === client) ?? challenge.starters[0];
  if (!chosen) return null;
  const isSpark = chosen.client === SPARK;
  return (
    <Panel title="Begin">
      {challenge.starters.length > 1 && (
        <div class="row" role="group" aria-label="Client library">
          {challenge.starters.map((one) => (
            <button key={one.client} type="button" aria-pressed={one.client === chosen.client} onClick={() => setClient(one.client)}>{CLIENTS[one.client] ?? one.client}</button>
          ))}
        </div>
      )}
      <p>Save these into a folder of their own:</p>
      <ul class="plain files">
        <File challenge={challenge} name={chosen.name} as={saved(chosen.name, challenge.id)} about={isSpark ? "the script; Databricks imports it as a notebook" : "the script, with gaps for you"} />
        {chosen.notebook && <File challenge={challenge} name={chosen.notebook} as={saved(chosen.notebook, challenge.id)} about="the same as a Jupyter notebook" />}
        {(chosen.needs ?? []).map((name) => <File key={name} challenge={challenge} name={name} as={name} />)}
      </ul>
      <Field label="How to run it here">
        <select value={system} onChange={(event) => setSystem(event.currentTarget.value as System)}>
          {SYSTEMS.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
        </select>
      </Field>
      <Code text={lines(chosen, challenge, system)} label="How to run it here" />
      {mayAct && !isSingle() && !password.value && <p class="small quiet">Your password was shown once, when you joined. Lost it? Set a new one on <a href="/">Start here</a>.</p>}
      {isSpark && <p class="small quiet">On this computer Spark needs Java 17 or 21. <a href="/help?doc=spark">More on Spark and Databricks</a></p>}
      <details>
        <summary>Or let the student's tool do it</summary>
        <div class="stack tight">
          <p class="small quiet">It writes the same files into a folder, and tells in the terminal what is right. {student() && WHY_LOGIN}</p>
          <Code text={comeIn(system)} label="Get the student's tool" />
          <p class="small quiet">Then:</p>
          <Code text={tool(chosen, challenge, chosen === challenge.starters[0], system)} label="With the student's tool" />
        </div>
      </details>
      {!mayAct && <Notice><a href="/">Join first</a>: the lines get your own user and password then.</Notice>}
    </Panel>
  );
}
