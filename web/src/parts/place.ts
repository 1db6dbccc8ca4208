import { useLocation } from "preact-iso";
import { useMemo } from "preact/hooks";

export type Change = Record<string, string | number | null | undefined>;

/** What of a page stands in its address: to be shared, bookmarked, and gone back to. */
export interface Place {
  query: Record<string, string | undefined>;
  /** The address with a change; what is null or empty goes out of it. */
  link: (change: Change) => string;
  /** Goes there; `push` makes it a step that the browser's Back undoes. */
  go: (change: Change, push?: boolean) => void;
}

export function usePlace(): Place {
  const { path, query, route } = useLocation();
  return useMemo(() => {
    const link = (change: Change) => {
      const next = new URLSearchParams(query);
      for (const [name, value] of Object.entries(change)) {
        if (value === null || value === undefined || value === "") next.delete(name);
        else next.set(name, String(value));
      }
      const text = next.toString();
      return text ? `${path}?${text}` : path;
    };
    return { query, link, go: (change, push = false) => route(link(change), !push) };
  }, [path, query]);
}
