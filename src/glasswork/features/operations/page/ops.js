/* The operations page. Whatever it shows may have been written by a stranger, so text becomes nodes through
   `textContent` only, and styles are set as properties, which the page's content security policy allows. */

// --- Elements ---------------------------------------------------------------------------------------------------

/** An element. Props: `class`, `data: {}`, `vars: {}` (CSS variables), `on: {}` (listeners), else attributes. */
function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "data") {
      for (const [key, item] of Object.entries(value))
        if (item !== null && item !== undefined) node.dataset[key] = item;
    } else if (name === "vars") {
      for (const [key, item] of Object.entries(value)) node.style.setProperty(`--${key}`, item);
    } else if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else node.setAttribute(name, value === true ? "" : value);
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const isWide = () => matchMedia("(min-width: 761px)").matches;
const one = (selector, root = document) => root.querySelector(selector);
const main = one("[data-main]");
const statusLine = one("[data-status]");
const search = one("[data-find]").elements.request_id;

// --- Numbers and times ------------------------------------------------------------------------------------------

const NONE = "–";
const numbers = [0, 1, 2].map(
  (digits) => new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23"
});
const shortClock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const calendar = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23"
});

const isMissing = (value) => value === null || value === undefined;
const number = (value, digits = 0) => (isMissing(value) ? NONE : numbers[digits].format(value));
const compact = (value) => number(value, !Number.isInteger(value) && Math.abs(value) < 10 ? 1 : 0);
const plural = (count, word, words = `${word}s`) => `${number(count)} ${count === 1 ? word : words}`;
const megabytes = (value) => (isMissing(value) ? NONE : `${compact(value)} MB`);
const percent = (share) => (isMissing(share) ? NONE : `${number(share * 100, share > 0 && share < 0.1 ? 2 : 1)} %`);

