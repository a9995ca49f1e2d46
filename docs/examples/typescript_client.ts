// Use the types that openapi-typescript makes: `node typescript_client.js http://127.0.0.1:8000`.
// docs/clients.md says how they are made. What is asserted here holds for every caller.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import createClient from "openapi-fetch";

import type { components, paths } from "./schema.js";

type Task = components["schemas"]["TaskRead"];
type Refusal = components["schemas"]["ErrorResponse"];

const baseUrl = process.argv[2];
const api = createClient<paths>({ baseUrl });

/** Return what was asked for, or tell why it was refused. */
function done<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

async function signIn(): Promise<void> {
  const username = `ada_${randomUUID().slice(0, 8)}`;
  const password = "correct horse battery staple";
  const body = { email: `${username}@example.com`, username, name: "Ada", password };
  done(await api.POST("/api/v1/auth/register", { body }));
  const tokens = done(
    await api.POST("/api/v1/auth/token", {
      body: { username, password },
      bodySerializer: (form) => new URLSearchParams(form as Record<string, string>),
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
    }),
  );
  api.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${tokens.access_token}`);
      return request;
    },
  });
}

/** Page after page, one task each. */
async function listTitles(project_id: string): Promise<string[]> {
  const titles: string[] = [];
  let cursor: string | null = null;
  do {
    const query: { limit: number; sort: string; cursor?: string } = { limit: 1, sort: "number" };
    if (cursor !== null) query.cursor = cursor;
    const page: components["schemas"]["TaskPage"] = done(
      await api.GET("/api/v1/projects/{project_id}/tasks", { params: { path: { project_id }, query } }),
    );
    titles.push(...page.items.map((task) => task.title));
    cursor = page.next_cursor;
  } while (cursor !== null);
  return titles;
}

await signIn();
const slug = `engines-${randomUUID().slice(0, 8)}`;
const workspace = done(await api.POST("/api/v1/workspaces", { body: { name: "Engines", slug } }));
const project = done(
  await api.POST("/api/v1/workspaces/{workspace_id}/projects", {
    params: { path: { workspace_id: workspace.id } },
    body: { name: "Operations", key: "OPS" },
  }),
);

async function createTask(title: string, key?: string): Promise<Task> {
  const header = key === undefined ? {} : { "Idempotency-Key": key };
  const params = { path: { project_id: project.id }, header };
  return done(await api.POST("/api/v1/projects/{project_id}/tasks", { params, body: { title } }));
}

// Sent twice, it is made once.
const key = randomUUID();
const task = await createTask("Write the changelog", key);
assert.equal((await createTask("Write the changelog", key)).id, task.id);
await createTask("Release it");
assert.deepEqual(await listTitles(project.id), ["Write the changelog", "Release it"]);

// An edit names the version that it is made on, and a stale one says what it would have overwritten.
const edit = (priority: Task["priority"]) =>
  api.PATCH("/api/v1/tasks/{task_id}", {
    params: { path: { task_id: task.id }, header: { "if-match": `"${task.version}"` } },
    body: { priority },
  });
assert.equal(done(await edit("urgent")).version, 2);
const stale = await edit("low");
const refusal: Refusal | undefined = stale.error;
assert.equal(stale.response.status, 412);
assert.equal(refusal?.error.code, "STALE_VERSION");
assert.deepEqual(refusal?.error.details["fields"], ["priority"]);

const params = { path: { task_id: task.id } };
assert.ok(done(await api.PUT("/api/v1/tasks/{task_id}/completion", { params })).completed_at);
const comment = done(await api.POST("/api/v1/tasks/{task_id}/comments", { params, body: { body: "*Well* done" } }));
assert.equal(comment.body, "*Well* done");
const found = done(
  await api.GET("/api/v1/workspaces/{workspace_id}/search", {
    params: { path: { workspace_id: workspace.id }, query: { q: "changelog" } },
  }),
);
assert.deepEqual(found.items.map((each) => each.task.key), ["OPS-1"]);
console.log("done");
