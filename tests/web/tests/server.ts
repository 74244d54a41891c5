import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { test as base } from "@playwright/test";

interface Started {
  api_url: string;
  files_url: string;
  web_url: string;
  credentials: { access_key: string; secret_key: string };
}

/** A running `clearml-server` with an empty data directory, and a client of its API. */
export class Server {
  readonly key: string;
  readonly secret: string;
  readonly webUrl: string;
  readonly apiUrl: string;
  readonly filesUrl: string;
  private token = "";
  private readonly process: ChildProcess;
  private readonly folder: string;

  private constructor(process: ChildProcess, folder: string, started: Started) {
    this.process = process;
    this.folder = folder;
    this.webUrl = started.web_url;
    this.apiUrl = started.api_url;
    this.filesUrl = started.files_url;
    this.key = started.credentials.access_key;
    this.secret = started.credentials.secret_key;
  }

  static async start(): Promise<Server> {
    const folder = mkdtempSync(join(tmpdir(), "clearml-web-test-"));
    const ports = ["--api-port", "0", "--files-port", "0", "--web-port", "0"];
    const server = spawn(binary(), ["--data-dir", join(folder, "data"), "--print", "json", ...ports], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const line of createInterface({ input: server.stdout })) {
      const started = new Server(server, folder, JSON.parse(line) as Started);
      await started.login();
      return started;
    }
    throw new Error("the server did not start");
  }

  async stop(): Promise<void> {
    this.process.kill("SIGTERM");
    await new Promise((done) => this.process.once("exit", done));
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Calls an endpoint and answers its `data`. */
  async call(endpoint: string, request: object = {}): Promise<any> {
    return this.send(endpoint, request, `Bearer ${this.token}`);
  }

  private async login(): Promise<void> {
    const basic = Buffer.from(`${this.key}:${this.secret}`).toString("base64");
    this.token = (await this.send("auth.login", {}, `Basic ${basic}`)).token as string;
  }

  private async send(endpoint: string, request: object, authorization: string): Promise<any> {
    const response = await fetch(`${this.apiUrl}/v2.31/${endpoint}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: authorization },
      body: JSON.stringify(request),
    });
    const answer = (await response.json()) as { meta: { result_msg: string }; data: unknown };
    if (!response.ok) throw new Error(`${endpoint}: ${answer.meta.result_msg}`);
    return answer.data;
  }
}

/** `CLEARML_SERVER_BINARY`, else the newest build. */
function binary(): string {
  if (process.env.CLEARML_SERVER_BINARY) return process.env.CLEARML_SERVER_BINARY;
  const target = resolve(import.meta.dirname, "../../../target");
  const builds = ["release", "debug"].map((profile) => join(target, profile, "clearml-server")).filter((path) => existsSync(path));
  const newest = builds.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
  if (!newest) throw new Error("build clearml-server first: cargo build -p clearml-server");
  return newest;
}

/** Each test gets a server of its own. */
export const test = base.extend<{ server: Server }>({
  server: async ({}, use) => {
    const server = await Server.start();
    await use(server);
    await server.stop();
  },
});

export { expect } from "@playwright/test";