function duration(ms) {
  if (isMissing(ms)) return NONE;
  if (ms === 0) return "0 ms";
  if (ms < 1) return `${number(ms * 1000)} µs`;
  if (ms < 1000) return `${number(ms, ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
  if (ms < 60_000) return `${number(ms / 1000, ms < 10_000 ? 2 : 1)} s`;
  return longDuration(ms / 1000);
}

function longDuration(seconds) {
  if (isMissing(seconds)) return NONE;
  if (seconds < 60) return `${number(seconds, seconds > 0 && seconds < 10 ? 1 : 0)} s`;
  const [d, h, m, s] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60, seconds % 60].map(Math.floor);
  if (d) return `${d} d ${h} h`;
  return h ? `${h} h ${m} min` : `${m} min ${s} s`;
}

function relative(at) {
  const seconds = Date.now() / 1000 - at;
  if (Math.abs(seconds) < 1) return "now";
  const [size, unit] = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"]
  ].find(([size]) => Math.abs(seconds) >= size);
  const amount = `${Math.floor(Math.abs(seconds) / size)} ${unit}`;
  return seconds > 0 ? `${amount} ago` : `in ${amount}`;
}

/** A moment: relative or by the clock of the viewer, with all of it in the title. */
function moment(at, how = "relative") {
  if (isMissing(at)) return NONE;
  const iso = new Date(at * 1000).toISOString();
  const text = how === "relative" ? relative(at) : (how === "clock" ? clock : calendar).format(at * 1000);
  return el("time", { datetime: iso, title: iso, data: { ago: how === "relative" ? at : null } }, text);
}

const fromIso = (text) => (text ? Date.parse(text) / 1000 : null);

setInterval(() => {
  if (document.hidden) return;
  for (const node of main.querySelectorAll("[data-ago]")) setText(node, relative(Number(node.dataset.ago)));
}, 1000);

// --- The session, which lives in this variable and nowhere else ---------------------------------------------------

let session = null;
let refreshing = null;

class Refused extends Error {
  constructor(status, error = {}) {
    super(error.message ?? `The server answered ${status}.`);
    this.status = status;
    this.code = error.code ?? null;
    this.requestId = error.request_id ?? null;
  }
}

async function refusal(response) {
  const body = await response.json().catch(() => null);
  return new Refused(response.status, body?.error);
}

function keepTokens(pair) {
  session = {
    access: pair.access_token,
    refresh: pair.refresh_token,
    expiresAt: Date.now() + pair.expires_in * 1000
  };
}

async function signIn(username, password, code) {
  const form = new URLSearchParams({ username, password, ...(code ? { code } : {}) });
  const response = await fetch("/api/v1/auth/token", { method: "POST", body: form, cache: "no-store" });
  if (!response.ok) throw await refusal(response);
  keepTokens(await response.json());
}

/** A refresh token is good for one exchange, so all who need one wait for the same. */
function refreshTokens() {
  refreshing ??= exchangeTokens(session).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

async function exchangeTokens(old) {
  const response = await fetch("/api/v1/auth/refresh", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ refresh_token: old.refresh }),
    cache: "no-store"
  });
  if (!response.ok) throw await refusal(response);
  const pair = await response.json();
  if (session === old) keepTokens(pair);
}

/** Fetch with the access token: a new one before it expires, one more try when it is refused. */
async function call(path, { method = "GET", json, signal } = {}) {
  if (!session) throw signedOut();
  const send = () =>
    fetch(path, {
      method,
      signal,
      cache: "no-store",
      headers: {
        Authorization: `Bearer ${session.access}`,
        ...(json === undefined ? {} : { "Content-Type": "application/json" })
      },
      body: json === undefined ? undefined : JSON.stringify(json)
    });
  const margin = 30_000;
  if (session.expiresAt - Date.now() < margin) await renewOrLeave();
  let response = await send();
  if (response.status === 401) {
    await renewOrLeave();
    response = await send();
  }
  if (response.status === 401) throw signedOut();
  if (!response.ok) throw await refusal(response);
  return response;
}

async function renewOrLeave() {
  try {
    await refreshTokens();
  } catch (error) {
    if (error instanceof Refused && error.status < 500 && error.status !== 429) throw signedOut();
    throw error;
  }
  if (!session) throw signedOut();
}

function signedOut() {
  session = null;
  if (!one("[data-view=sign-in]", main)) showSignIn("Your session has ended. Sign in to go on where you were.");
  return new Refused(401, { code: "NOT_AUTHENTICATED", message: "Your session has ended." });
}

async function getJson(path, params, signal) {
  const query = new URLSearchParams(params).toString();
  return (await call(query ? `${path}?${query}` : path, { signal })).json();
}

const ops = (path, params, signal) => getJson(`/ops/api/${path}`, params, signal);

async function signOut() {
  const leaving = call("/api/v1/auth/logout", { method: "POST" }).catch(() => {});
  await Promise.race([leaving, pause(2000)]);
  session = null;
  showSignIn("");
}

// --- The stream of frames -----------------------------------------------------------------------------------------

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true });
  });
}

function untilVisible(signal) {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look, { once: true });
    look();
  });
}

/** Read server-sent events until the server ends them. EventSource cannot send an Authorization header. */
async function readFrames(signal, onFrame, onData) {
  const response = await call("/ops/api/stream", { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    onData();
    buffer += value.replaceAll("\r", "");
    const events = buffer.split("\n\n");
    buffer = events.pop();
    for (const event of events) {
      const data = event
        .split("\n")
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5));
      if (data.length) onFrame(JSON.parse(data.join("\n")));
    }
  }
}

/** Follow the stream for as long as a view lives: again after it broke, later each time, never in a hidden tab. */
async function follow(signal, onFrame) {
  const silence = 10_000;
  let failures = 0;
  while (!signal.aborted) {
    if (document.hidden) {
      setStatus("paused", "Paused while this tab is hidden.");
      await untilVisible(signal);
      continue;
    }
    const connection = new AbortController();
    const cutWhenHidden = () => {
      if (document.hidden) connection.abort();
    };
    document.addEventListener("visibilitychange", cutWhenHidden);
    let timer = setTimeout(() => connection.abort(), silence);
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => connection.abort(), silence);
    };
    let problem = "The stream ended.";
    let wait = 1000;
    try {
      setStatus("connecting", failures ? "Reconnecting." : "Connecting.");
      await readFrames(
        AbortSignal.any([signal, connection.signal]),
        (frame) => {
          if (signal.aborted) return;
          failures = 0;
          setStatus("live", "Live: a new value each second.");
          onFrame(frame);
        },
        heard);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status < 500 && error.status !== 429) throw error;
      failures += 1;
      wait = Math.min(30_000, 1000 * 2 ** (failures - 1)) * (0.8 + 0.4 * Math.random());
      problem = "The connection is lost.";
      if (error.code === "TOO_MANY_VIEWERS") {
        wait = Math.max(wait, 10_000);
        problem = "Five are watching already. Everything but the live values works.";
      }
    } finally {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", cutWhenHidden);
    }
    if (document.hidden || signal.aborted) continue;
    setStatus("trouble", `${problem} Reconnecting in ${Math.ceil(wait / 1000)} s.`);
    await pause(wait, signal);
  }
}

function setStatus(state, text) {
  statusLine.dataset.state = state;
  setText(statusLine, text);
}

// --- Pieces that views share --------------------------------------------------------------------------------------

const head = (title, ...rest) => el("div", { class: "head" }, el("h1", { tabindex: -1 }, title), rest);
const note = (...children) =>
  el("div", { class: "note", data: { empty: "" } },
    children.map((child) => el("p", {}, child)));
const pill = (text, tone = "plain") => el("span", { class: "pill", data: { tone } }, text);
const reloadButton = () =>
  el("button", {
      type: "button",
      class: "again",
      data: { reload: "" },
      "aria-label": "Load again",
      title: "Load again (r)",
      on: { click: () => show({ isReload: true }) }
    },
    el("span", {}, "Load again"));
const culpritMark = () => el("span", { class: "pill", data: { mark: "" } }, "culprit");
const requestLink = (id, ...children) =>
  el("a", { href: `#/requests/${encodeURIComponent(id)}` }, children.length ? children : id);

function block(title, count, ...children) {
  return el("section", { class: "block" },
    el("h2", {}, title, isMissing(count) ? null : el("span", { class: "count" }, number(count))),
    children);
}

function pairs(object) {
  return el("dl", { class: "pairs" },
    Object.entries(object).map(([name, value]) => [
      el("dt", {}, name),
      el("dd", {}, value instanceof Node ? value : plain(value))]));
}

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** A table. Columns: {label, cell(row), class, head (is the row's header), short (label of the cell on a phone)}. */
function table({ name, columns, rows, className = "", rowProps = () => ({}), isWide = false }) {
  const body = rows.map((row) =>
    el("tr", { role: "row", ...rowProps(row) },
      columns.map((column) =>
        el(
          column.head ? "th" : "td",
          {
            class: column.class,
            scope: column.head ? "row" : null,
            role: column.head ? "rowheader" : "cell",
            data: { label: column.short }
          },
          column.cell(row)))));
  const heads = columns.map((column) =>
    el("th", { scope: "col", role: "columnheader", class: column.class, "aria-sort": column.sort },
      column.title ?? column.label));
  // The roles are said again because a table that CSS lays out as cards may lose them.
  const sheet = el("table", { class: className, role: "table" },
    el("caption", { class: "hidden-text" }, name),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads)),
    el("tbody", { role: "rowgroup" }, body));
  return el("div",
    isWide ? { class: "sheet", tabindex: 0, role: "region", "aria-label": name } : { class: "sheet" },
    sheet);
}

const TONES = {
  server_error: "red",
  dead: "red",
  client_error: "ink",
  retry: "ink",
  aborted: "ink",
  returned: "ink",
  unknown: "ink"
};

/** What a status alone does not say is said beside it. */
function outcomePill(entry) {
  const isTold = entry.kind === "delivery" || entry.outcome === "aborted";
  const word = entry.status === null ? entry.outcome : isTold ? `${entry.status} ${entry.outcome}` : entry.status;
  return pill(word, TONES[entry.outcome] ?? "plain");
}

/** A path may break at its slashes. */
const breakable = (path) => path.split("/").flatMap((part, index) => (index ? ["/", part, el("wbr")] : [part]));

/** "GET /path" with the method set apart; what else there is stays as it is. */
function title(text) {
  const [, verb, rest] = /^([A-Z_]+) (.*)$/s.exec(text) ?? [];
  return verb ? [el("span", { class: "verb" }, verb), " ", breakable(rest)] : text;
}

// --- Now ----------------------------------------------------------------------------------------------------------

const TILES = [
  { id: "rate", label: "Requests", value: (f) => `${number(f.now.rate, 1)}/s`, hint: () => "in the last minute" },
  {
    id: "errors",
    label: "Errors",
    value: (f) => percent(f.now.error_share),
    hint: (f) => `${number(f.totals.errors)} so far`,
    bad: (f) => f.now.error_share >= 0.01
  },
  { id: "p50", label: "Half within", value: (f) => duration(f.now.p50), hint: () => "p50" },
  { id: "p95", label: "95 % within", value: (f) => duration(f.now.p95), hint: () => "p95" },
  { id: "p99", label: "99 % within", value: (f) => duration(f.now.p99), hint: () => "p99" },
  {
    id: "in-flight",
    label: "In flight",
    value: (f) => number(f.now.in_flight),
    hint: (f) => `${number(f.totals.requests)} so far`
  },
  {
    id: "lag",
    label: "Loop lag",
    value: (f) => duration(most(f, "lag")),
    hint: () => "of the worst process",
    bad: (f) => most(f, "lag") >= 100
  },
  {
    id: "pool",
    label: "Pool",
    value: (f) => `${number(sum(f, "pool_used"))} of ${number(sum(f, "pool_max"))}`,
    hint: (f) => `${number(sum(f, "pool_waiting"))} waiting`,
    bad: (f) => sum(f, "pool_waiting") > 0 && sum(f, "pool_used") >= sum(f, "pool_max")
  },
  {
    id: "memory",
    label: "Memory",
    value: (f) => megabytes(sum(f, "rss_mb")),
    hint: (f) => plural(f.instances.length, "process", "processes")
  },
  {
    id: "jobs",
    label: "Jobs waiting",
    value: (f) => number(f.jobs?.waiting),
    hint: (f) =>
      f.jobs ? (f.jobs.waiting ? `oldest ${longDuration(f.jobs.oldest_seconds)}` : "none is late") : "not known"
  },
  {
    id: "retrying",
    label: "Jobs retrying",
    value: (f) => number(f.jobs?.retrying),
    hint: (f) => (f.jobs ? `${number(f.jobs.running)} running` : "")
  },
  {
    id: "dead",
    label: "Jobs dead",
    value: (f) => number(f.jobs?.dead),
    hint: (f) => (f.jobs?.dead ? el("a", { href: "#/jobs" }, "put back") : ""),
    bad: (f) => f.jobs?.dead > 0
  },
  {
    id: "deliveries",
    label: "Deliveries waiting",
    value: (f) => number(f.deliveries?.waiting),
    hint: (f) => (f.deliveries ? lateness(f.deliveries.oldest_seconds) : "not known"),
    bad: (f) => f.deliveries?.oldest_seconds >= LATE_SECONDS
  },
  {
    id: "deliveries-retrying",
    label: "Deliveries retrying",
    value: (f) => number(f.deliveries?.retrying),
    hint: () => "not taken yet"
  }];
/** A worker looks every second. */
const LATE_SECONDS = 5;
const lateness = (seconds) => (seconds >= LATE_SECONDS ? `overdue for ${longDuration(seconds)}` : "none is late");
const sum = (frame, field) => frame.instances.reduce((total, instance) => total + (instance[field] ?? 0), 0);
const most = (frame, field) => Math.max(0, ...frame.instances.map((instance) => instance[field] ?? 0));

const SPANS = {
  "15m": { label: "15 minutes", step: 1, each: "second" },
  "24h": { label: "24 hours", step: 60, each: "minute" }
};

const PLOTS = [
  {
    id: "rate",
    title: (span) => `Requests each ${span.each}`,
    format: compact,
    series: [
      { label: "requests", of: (p) => p.requests, tone: "accent", fill: true },
      { label: "errors", of: (p) => p.errors, tone: "red", fill: true }]
  },
  {
    id: "percentiles",
    title: () => "Duration of requests",
    format: duration,
    series: [
      { label: "p50", of: (p) => p.p50, tone: "bar" },
      { label: "p95", of: (p) => p.p95, tone: "accent" },
      { label: "p99", of: (p) => p.p99, tone: "ink" }]
  },
  {
    id: "pool",
    title: () => "Connections of the pool",
    format: compact,
    series: [
      { label: "used", of: (p) => p.pool_used, tone: "accent", fill: true },
      { label: "waiting", of: (p) => p.pool_waiting, tone: "ink" },
      { label: "at most", of: (p) => p.pool_max, tone: "bar", dash: true }]
  },
  {
    id: "lag",
    title: () => "Lag of the event loop",
    format: duration,
    series: [{ label: "lag", of: (p) => p.lag, tone: "accent", fill: true }]
  },
  {
    id: "memory",
    title: () => "Memory",
    format: megabytes,
    series: [{ label: "resident", of: (p) => p.rss_mb, tone: "accent", fill: true }]
  },
  {
    id: "ready",
    title: () => "Ready for requests",
    format: (v) => (isMissing(v) ? NONE : v ? "yes" : "no"),
    isStepped: true,
    series: [{ label: "ready", of: (p) => Number(p.is_ready), tone: "accent", fill: true }]
  }];

const MOST_POINTS = 900;
let chosenSpan = "15m";

async function viewNow(root, { signal }) {
  const plots = PLOTS.map((definition) => new Plot(definition));
  const tiles = TILES.map((tile) => new Tile(tile));
  const instances = el("div");
  let points = [];

  const drawAll = () => plots.forEach((plot) => plot.draw(points, SPANS[chosenSpan]));
  let loadedAt = 0;
  let isLoading = false;
  const load = async () => {
    isLoading = true;
    try {
      let span;
      do {
        span = chosenSpan;
        ({ items: points } = await ops("history", { span }, signal));
      } while (span !== chosenSpan);
      loadedAt = Date.now();
      drawAll();
    } finally {
      isLoading = false;
    }
  };
  const loadAgain = () => {
    if (!isLoading)
      load().catch((error) => {
        if (!signal.aborted) setStatus("trouble", messageOf(error));
      });
  };
  const buttons = Object.entries(SPANS).map(([key, span]) =>
    el("button", {
        type: "button",
        "aria-pressed": String(key === chosenSpan),
        data: { span: key },
        on: {
          click: () => {
            chosenSpan = key;
            for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.span === key));
            loadAgain();
          }
        }
      },
      span.label));

  const receive = (frame) => {
    tiles.forEach((tile) => tile.update(frame));
    fill(instances, instanceTable(frame.instances));
    const { step } = SPANS[chosenSpan];
    const missed = frame.point.at - (points.at(-1)?.at ?? 0);
    const isDue = missed >= (step === 1 ? 4 : 2 * step) && Date.now() - loadedAt > 10_000;
    if (isLoading || missed <= 0) return;
    if (isDue) loadAgain();
    else if (step === 1) {
      points.push(frame.point);
      if (points.length > MOST_POINTS) points.splice(0, points.length - MOST_POINTS);
      drawAll();
    }
  };

  append(root, [
    head(
      "Now",
      el("span", { class: "spring" }),
      el("div", { class: "segmented", role: "group", "aria-label": "How far back the plots go" }, buttons)),
    el("dl", { class: "tiles" },
      tiles.map((tile) => tile.node)),
    el("div", { class: "plots" },
      plots.map((plot) => plot.node)),
    block("Processes", null, instances)]);
  fill(instances, note("Waiting for the first value."));
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener(
    "change",
    () => {
      plots.forEach((plot) => plot.drop());
      drawAll();
    },
    { signal });
  signal.addEventListener("abort", () => plots.forEach((plot) => plot.destroy()), { once: true });
  await load();
  follow(signal, receive).catch((error) => report(error, signal));
}

