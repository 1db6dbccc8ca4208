import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { part, send } from "../../api/client";
import type { TopicPage } from "../../api/model";
import { Dialog, useAct, Wrong } from "../../parts/form";
import { Notice } from "../../parts/panel";
import { bytes, plural } from "../../parts/words";

/** Deletes a topic, after saying what goes with it. */
export function Remove({ topic }: { topic: TopicPage }) {
  const [open, setOpen] = useState(false);
  const { route } = useLocation();
  const { busy, problem, act } = useAct();
  const remove = () =>
    act(async () => {
      await send("DELETE", `/api/topics/${part(topic.name)}`);
      route("/topics");
    });
  const readers = topic.groups.map((group) => group.id);
  return (
    <>
      <button type="button" class="danger" onClick={() => setOpen(true)}>Delete</button>
      {open && (
        <Dialog title="Delete this topic?" onClose={() => setOpen(false)}>
          <p class="break"><strong>{topic.name}</strong></p>
          <Notice mood="warn">{plural(topic.records, "record")} {topic.size_bytes !== null && `(${bytes(topic.size_bytes)}) `}in {plural(topic.partitions, "partition")} go for good. Nobody can bring them back.</Notice>
          {readers.length > 0 && <p class="break">Read by: {readers.slice(0, 10).join(", ")}{readers.length > 10 && ` and ${readers.length - 10} more`}. What they have committed here goes too.</p>}
          <Wrong problem={problem} />
          <div class="row end"><button type="button" onClick={() => setOpen(false)}>Keep it</button><button type="button" class="danger main" disabled={busy} onClick={() => void remove()}>Delete the topic</button></div>
        </Dialog>
      )}
    </>
  );
}
