import { useId } from "preact/hooks";

interface TabsProps<T extends string> {
  label: string;
  tabs: [T, string][];
  chosen: T;
  onChoose: (tab: T) => void;
}

/** A choice of one of few, as a row of buttons; the arrow keys go along it. */
export function Tabs<T extends string>({ label, tabs, chosen, onChoose }: TabsProps<T>) {
  const id = useId();
  const turn = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = tabs.findIndex(([name]) => name === chosen);
    const next = tabs[(at + step + tabs.length) % tabs.length]![0];
    onChoose(next);
    document.getElementById(`${id}-${next}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={turn}>
      {tabs.map(([name, words]) => (
        <button key={name} id={`${id}-${name}`} type="button" role="tab" aria-selected={name === chosen} tabIndex={name === chosen ? 0 : -1} onClick={() => onChoose(name)}>
          {words}
        </button>
      ))}
    </div>
  );
}
