// The broker's own documentation, as far as students need it: in the page, so that it is there without the Internet.

const texts = import.meta.glob<string>("../../../docs/{challenges,clients-and-logins,data,databricks,dirt,fraud,joining,setup,spark,troubleshooting,vscode-and-python}.md", { query: "?raw", import: "default" });
const pictures = import.meta.glob<string>("../../../docs/pictures/{fraud-windows,sales-dashboard,trending}.png", { query: "?url", import: "default", eager: true });

const nameOf = (path: string) => path.replace(/^.*\//, "").replace(/\.\w+$/, "");
const byName = new Map(Object.entries(texts).map(([path, load]) => [nameOf(path), load]));
const pictureByName = new Map(Object.entries(pictures).map(([path, url]) => [nameOf(path), url]));

export const hasDoc = (name: string): boolean => byName.has(name);

export const loadDoc = async (name: string): Promise<string | null> => (await byName.get(name)?.()) ?? null;

/** Where a link in one of our texts leads on this page: `../../docs/dirt.md#what-is-planted`, `dirt.md`, `#there`. */
export function docPath(href: string): string | null {
  if (/^#[\w-]+$/.test(href) || /^\/[\w?=#/-]*$/.test(href)) return href;
  const schema = /(?:^|\/)schemas\/([\w-]+)\.schema\.json$/.exec(href);
  if (schema) return `/schemas/${schema[1]}.json`;
  const found = /(?:^|\/)([\w-]+)\.md(#[\w-]+)?$/.exec(href);
  return found && hasDoc(found[1]!) ? `/help?doc=${found[1]}${found[2] ?? ""}` : null;
}

export function docPicture(source: string): string | null {
  return pictureByName.get(nameOf(source)) ?? null;
}