class Tile {
  constructor(definition) {
    this.definition = definition;
    this.value = el("span", {}, NONE);
    this.hint = el("small");
    this.node = el("div", { data: { tile: definition.id } },
      el("dt", {}, definition.label),
      el("dd", {}, this.value, this.hint));
  }

  update(frame) {
    const { value, hint, bad } = this.definition;
    setText(this.value, value(frame));
    this.value.className = bad?.(frame) ? "bad" : "";
    const text = hint(frame);
    if (!(text instanceof Node)) setText(this.hint, text);
    else if (this.hint.textContent !== text.textContent) fill(this.hint, text);
  }
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

class Plot {
  constructor(definition) {
    this.definition = definition;
    this.heading = el("h3");
    this.values = definition.series.map(() => el("b", {}, NONE));
    this.box = el("div", { class: "canvas", "aria-hidden": "true" });
    this.rows = el("div");
    this.details = el("details", { on: { toggle: () => this.tabulate() } },
      el("summary", {}, "as a table"),
      this.rows);
    const legend = definition.series.map((series, index) =>
      el("span", {},
        el("i", { data: { tone: series.tone, dash: series.dash ? "" : null } }),
        `${series.label} `,
        this.values[index]));
    this.node = el("figure", { class: "plot", data: { plot: definition.id } },
      el("figcaption", {}, this.heading, el("span", { class: "legend" }, legend)),
      this.box,
      this.details);
    this.points = [];
    this.data = [[]];
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.box);
  }

  draw(points, span) {
    const isOther = this.span !== span;
    this.points = points;
    this.span = span;
    this.data = columnsOf(points, this.definition.series, span.step);
    setText(this.heading, this.definition.title(span));
    if (this.chart) this.chart.setData(this.data);
    else this.resize();
    this.tell(null);
    const isDue = Math.round(points.at(-1)?.at ?? 0) % 5 === 0;
    if (isDue || isOther) this.tabulate();
  }

  resize() {
    const width = this.box.clientWidth;
    if (!width || !this.span || !globalThis.uPlot) return;
    if (this.chart) this.chart.setSize({ width, height: 136 });
    else this.chart = new uPlot(this.options(width), this.data, this.box);
  }

  options(width) {
    const { series, format, isStepped } = this.definition;
    const axis = {
      stroke: colour("muted"),
      font: "11px system-ui, sans-serif",
      ticks: { show: false },
      grid: { stroke: colour("line"), width: 1 }
    };
    return {
      width,
      height: 136,
      padding: [8, 6, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "now" }, points: { size: 6 } },
      scales: { y: { range: (_, __, top) => [0, isStepped ? 1.15 : Math.max(top * 1.12, 1)] } },
      axes: [
        {
          ...axis,
          space: 64,
          size: 24,
          gap: 4,
          grid: { show: false },
          values: (_, moments) => moments.map((at) => shortClock.format(at * 1000))
        },
        {
          ...axis,
          size: 54,
          gap: 6,
          space: 32,
          splits: isStepped ? () => [0, 1] : undefined,
          values: (_, values) => values.map((value) => format(value).replace(/\.0+(?= |$)/, ""))
        }],
      series: [
        {},
        ...series.map(({ tone, dash, fill: isFilled }) => ({
          stroke: colour(tone),
          width: 1.25,
          dash: dash ? [3, 3] : undefined,
          fill: isFilled ? `${colour(tone)}22` : undefined,
          paths: isStepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
          points: { size: 3 }
        }))],
      hooks: { setCursor: [(chart) => this.tell(chart.cursor.idx)] }
    };
  }

  /** Say the values under the cursor, or the newest ones. */
  tell(index) {
    this.values.forEach((node, place) => {
      const column = this.data[place + 1] ?? [];
      setText(node, this.definition.format(column[index ?? column.length - 1]));
    });
  }

  tabulate() {
    if (!this.details.open) return;
    const { series, format, title: name } = this.definition;
    fill(
      this.rows,
      table({
        name: name(this.span),
        rows: this.points.slice(-15).reverse(),
        columns: [
          { label: "time", head: true, cell: (point) => moment(point.at, "clock") },
          ...series.map((item) => ({ label: item.label, class: "num", cell: (point) => format(item.of(point)) }))]
      }));
  }

  drop() {
    this.chart?.destroy();
    this.chart = null;
  }

  destroy() {
    this.sizes.disconnect();
    this.drop();
  }
}

/** Columns for uPlot; where moments are missing stands an empty one, so that no line bridges them. */
function columnsOf(points, series, step) {
  const columns = [[], ...series.map(() => [])];
  let previous = null;
  for (const point of points) {
    if (previous !== null && point.at - previous > 2.5 * step) {
      columns[0].push(previous + step);
      series.forEach((_, index) => columns[index + 1].push(null));
    }
    columns[0].push(point.at);
    series.forEach((item, index) => columns[index + 1].push(item.of(point)));
    previous = point.at;
  }
  return columns;
}

const STATUS_TONES = { ok: "plain", degraded: "ink", unavailable: "red" };

function instanceState(instance) {
  return [
    pill(instance.status, STATUS_TONES[instance.status] ?? "ink"),
    instance.is_shedding ? [" ", pill("shedding", "accent")] : null];
}

const failingChecks = (instance) => Object.entries(instance.checks).filter(([, state]) => state !== "ok");

function instanceTable(instances) {
  if (!instances.length) return note("No process has reported yet.");
  return table({
    name: "Processes",
    rows: instances,
    isWide: true,
    rowProps: (i) => ({ data: { instance: i.name } }),
    columns: [
      { label: "process", head: true, class: "tight", cell: (i) => i.name },
      { label: "state", class: "tight", cell: instanceState },
      {
        label: "checks",
        cell: (i) =>
          failingChecks(i).length
            ? failingChecks(i)
                .map(([name, state]) => `${name}: ${state}`)
                .join(", ")
            : el("span", { class: "muted" }, `${Object.keys(i.checks).join(", ")} ok`)
      },
      { label: "version", class: "tight", cell: (i) => i.version },
      { label: "schema", class: "tight", cell: (i) => i.schema_head },
      { label: "up", class: "num", cell: (i) => longDuration(Date.now() / 1000 - i.started_at) },
      { label: "in flight", class: "num", cell: (i) => number(i.in_flight) },
      { label: "pool", class: "num", cell: (i) => `${number(i.pool_used)} of ${number(i.pool_max)}` },
      { label: "loop lag", class: "num", cell: (i) => duration(i.lag) },
      { label: "memory", class: "num", cell: (i) => megabytes(i.rss_mb) }]
  });
}

// --- Requests -----------------------------------------------------------------------------------------------------

const LISTS = { recent: "Recent", slow: "Slowest", failed: "Failed" };
const FILTERS = [
  { name: "request_id", label: "Request id" },
  { name: "route", label: "Route, or a part of it" },
  { name: "status", label: "Status", hint: "500 or 5xx" },
  { name: "user_id", label: "User id" }];

