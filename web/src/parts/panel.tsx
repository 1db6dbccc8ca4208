import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface PanelProps {
  title?: ComponentChildren;
  /** Beside the title, at the end of the line. */
  tools?: ComponentChildren;
  roomy?: boolean;
  class?: string;
  children?: ComponentChildren;
}

export function Panel({ title, tools, roomy, class: more, children }: PanelProps) {
  const id = useId();
  return (
    <section class={`panel ${roomy ? "roomy" : ""} ${more ?? ""}`} aria-labelledby={title ? id : undefined}>
      {(title || tools) && (
        <header>
          {title ? <h2 id={id}>{title}</h2> : <span />}
          {tools && <div class="row">{tools}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

export function PageHead({ title, children }: { title: ComponentChildren; children?: ComponentChildren }) {
  return (
    <div class="head">
      <h1>{title}</h1>
      {children && <div class="row">{children}</div>}
    </div>
  );
}

export type Mood = "good" | "warn" | "bad" | "accent" | "";

export function Notice({ mood = "", children }: { mood?: Mood; children: ComponentChildren }) {
  return <div class={`notice ${mood}`} role={mood === "bad" ? "alert" : undefined}>{children}</div>;
}

export function Tag({ mood = "", title, children }: { mood?: Mood; title?: string; children: ComponentChildren }) {
  return <span class={`tag ${mood}`} title={title}>{children}</span>;
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}

export function Figure({ value, label }: { value: ComponentChildren; label: ComponentChildren }) {
  return <div class="figure"><strong>{value}</strong><span>{label}</span></div>;
}
