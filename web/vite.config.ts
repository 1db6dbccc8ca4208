import { defineConfig, type Plugin } from "vite";
import { gzipSync } from "node:zlib";
import { readFileSync, readdirSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// The binary carries every file once, compressed.
function compress(): Plugin {
  const each = (folder: string): string[] =>
    readdirSync(folder).flatMap((name) => {
      const path = join(folder, name);
      return statSync(path).isDirectory() ? each(path) : [path];
    });
  return {
    name: "compress",
    apply: "build",
    closeBundle() {
      for (const path of each("dist")) {
        if (path.endsWith(".gz")) continue;
        writeFileSync(path + ".gz", gzipSync(readFileSync(path), { level: 9 }));
        unlinkSync(path);
      }
    },
  };
}

// `npm run dev` takes the data from a broker that runs already: HEADWATER=http://127.0.0.1:8080 npm run dev
const broker = process.env.HEADWATER ?? "http://127.0.0.1:8080";
const passed = { target: broker, changeOrigin: true, headers: { origin: broker } };

export default defineConfig({
  plugins: [compress()],
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, cssCodeSplit: true, reportCompressedSize: true },
  server: {
    host: "127.0.0.1",
    // The texts and pictures of docs/.
    fs: { allow: [".."] },
    proxy: { "/api": passed, "/schemas": passed, "/ca.pem": passed, "/headwater.pyz": passed, "/wheels": passed, "/healthz": passed },
  },
});
