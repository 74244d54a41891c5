import { cleanup } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// What jsdom lacks and Mantine asks for.
window.matchMedia = (query: string) =>
  ({ matches: false, media: query, addEventListener: vi.fn(), removeEventListener: vi.fn(), addListener: vi.fn(), removeListener: vi.fn() }) as unknown as MediaQueryList;
window.ResizeObserver = class {
  observe = vi.fn();
  unobserve = vi.fn();
  disconnect = vi.fn();
};

afterEach(cleanup);

// jsdom has no layout: the virtual list needs a height.
Object.defineProperty(HTMLElement.prototype, "clientHeight", { value: 800 });
Object.defineProperty(HTMLElement.prototype, "clientWidth", { value: 1200 });
