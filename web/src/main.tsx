import "@mantine/core/styles.css";

import { createTheme, MantineProvider, type CSSVariablesResolver } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { createAppRouter, createQueryClient } from "./router";

const theme = createTheme({ primaryColor: "indigo", primaryShade: { light: 7, dark: 8 }, defaultRadius: "md", autoContrast: true });

// Mantine's own dimmed text and light badges are too faint to read on white.
const variables: CSSVariablesResolver = ({ colors }) => {
  const readable = Object.entries(colors).map(([name, shades]) => [`--mantine-color-${name}-light-color`, `color-mix(in srgb, ${shades[9]} 70%, black)`]);
  return {
    variables: {},
    light: { "--mantine-color-dimmed": "#52595f", ...(Object.fromEntries(readable) as Record<string, string>) },
    dark: { "--mantine-color-dimmed": "#a6a7ab" },
  };
};

const queryClient = createQueryClient();
const router = createAppRouter(queryClient);

const container = document.getElementById("root");
if (container) {
  createRoot(container).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
        <QueryClientProvider client={queryClient}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
