import { part, send } from "../../api/client";
import type { ChallengePage, Handed, Ticket } from "../../api/model";
import { useGet } from "../../api/use";
import { useState } from "preact/hooks";
import { Code, CopyButton } from "../../parts/code";
import { useAct, Wrong } from "../../parts/form";
import { Notice, Panel } from "../../parts/panel";
import { Timer } from "../../parts/timer";
import { count, plural } from "../../parts/words";
import { brokerTime } from "../../state/live";

const sum = (ranges: Record<string, [number, number]>) => Object.values(ranges).reduce((total, [from, to]) => total + to - from, 0);

/** The ticket as one word that `lakehouse.ticket` reads where a notebook cannot reach this server. */
function pasted(ticket: Ticket): string {
  const bytes = new TextEncoder().encode(JSON.stringify(ticket));
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return "WT1." + text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function Ranges({ ticket }: { ticket: Ticket }) {
  return (
    <>
      {Object.entries(ticket.ranges).map(([topic, ranges]) => (
        <div key={topic} class="stack tight">
          <p class="break">
            <a href={`/topics/${part(topic)}`}>{topic}</a>: {plural(sum(ranges), "record")} in {plural(Object.keys(ranges).length, "partition")}
            {(ticket.live[topic] ?? 0) > 0 && `. The last ${count(ticket.live[topic]!)} of them did not exist yet when the ticket was issued`}.
          </p>
          <details>
            <summary>Which offsets</summary>
            <ul class="plain small">
              {Object.entries(ranges).sort(([a], [b]) => Number(a) - Number(b)).map(([partition, [from, to]]) => (
                <li key={partition}>
                  partition {partition}: {to > from ? <>from <span class="mono">{from}</span> up to and with <span class="mono">{to - 1}</span></> : "nothing"}
                </li>
              ))}
            </ul>
          </details>
        </div>
      ))}
    </>
  );
}

/** Which records an answer is about. Scripts take one by themselves. */
export function TicketPanel({ challenge }: { challenge: ChallengePage }) {
  const { data: open, reload } = useGet<Ticket[]>(`/api/tickets/${part(challenge.id)}`, 15_000);
  const [taken, setTaken] = useState<Handed | null>(null);
  const { busy, problem, act } = useAct();
  const take = async () => {
    const ticket = await act(() => send<Handed>("POST", `/api/ticket/${part(challenge.id)}`));
    if (ticket) setTaken(ticket);
    reload();
  };
  const newest = [...(open ?? []), ...(taken ? [taken] : [])].filter((one) => one.expires_ms > brokerTime()).sort((a, b) => b.issued_ms - a.issued_ms)[0];
  const warning = taken && taken.nonce === newest?.nonce ? taken.warning : undefined;
  return (
    <Panel title="Ticket" tools={newest && <Timer ends_ms={newest.expires_ms} label="good for" />}>
      <p class="small quiet">It says which records your answer is about: yours alone, and others each time. A script takes one at every start. Take one here for a notebook that cannot reach this server.</p>
      {newest && (
        <>
          <div class="row">
            <code class="break">{newest.nonce}</code>
            <CopyButton text={newest.nonce} label="Copy the nonce" />
          </div>
          {newest.results && <p class="break">Answers go to <a href={`/topics/${part(newest.results)}`}>{newest.results}</a>, each record with the header <code>ticket</code>.</p>}
          <Ranges key={newest.nonce} ticket={newest} />
          {warning && <Notice mood="warn">{warning}</Notice>}
          <details>
            <summary>As a line for a notebook</summary>
            <Code text={`lakehouse.ticket("${challenge.id}", "${pasted(newest)}")`} label="The ticket for a notebook" />
          </details>
        </>
      )}
      {!newest && open && <p class="quiet">You have none that is still good.</p>}
      <div><button type="button" disabled={busy} onClick={() => void take()}>Take a new ticket</button></div>
      <Wrong problem={problem} />
    </Panel>
  );
}
