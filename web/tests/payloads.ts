// Two hundred hostile contents, for keys, values, headers and names. None may run, leave the page, or break what is around it.

const run = "window.__ran=1";
const tags = ["script", "img", "svg", "iframe", "object", "embed", "video", "audio", "body", "details", "input", "marquee", "math", "style", "link", "base", "form", "meta", "template", "table"];
const handlers = ["onload", "onerror", "onclick", "onfocus", "onmouseover", "ontoggle", "onanimationstart", "onbegin"];

const markup = [
  `<script>${run}</script>`,
  `</script><script>${run}</script>`,
  `<img src=x onerror="${run}">`,
  `"><img src=x onerror=${run}>`,
  `'><svg/onload=${run}>`,
  `<svg><animate onbegin=${run} attributeName=x dur=1s>`,
  `<iframe srcdoc="<script>parent.__ran=1</script>"></iframe>`,
  `<iframe src="javascript:${run}"></iframe>`,
  `<a href="javascript:${run}">click</a>`,
  `<form action="javascript:${run}"><button>go</button></form>`,
  `<math><mtext></form><form><mglyph><style></math><img src onerror=${run}>`,
  `<details open ontoggle=${run}>`,
  `<input autofocus onfocus=${run}>`,
  `<style>@import "http://elsewhere.example/x.css";</style>`,
  `<link rel=stylesheet href="http://elsewhere.example/x.css">`,
  `<base href="http://elsewhere.example/">`,
  `<meta http-equiv="refresh" content="0;url=http://elsewhere.example/">`,
  `<object data="http://elsewhere.example/x"></object>`,
  `<embed src="http://elsewhere.example/x">`,
  `<img src="http://elsewhere.example/x.png">`,
  `<video poster="http://elsewhere.example/x.png">`,
  `<noscript><p title="</noscript><img src=x onerror=${run}>">`,
  `<!--><img src=x onerror=${run}>-->`,
  `<![CDATA[<img src=x onerror=${run}>]]>`,
  `&lt;img src=x onerror=${run}&gt;`,
  `&#60;script&#62;${run}&#60;/script&#62;`,
  `\\u003cscript\\u003e${run}\\u003c/script\\u003e`,
  `{{constructor.constructor('${run}')()}}`,
  `\${${run}}`,
  `<%= ${run} %>`,
];
const protocols = ["javascript:" + run, "JaVaScRiPt:" + run, "java\tscript:" + run, " javascript:" + run, "data:text/html,<script>" + run + "</script>", "vbscript:x", "//elsewhere.example/x", "http://elsewhere.example/x"];
const json = [
  `{"__proto__":{"polluted":1}}`,
  `{"constructor":{"prototype":{"polluted":1}}}`,
  `{"toString":"x","valueOf":"y","hasOwnProperty":1}`,
  `{"dangerouslySetInnerHTML":{"__html":"<img src=x onerror=${run}>"}}`,
  `{"type":"script","props":{"children":"${run}"},"constructor":null}`,
  `[${"[".repeat(500)}${"]".repeat(500)}]`,
  `{"a":1e999,"b":-0,"c":12345678901234567890123}`,
  `{"": "empty name", " ": "blank"}`,
  `{"dup":1,"dup":2}`,
  `{"n":null,"t":true,"e":[],"o":{}}`,
];
const texts = [
  "", " ", "\n\n\n", "\t", "null", "undefined", "NaN", "0", "-1", "true",
  "\u0000\u0001\u0002", "\u001b[31mred\u001b[0m", "\r\nSet-Cookie: x=y", "\u2028\u2029",
  "\u202e\u202dgnirts desrever\u202c", "\u200b\u200c\u200d\ufeff", "e\u0301\u0301\u0301\u0301\u0301".repeat(20), "Z\u0351\u036b\u0343\u036a\u0302".repeat(30),
  "\ud83d\udc69\u200d\ud83d\udc69\u200d\ud83d\udc67\u200d\ud83d\udc66".repeat(10), "\u0627\u0644\u0639\u0631\u0628\u064a\u0629", "\u4e2d\u6587".repeat(100),
  "=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", "=HYPERLINK(\"http://elsewhere.example\")",
  "a".repeat(65536), "word ".repeat(5000), "x".repeat(200) + " " + "y".repeat(200),
  "'; DROP TABLE students; --", "../../../../etc/passwd", "%2e%2e%2f", "$(id)", "`id`", "| id", "%s%s%s%n", "%00", "\\", "\"", "'",
];

/** Bytes that are no text. */
export const binary = [Buffer.from([0xff, 0xfe, 0xfd]), Buffer.from([0xc3, 0x28]), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from([0x00, 0x00, 0x00, 0x00, 0x01, 0x02]), Buffer.alloc(4096, 0x80), Buffer.from([0x1f, 0x8b, 0x08])];

const generated: string[] = [];
for (const tag of tags) for (const handler of handlers) generated.push(`<${tag} ${handler}="${run}" src=x>`);

export const payloads: string[] = [...markup, ...protocols, ...json, ...texts, ...generated].slice(0, 200 - binary.length);
