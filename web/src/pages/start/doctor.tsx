import { useState } from "preact/hooks";
import { get } from "../../api/client";
import type { Doctor as Found } from "../../api/model";
import { useAct, Wrong } from "../../parts/form";
import { Panel, Tag, type Mood } from "../../parts/panel";

const SIGNS: Record<Found["checks"][number]["status"], [Mood, string]> = { ok: ["good", "✓ fine"], warn: ["warn", "▲ look at this"], bad: ["bad", "✕ wrong"] };

/** What the broker finds when it compares how this page came here with where its clients are sent. */
export function Doctor() {
  const [found, setFound] = useState<Found | null>(null);
  const { busy, problem, act } = useAct();
  const look = () => act(async () => setFound(await get<Found>(`/api/doctor?clock_ms=${Date.now()}`)));
  const wrong = found?.checks.filter((check) => check.status !== "ok").length ?? 0;
  return (
    <Panel title="Check my connection" tools={<button type="button" disabled={busy} onClick={() => void look()}>{found ? "Check again" : "Check now"}</button>}>
      {!found && <p class="quiet">Compares the address of this page with the one that clients are sent to, and looks at what failed of late.</p>}
      <Wrong problem={problem} />
      <div role="status">
        {found && (
          <div class="stack tight">
            <p>{wrong === 0 ? "Everything that can be seen from here is fine." : wrong === 1 ? "One thing to look at." : `${wrong} things to look at.`}</p>
            <ul class="checks">
              {found.checks.map((check, n) => {
                const [mood, sign] = SIGNS[check.status];
                return (
                  <li key={n}>
                    <span class="row"><Tag mood={mood}>{sign}</Tag><strong>{check.name}</strong></span>
                    <p class="break">{check.words}</p>
                    {check.fix && <p class="break"><strong>What to do:</strong> {check.fix}</p>}
                  </li>
                );
              })}
            </ul>
          </div>
        )}
      </div>
    </Panel>
  );
}