async function viewRequests(root, { signal, query }) {
  const list = query.get("list") in LISTS ? query.get("list") : "recent";
  const filters = Object.fromEntries(
    FILTERS.map(({ name }) => [name, query.get(name)?.trim()]).filter(([, value]) => value));
  const hrefOf = (params) => `#/requests?${new URLSearchParams(params)}`;
  const tabs = Object.entries(LISTS).map(([key, label]) =>
    el("a", {
        href: hrefOf({ list: key, ...filters }),
        "aria-current": key === list ? "page" : null,
        data: { list: key }
      },
      label));
  const form = el("form", {
      class: "filters",
      data: { filters: "" },
      on: {
        submit: (event) => {
          event.preventDefault();
          const values = [...new FormData(form)]
            .map(([name, value]) => [name, value.trim()])
            .filter(([, value]) => value);
          location.hash = hrefOf([["list", list], ...values]);
        }
      }
    },
    FILTERS.map(({ name, label, hint }) =>
      el("label", {},
        el("span", {}, label),
        el("input", {
          name,
          value: filters[name],
          placeholder: hint,
          autocomplete: "off",
          autocapitalize: "off",
          spellcheck: "false"
        }))),
    el("div", { class: "buttons" },
      el("button", { type: "submit" }, "Filter"),
      Object.keys(filters).length ? el("a", { href: hrefOf({ list }) }, "Clear") : null));

  const { items } = await ops("requests", { list, ...filters, limit: 50 }, signal);
  append(root, [
    head(
      "Requests",
      el("nav", { class: "segmented", "aria-label": "Lists" }, tabs),
      el("span", { class: "spring" }),
      reloadButton()),
    el("details", { class: "filter-box", open: isWide() || Object.keys(filters).length > 0 },
      el("summary", {}, "Filters"),
      form),
    items.length ? requestTable(items) : note(emptyList(list, filters))]);
  setStatus(
    "idle",
    `${plural(items.length, "request, job or delivery", "requests, jobs and deliveries")}, as of ${clock.format(Date.now())}.`);
}

function emptyList(list, filters) {
  if (Object.keys(filters).length) return "Nothing that is remembered matches these filters.";
  if (list === "failed") return "Nothing has failed, as far as the processes remember.";
  return "No request is remembered yet. The next one shows up here.";
}

function requestTable(items) {
  return table({
    name: "Requests, jobs and deliveries",
    rows: items,
    className: "stack",
    rowProps: (item) => ({ data: { row: "", requestId: item.request_id, kind: item.kind } }),
    columns: [
      { label: "when", class: "tight", cell: (item) => moment(item.at) },
      { label: "status", class: "tight", cell: outcomePill },
      {
        label: "request",
        head: true,
        class: "wide",
        cell: (item) => [
          el("a", { href: `#/requests/${encodeURIComponent(item.request_id)}`, data: { open: "" } },
            title(item.title)),
          item.cause
            ? el("span", { class: "sub why" }, item.cause)
            : item.error_code
              ? el("span", { class: "sub" }, item.error_code)
              : null]
      },
      { label: "duration", class: "num", cell: (item) => duration(item.duration) },
      {
        label: "SQL",
        class: "num",
        short: "SQL",
        cell: (item) => (item.statements > 10 ? pill(number(item.statements), "accent") : number(item.statements))
      },
      { label: "process", class: "tight spare", cell: (item) => el("span", { class: "muted" }, item.instance) },
      {
        label: "request id",
        class: "spare",
        cell: (item) => el("code", { class: "clip muted", title: item.request_id }, item.request_id)
      }]
  });
}

// --- One request --------------------------------------------------------------------------------------------------

async function viewRequest(root, { signal, id }) {
  if (!/^[\w.-]{8,64}$/.test(id)) {
    setStatus("idle", "No request id.");
    append(root, [
      head("This is no request id"),
      note(el("code", {}, id), "Ids have 8 to 64 letters, digits, dots, dashes and underscores.")]);
    return;
  }
  let entries;
  try {
    ({ entries } = await ops(`requests/${encodeURIComponent(id)}`, {}, signal));
  } catch (error) {
    if (error.code !== "REQUEST_NOT_KEPT") throw error;
    setStatus("idle", "Not remembered.");
    append(root, [
      head("This request is not remembered"),
      note(
        el("code", {}, id),
        "The processes keep the newest, the slowest and the failed requests in memory, for a while.",
        "The log may still have it: look for this request_id there.")]);
    return;
  }
  const suspect = mainSuspect(entries);
  const [first] = entries;
  append(root, [
    requestHead(first, entries),
    idsOf(first),
    suspect ? causeOf(suspect, first) : null,
    toldAbout(suspect ?? first, first),
    waterfall(entries, suspect)]);
  setStatus("idle", `As of ${clock.format(Date.now())}.`);
}

const GRAVEST_FIRST = ["server_error", "dead", "retry"];
const hasFailed = (entry) => GRAVEST_FIRST.includes(entry.outcome);
const culpritOf = (entry) => entry.spans.find((span) => span.is_culprit);

/** The entry to look at first: the gravest that tells a cause, and of two alike the first. */
function mainSuspect(entries) {
  const suspects = entries.filter((entry) => entry.cause || culpritOf(entry) || hasFailed(entry));
  for (const outcome of GRAVEST_FIRST) {
    const found = suspects.find((entry) => entry.outcome === outcome);
    if (found) return found;
  }
  return suspects[0] ?? null;
}

function requestHead(first, entries) {
  const [jobs, deliveries] = ["job", "delivery"].map((kind) => entries.filter((entry) => entry.kind === kind));
  const missing = (first.fields.jobs_ordered ?? 0) - new Set(jobs.map((entry) => entry.fields.job_id)).size;
  const route = first.title.replace(/^[A-Z_]+ /, "");
  return el("div", {},
    head(title(first.title), el("span", { class: "spring" }), reloadButton()),
    el("p", { class: "facts" },
      outcomePill(first),
      el("b", {}, duration(first.duration)),
      el("span", {}, plural(first.statements, "statement")),
      el("span", {}, moment(first.at), ` on ${first.instance}`),
      jobs.length ? el("span", {}, plural(jobs.length, "job attempt")) : null,
      deliveries.length
        ? el("span", {}, plural(deliveries.length, "attempt to deliver", "attempts to deliver"))
        : null,
      missing > 0 ? el("span", {}, `${plural(missing, "job")} not run yet`) : null,
      first.kind === "request"
        ? el("a", { href: `#/requests?${new URLSearchParams({ list: "recent", route })}` }, "same route")
        : null,
      first.user_id
        ? el("a", { href: `#/requests?${new URLSearchParams({ list: "recent", user_id: first.user_id })}` },
            "same user")
        : null));
}

function idsOf(first) {
  return el("p", { class: "facts ids" },
    first.path ? el("code", { data: { path: "" } }, first.path) : null,
    el("span", {}, "request ", el("code", { data: { requestId: "" } }, first.request_id)),
    first.trace_id ? el("span", {}, "trace ", el("code", {}, first.trace_id)) : null);
}

function causeOf(entry, first) {
  const where = entry === first ? null : `in ${nameOf(entry)}`;
  const text =
    entry.cause?.text ??
    (entry.exception ? entry.exception.type : "No single cause stands out. The waterfall has all that is known.");
  return el("section", { class: hasFailed(entry) ? "cause failed" : "cause", data: { cause: "" } },
    el("h2", {}, headingOf(entry), where ? ` · ${where}` : null),
    el("p", {}, text),
    entry.cause?.place ? el("code", { data: { place: "" } }, entry.cause.place) : null);
}

function headingOf(entry) {
  if (hasFailed(entry)) return "Why it failed";
  return { client_error: "Why it was refused", aborted: "What happened" }[entry.outcome] ?? "Where the time went";
}

const nameOf = (entry) => (entry.fields.attempt ? `${entry.title}, attempt ${entry.fields.attempt}` : entry.title);

/** What the caller was told, and the exception behind it. */
function toldAbout(suspect, first) {
  const { error } = first;
  const { exception } = suspect;
  if (!error && !exception) return null;
  const isStackTheAnswer = !culpritOf(suspect)?.parent_id;
  return el("div", { class: "told" },
    error
      ? el("details", { data: { error: "" } },
          el("summary", {},
            el("span", { class: "muted" }, "Sent to the caller: "),
            el("b", {}, `${first.status ?? ""} ${error.code}`),
            ` ${error.message}`),
          el("pre", {}, JSON.stringify(error, null, 2)))
      : null,
    exception
      ? el("details", { open: isStackTheAnswer, data: { exception: "" } },
          el("summary", {}, el("span", { class: "muted" }, "Exception: "), exceptionName(exception)),
          stackOf(exception))
      : null);
}

function exceptionName({ type, sqlstate, message }) {
  return [el("b", {}, type), sqlstate ? ` ${sqlstate}` : null, message ? `: ${message}` : null];
}

function stackOf({ causes, stack }) {
  const lines = [...(stack ?? []), ...(causes ?? []).map((cause) => `caused by ${cause}`)];
  return el("pre", { data: { stack: "" } }, lines.length ? lines.join("\n") : "Its stack is not known.");
}

// --- The waterfall ------------------------------------------------------------------------------------------------

const endOf = (item) => item.offset + (item.duration ?? 0);

/** From milliseconds to per cent of the width. Time in which nothing happened is cut out of the axis, and each
    stretch between two cuts has a scale of its own: a retry half a minute later would hide all else. */
