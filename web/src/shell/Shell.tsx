import { ActionIcon, AppShell, Avatar, Group, Menu, NavLink, Stack, Text, UnstyledButton, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { IconFolders, IconListDetails, IconLogout, IconMoon, IconPlugConnected, IconSun } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";

import { currentUser, signOut } from "../session/session";
import { Logo } from "../ui/Logo";

const PLACES = [
  { to: "/projects", label: "Projects", icon: IconFolders },
  { to: "/tasks", label: "Tasks", icon: IconListDetails },
  { to: "/connect", label: "Connect your code", icon: IconPlugConnected },
] as const;

/** What surrounds every page: places to go, the user, the colour scheme. */
export function Shell() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  return (
    <AppShell navbar={{ width: 220, breakpoint: "xs" }}>
      <AppShell.Navbar p="sm" component="nav" aria-label="Main">
        <Stack h="100%" justify="space-between">
          <div>
            <Group p="xs" mb="sm"><Logo /></Group>
            {PLACES.map(({ to, label, icon: Icon }) => (
              <NavLink
                key={to}
                component={Link}
                to={to}
                label={label}
                leftSection={<Icon size={18} aria-hidden />}
                active={path.startsWith(to)}
                style={{ borderRadius: 8 }}
              />
            ))}
          </div>
          <Group justify="space-between" wrap="nowrap">
            <UserMenu />
            <ColorSchemeSwitch />
          </Group>
        </Stack>
      </AppShell.Navbar>
      <AppShell.Main><Outlet /></AppShell.Main>
    </AppShell>
  );
}

function UserMenu() {
  const { data: user } = useQuery(currentUser);
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const leave = async () => {
    await signOut();
    queryClient.clear();
    await navigate({ to: "/login" });
  };
  if (!user) return null;
  return (
    <Menu position="top-start">
      <Menu.Target>
        <UnstyledButton p={6}>
          <Group gap={8} wrap="nowrap">
            <Avatar size="sm" name={user.name} color="initials" aria-hidden />
            <Text size="sm" truncate maw={110}>{user.name}</Text>
          </Group>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{user.role}</Menu.Label>
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => void leave()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function ColorSchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      aria-label={dark ? "Use light colours" : "Use dark colours"}
      onClick={() => { setColorScheme(dark ? "light" : "dark"); }}
    >
      {dark ? <IconSun size={18} /> : <IconMoon size={18} />}
    </ActionIcon>
  );
}
