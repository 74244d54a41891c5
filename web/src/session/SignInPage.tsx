import { Alert, Button, Card, Center, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState, type ClipboardEvent, type SubmitEvent } from "react";

import { Logo } from "../ui/Logo";
import { credentialsIn, currentUser, signIn } from "./session";

/** Signs in with an access key and secret, or with a fixed user's name and password. */
export function SignInPage() {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const { to } = useSearch({ from: "/login" });
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const login = useMutation({
    mutationFn: () => signIn(name.trim(), password.trim()),
    onSuccess: async () => {
      await queryClient.query({ ...currentUser, staleTime: 0 });
      await navigate({ href: to ?? "/", replace: true });
    },
  });

  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    login.mutate();
  };
  // The whole block that the server printed can be pasted into the first field.
  const paste = (event: ClipboardEvent<HTMLInputElement>) => {
    const pair = credentialsIn(event.clipboardData.getData("text"));
    if (!pair) return;
    event.preventDefault();
    setName(pair.key);
    setPassword(pair.secret);
  };

  return (
    <Center component="main" mih="100dvh" p="md">
      <Card withBorder shadow="sm" radius="lg" padding="xl" w={420}>
        <form onSubmit={submit}>
          <Stack>
            <Logo />
            <div>
              <Title order={1} size="h3">Sign in</Title>
              <Text size="sm" c="dimmed" mt={4}>
                With the key pair that the server printed at its first start: paste the whole block, or the two values.
              </Text>
            </div>
            <TextInput
              label="Access key or user name"
              autoComplete="username"
              required
              data-autofocus
              autoFocus
              value={name}
              onChange={(event) => { setName(event.currentTarget.value); }}
              onPaste={paste}
            />
            <PasswordInput
              label="Secret key or password"
              autoComplete="current-password"
              required
              value={password}
              onChange={(event) => { setPassword(event.currentTarget.value); }}
            />
            {login.error && <Alert color="red" role="alert">{login.error.message}</Alert>}
            <Button type="submit" loading={login.isPending}>Sign in</Button>
            <Text size="xs" c="dimmed">
              No key at hand? On the server&rsquo;s machine: <code>clearml-server credentials create</code>
            </Text>
          </Stack>
        </form>
      </Card>
    </Center>
  );
}