function timeScale(entries) {
  const stretches = [];
  for (const entry of [...entries].sort((a, b) => a.offset - b.offset)) {
    const end = Math.max(endOf(entry), ...[...entry.spans, ...entry.lines].map(endOf));
    const last = stretches.at(-1);
    if (last && entry.offset <= last.end) last.end = Math.max(last.end, end);
    else stretches.push({ start: entry.offset, end });
  }
  const cut = stretches.length > 8 ? 1 : 3;
  const room = 100 - cut * (stretches.length - 1);
  const total = stretches.reduce((time, { start, end }) => time + end - start, 0) || 1;
  const least = 0.6 / stretches.length;
  let left = 0;
  for (const stretch of stretches) {
    stretch.left = left;
    stretch.width = room * (least + (0.4 * (stretch.end - stretch.start)) / total);
    left += stretch.width + cut;
  }
  const place = (ms) => {
    const stretch = stretches.findLast(({ start }) => start <= ms) ?? stretches[0];
    const share = (ms - stretch.start) / (stretch.end - stretch.start || 1);
    return stretch.left + stretch.width * Math.min(1, Math.max(0, share));
  };
  return { stretches, place, cut };
}

function ticksOf({ stretches, place }) {
  const [space, last] = isWide() ? [11, 92] : [21, 84];
  const ticks = [];
  let free = 0;
  for (const ms of stretches.length > 1 ? stretches.map(({ start }) => start) : roundMoments(stretches[0])) {
    const left = place(ms);
    if (left < free || left > last) continue;
    free = left + space;
    ticks.push(el("span", { vars: { left: `${left}%` } }, ms === 0 ? "0" : duration(ms).replace(/\.0+ /, " ")));
  }
  return ticks;
}

function roundMoments({ start, end }) {
  const rough = (end - start || 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  return Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, index) => start + index * step);
}

function waterfall(entries, suspect) {
  const scale = timeScale(entries);
  const before = entries.slice(0, Math.max(0, entries.indexOf(suspect)));
  const isCrowded = before.reduce((count, entry) => count + entry.spans.length + entry.lines.length, 0) > 6;
  const draw = (entry) =>
    entrySection(entry, scale, { isOpen: !(isCrowded && before.includes(entry)), isSuspect: entry === suspect });
  // The first stays in sight, and so does the suspect; many attempts between them are one row until they are wanted.
  const folded = before.length > 2 ? before.slice(1) : [];
  return el("section", {
      class: "waterfall",
      data: { waterfall: "" },
      "aria-label": "Waterfall: spans, statements and log lines by time"
    },
    el("div", { class: "axis", "aria-hidden": "true" },
      el("span"),
      el("span"),
      el("div", { class: "ticks" }, ticksOf(scale), gapsOf(scale))),
    entries.map((entry) => {
      if (!folded.includes(entry)) return draw(entry);
      return entry === folded[0]
        ? foldRow("div", `${number(folded.length)} attempts before it`, folded, scale, () => folded.map(draw))
        : null;
    }),
    scale.stretches.length > 1
      ? el("p", { class: "left-out" },
          "Hatched: time in which nothing happened. What lies between has scales of its own.")
      : null);
}

function gapsOf({ stretches, cut }) {
  return stretches
    .slice(1)
    .map(({ left }) => el("i", { class: "gap", vars: { left: `${left - cut}%`, width: `${cut}%` } }));
}

function track(scale, ...marks) {
  return el("span", { class: "track", "aria-hidden": "true" }, gapsOf(scale), marks);
}

function bar(scale, item, data = {}) {
  const left = scale.place(item.offset);
  return el("i", {
    class: "bar",
    data,
    vars: { left: `min(${left}%, 100% - 2px)`, width: `${scale.place(endOf(item)) - left}%` }
  });
}

/** A button that opens a body below it, or below the `head` that holds it. */
function disclosure({ isOpen, depth = 0, cells, body }) {
  let content = null;
  const button = el("button", { type: "button", class: "bar-row", "aria-expanded": String(isOpen), vars: { depth } },
    cells);
  const toggle = (isOpening) => {
    if (isOpening && !content) {
      content = body();
      (button.closest(".entry-head") ?? button).after(content);
    }
    if (content) content.hidden = !isOpening;
    button.setAttribute("aria-expanded", String(isOpening));
  };
  button.addEventListener("click", () => toggle(button.getAttribute("aria-expanded") !== "true"));
  return { button, open: () => toggle(true) };
}

/** The span that is the entry as a whole; the entry's own row stands for it. */
function rootOf(entry) {
  const ids = new Set(entry.spans.map((span) => span.id));
  const roots = entry.spans.filter((span) => !ids.has(span.parent_id));
  return roots.length === 1 && ["server", "consumer"].includes(roots[0].kind) ? roots[0] : null;
}

function entrySection(entry, scale, { isOpen, isSuspect }) {
  const root = rootOf(entry);
  const section = el("section", {
    class: "entry",
    "aria-label": nameOf(entry),
    data: { entry: entry.kind, requestId: entry.request_id, outcome: entry.outcome }
  });
  const cells = [
    el("span", { class: "what" },
      el("span", { class: "entry-title" }, entry.kind === "request" ? title(entry.title) : nameOf(entry)),
      " ",
      outcomePill(entry),
      root?.is_culprit ? [" ", culpritMark()] : null,
      el("span", { class: "muted spare" }, ` ${entry.instance}`)),
    el("span", { class: "num" }, duration(entry.duration)),
    track(scale, bar(scale, entry, { tone: hasFailed(entry) ? "red" : null }))];
  const { button, open } = disclosure({ isOpen, cells, body: () => entryBody(entry, root, scale, isSuspect) });
  const head = el("div", {
      class: `entry-head${root?.is_culprit && hasFailed(entry) ? " failed" : ""}`,
      data: { span: root?.id, culprit: root?.is_culprit ? "" : null }
    },
    button);
  section.append(head);
  if (isOpen) open();
  return section;
}

function entryBody(entry, root, scale, isSuspect) {
  const left = [];
  if (entry.spans_left_out) left.push(`${plural(entry.spans_left_out, "span")} more than are kept.`);
  if (entry.lines_left_out) left.push(`${plural(entry.lines_left_out, "line")} more than are kept.`);
  return el("div", {},
    entry.cause && !isSuspect
      ? el("p", { class: "left-out" },
          entry.cause.text,
          entry.cause.place ? [" · ", el("code", {}, entry.cause.place)] : null)
      : null,
    el("ol", { class: "rows", data: { rows: "" } }, timeline(entry, root, scale)),
    left.map((text) => el("p", { class: "left-out" }, text)),
    el("details", { class: "more all", data: { fields: "" } },
      el("summary", {}, "all fields"),
      pairs({ ...root?.attributes, ...entry.fields })));
}

/** The rows of an entry by time: spans, runs of equal spans, log lines; what hides the culprit is folded. */
function timeline(entry, root, scale) {
  const byId = new Map(entry.spans.map((span) => [span.id, span]));
  const parents = new Set(entry.spans.map((span) => span.parent_id));
  const depthOf = (span, guard = 0) =>
    byId.has(span?.parent_id) && guard < 30 ? 1 + depthOf(byId.get(span.parent_id), guard + 1) : 0;
  const spans = entry.spans
    .filter((span) => span !== root)
    .map((span) => ({ at: span.offset, depth: depthOf(span) - (root ? 1 : 0), span }));
  const lines = entry.lines.map((line) => ({ at: line.offset, depth: 0, line }));
  const items = [...spans, ...lines].sort((a, b) => a.at - b.at || a.depth - b.depth);

  const runs = [];
  for (const item of items) {
    const last = runs.at(-1);
    const isLeaf = item.span && !parents.has(item.span.id);
    if (isLeaf && last?.isLeaf && isAlike(last.items[0].span, item.span)) last.items.push(item);
    else runs.push({ items: [item], isLeaf });
  }
  const rows = runs.flatMap(({ items: run, isLeaf }) =>
    isLeaf && run.length > 3 ? [{ ...run[0], run: run.map((item) => item.span) }] : run);
  for (const row of rows) {
    row.isCulprit = row.line ? isGuilty(row.line, entry) : (row.run ?? [row.span]).some((span) => span.is_culprit);
  }

  const suspectAt = rows.findIndex((row) => row.isCulprit);
  const ancestors = new Set();
  for (
    let span = rows[suspectAt]?.span;
    byId.has(span?.parent_id) && !ancestors.has(span.parent_id);
    span = byId.get(span.parent_id))
    ancestors.add(span.parent_id);
  const isDispensable = (row) => !ancestors.has(row.span?.id) && !row.span?.is_error && row.line?.level !== "error";
  const before = rows.slice(0, Math.max(0, suspectAt));
  const hidden = before.filter(isDispensable);
  const draw = (row) => (row.line ? lineRow(row, scale) : spanRow(row, scale, row === rows[suspectAt]));
  if (hidden.length <= (isWide() ? 5 : 1)) return rows.map(draw);
  return [
    before.filter((row) => !isDispensable(row)).map(draw),
    foldRow(
      "li",
      `${plural(hidden.length, "row")} before it`,
      hidden.flatMap((row) => row.run ?? row.span ?? []),
      scale,
      () => hidden.map(draw)),
    rows.slice(suspectAt).map(draw)];
}

