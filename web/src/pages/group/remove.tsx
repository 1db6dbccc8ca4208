import { useLocation } from "preact-iso";
import { useState } from "preact/hooks";
import { part, send } from "../../api/client";
import type { GroupPage } from "../../api/model";
import { useAct, Wrong } from "../../parts/form";
import { Notice, Panel } from "../../parts/panel";
import { plural } from "../../parts/words";

/** The keyboard goes on where the question is asked. */
const focus = (button: HTMLButtonElement | null) => button?.focus({ preventScroll: true });

/** Deletes a group in two steps: the first says what dies with it. */
export function Remove({ group }: { group: GroupPage }) {
  const [sure, setSure] = useState(false);
  const { busy, problem, act } = useAct();
  const { route } = useLocation();
  const members = group.members.length;
  if (members === 0 && !group.may_reset) return null;
  const committed = group.partitions.filter((one) => one.committed !== null).length;
  const remove = () => act(async () => {
    await send("DELETE", `/api/groups/${part(group.id)}`);
    route("/groups");
  });
  return (
    <Panel title="Delete the group">
      {members > 0 && <p class="quiet">Only an empty group can be deleted: stop its {plural(members, "member")} first.</p>}
      {members === 0 && !sure && (
        <div class="row apart">
          <p class="quiet grow">The broker forgets how far the group got. No record is touched.</p>
          <button type="button" class="danger" onClick={() => setSure(true)}>Delete the group</button>
        </div>
      )}
      {members === 0 && sure && (
        <Notice mood="warn">
          <div class="stack tight">
            <p><strong>Delete <span class="mono">{group.id}</span>?</strong> {committed === 0 ? "It has committed nothing." : `What it committed in ${plural(committed, "partition")} is gone for good.`} A consumer that joins with this name later begins where its <code>auto.offset.reset</code> says: at the beginning, or with what is new.</p>
            <div class="row">
              <button type="button" class="danger main" disabled={busy} onClick={() => void remove()}>Yes, delete it</button>
              <button type="button" ref={focus} disabled={busy} onClick={() => setSure(false)}>Keep it</button>
            </div>
          </div>
        </Notice>
      )}
      <Wrong problem={problem} />
    </Panel>
  );
}
