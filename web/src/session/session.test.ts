import { expect, test } from "vitest";

import { configurationBlock } from "../connect/hosts";
import { credentialsIn } from "./session";

test("the key pair is found in a pasted block", () => {
  const block = configurationBlock({ api: "http://a", web: "http://w", files: "http://f" }, "KEY", "se-cret_");
  expect(credentialsIn(block)).toEqual({ key: "KEY", secret: "se-cret_" });
  expect(credentialsIn('access_key: "a"\nsecret_key: "b"')).toEqual({ key: "a", secret: "b" });
  expect(credentialsIn("just some text")).toBeNull();
});
