// Visits of three users to an application with express-session and connect-dynamodb.
// Arguments: the folder of node_modules, the endpoint, the table. Prints each user's cookie as JSON.

"use strict";

const [, , modules, endpoint, table] = process.argv;
const { createRequire } = require("module");
const http = require("http");

const ours = createRequire(modules + "/");
const { DynamoDBClient } = ours("@aws-sdk/client-dynamodb");
const session = ours("express-session");
const DynamoDBStore = ours("connect-dynamodb")({ session });

const client = new DynamoDBClient({ endpoint, region: "us-east-1" });
const store = new DynamoDBStore({ table, client });
const hour = 3600 * 1000;
const cookies = { ann: { maxAge: hour }, bob: {}, eve: { maxAge: -hour } };

function application(request, response) {
  const user = request.url.slice(1);
  const middleware = session({
    store,
    secret: "express's secret",
    resave: false,
    saveUninitialized: false,
    cookie: cookies[user],
  });
  middleware(request, response, () => {
    request.session.user = user;
    request.session.cart = [1, { name: "caf\u00e9" }, null];
    response.end();
  });
}

function visit(port, user) {
  return new Promise((resolve, reject) => {
    http
      .get({ host: "127.0.0.1", port, path: "/" + user }, (response) => {
        response.resume();
        response.on("end", () => resolve((response.headers["set-cookie"] || [""])[0]));
      })
      .on("error", reject);
  });
}

async function main() {
  await store.initialize();
  const server = http.createServer(application).listen(0, "127.0.0.1", async () => {
    const sent = {};
    for (const user of Object.keys(cookies)) sent[user] = await visit(server.address().port, user);
    console.log(JSON.stringify(sent));
    server.close();
    client.destroy();
  });
}

main();
