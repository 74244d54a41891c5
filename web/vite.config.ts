import react from "@vitejs/plugin-react";
import { compression, defineAlgorithm } from "vite-plugin-compression2";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // Relative addresses: the server sets the <base> of index.html to the path it is served under.
  base: "./",
  plugins: [
    react(),
    compression({
      include: /\.(js|css|html|svg|json|woff2?)$/,
      threshold: 1024,
      algorithms: [defineAlgorithm("gzip", { level: 9 }), defineAlgorithm("brotliCompress")],
    }),
  ],
  build: { target: "es2022", chunkSizeWarningLimit: 800 },
  server: {
    port: 4300,
    proxy: { "/api": "http://127.0.0.1:8080", "/configuration.json": "http://127.0.0.1:8080" },
  },
  test: { environment: "jsdom", setupFiles: ["src/test-setup.ts"], restoreMocks: true },
});
