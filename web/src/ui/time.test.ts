import { expect, test } from "vitest";

import { ago, duration } from "./time";

test("times are told relative to now", () => {
  const now = Date.parse("2026-01-02T00:00:00Z");
  expect(ago("2026-01-01T23:59:30+00:00", now)).toBe("now");
  expect(ago("2026-01-01T23:55:00+00:00", now)).toBe("5 min. ago");
  expect(ago("2025-12-31T00:00:00+00:00", now)).toBe("2 days ago");
  expect(ago(undefined, now)).toBe("");
});

test("durations are told in two units", () => {
  expect([59, 61, 3720].map(duration)).toEqual(["59 s", "1 min 01 s", "1 h 02 min"]);
});
