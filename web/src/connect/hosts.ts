import { queryOptions } from "@tanstack/react-query";

/** Where code finds the three servers. */
export interface Hosts {
  api: string;
  web: string;
  files: string;
}

interface Configuration {
  apiBaseUrl?: string | null;
  fileBaseUrl?: string | null;
  displayedServerUrls?: { apiServer?: string | null; filesServer?: string | null } | null;
}

/**
 * Addresses for clients: as configured, else derived from the page's own address, `app.` → `api.`/`files.`,
 * port 30080 → 30008/30081, any other port → 8008/8081.
 */
export function hostsOf(page: URL, configuration: Configuration): Hosts {
  const web = page.origin;
  const absolute = (value: string | null | undefined) =>
    value ? new URL(value, page).href.replace(/\/$/, "") : undefined;
  const shown = configuration.displayedServerUrls;
  const derived = derive(page);
  return {
    web,
    api: absolute(shown?.apiServer) ?? absolute(configuration.apiBaseUrl) ?? derived.api,
    files: absolute(shown?.filesServer) ?? absolute(configuration.fileBaseUrl) ?? derived.files,
  };
}

function derive(page: URL): { api: string; files: string } {
  const { protocol, hostname, port, origin } = page;
  if (hostname.startsWith("app.")) {
    return { api: origin.replace("//app.", "//api."), files: origin.replace("//app.", "//files.") };
  }
  const [api, files] = port === "30080" ? [30008, 30081] : [8008, 8081];
  return { api: `${protocol}//${hostname}:${api}`, files: `${protocol}//${hostname}:${files}` };
}

export const hosts = queryOptions({
  queryKey: ["configuration.json"],
  staleTime: Infinity,
  queryFn: async ({ signal }): Promise<Hosts> => {
    const response = await fetch(new URL("configuration.json", document.baseURI), { signal });
    const configuration = (await response.json().catch(() => ({}))) as Configuration;
    return hostsOf(new URL(window.location.href), configuration);
  },
});

/** The block for `~/clearml.conf`, as `clearml-init` takes it too. */
export function configurationBlock(hosts: Hosts, key: string, secret: string): string {
  return `api {
    web_server: ${hosts.web}
    api_server: ${hosts.api}
    files_server: ${hosts.files}
    credentials {
        "access_key" = "${key}"
        "secret_key" = "${secret}"
    }
}`;
}