/** A line is the culprit when no span is, and it tells of the very place that the cause names. */
function isGuilty(line, entry) {
  return !culpritOf(entry) && Boolean(entry.cause?.place) && line.fields?.where === entry.cause.place;
}

const isAlike = (a, b) =>
  a.parent_id === b.parent_id && a.name === b.name && a.sql === b.sql && a.is_error === b.is_error;

/** One row in the place of several, until it is pressed. */
function foldRow(tag, text, items, scale, draw) {
  const node = el(tag, { class: "fold", data: { fold: "" } });
  const button = el("button", { type: "button", class: "bar-row", "aria-expanded": "false" },
    el("span", { class: "what" }, text),
    el("span"),
    track(
      scale,
      items.map((item) => bar(scale, item, kindOf(item)))));
  button.addEventListener("click", () => {
    const drawn = draw();
    node.replaceWith(...drawn);
    one("button", drawn[0])?.focus();
  });
  node.append(button);
  return node;
}

const kindOf = (item) => ({
  kind: item.sql ? "sql" : item.kind,
  tone: item.is_error || hasFailed(item) ? "red" : null
});

function spanRow({ span, run, depth, isCulprit }, scale, isFirstCulprit) {
  const spans = run ?? [span];
  const time = spans.reduce((total, item) => total + item.duration, 0);
  const cells = [
    el("span", { class: "what" },
      el("span", { class: "name" }, run ? `${number(run.length)} × ${span.name}` : span.name),
      isCulprit ? culpritMark() : null),
    el("span", { class: "num" },
      duration(time),
      el("span", { class: "hidden-text" }, `, from ${duration(span.offset)}`, span.is_error ? ", failed" : "")),
    track(
      scale,
      spans.map((item) => bar(scale, item, kindOf(item))))];
  const { button, open } = disclosure({
    isOpen: isFirstCulprit,
    depth,
    cells,
    body: () => spanBody(span, run, depth)
  });
  const node = el("li", {
      class: span.is_error ? "failed" : null,
      data: { span: span.id, culprit: isCulprit ? "" : null, run: run?.length }
    },
    button);
  if (isFirstCulprit) open();
  return node;
}

function spanBody(span, run, depth) {
  const attributes = Object.entries(span.attributes ?? {}).filter(([name]) => name !== "db.query.text");
  return el("div", { class: "body", vars: { depth } },
    span.sql ? sqlText(span.sql) : null,
    run
      ? el("p", { class: "muted" },
          `From ${duration(span.offset)} to ${duration(endOf(run.at(-1)))}, each ${duration(Math.min(...run.map((item) => item.duration)))} to ${duration(Math.max(...run.map((item) => item.duration)))}.`
        )
      : null,
    attributes.length
      ? el("details", { class: "more", open: !span.sql },
          el("summary", {}, "attributes"),
          pairs(Object.fromEntries(attributes)))
      : null,
    !span.sql && !attributes.length ? el("p", { class: "muted" }, "Nothing more is known about this span.") : null);
}

const CLAUSES =
  /\s+(?=(?:FROM|WHERE|(?:LEFT |INNER |CROSS )?JOIN|GROUP BY|ORDER BY|HAVING|LIMIT|RETURNING|VALUES|SET|ON CONFLICT|FOR (?:UPDATE|SHARE|NO KEY UPDATE|KEY SHARE))\b)/g;
const KEYWORDS =
  /\b(SELECT|FROM|WHERE|JOIN|LEFT|INNER|OUTER|CROSS|LATERAL|ON|AND|OR|NOT|IN|IS|NULL|AS|WITH|INSERT|INTO|VALUES|UPDATE|SET|DELETE|RETURNING|GROUP|ORDER|BY|HAVING|LIMIT|OFFSET|FOR|SHARE|SKIP|LOCKED|EXISTS|DISTINCT|UNION|ALL|CASE|WHEN|THEN|ELSE|END|CONFLICT|DO|NOTHING|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|DESC|ASC|LIKE|ILIKE|ANY|BETWEEN)\b/;

/** The statement: a long line is broken before its clauses, keywords stand out. Its words stay as they are. */
function sqlText(sql) {
  const text = sql.includes("\n") || sql.length < 70 ? sql.trim() : sql.trim().replace(CLAUSES, "\n");
  const parts = text.split(KEYWORDS).map((part, index) => (index % 2 ? el("b", {}, part) : part));
  return el("pre", { class: "sql", data: { sql: "" } }, el("code", {}, parts));
}

function lineRow({ line, depth, isCulprit }, scale) {
  const extra = Object.entries(line.fields ?? {})
    .map(([name, value]) => `${name}=${plain(value)}`)
    .join("  ");
  const cells = [
    el("span", { class: "what" },
      el("span", { class: "level" }, line.level),
      " ",
      el("span", { class: "event name" }, line.event),
      isCulprit ? culpritMark() : null,
      " ",
      el("span", { class: "logger" }, line.logger),
      extra ? [" ", el("span", { class: "extra" }, extra)] : null),
    el("span", { class: "num muted" }, `at ${duration(line.offset)}`),
    track(
      scale,
      el("i", { class: "dot", data: { level: line.level }, vars: { left: `${scale.place(line.offset)}%` } }))];
  const props = { class: "line", data: { line: "", level: line.level, culprit: isCulprit ? "" : null } };
  if (!line.exception) return el("li", props, el("div", { class: "bar-row", vars: { depth } }, cells));
  const { button } = disclosure({
    isOpen: false,
    depth,
    cells,
    body: () =>
      el("div", { class: "body", vars: { depth } },
        el("p", {}, exceptionName(line.exception)),
        stackOf(line.exception))
  });
  return el("li", props, button);
}

// --- Routes -------------------------------------------------------------------------------------------------------

const SUSPICIOUS_STATEMENTS = 10;
const ROUTE_COLUMNS = [
  {
    key: "route",
    label: "route",
    head: true,
    class: "first",
    cell: (r) =>
      el("a", { href: `#/requests?${new URLSearchParams({ list: "recent", route: r.route })}`, data: { open: "" } },
        title(`${r.method} ${r.route}`))
  },
  { key: "requests", label: "requests", short: "requests", class: "num", cell: (r) => number(r.requests) },
  { key: "rate", label: "per second", short: "per second", class: "num", cell: (r) => number(r.rate, 2) },
  {
    key: "errors",
    label: "errors",
    short: "errors",
    class: "num",
    cell: (r) =>
      el("span", { class: r.errors ? "bad" : "muted" },
        number(r.errors),
        r.errors ? ` (${percent(r.errors / r.requests)})` : null)
  },
  { key: "p50", label: "p50", short: "p50", class: "num", cell: (r) => duration(r.p50) },
  { key: "p95", label: "p95", short: "p95", class: "num", cell: (r) => duration(r.p95) },
  { key: "p99", label: "p99", short: "p99", class: "num", cell: (r) => duration(r.p99) },
  {
    key: "statements",
    label: "SQL per request",
    short: "SQL",
    class: "num",
    cell: (r) =>
      r.statements > SUSPICIOUS_STATEMENTS
        ? el("span", {
              class: "pill",
              data: { tone: "accent", suspicious: "" },
              title: "More than ten statements for one request: perhaps one for each row of a list."
            },
            `N+1? ${number(r.statements, 1)}`)
        : number(r.statements, 1)
  }];
let routeOrder = { key: "requests", isDescending: true };

