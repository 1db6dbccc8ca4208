import { useEffect, useRef, useState } from "preact/hooks";
import { Problem, send } from "../../api/client";
import { Field, useAct, Wrong } from "../../parts/form";
import { Notice } from "../../parts/panel";
import { Table } from "../../parts/table";
import { count, plural, span } from "../../parts/words";
import type { Doomed, Erased } from "./data";

interface DoomProps {
  path: string;
  /** The first button. */
  label: string;
  /** The second button. */
  confirm: string;
  /** The secret is asked for once more. */
  secret?: boolean;
  onDone?: () => void;
}

function Seconds() {
  const [since] = useState(Date.now());
  const [now, setNow] = useState(since);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  return <span class="quiet" role="timer">{span((now - since) / 1000)}</span>;
}

function names(list: string[]): string {
  const shown = list.slice(0, 12).join(", ");
  return list.length > 12 ? `${shown} and ${count(list.length - 12)} more` : shown;
}

export function Done({ erased }: { erased: Erased }) {
  return (
    <Notice mood="good">
      <div class="stack tight" role="status">
        <strong>
          {plural(erased.topics.length, "topic")} and {plural(erased.groups.length, "group")} are gone
          {erased.took_ms === undefined ? "." : `, in ${(erased.took_ms / 1000).toFixed(1)} s.`}
        </strong>
        {erased.topics.length > 0 && <span class="small">Topics: {names(erased.topics)}</span>}
        {erased.groups.length > 0 && <span class="small">Groups: {names(erased.groups)}</span>}
        {erased.kept.length > 0 && <span class="small">Groups with members go on and begin anew: {names(erased.kept)}</span>}
      </div>
    </Notice>
  );
}

/** A reset: the first step shows exactly what dies, the second does it. */
export function Doom({ path, label, confirm, secret, onDone }: DoomProps) {
  const [plan, setPlan] = useState<Doomed | null>(null);
  const [words, setWords] = useState("");
  const [done, setDone] = useState<Erased | null>(null);
  const { busy, problem, act, clear } = useAct();
  const first = useRef<HTMLButtonElement>(null);
  const step = useRef<HTMLDivElement>(null);
  useEffect(() => step.current?.focus(), [plan !== null]);
  const look = () => act(async () => {
    setDone(null);
    setPlan(await send<Doomed>("POST", path));
  });
  const keep = () => {
    setPlan(null);
    setWords("");
    clear();
    setTimeout(() => first.current?.focus());
  };
  const go = (event: Event) => {
    event.preventDefault();
    void act(async () => {
      const body = { confirm: plan!.confirm, ...(secret ? { secret: words } : {}) };
      setDone(await send<Erased>("POST", path, body).catch((error) => {
        const problem = Problem.of(error);
        // The words are meant for programs; here there is a field for it.
        throw secret && problem.status === 403 ? new Problem("this is not the instructor's secret", "copy it whole from the terminal of the first start; nothing was deleted", 403) : problem;
      }));
      setPlan(null);
      setWords("");
      onDone?.();
    });
  };
  if (!plan) {
    return (
      <div class="stack tight">
        <div><button ref={first} type="button" class="danger" disabled={busy} onClick={look}>{label}</button></div>
        <Wrong problem={problem} />
        {done && <Done erased={done} />}
      </div>
    );
  }
  const records = plan.topics.reduce((sum, topic) => sum + topic.records, 0);
  return (
    <div class="stack" ref={step} tabIndex={-1} role="group" aria-label={`${label}, step 2 of 2`}>
      <Notice mood="warn">
        <strong>Step 2 of 2. This dies: {plural(plan.topics.length, "topic")} with {plural(records, "record")}, and {plural(plan.groups.length, "group")}.</strong>{" "}
        {plan.what.replace(/^.*? are deleted\. /, "").replace(/ ?Send the same request.*$/, "")}
      </Notice>
      <div class="columns">
        <div class="doom">
          <Table caption="Topics that die" rows={plan.topics} id={(topic) => topic.name} empty="No topic dies."
            columns={[
              { head: "Topic", cell: (topic) => <code class="break">{topic.name}</code>, by: (topic) => topic.name },
              { head: "Partitions", number: true, cell: (topic) => count(topic.partitions), by: (topic) => topic.partitions },
              { head: "Records", number: true, cell: (topic) => count(topic.records), by: (topic) => topic.records },
            ]} />
        </div>
        <div class="doom">
          <Table caption="Groups that die" rows={plan.groups} id={(group) => group.id} empty="No group dies."
            columns={[
              { head: "Group", cell: (group) => <code class="break">{group.id}</code>, by: (group) => group.id },
              { head: "Members now", number: true, cell: (group) => count(group.members), by: (group) => group.members },
            ]} />
        </div>
      </div>
      <form class="stack doom-form" onSubmit={go}>
        {secret && (
          <Field label="The instructor's secret, once more" hint="A forgotten session must not be enough.">
            <input type="password" autocomplete="current-password" value={words} required onInput={(event) => setWords(event.currentTarget.value)} />
          </Field>
        )}
        <div class="row">
          <button type="submit" class="danger main" disabled={busy}>{busy ? "Deleting" : confirm}</button>
          <button type="button" disabled={busy} onClick={keep}>No, keep it all</button>
          {busy && <Seconds />}
        </div>
        <Wrong problem={problem} />
      </form>
    </div>
  );
}
