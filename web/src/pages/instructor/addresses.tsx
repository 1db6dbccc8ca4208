import { useState } from "preact/hooks";
import { part, send } from "../../api/client";
import type { Doctor } from "../../api/model";
import { useGet } from "../../api/use";
import { Field, useAct, Wrong } from "../../parts/form";
import { isElsewhere, Missing } from "../../parts/missing";
import { Notice, Panel, Tag } from "../../parts/panel";
import { refresh, server } from "../../state/session";

export interface Listener { name: string; protocol: string; host: string; port: number; mechanisms: string[] }

/** A name by which a machine reaches only itself. */
export const isLocal = (host: string): boolean => /^(localhost|.*\.localhost|127\.[\d.]+|\[?::1\]?)$/i.test(host);

type Finding = Doctor["checks"][number];

function Address({ listener, here, finding, onChanged }: { listener: Listener; here: string; finding: Finding | undefined; onChanged: () => void }) {
  const [text, setText] = useState("");
  const [told, tell] = useState("");
  const { busy, problem, act } = useAct();
  const set = (advertise: string) => act(async () => {
    const now = await send<{ advertise: string }>("PUT", `/api/listeners/${part(listener.name)}`, { advertise });
    tell(now.advertise === "auto" ? "Each client goes on at the address it came to." : `Clients are sent to ${now.advertise} from now on, after a restart too.`);
    setText("");
    await refresh();
    onChanged();
  });
  const write = (event: Event) => {
    event.preventDefault();
    void set(text.trim());
  };
  const lost = isLocal(listener.host);
  const wrong = finding && finding.status !== "ok" ? finding : null;
  const state = lost ? "▲ this machine only" : wrong ? (wrong.status === "bad" ? "■ out of reach" : "▲ look") : "● for others too";
  return (
    <div class="incident stack tight">
      <div class="row apart">
        <h3 class="break">{listener.name} <span class="quiet">{listener.protocol}</span></h3>
        <Tag mood={lost ? "warn" : wrong ? (wrong.status === "bad" ? "bad" : "warn") : "good"}>{state}</Tag>
      </div>
      <p>Clients are told <code class="break"><strong>{listener.host}:{listener.port}</strong></code></p>
      {wrong && <Notice mood={wrong.status === "bad" ? "bad" : "warn"}>{wrong.words} {wrong.fix}</Notice>}
      {lost && !wrong && <p class="small">A client on another machine would be sent to {listener.host}, which is itself, and find nothing there.</p>}
      <div class="row">
        {!isLocal(here) && listener.host !== here && <button type="button" class={lost ? "main" : ""} disabled={busy} onClick={() => set(here)}>Use {here}</button>}
        <button type="button" disabled={busy} onClick={() => set("auto")}>Use what each client came to</button>
      </div>
      <form class="row ends" onSubmit={write}>
        <Field label="Another address"><input value={text} required placeholder="HOST or HOST:PORT" maxLength={260} onInput={(event) => setText(event.currentTarget.value)} /></Field>
        <button type="submit" disabled={busy || !text.trim()}>Set</button>
      </form>
      <Wrong problem={problem} />
      <span class="small" role="status">{told}</span>
    </div>
  );
}

const MOODS = { ok: "good", warn: "warn", bad: "bad" } as const;
const WORDS = { ok: "● fine", warn: "▲ look", bad: "■ wrong" } as const;

export function DoctorChecks({ only }: { only?: (name: string) => boolean }) {
  const doctor = useGet<Doctor>("/api/doctor", 15_000);
  const checks = (doctor.data?.checks ?? []).filter((check) => only?.(check.name) ?? true);
  return (
    <>
      {!doctor.data && doctor.problem?.status !== 404 && <Wrong problem={doctor.problem} />}
      <ul class="plain-list">
        {checks.map((check) => (
          <li key={check.name} class="break">
            <Tag mood={MOODS[check.status]}>{WORDS[check.status]}</Tag> <strong>{check.name}</strong> {check.words} {check.fix && <span class="quiet">{check.fix}</span>}
          </li>
        ))}
      </ul>
    </>
  );
}

/** Where clients are sent: what a client is told in its first answer, and connects to from then on. */
export function Addresses() {
  return isElsewhere() ? <Elsewhere /> : <Own />;
}

/** The brokers of another cluster have listeners of their own. */
function Elsewhere() {
  return (
    <Panel title="Where Kafka clients are sent">
      <Missing what="Where clients are sent, and whether they get there," />
      <p>Students are shown {server.value?.listeners.map((one) => <code key={one.name} class="break">{one.host}:{one.port} ({one.protocol})</code>)}; another address or login comes from the file that <code>--cluster-student-config</code> names.</p>
    </Panel>
  );
}

function Own() {
  const here = window.location.hostname;
  const doctor = useGet<Doctor>("/api/doctor", 15_000);
  const finding = (name: string) => doctor.data?.checks.find((check) => check.name === `address ${name}`);
  const listeners = (server.value?.listeners ?? []) as Listener[];
  const { busy, problem, act } = useAct();
  const elsewhere = listeners.filter((listener) => listener.host !== here);
  const setAll = () => act(async () => {
    for (const { name } of elsewhere) await send("PUT", `/api/listeners/${part(name)}`, { advertise: here });
    await refresh();
    doctor.reload();
  });
  return (
    <Panel title="Where Kafka clients are sent">
      <p class="quiet">A client's first answer names the address for everything after it. If that one does not lead here, it connects and then times out.</p>
      {isLocal(here)
        ? <Notice mood="warn">You opened this page as <code>{here}</code>, which only this machine can reach. Open it by the name or address that students use, and one click sets it for their clients too.</Notice>
        : <p>This browser reached the broker as <code class="break"><strong>{here}</strong></code>.</p>}
      {!isLocal(here) && elsewhere.length > 1 && <div class="row"><button type="button" class="main" disabled={busy} onClick={setAll}>Use {here} for all</button></div>}
      <Wrong problem={problem} />
      <div class="columns incidents">{listeners.map((listener) => <Address key={listener.name} listener={listener} here={here} finding={finding(listener.name)} onChanged={doctor.reload} />)}</div>
    </Panel>
  );
}