async function viewRoutes(root, { signal }) {
  const { items } = await ops("routes", {}, signal);
  const sheet = el("div");
  const draw = () => {
    const { key, isDescending } = routeOrder;
    const value = (row) => (key === "route" ? `${row.route} ${row.method}` : (row[key] ?? -1));
    const sorted = [...items].sort(
      (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (isDescending ? -1 : 1));
    const columns = ROUTE_COLUMNS.map((column) => ({
      ...column,
      sort: column.key === key ? (isDescending ? "descending" : "ascending") : null,
      title: el("button", {
          type: "button",
          data: { sort: column.key },
          on: {
            click: () => {
              routeOrder = {
                key: column.key,
                isDescending: column.key === key ? !isDescending : column.key !== "route"
              };
              draw();
              one(`[data-sort=${column.key}]`, sheet).focus();
            }
          }
        },
        column.label)
    }));
    fill(
      sheet,
      table({
        name: "Routes",
        columns,
        rows: sorted,
        className: "stack sorts",
        rowProps: (r) => ({ data: { row: "", route: `${r.method} ${r.route}` } })
      }));
  };
  append(root, [
    head(
      "Routes",
      el("span", { class: "muted" }, "the last 15 minutes"),
      el("span", { class: "spring" }),
      reloadButton()),
    items.length ? sheet : note("No request has been answered in the last 15 minutes.")]);
  draw();
  setStatus("idle", `${plural(items.length, "route")}, as of ${clock.format(Date.now())}.`);
}

// --- Jobs ---------------------------------------------------------------------------------------------------------

async function viewJobs(root, { signal }) {
  const load = (state, cursor) =>
    ops("jobs", { state, limit: 50, total: true, ...(cursor ? { cursor } : {}) }, signal);
  const [dead, running, waiting] = await Promise.all([load("dead"), load("running"), load("waiting")]);
  const isRetrying = (job) => job.attempts > 0;
  const retrying = waiting.items.filter(isRetrying);
  const fresh = waiting.items.filter((job) => !isRetrying(job));
  append(root, [
    head("Jobs", el("span", { class: "spring" }), reloadButton()),
    jobBlock({
      name: "Dead",
      page: dead,
      about: "Given up after their last attempt.",
      empty: "No job is dead.",
      columns: ["job", "ordered", "attempts", "error", "request", "putBack"],
      more: (cursor) => load("dead", cursor)
    }),
    jobBlock({
      name: "Retrying",
      page: { items: retrying },
      about: "They failed, and wait for their next attempt.",
      empty: "No job is being retried.",
      columns: ["job", "ordered", "attempts", "next", "error", "request"]
    }),
    jobBlock({
      name: "Running",
      page: running,
      about: "A worker has them.",
      empty: "No job is running.",
      columns: ["job", "ordered", "attempts", "request"],
      more: (cursor) => load("running", cursor)
    }),
    jobBlock({
      name: "Waiting",
      page: { ...waiting, items: fresh, total: fresh.length },
      about: "They have not been tried yet.",
      empty: "No job waits.",
      columns: ["job", "ordered", "next", "request"],
      more: (cursor) => load("waiting", cursor)
    })]);
  setStatus("idle", `As of ${clock.format(Date.now())}.`);
}

function jobBlock({ name, page, about, empty, columns, more }) {
  const rows = [...page.items];
  const holder = el("div");
  let cursor = more ? page.next_cursor : null;
  const showMore = async (event) => {
    event.currentTarget.disabled = true;
    try {
      const next = await more(cursor);
      rows.push(...next.items);
      cursor = next.next_cursor;
    } catch (error) {
      setStatus("trouble", messageOf(error));
    }
    draw();
  };
  const draw = () =>
    fill(
      holder,
      rows.length ? jobTable(name, rows, columns) : note(empty),
      cursor ? el("button", { type: "button", class: "more-rows", on: { click: showMore } }, "Show more") : null);
  draw();
  return el("section", { class: "block", data: { jobs: name.toLowerCase() } },
    el("h2", {},
      name,
      el("span", { class: "count" }, number(page.total ?? rows.length), rows.length ? ` · ${about}` : null)),
    holder);
}

const JOB_COLUMNS = {
  job: {
    label: "job",
    head: true,
    cell: (job) => [el("span", { class: "verb" }, job.name), el("span", { class: "muted" }, ` ${job.id}`)]
  },
  ordered: { label: "ordered", class: "tight", short: "ordered", cell: (job) => moment(fromIso(job.created_at)) },
  attempts: { label: "attempts", class: "num", short: "attempts", cell: (job) => number(job.attempts) },
  next: { label: "due", class: "tight", short: "due", cell: (job) => moment(fromIso(job.next_attempt_at)) },
  error: {
    label: "last error",
    class: "wide",
    cell: (job) => (job.error ? el("code", { class: job.state === "dead" ? "bad" : "" }, job.error) : null)
  },
  request: {
    label: "ordered by",
    class: "tight",
    cell: (job) => (job.request_id ? requestLink(job.request_id, "its request") : null)
  },
  putBack: { label: "", class: "tight act", cell: (job) => putBack(job) }
};

function jobTable(name, jobs, columns) {
  return table({
    name,
    rows: jobs,
    className: columns.includes("error") ? "stack jobs" : "stack jobs brief",
    rowProps: (job) => ({ data: { job: job.id } }),
    columns: columns.map((key) => JOB_COLUMNS[key])
  });
}

function putBack(job) {
  const outcome = el("span", { class: "outcome", role: "status" });
  const button = el("button",
    { type: "button", data: { putBack: job.id }, "aria-label": `Put back ${job.name} ${job.id}` },
    "Put back");
  button.addEventListener("click", async () => {
    button.disabled = true;
    setText(outcome, "");
    try {
      await call(`/api/v1/jobs/${job.id}/retry`, { method: "POST" });
      button.hidden = true;
      setText(outcome, "Put back. A worker takes it next.");
    } catch (error) {
      button.disabled = false;
      outcome.classList.add("bad");
      setText(outcome, messageOf(error));
    }
  });
  return [button, " ", outcome];
}

// --- Mail and database --------------------------------------------------------------------------------------------

async function viewMail(root, { signal }) {
  const { items } = await ops("mail", {}, signal);
  const about = el("p", { class: "muted" }, "Mail is kept here, and not sent, because no SMTP_URL is set.");
  append(root, [
    head("Mail", items.length ? about : null, el("span", { class: "spring" }), reloadButton()),
    items.length
      ? el("div", { class: "sheet mail" },
          items.map((mail, index) =>
            el("details", { open: index === 0, data: { mail: "" } },
              el("summary", {},
                el("span", { class: "subject" }, mail.subject),
                el("span", {}, mail.recipient),
                el("span", { class: "muted" }, moment(mail.at))),
              el("pre", {}, mail.body))))
      : note("No mail has been kept. With SMTP_URL set, mail is sent and does not show here.")]);
  setStatus("idle", `As of ${clock.format(Date.now())}.`);
}

async function viewDatabase(root, { signal }) {
  const { items } = await ops("database", {}, signal);
  const blocked = (pid) => items.filter((item) => item.blocked_by.includes(pid)).map((item) => item.pid);
  append(root, [
    head(
      "Database",
      el("p", { class: "muted" }, "sessions of PostgreSQL that are at work, or hold or wait for something"),
      el("span", { class: "spring" }),
      reloadButton()),
    items.length
      ? table({
          name: "Sessions",
          rows: items,
          className: "stack",
          rowProps: (s) => ({ data: { pid: s.pid } }),
          columns: [
            { label: "pid", head: true, class: "tight", short: "pid", cell: (s) => s.pid },
            { label: "application", class: "tight", cell: (s) => s.application },
            { label: "state", class: "tight", cell: (s) => s.state },
            { label: "for", class: "num", short: "for", cell: (s) => duration(s.seconds * 1000) },
            { label: "waits for", class: "tight", short: "waits for", cell: (s) => s.waits_for ?? NONE },
            {
              label: "blocked by",
              class: "tight",
              cell: (s) => [
                s.blocked_by.length ? pill(`blocked by ${s.blocked_by.join(", ")}`, "red") : null,
                blocked(s.pid).length ? pill(`blocks ${blocked(s.pid).join(", ")}`, "accent") : null]
            },
            { label: "statement", class: "wide", cell: (s) => el("code", {}, s.query) }]
        })
      : note("No session is at work in the database.")]);
  setStatus("idle", `${plural(items.length, "session")}, as of ${clock.format(Date.now())}.`);
}

// --- Process ------------------------------------------------------------------------------------------------------

const LEVELS = ["debug", "info", "warning", "error"];

async function viewProcess(root, { signal }) {
  const cards = el("div", { class: "cards" }, note("Waiting for the first value."));
  const loggers = el("div");
  const loadLoggers = async () => fill(loggers, loggerTable((await ops("loggers", {}, signal)).items, loadLoggers));
  await loadLoggers();
  append(root, [
    head("Process"),
    cards,
    block(
      "Log levels",
      null,
      el("p", { class: "muted" },
        "A level holds for ten minutes, on every process, and falls back by itself. The audit log says who set it."),
      loggers)]);
  follow(signal, (frame) => fill(cards, frame.instances.map(instanceCard))).catch((error) => report(error, signal));
}

function instanceCard(instance) {
  const checks = Object.entries(instance.checks).map(([name, state]) =>
    el("span", { class: state === "ok" ? "" : "bad" }, `${name}: ${state}  `));
  return el("section", { class: "card", data: { instance: instance.name } },
    el("h3", {}, instance.name, instanceState(instance)),
    pairs({
      checks: el("span", { class: "mono" }, checks),
      role: `${instance.role}, pid ${instance.pid}`,
      version: `${instance.version} on Python ${instance.python}`,
      "schema head": plain(instance.schema_head ?? NONE),
      up: el("span", {},
        longDuration(Date.now() / 1000 - instance.started_at),
        ", since ",
        moment(instance.started_at, "calendar")),
      pool: `${number(instance.pool_used)} of ${number(instance.pool_max)} used, ${number(instance.pool_waiting)} waiting`,
      "loop lag": duration(instance.lag),
      memory: `${megabytes(instance.rss_mb)}, of which this page's recorder holds ${megabytes(instance.held_mb)}`,
      recorder: instance.is_shedding ? "sheds load: keeps failed requests and a part of the others" : "keeps all"
    }));
}

function loggerTable(items, reload) {
  const rows = [...items, { isNew: true }];
  return table({
    name: "Loggers",
    rows,
    className: "stack",
    rowProps: (logger) => ({ data: { logger: logger.isNew ? null : logger.name || "root" } }),
    columns: [
      {
        label: "logger",
        head: true,
        class: "wide",
        cell: (logger) =>
          logger.isNew ? el("span", { class: "muted" }, "another one") : el("code", {}, logger.name || "root")
      },
      { label: "level", cell: (logger) => logger.level?.toLowerCase() },
      {
        label: "until",
        class: "tight",
        cell: (logger) =>
          logger.until ? [moment(logger.until), el("span", { class: "muted" }, ", then as before")] : null
      },
      { label: "for ten minutes", cell: (logger) => levelForm(logger, reload) }]
  });
}

function levelForm(logger, reload) {
  const name = logger.isNew ? null : logger.name || "root";
  const outcome = el("span", { class: "outcome", role: "status" });
  const form = el("form", { class: "set-level" },
    logger.isNew
      ? el("input", {
          name: "name",
          required: true,
          placeholder: "name of a logger",
          "aria-label": "Name of another logger",
          autocapitalize: "off",
          spellcheck: "false"
        })
      : null,
    el("select", { name: "level", "aria-label": `Level of ${name ?? "the other logger"}` },
      LEVELS.map((level) =>
        el("option", { value: level, selected: level === (logger.level?.toLowerCase() ?? "debug") }, level))),
    el("button", { type: "submit" }, "Set"),
    outcome);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const target = name ?? form.elements.name.value.trim();
    const level = form.elements.level.value;
    try {
      await call(`/ops/api/loggers/${encodeURIComponent(target)}`, { method: "PUT", json: { level } });
      setStatus(statusLine.dataset.state, `${target} logs from ${level} on, for ten minutes.`);
      await reload();
      one(`[data-logger="${CSS.escape(target)}"] button`)?.focus();
    } catch (error) {
      outcome.classList.add("bad");
      setText(outcome, messageOf(error));
    }
  });
  return form;
}

