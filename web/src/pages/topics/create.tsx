import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { part, send } from "../../api/client";
import { Dialog, Field, useAct, Wrong } from "../../parts/form";
import { me } from "../../state/session";

const HOURS: [string, string][] = [["", "by the broker's default"], ["3600000", "1 hour"], ["86400000", "1 day"], ["604800000", "7 days"], ["-1", "for ever"]];

export function Create({ onClose }: { onClose: () => void }) {
  const prefix = me.value?.prefix ?? "";
  const { route } = useLocation();
  const { busy, problem, act } = useAct();
  const [name, setName] = useState(prefix ? `${prefix}play` : "");
  const [partitions, setPartitions] = useState("3");
  const [policy, setPolicy] = useState("");
  const [retention, setRetention] = useState("");
  const outside = prefix !== "" && name !== "" && !name.startsWith(prefix);
  const create = () =>
    act(async () => {
      const configs = { ...(policy && { "cleanup.policy": policy }), ...(retention && { "retention.ms": retention }) };
      const made = await send<{ name: string }>("POST", "/api/topics", { name: name.trim(), partitions: Number(partitions) || undefined, configs });
      route(`/topics/${part(made.name)}?tab=produce`);
    });
  return (
    <Dialog title="Create a topic" onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        <Field label="Name" hint={prefix ? `Yours begin with ${prefix} - letters, digits, dots, dashes and underscores.` : "Letters, digits, dots, dashes and underscores, 249 at most."}>
          <input class="mono wide" required maxLength={249} pattern="[A-Za-z0-9._\-]+" spellcheck={false} autocapitalize="none" autocomplete="off" value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </Field>
        {outside && <p class="small" role="status">This does not begin with <code class="break">{prefix}</code>, so the broker will refuse it.</p>}
        <Field label="Partitions" hint="As many consumers of one group can work at the same time. More can be added later, never fewer.">
          <input class="number short" type="number" min={1} max={1000} required value={partitions} onInput={(event) => setPartitions(event.currentTarget.value)} />
        </Field>
        <details>
          <summary>How long records stay</summary>
          <div class="stack tight inset">
            <Field label="Old records" hint="Compaction keeps the newest record of each key; a tombstone deletes a key.">
              <select value={policy} onChange={(event) => setPolicy(event.currentTarget.value)}>
                <option value="">are deleted by age (default)</option>
                <option value="compact">are compacted by key</option>
                <option value="compact,delete">both</option>
              </select>
            </Field>
            <Field label="Kept for">
              <select value={retention} onChange={(event) => setRetention(event.currentTarget.value)}>
                {HOURS.map(([value, words]) => <option key={value} value={value}>{words}</option>)}
              </select>
            </Field>
          </div>
        </details>
        <Wrong problem={problem} />
        <div class="row end"><button type="submit" class="main" disabled={busy}>Create topic</button></div>
      </form>
    </Dialog>
  );
}
