// The Node end of the pipe of contender.py: connect-dynamodb, and express-session for a visit.
"use strict";
const { createRequire } = require("node:module");
const http = require("node:http");
const readline = require("node:readline");

const order = JSON.parse(process.argv[2]);
const fetched = createRequire(order.peers + "/package.json");
const RealDate = Date;
let ahead = 0; // milliseconds that a visit has wound the clock on

if (order.wound) {
  global.Date = class extends RealDate {
    constructor(...given) {
      if (given.length) super(...given);
      else super(RealDate.now() + ahead);
    }
    static now() {
      return RealDate.now() + ahead;
    }
  };
}

const session = fetched("express-session");
const { DynamoDBClient } = fetched("@aws-sdk/client-dynamodb");
const DynamoDBStore = fetched("connect-dynamodb")({ session });
const client = new DynamoDBClient({ endpoint: order.endpoint, region: "us-east-1" });
const store = new DynamoDBStore({ table: order.table, client });
const ident = "benchmark";
let held;

const get = () =>
  new Promise((done, failed) => store.get(ident, (error, found) => (error ? failed(error) : done(found))));
const set = (values) =>
  new Promise((done, failed) => store.set(ident, values, (error) => (error ? failed(error) : done())));

async function load() {
  const found = await get();
  if (found.user_id !== held.user_id) throw new Error("another session was loaded");
}

async function save() {
  held.visits += 1;
  await set(held);
}

async function timed(action, calls) {
  const cpu = process.cpuUsage();
  const wall = process.hrtime.bigint();
  for (let n = 0; n < calls; n += 1) await action();
  const used = process.cpuUsage(cpu);
  return { cpu: (used.user + used.system) / 1e6, wall: Number(process.hrtime.bigint() - wall) / 1e9 };
}

function application(values) {
  // What both README files advise: nothing is saved that was not changed; express-session touches.
  const sessions = session({
    store,
    secret: "replace me",
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 1800 * 1000 },
  });
  return http.createServer((request, response) => {
    sessions(request, response, () => {
      if (request.url === "/login") Object.assign(request.session, values);
      if (request.url === "/change") request.session.visits += 1;
      response.end(JSON.stringify([request.session.user_id, request.session.visits]));
    });
  });
}

function ask(port, path, cookies) {
  return new Promise((done, failed) => {
    const asked = http.get({ port, path, host: "127.0.0.1", headers: { cookie: cookies.join("; ") } });
    asked.on("error", failed);
    asked.on("response", (reply) => {
      for (const line of reply.headers["set-cookie"] || []) cookies[0] = line.split(";")[0];
      let text = "";
      reply.on("data", (some) => (text += some));
      reply.on("end", () => done(JSON.parse(text)));
    });
  });
}

async function visit(values, steps) {
  const server = application(values);
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const cookies = [];
  const started = Date.now();
  let visits = values.visits;
  for (const [seconds, path] of steps) {
    ahead += started + seconds * 1000 - Date.now();
    if (path === "/change") visits += 1;
    const said = await ask(server.address().port, path, cookies);
    if (said[0] !== values.user_id || said[1] !== visits) throw new Error(`${path} said ${said}`);
  }
  server.close();
  return { pages: steps.length };
}

async function answer(asked) {
  if (asked.do === "visit") return visit(asked.values, asked.steps);
  if (asked.do === "load") return timed(load, asked.calls);
  if (asked.do === "save") return timed(save, asked.calls);
  held = { cookie: { maxAge: 1800 * 1000 }, ...asked.values };
  await set(held);
  return { stored: null };
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const found = await answer(JSON.parse(line)).catch((error) => ({ error: String(error) }));
    console.log(JSON.stringify(found));
  }
  process.exit(0);
})();