// --- From the address to a view -----------------------------------------------------------------------------------

const VIEWS = {
  "": { view: viewNow, name: "Now" },
  requests: { view: viewRequests, name: "Requests" },
  routes: { view: viewRoutes, name: "Routes" },
  jobs: { view: viewJobs, name: "Jobs" },
  mail: { view: viewMail, name: "Mail" },
  database: { view: viewDatabase, name: "Database" },
  process: { view: viewProcess, name: "Process" }
};

let leaving = new AbortController();
let shownHash = null;
/** Where one was in a view that one comes back to: the link that had the focus, and how far it was scrolled. */
const places = new Map();

function parseHash() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [area, ...rest] = path.split("/");
  let id = rest.join("/");
  try {
    id = decodeURIComponent(id);
  } catch {
    /* a stray % is part of the id */
  }
  return { area, id, query: new URLSearchParams(query) };
}

async function show({ isReload = false } = {}) {
  if (!session) return showSignIn("");
  if (shownHash !== null)
    places.set(shownHash, { href: document.activeElement?.getAttribute?.("href"), top: scrollY });
  if (places.size > 50) places.delete(places.keys().next().value);
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const { area, id, query } = parseHash();
  const target = area === "requests" && id ? { view: viewRequest, name: "Request" } : (VIEWS[area] ?? VIEWS[""]);
  shownHash = location.hash;
  one("[data-top]").hidden = one("[data-foot]").hidden = false;
  for (const link of one("[data-nav]").children) {
    const isCurrent = link.getAttribute("href") === `#/${area in VIEWS ? area : ""}`;
    if (isCurrent) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else link.removeAttribute("aria-current");
  }
  document.title = `${id && area === "requests" ? id : target.name} · Glasswork`;
  if (!isReload) search.value = "";

  const root = el("div", { data: { view: target.name.toLowerCase() } });
  const slow = setTimeout(() => {
    if (!signal.aborted) fill(main, el("p", { class: "note", data: { loading: "" } }, "Loading."));
  }, 200);
  setStatus("loading", "Loading.");
  try {
    await target.view(root, { signal, id, query });
    if (signal.aborted) return;
    main.replaceChildren(root);
    settle(root, places.get(shownHash));
  } catch (error) {
    report(error, signal);
  } finally {
    clearTimeout(slow);
  }
}

/** Put the focus where one left the view, or on its heading, so that a screen reader starts there. */
function settle(root, place) {
  const link =
    place?.href && [...root.querySelectorAll("a")].find((item) => item.getAttribute("href") === place.href);
  (link || one("h1", root))?.focus({ preventScroll: true });
  scrollTo(0, place?.top ?? 0);
}

function messageOf(error) {
  if (error instanceof TypeError && !/fetch/i.test(error.message)) return "This page has a bug: see the console.";
  if (!(error instanceof Refused)) return "The server does not answer. It may be restarting.";
  return error.requestId && error.status >= 500 ? `${error.message} (request ${error.requestId})` : error.message;
}

/** Show why a view cannot be shown. Who is no administrator gets the same 404 as where there is nothing. */
function report(error, signal) {
  if (signal.aborted || !session) return;
  leaving.abort();
  const isClosed = error instanceof Refused && [403, 404].includes(error.status);
  if (!(error instanceof Refused)) console.warn(error);
  setStatus("trouble", isClosed ? "Not for this account." : "This could not be loaded.");
  const again = el("button", { type: "button", class: "primary", on: { click: () => show({ isReload: true }) } },
    "Try again");
  fill(
    main,
    el("div", { data: { view: isClosed ? "closed" : "trouble" } },
      isClosed
        ? el("h1", { tabindex: -1, class: "hidden-text" }, "Not for this account")
        : el("h1", { tabindex: -1, class: "hidden-text" }, "This could not be loaded"),
      isClosed
        ? note(
            el("strong", {}, "This page is for administrators of the installation."),
            "Your account is not one of them. Sign out to use another account.")
        : el("div", { class: "note trouble", role: "alert" },
            el("p", {}, el("strong", {}, messageOf(error))),
            again)));
  one("h1", main).focus();
}

function showSignIn(message) {
  leaving.abort();
  shownHash = null;
  places.clear();
  one("[data-top]").hidden = one("[data-foot]").hidden = true;
  document.title = "Sign in · Glasswork";
  const alert = el("p", { role: "alert", data: { alert: "" } });
  const button = el("button", { type: "submit", class: "primary" }, "Sign in");
  const field = (name, label, props) =>
    el("label", {}, el("span", {}, label), el("input", { name, required: true, ...props }));
  const code = field("code", "Code of your app, or a recovery code", {
    autocomplete: "one-time-code",
    required: false
  });
  code.hidden = true;
  const form = el("form", {},
    field("username", "Username or e-mail", {
      autocomplete: "username",
      autocapitalize: "off",
      spellcheck: "false"
    }),
    field("password", "Password", { type: "password", autocomplete: "current-password" }),
    code,
    alert,
    button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    setText(alert, "");
    const { username, password, code: typed } = form.elements;
    try {
      await signIn(username.value, password.value, typed.value);
      await show();
    } catch (error) {
      const isAsked = error.code === "SECOND_FACTOR_REQUIRED";
      code.hidden &&= !isAsked;
      setText(alert, isAsked ? "Now the code." : messageOf(error));
      button.disabled = false;
      (isAsked || error.code === "INVALID_SECOND_FACTOR" ? typed : password).select();
    }
  });
  fill(
    main,
    el("div", { class: "sign-in", data: { view: "sign-in" } },
      el("h1", { tabindex: -1 }, "Operations"),
      el("p", { class: "muted" }, message || "For administrators of this installation of Glasswork."),
      form));
  form.elements.username.focus();
}

// --- Keyboard and start -------------------------------------------------------------------------------------------

/** The id, also when the whole body of an error was pasted. */
function pastedId(text) {
  return /"request_id"\s*:\s*"([^"]+)"/.exec(text)?.[1] ?? text.trim();
}

function moveRow(step) {
  const links = [...main.querySelectorAll("tr[data-row] a[data-open], .waterfall button")].filter((item) =>
    item.checkVisibility());
  if (!links.length) return false;
  const at = links.indexOf(document.activeElement);
  const next = links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + step))];
  next.focus({ preventScroll: true });
  (next.closest("tr") ?? next).scrollIntoView({ block: "nearest" });
  return true;
}

function onKey(event) {
  if (!session || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const isOnRow = document.activeElement?.closest("tr[data-row], .waterfall");
  const steps = { j: 1, k: -1, ...(isOnRow ? { ArrowDown: 1, ArrowUp: -1 } : {}) };
  if (event.key === "/") {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "r") show({ isReload: true });
  else if (event.key in steps && moveRow(steps[event.key])) event.preventDefault();
}

document.addEventListener("keydown", onKey);
main.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-row]");
  if (!row || event.target.closest("a, button") || String(getSelection())) return;
  const link = one("a[data-open]", row);
  link.focus({ preventScroll: true });
  link.click();
});
one("[data-find]").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = pastedId(search.value);
  if (!id) return;
  const hash = `#/requests/${encodeURIComponent(id)}`;
  if (location.hash === hash) show({ isReload: true });
  else location.hash = hash;
});
one("[data-sign-out]").addEventListener("click", signOut);
one("[data-skip]").addEventListener("click", (event) => {
  // The hash names the view, so the link must not change it.
  event.preventDefault();
  (one("h1", main) ?? main).focus();
});
addEventListener("hashchange", () => show());
show();
