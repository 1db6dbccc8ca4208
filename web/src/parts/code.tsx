import { useRef, useState } from "preact/hooks";
import { copy, save } from "./copy";

export function CopyButton({ text, label = "Copy" }: { text: string | (() => string); label?: string }) {
  const [told, tell] = useState("");
  const say = (words: string) => {
    tell(words);
    setTimeout(() => tell(""), 2000);
  };
  const click = () =>
    copy(typeof text === "string" ? text : text()).then(
      () => say("Copied"),
      () => say("Select it and press Ctrl+C"),
    );
  return (
    <button type="button" onClick={click}>
      {told || label}
      <span class="only-read" role="status">{told}</span>
    </button>
  );
}

/** Text to be taken along: shown as it is, with a button that copies it and, with a file name, one that saves it. `wraps`: a long line is seen whole. */
export function Code({ text, file, label, wraps }: { text: string; file?: string; label?: string; wraps?: boolean }) {
  const shown = useRef<HTMLPreElement>(null);
  return (
    <div class={wraps ? "code wraps" : "code"}>
      <div class="tools">
        {file && <button type="button" onClick={() => save(file, text)}>Save</button>}
        <CopyButton text={text} />
      </div>
      <pre ref={shown} tabIndex={0} role="region" aria-label={label ?? file ?? "Code"}><code>{text}</code></pre>
    </div>
  );
}
