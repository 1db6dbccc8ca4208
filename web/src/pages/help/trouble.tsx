import { useLocation } from "preact-iso";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { withQuery } from "../../api/client";
import { Code } from "../../parts/code";
import { docPath, loadDoc } from "../../parts/docs";
import { Field } from "../../parts/form";
import { Markdown } from "../../parts/markdown";
import { Empty, Panel } from "../../parts/panel";
import { plural } from "../../parts/words";
import { casesOf, find, type Case } from "./cases";

function Body({ one }: { one: Case }) {
  return (
    <div class="stack tight">
      <Markdown text={one.body} level={4} link={docPath} />
      {one.errors.length > 0 && (
        <details>
          <summary>{plural(one.errors.length, "text")} that {one.errors.length === 1 ? "leads" : "lead"} here</summary>
          <ul class="plain small">{one.errors.map((error) => <li key={error} class="break"><code>{error}</code></li>)}</ul>
        </details>
      )}
    </div>
  );
}

/** The cases of docs/troubleshooting.md, found by what one sees. */
export default function Trouble() {
  const { query, route } = useLocation();
  const [text, setText] = useState("");
  const [typed, setTyped] = useState(query.q ?? "");
  const timer = useRef<number | undefined>(undefined);
  useEffect(() => {
    let here = true;
    void loadDoc("troubleshooting").then((loaded) => here && setText(loaded ?? ""));
    return () => {
      here = false;
      window.clearTimeout(timer.current);
    };
  }, []);
  const cases = useMemo(() => casesOf(text), [text]);
  const found = useMemo(() => find(cases, typed), [cases, typed]);
  const type = (value: string) => {
    setTyped(value);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => route(withQuery("/help", { tab: "trouble", q: value.trim().slice(0, 300) }), true), 400);
  };
  const asks = typed.trim() !== "";
  return (
    <div class="stack">
      <Panel title="When something goes wrong">
        <Field label="The text of your error, or what you see" hint="Paste all of it: the last lines of a traceback, or a few words such as: no messages.">
          <textarea rows={3} class="mono" spellcheck={false} value={typed} onInput={(event) => type(event.currentTarget.value)} />
        </Field>
        <p class="small quiet" role="status">{asks && cases.length > 0 && (found.length > 0 ? `${plural(found.length, "case")} may be yours, the likeliest first.` : "")}</p>
        {asks && cases.length > 0 && found.length === 0 && (
          <Empty>
            No case has this text. Try a part of it without names and addresses, or look at <a href="/requests">your requests</a>: errors stand first there, in words.
          </Empty>
        )}
        <div class="stack tight">
          <p class="small">Or let the student's tool look, from the broker's name to the Spark on your computer:</p>
          <Code text={`curl -O ${location.origin}/headwater.pyz\npython headwater.pyz doctor`} label="The doctor of the student's tool" />
        </div>
      </Panel>
      {found.map(({ one, errors }) => (
        <Panel key={one.id} title={one.title}>
          {errors.length > 0 && <p class="break small">{errors.map((error, n) => <>{n > 0 && " · "}<code>{error}</code></>)}</p>}
          <Body one={one} />
        </Panel>
      ))}
      {!asks && (
        <Panel title="All cases">
          {cases.map((one) => (
            <details key={one.id}>
              <summary>{one.title}</summary>
              <Body one={one} />
            </details>
          ))}
        </Panel>
      )}
    </div>
  );
}
