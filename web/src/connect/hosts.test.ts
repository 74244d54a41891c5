import { expect, test } from "vitest";

import { hostsOf } from "./hosts";

const at = (address: string, configuration = {}) => hostsOf(new URL(address), configuration);

test("servers are derived from the page's address", () => {
  expect(at("http://localhost:8080/projects")).toEqual({
    web: "http://localhost:8080", api: "http://localhost:8008", files: "http://localhost:8081",
  });
  expect(at("https://app.example.com/x")).toEqual({
    web: "https://app.example.com", api: "https://api.example.com", files: "https://files.example.com",
  });
  expect(at("http://node:30080/")).toMatchObject({ api: "http://node:30008", files: "http://node:30081" });
});

test("configured addresses win", () => {
  const configuration = {
    apiBaseUrl: "/api",
    displayedServerUrls: { apiServer: null, filesServer: "http://files:9/" },
  };
  expect(at("http://h:1/", configuration)).toEqual({ web: "http://h:1", api: "http://h:1/api", files: "http://files:9" });
});
