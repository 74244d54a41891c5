import { queryOptions } from "@tanstack/react-query";

import { ApiError, call } from "../api/client";
import type { User } from "../api/types";

/** The signed-in user; null when nobody is signed in. */
export const currentUser = queryOptions({
  queryKey: ["users.get_current_user"],
  staleTime: 5 * 60_000,
  retry: false,
  queryFn: async ({ signal }): Promise<User | null> => {
    try {
      return (await call<{ user: User }>("users.get_current_user", {}, { signal })).user;
    } catch (error) {
      if (error instanceof ApiError && error.code === 401) return null;
      throw error;
    }
  },
});

/** Signs in with an access key and its secret, or a user name and password; the server sets the cookie. */
export async function signIn(name: string, password: string): Promise<void> {
  await call("auth.login", {}, { basic: { name, password } });
}

export async function signOut(): Promise<void> {
  await call("login.logout");
}

/** The key pair in a pasted `clearml.conf` block, if there is one. */
export function credentialsIn(text: string): { key: string; secret: string } | null {
  const value = (name: string) => new RegExp(`"?${name}"?\\s*[=:]\\s*"([^"]+)"`).exec(text)?.[1];
  const key = value("access_key");
  const secret = value("secret_key");
  return key && secret ? { key, secret } : null;
}
